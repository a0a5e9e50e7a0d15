"""What is known of a program's goroutines: what it has planted, and what its runtime says.

The programs cores/programs/leaks/* and parked state which goroutines they have started, and write
the runtime's own profiles when they end (-profiles). A goroutine that waits looks the same in
those and in a core or a look into the process that was taken before.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from conftest import minor


class Frame(NamedTuple):
    """A frame of a traceback."""

    function: str
    file: str
    line: int
    inlined: bool = False

    def place(self) -> tuple[str, str, int]:
        return self[:3]


class Creator(NamedTuple):
    """The go statement that a goroutine comes from."""

    function: str
    file: str
    line: int
    goroutine: int  # since Go 1.21; 0: not told


class Goroutine(NamedTuple):
    """A goroutine of a traceback (debug=2)."""

    goid: int
    state: str  # the wait reason where it waits
    minutes: int
    locked: bool
    leaked: bool  # found by the runtime's search
    frames: list[Frame]  # innermost first
    elided: int  # frames between that are not told
    created_by: Creator | None

    def root(self) -> str:
        """The function at the bottom of its stack."""
        return self.frames[-1].function


class Counted(NamedTuple):
    """Goroutines of a profile (debug=1) with the same stack and labels."""

    count: int
    labels: dict[str, str]
    frames: list[Frame]


class Planted(NamedTuple):
    """A group of goroutines that a program has started."""

    function: str  # the lowest of their stacks
    verdict: str  # leaked, suspect, healthy
    wait_reason: str
    blocked_on: str
    count: int
    bytes: int  # that they keep alive, at least; 0: not known


HEADER = re.compile(r"^goroutine (\d+)(?: gp=(\w+) m=\S+(?: mp=\w+)?)? \[([^]]*)\]", re.MULTILINE)
PLACE = re.compile(r"\t(.*):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=.*)?$")
CREATED_BY = re.compile(r"created by (.+?)(?: in goroutine (\d+))?$")
ELIDED = re.compile(r"\.\.\.(?:(\d+)|additional) frames elided\.\.\.$")
COUNT = re.compile(r"(\d+) @(?: 0x[0-9a-f]+)*$")
COUNTED_FRAME = re.compile(r"#\t0x[0-9a-f]+\t(.+)\+0x[0-9a-f]+\t+(.+):(\d+)$")
LABELS = "# labels: "

# What the runtime waits with for all of package sync, before it told them apart.
SINCE = {
    "sync.Mutex.Lock": 20,
    "sync.RWMutex.Lock": 20,
    "sync.RWMutex.RLock": 20,
    "sync.WaitGroup.Wait": 24,
}


def wait_reason(reason: str, go: str) -> str:
    """A wait reason of the newest release, in the words of this one."""
    return reason if minor(go) >= SINCE.get(reason, 0) else "semacquire"


def planted(truth: dict[str, Any], go: str) -> list[Planted]:
    """The groups that a program has started."""
    groups = []
    for root in truth["roots"]:
        function = root["name"].removeprefix("goroutine ")
        reason = truth["facts"][f"{root['kind']} {function}"]
        groups.append(
            Planted(
                function,
                root["kind"],
                wait_reason(reason, go),
                root["type"],
                root["count"],
                root["bytes"],
            )
        )
    return groups


def counted(groups: list[Planted], *verdicts: str) -> Counter[tuple[str, str]]:
    """How many goroutines of these verdicts stand in which function, for which reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for group in groups:
        if group.verdict in verdicts and group.count:
            counts[group.function, group.wait_reason] += group.count
    return counts


def tracebacks(text: str) -> list[Goroutine]:
    """The goroutines of a traceback; raises ValueError for what it cannot read."""
    return [_goroutine(block.split("\n")) for block in text.strip().split("\n\n")]


def _goroutine(lines: list[str]) -> Goroutine:
    header = HEADER.match(lines[0])
    if not header:
        raise ValueError(f"no header of a goroutine: {lines[0]}")
    state, *notes = header[3].split(", ")
    minutes = next((int(note.split()[0]) for note in notes if note.endswith(" minutes")), 0)
    frames, elided, creator = _frames(lines[1:])
    return Goroutine(
        int(header[1]),
        state.removesuffix(" (leaked)"),
        minutes,
        "locked to thread" in notes,
        state.endswith(" (leaked)"),
        frames,
        elided,
        creator,
    )


def _frames(lines: list[str]) -> tuple[list[Frame], int, Creator | None]:
    frames, elided, creator = [], 0, None
    rest = iter(lines)
    for line in rest:
        if skipped := ELIDED.match(line):
            elided += int(skipped[1] or 1)
            continue
        where = PLACE.match(next(rest, ""))
        if not where:
            raise ValueError(f"no place of a frame after: {line}")
        if made := CREATED_BY.match(line):
            creator = Creator(made[1], where[1], int(where[2]), int(made[2] or 0))
            continue
        name, _, arguments = line.rpartition("(")
        frames.append(Frame(name, where[1], int(where[2]), arguments == "...)"))
    return frames, elided, creator


def crash_headers(text: str) -> dict[int, tuple[str, str]]:
    """State and address ("" where it is not told) of each goroutine that a crash has printed."""
    found = {}
    for header in HEADER.finditer(text):
        if header[1] != "0":  # the stack of a thread
            found[int(header[1])] = (header[3].split(", ")[0], header[2] or "")
    return found


def profile(text: str) -> list[Counted]:
    """The stacks of a profile with debug=1."""
    found = []
    _, *blocks = re.split(r"\n(?=\d+ @)", text.strip())
    for block in blocks:
        first, *lines = block.strip().split("\n")
        count = COUNT.match(first)
        if not count:
            raise ValueError(f"no count of a stack: {first}")
        labels: dict[str, str] = {}
        frames = []
        for line in lines:
            if line.startswith(LABELS):
                labels = json.loads(line[len(LABELS) :])
            elif frame := COUNTED_FRAME.match(line):
                frames.append(Frame(frame[1], frame[2], int(frame[3])))
            else:
                raise ValueError(f"neither labels nor a frame: {line}")
        found.append(Counted(int(count[1]), labels, frames))
    return found


class Profiles(NamedTuple):
    """What a program has written with -profiles."""

    goroutines: list[Goroutine]
    counted: list[Counted]
    leaks: list[Goroutine] | None  # None: this runtime has no such profile

    def leaked(self) -> dict[int, Goroutine]:
        """Those that the runtime's search finds, by id."""
        assert self.leaks is not None
        return {g.goid: g for g in self.leaks if g.leaked}


def read_profiles(folder: Path) -> Profiles:
    leaks = folder / "goroutineleak.2"
    return Profiles(
        tracebacks((folder / "goroutine.2").read_text()),
        profile((folder / "goroutine.1").read_text()),
        tracebacks(leaks.read_text()) if leaks.exists() else None,
    )


def finish(process: Any, folder: Path) -> Profiles:
    """Ends a program that was started with -profiles FOLDER."""
    process.finish()
    return read_profiles(folder)

"""Whether the analysis of a core is exact: by the runtime's marks and by the program itself."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from conftest import TWICE_BYTES

SECONDS = 300
# MemStats counts a full chunk of a user arena as gone when the arena is freed; the collector marks
# it as long as something points to it.
FREED_CHUNKS = 2

Report = dict[str, Any]


class Verdict(NamedTuple):
    objects: int
    difference: str = ""  # "": none


class NoReportError(Exception):
    """The program gave no report; the text is its own."""


def judge(spanwalk: Path, core: Path, exe: Path, truth: dict[str, Any]) -> Verdict:
    """Asks `spanwalk verify`, and believes it only if all that is said fits together."""
    try:
        verify = ask(spanwalk, "verify", core, exe)
        heap = ask(spanwalk, "heap", core, exe)
    except NoReportError as error:
        return Verdict(0, str(error))
    found = [*incomplete(verify), *marks(verify), *counts(verify, heap, truth)]
    version = truth["go_version"].split()[0]
    if verify["target"]["runtime"].split()[0] != version:
        found.append(f"taken for {verify['target']['runtime']}, and is {version}")
    return Verdict(verify["summary"]["replay_objects"], "; ".join(found))


def ask(spanwalk: Path, command: str, core: Path, exe: Path) -> Report:
    """A report, and the exit status in it."""
    words = [str(spanwalk), command, str(core), "--exe", str(exe), "--json"]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NoReportError(f"{command}: no answer in {SECONDS} s") from None
    if done.returncode not in (0, 4):
        raise NoReportError(why(done.returncode, done.stderr).replace(f"{core.parent}/", ""))
    try:
        report: Report = json.loads(done.stdout.replace(f"{core.parent}/", ""))
    except ValueError:
        raise NoReportError(f"{command}: status {done.returncode} without a report") from None
    return report | {"status": done.returncode}


def why(status: int, errors: str) -> str:
    """Why a run failed, in the words of the program."""
    said = errors.strip().splitlines()
    if status < 0:
        said.insert(0, f"killed by {signal.Signals(-status).name}")
    return (said[0] if said else f"status {status}, and nothing said").removeprefix("spanwalk: ")


def incomplete(verify: Report) -> list[str]:
    if not verify["status"] and verify["complete"]:
        return []
    said = [warning["message"] for warning in verify["warnings"]]
    return said or [f"status {verify['status']}, not complete, and no warning"]


def marks(verify: Report) -> list[str]:
    """Where the runtime's marks differ."""
    summary, found = verify["summary"], []
    if not summary["exact"]:
        found = [
            f"{row['objects']:,} objects, {row['marked_by']}: {row['reason']}"
            for row in verify["tables"]["differences"]
        ] or ["not exact, and no difference is shown"]
    twice = summary["heap_marked_bytes"] - summary["marked_bits_bytes"]
    if not 0 <= twice <= TWICE_BYTES:
        found.append(f"the runtime counted {twice:+,} bytes more than its mark bits")
    return found


def counts(verify: Report, heap: Report, truth: dict[str, Any]) -> list[str]:
    """Where runtime.MemStats in the program differ. They were read after the last collection:
    what is newer, alive or not, may have been counted too, and nothing else."""
    objects, size = (truth["memstats"][name] for name in ("HeapObjects", "HeapAlloc"))
    gone = FREED_CHUNKS if truth["facts"].get("arenas") else 0
    marked, marked_bytes = (verify["summary"][f"runtime_{what}"] for what in ("objects", "bytes"))
    present = heap["summary"]["live_objects"] + heap["summary"]["garbage_objects"]
    if not marked - gone <= objects <= present:
        return [f"the program counted {objects:,} objects, not {marked:,} to {present:,}"]
    if marked == objects and marked_bytes != size:
        return [f"the program counted {size:,} bytes, not {marked_bytes:,}"]
    return []

"""goroutines and stack against the runtime's own traceback of the same process.

The process is at rest: what is read of it, or of its core, is what it says of itself right after,
but for the main goroutine, which then writes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, spanwalk
from goroutine_truth import Frame, Goroutine, Profiles, crash_headers, finish, planted

pytestmark = pytest.mark.needs_go

COUNT = 1200  # goroutines of parked
MAIN = 1


class Seen(NamedTuple):
    """One process: what we see, what it says, and what it has planted."""

    summary: dict[str, Any]
    clusters: list[dict[str, Any]]
    listed: dict[int, dict[str, Any]]
    stacks: dict[int, list[dict[str, Any]]]
    profiles: Profiles
    truth: dict[str, Any]

    def theirs(self) -> dict[int, Goroutine]:
        """All but the main goroutine, which has moved on to write."""
        return {g.goid: g for g in self.profiles.goroutines if g.goid != MAIN}

    def cluster_of(self) -> dict[int, dict[str, Any]]:
        return {goid: cluster for cluster in self.clusters for goid in cluster["goids"]}


def ask(process: Any, core: Path | None, command: str, *words: object) -> dict[str, Any]:
    target = [core, "--exe", process.exe] if core else ["--pid", process.pid]
    found = spanwalk(command, *target, *words, "--json", "--limit", 0).report
    assert found["complete"], found["warnings"]
    return found


SEEN: dict[tuple[object, ...], Seen] = {}


@pytest.fixture
def see(tmp_path: Path, start: Callable[..., Any]) -> Callable[..., Seen]:
    """Looks at a process of parked, once for each way."""

    def see(go: str, mode: str = "plain", via: str = "live") -> Seen:
        key = (go, mode, via)
        if key not in SEEN:
            process = start(
                "parked",
                go,
                mode=mode,
                args=["-count", str(COUNT), "-profiles", str(tmp_path)],
            )
            core = process.core(tmp_path / "core", via="gcore") if via == "core" else None
            clusters = ask(process, core, "goroutines")
            listed = ask(process, core, "goroutines", "--list", "--system")
            stacks = ask(process, core, "stack", "all")
            SEEN[key] = Seen(
                clusters["summary"],
                clusters["tables"]["clusters"],
                {row["goid"]: row for row in listed["tables"]["goroutines"]},
                {row["goid"]: row["frames"] for row in stacks["tables"]["goroutines"]},
                finish(process, tmp_path),
                process.truth,
            )
        return SEEN[key]

    return see


def frames_of(rows: list[dict[str, Any]]) -> list[Frame]:
    return [Frame(row["function"], row["file"], row["line"], row["inlined"]) for row in rows]


def state_of(row: dict[str, Any]) -> str:
    """The word in a traceback's brackets."""
    return str(row["wait_reason"] or row["state"])


def users(seen: Seen) -> dict[int, dict[str, Any]]:
    return {goid: row for goid, row in seen.listed.items() if not row["system"]}


WAYS = [("plain", "live"), ("plain", "core"), ("stripped-pie", "live")]


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode, via", WAYS)
def test_same_goroutines(mode: str, via: str, go: str, see: Callable[..., Seen]) -> None:
    """The same ids; what a traceback leaves out is the runtime's own."""
    seen = see(go, mode, via)
    assert set(users(seen)) == {MAIN, *seen.theirs()}
    assert len(users(seen)) == COUNT + 1
    for goid, their in seen.theirs().items():
        row = seen.listed[goid]
        assert state_of(row) == their.state, row
        assert (row["wait_seconds"] or 0) // 60 == their.minutes, row
        if row["state"] == "waiting":  # since the collections before the truth, at least
            assert row["wait_seconds"] is not None, row
        assert bool(row["locked_thread"]) == their.locked, row


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_system_goroutines(go: str, start: Callable[..., Any], tmp_path: Path) -> None:
    """A crash shows the runtime's goroutines too, and from Go 1.23 on where each g is."""
    process = start("parked", go, args=["-count", str(COUNT)])
    core = process.core(tmp_path / "core", via="crash")
    theirs = crash_headers(process.stderr)
    assert len(theirs) > COUNT
    listed = ask(process, core, "goroutines", "--list", "--system")["tables"]["goroutines"]
    ours = {row["goid"]: row for row in listed}
    assert set(ours) == set(theirs)
    assert sum(not row["system"] for row in listed) == COUNT + 1
    for goid, (state, address) in theirs.items():
        # The signal changes the first two; the scavenger may wake while the crash is written.
        woken = ours[goid]["system"] and "runnable" in (state, state_of(ours[goid]))
        if state not in ("running", "syscall") and not woken:
            assert state_of(ours[goid]) == state
        assert address in ("", ours[goid]["address"])


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode, via", WAYS)
@pytest.mark.parametrize("command", ["goroutines", "stack"])
def test_same_stacks(command: str, mode: str, via: str, go: str, see: Callable[..., Seen]) -> None:
    """The same functions, files and lines, inlined frames among them."""
    seen = see(go, mode, via)
    cluster_of = seen.cluster_of()
    inlined = 0
    for goid, their in seen.theirs().items():
        rows = cluster_of[goid]["frames"] if command == "goroutines" else seen.stacks[goid]
        # A traceback does not know the arguments of a call that was inlined.
        assert frames_of(rows) == their.frames, goid
        assert not their.elided
        inlined += sum(frame.inlined for frame in their.frames)
    assert inlined > 0


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode, via", WAYS)
def test_created_by(mode: str, via: str, go: str, see: Callable[..., Seen]) -> None:
    seen = see(go, mode, via)
    for goid, their in seen.theirs().items():
        ours = seen.listed[goid]["created_by"]
        assert their.created_by
        assert (ours["function"], ours["file"], ours["line"]) == their.created_by[:3]
        # Go 1.21 began to remember who it was.
        assert (ours["goroutine"] or 0) == their.created_by.goroutine
        assert bool(their.created_by.goroutine) == (minor(go) >= 21)
    assert seen.listed[MAIN]["created_by"] is None


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_labels(go: str, see: Callable[..., Seen]) -> None:
    seen = see(go)
    theirs: Counter[str] = Counter()
    for stack in seen.profiles.counted:
        theirs[json.dumps(stack.labels, sort_keys=True)] += stack.count
    ours = Counter(json.dumps(row["labels"], sort_keys=True) for row in users(seen).values())
    assert ours == theirs
    assert len(ours) == 4  # three tenants, and those without


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_clusters(go: str, see: Callable[..., Seen]) -> None:
    """Goroutines with the same stack, state and creator are one cluster; each is in one."""
    seen = see(go)
    goids = [goid for cluster in seen.clusters for goid in cluster["goids"]]
    assert sorted(goids) == sorted(users(seen))
    counts = [cluster["count"] for cluster in seen.clusters]
    assert counts == sorted(counts, reverse=True)
    workers = next(g for g in planted(seen.truth, go) if g.function == "main.handle")
    assert seen.clusters[0]["count"] == workers.count
    theirs = Counter(
        (tuple(g.frames), g.state, g.created_by and g.created_by[:3])
        for g in seen.theirs().values()
    )
    ours = Counter(
        {
            (
                tuple(frames_of(cluster["frames"])),
                state_of(cluster),
                cluster["created_by"] and tuple(cluster["created_by"].values())[:3],
            ): cluster["count"]
            for cluster in seen.clusters
            if MAIN not in cluster["goids"]
        }
    )
    assert ours == theirs


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_summary(go: str, see: Callable[..., Seen]) -> None:
    seen = see(go)
    states = Counter(row["state"] for row in users(seen).values())
    assert seen.summary["goroutines"] == len(users(seen))
    assert seen.summary["system_goroutines"] == len(seen.listed) - len(users(seen))
    for state in ("running", "runnable", "waiting", "syscall"):
        assert seen.summary[state] == states[state], state
    assert seen.summary["clusters"] == len(seen.clusters)
    assert seen.summary["stack_bytes"] == sum(c["stack_bytes"] for c in seen.clusters)


def goids(process: Any, *words: object) -> set[int]:
    found = spanwalk(
        "goroutines", "--pid", process.pid, "--json", "--limit", 0, "--list", *words
    ).report
    return {row["goid"] for row in found["tables"]["goroutines"]}


@pytest.mark.parametrize("go", [NEWEST])
def test_filters(go: str, start: Callable[..., Any], tmp_path: Path) -> None:
    process = start("parked", go, args=["-count", str(COUNT), "-profiles", str(tmp_path)])
    answers = {
        "state": goids(process, "--state", "syscall"),
        "function": goids(process, "--function", "main.awaitTurn"),
        "creator": goids(process, "--created-by", "main.startWorkers"),
        "none": goids(process, "--function", "main.nobody"),
        "old": goids(process, "--wait-min", "100h"),
    }
    theirs = finish(process, tmp_path).goroutines
    others = {g.goid: g for g in theirs if g.goid != MAIN}
    assert answers["state"] - {MAIN} == {i for i, g in others.items() if g.state == "syscall"}
    assert answers["function"] == {i for i, g in others.items() if g.root() == "main.awaitTurn"}
    assert answers["creator"] == {
        i
        for i, g in others.items()
        if g.created_by and g.created_by.function.startswith("main.startWorkers")
    }
    assert answers["none"] == answers["old"] == set()


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_fingerprints(go: str) -> None:
    """They are the same in another run, and without symbols."""

    def prints(mode: str, count: int) -> set[str]:
        name = f"parked-{mode}-{count}-go{go}"
        made = CORES.make("parked", go, mode=mode, args=["-count", str(count)], name=name)
        found = spanwalk("goroutines", made.core, "--exe", made.exe, "--json", "--limit", 0).report
        return {
            c["fingerprint"]
            for c in found["tables"]["clusters"]
            if MAIN not in c["goids"]  # it is about to end the process
        }

    assert len(prints("plain", COUNT)) > 20
    assert prints("plain", COUNT) == prints("plain", COUNT + 100) == prints("stripped-pie", COUNT)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_many(go: str) -> None:
    """All wait for one channel, in 64 stacks; main's stack alone has the channel."""
    made = CORES.make("parked", go, args=["-light", "-count", "6400"], name=f"parked-light-go{go}")
    words = [made.core, "--exe", made.exe, "--json", "--limit", 0]
    found = spanwalk("goroutines", *words).report
    clusters = [c for c in found["tables"]["clusters"] if MAIN not in c["goids"]]
    assert [c["count"] for c in clusters] == [100] * 64
    for cluster in clusters:
        calls = Counter(frame["function"] for frame in cluster["frames"])
        assert calls["main.odd"] + calls["main.even"] == 6
    assert spanwalk("goroutine-leaks", *words).report["summary"]["leaked_goroutines"] == 0

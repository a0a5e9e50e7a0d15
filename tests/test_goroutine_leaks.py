"""goroutine-leaks against what programs have planted, and against the runtime's own search.

Each program of cores/programs/leaks leaks in one way, a stated number of goroutines, and has
others beside them, often in the same function, that somebody can still wake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, minor, repaired, report, spanwalk
from goroutine_truth import Goroutine, Planted, counted, finish, planted

pytestmark = pytest.mark.needs_go

PATTERNS = CORES.leaks()
STRIPPED = ["captured-value", "dead-producer", "rwmutex-never-unlocked", "stopped-timer"]

# Those whose runtime searches for leaks itself. GOEXPERIMENT is needed in 1.26 alone.
SEARCHING = {"1.26.11": "goroutineleakprofile", "1.27.4": ""}

# What the runtime's search does not see. The goroutine's own wait refers to what it waits for, or
# its deferred calls do, or the finalizer of an object that only the goroutine holds.
UNSEEN = {
    "main.captured.func1",
    "main.capturedPointer.func1",
    "main.audit",
    "main.crawl",
    "main.clean",
    "main.sweep",
}
# A stopped ticker may still be among the timers of its P.
SELDOM_SEEN = {"main.poll"}

KINDS = {
    "select": "select",
    "sync.Mutex": "mutex",
    "sync.RWMutex": "rwmutex",
    "sync.WaitGroup": "waitgroup",
    "sync.Cond": "cond",
    "nil chan": "nil chan",
    "forever": "forever",
}


def kind(blocked_on: str) -> str:
    return "chan" if blocked_on.startswith("chan ") else KINDS[blocked_on]


def function_of(row: dict[str, Any], groups: Iterable[Planted]) -> str:
    """The planted function in the stack of a cluster; the lowest when there are several."""
    names = {group.function for group in groups}
    found = [frame["function"] for frame in row["frames"] if frame["function"] in names]
    return found[-1] if found else row["function"]


def named(rows: Iterable[dict[str, Any]], groups: list[Planted]) -> Counter[tuple[str, str]]:
    """How many goroutines the rows name in which function, for which reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        assert row["goroutines"] == len(row["goids"]) == len(set(row["goids"]))
        counts[function_of(row, groups), row["wait_reason"]] += row["goroutines"]
    return counts


def check(found: dict[str, Any], truth: dict[str, Any], go: str) -> None:
    """The leaked goroutines are those that were planted, for what they were planted for."""
    assert found["complete"], found["warnings"]
    groups = planted(truth, go)
    rows = found["tables"]["leaked"]
    assert named(rows, groups) == counted(groups, "leaked")
    summary = found["summary"]
    assert summary["leaked_goroutines"] == truth["facts"]["leaked_goroutines"]
    assert summary["leaked_clusters"] == len(rows)
    assert summary["retained_bytes"] >= sum(g.bytes for g in groups if g.verdict == "leaked")
    for row in rows:
        check_row(row, [g for g in groups if g.verdict == "leaked"])


def check_row(row: dict[str, Any], groups: list[Planted]) -> None:
    function = function_of(row, groups)
    expected = {g.blocked_on for g in groups if g.function == function}
    on = row["blocked_on"]
    assert on["kind"] in {kind(name) for name in expected}, (function, on)
    if on["kind"] == "chan":
        assert on["type"] in expected, (function, on)
    assert row["stack_bytes"] > 0
    assert row["created_by"]["function"].startswith("main.")
    assert row["pattern"]


def leaks(core: Path, exe: Path, *words: object) -> dict[str, Any]:
    return report("goroutine-leaks", core, exe, "--limit", 0, *words)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern(pattern: str, go: str) -> None:
    made = CORES.make(pattern, go)
    assert made.truth["facts"]["leaked_goroutines"] > 0
    assert made.truth["facts"]["healthy_goroutines"] > 0
    check(leaks(made.core, made.exe), made.truth, go)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_repaired(pattern: str, go: str) -> None:
    """The same program without its fault: nothing leaks, and nothing is named."""
    made = repaired(pattern, go)
    assert made.truth["facts"]["leaked_goroutines"] == 0
    check(leaks(made.core, made.exe), made.truth, go)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", STRIPPED)
def test_stripped(pattern: str, go: str) -> None:
    made = CORES.make(f"leaks/{pattern}", go, mode="stripped-pie")
    check(leaks(made.core, made.exe), made.truth, go)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_parked(mode: str, go: str) -> None:
    """Thousands of goroutines at rest, and something will wake each of them."""
    made = CORES.make("parked", go, mode=mode)
    assert made.truth["facts"]["healthy_goroutines"] == 5000
    check(leaks(made.core, made.exe), made.truth, go)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("count", [1, 1000])
def test_count(count: int, go: str) -> None:
    """One goroutine is a leak; a thousand are one cluster."""
    name = f"{CORES.default_name('leaks/missing-sender', go)}-{count}"
    made = CORES.make("leaks/missing-sender", go, args=["-count", str(count)], name=name)
    found = leaks(made.core, made.exe)
    check(found, made.truth, go)
    assert [row["goroutines"] for row in found["tables"]["leaked"]] == [count]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_retained(go: str) -> None:
    """What a cluster holds: its goroutines' answers, not those of the healthy ones."""
    made = CORES.make("leaks/missing-receiver", go)
    groups = planted(made.truth, go)
    for row in leaks(made.core, made.exe)["tables"]["leaked"]:
        group = next(g for g in groups if g.verdict == "leaked" and g.function == row["function"])
        assert group.bytes <= row["retained_bytes"] <= 2 * group.bytes


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_suspects(go: str) -> None:
    """A ticker that runs wakes its goroutine: no leak, and a suspect once it has waited so long."""
    made = CORES.make("leaks/ticker-never-stopped", go)
    groups = planted(made.truth, go)
    assert leaks(made.core, made.exe)["tables"]["suspects"] == []
    found = leaks(made.core, made.exe, "--wait-min", "0s")
    check(found, made.truth, go)
    suspects = named(found["tables"]["suspects"], groups)
    for place, count in counted(groups, "suspect").items():
        assert suspects[place] == count
    patterns = {function_of(row, groups): row["pattern"] for row in found["tables"]["suspects"]}
    assert patterns["main.poll"] == "ticker never stopped"
    assert found["summary"]["suspect_goroutines"] == suspects.total()
    leaked = {goid for row in found["tables"]["leaked"] for goid in row["goids"]}
    assert not leaked & {goid for row in found["tables"]["suspects"] for goid in row["goids"]}


# How many circles of which goroutines: by the planted function in each step.
CIRCLES = {
    "lock-order": {("main.backward", "main.forward"): 11},
    "lock-and-channel": {("main.consume", "main.publish"): 11, ("main.ping", "main.pong"): 12},
    "double-lock": {("main.(*cache).refresh",): 11},
    "defer-in-loop": {("main.audit",): 11, ("main.crawl",): 12},
    "recursive-read-lock": {("main.describe",): 11},
    "missing-close": {},
}


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", CIRCLES)
def test_cycles(pattern: str, go: str) -> None:
    """Goroutines that wait for each other, or for themselves, are told as cycles."""
    made = CORES.make(f"leaks/{pattern}", go)
    found = leaks(made.core, made.exe)
    groups = planted(made.truth, go)
    function = {
        goid: function_of(row, groups) for row in found["tables"]["leaked"] for goid in row["goids"]
    }
    circles = {}
    for cycle in found["tables"]["cycles"]:
        steps = cycle["steps"]
        goids = [step["goroutine"] for step in steps]
        assert [step["next_goroutine"] for step in steps] == [*goids[1:], goids[0]]
        assert len(set(goids)) == len(goids)
        circles[tuple(sorted(function[goid] for goid in goids))] = cycle["count"]
    assert circles == CIRCLES[pattern]


# What the command calls each of them; the names of the field.
EXPLAINED = {
    "abandoned-pipe": {"dead select"},
    "captured-value": {"missing receiver"},
    "cond-never-signalled": {"Cond never signalled"},
    "dead-producer": {"missing sender or close", "WaitGroup never done"},
    "dead-select": {"dead select"},
    "double-lock": {"locked twice"},
    "forgotten-cancel": {"forgotten cancel"},
    "full-semaphore": {"semaphore channel full"},
    "lock-and-channel": {"deadlock cycle"},
    "lock-order": {"deadlock cycle"},
    "missing-close": {"missing sender or close"},
    "missing-receiver": {"missing receiver"},
    "missing-sender": {"missing sender or close"},
    "mutex-never-unlocked": {"lock never unlocked"},
    "nil-channel": {"nil channel"},
    "rwmutex-never-unlocked": {"lock never unlocked"},
    "stopped-timer": {"stopped timer"},
    "ticker-never-stopped": {"stopped timer"},
    "waitgroup-never-done": {"WaitGroup never done"},
}


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", EXPLAINED)
def test_explained(pattern: str, go: str) -> None:
    made = CORES.make(f"leaks/{pattern}", go)
    rows = leaks(made.core, made.exe)["tables"]["leaked"]
    assert {row["pattern"] for row in rows} == EXPLAINED[pattern]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_defer_in_loop(go: str) -> None:
    """The goroutine that cannot send holds all slots by its own deferred calls."""
    made = CORES.make("leaks/defer-in-loop", go)
    rows = leaks(made.core, made.exe)["tables"]["leaked"]
    patterns = {row["frames"][-1]["function"]: row["pattern"] for row in rows}
    assert patterns["main.crawl"] == "defer in a loop"
    assert patterns["main.audit"] in ("defer in a loop", "locked twice")


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("pattern", ["captured-value", "defer-in-loop", "cond-never-signalled"])
def test_live(pattern: str, go: str, start: Callable[..., Any]) -> None:
    process = start(f"leaks/{pattern}", go)
    found = spanwalk("goroutine-leaks", "--pid", process.pid, "--limit", 0, "--json").report
    check(found, process.truth, go)


def check_at_rest(goroutines: list[Goroutine], groups: list[Planted]) -> None:
    """The program's truth is the runtime's, but for main and who writes the profiles."""
    at_rest = [g for g in goroutines if g.goid != 1 and g.state != "running"]
    everybody = counted(groups, "leaked", "suspect", "healthy")
    assert Counter((g.root(), g.state) for g in at_rest) == everybody


@pytest.mark.parametrize("go", SEARCHING)
@pytest.mark.parametrize("pattern", [*PATTERNS, "parked"])
def test_as_the_runtime(pattern: str, go: str, start: Callable[..., Any], tmp_path: Path) -> None:
    """Every goroutine that the runtime's profile names, those that it cannot see, and no other."""
    process = start(
        pattern, go, experiment=SEARCHING[go], args=["-profiles", str(tmp_path)], timeout=300
    )
    found = spanwalk("goroutine-leaks", "--pid", process.pid, "--limit", 0, "--json").report
    check(found, process.truth, go)
    ours = {goid for row in found["tables"]["leaked"] for goid in row["goids"]}
    # The runtime marks what it finds: it is asked when we are done.
    profiles = finish(process, tmp_path)
    check_at_rest(profiles.goroutines, planted(process.truth, go))
    theirs = profiles.leaked()
    if minor(go) == 26:  # the main goroutine in select {} counts as a leak there
        theirs = {goid: g for goid, g in theirs.items() if goid != 1}
    assert set(theirs) - ours == set()
    by_goid = {g.goid: g for g in profiles.goroutines}
    unseen = {by_goid[goid].root() for goid in ours - set(theirs)}
    assert unseen <= UNSEEN | SELDOM_SEEN
    assert {g.root() for g in theirs.values()} & UNSEEN == set()


@pytest.mark.parametrize("go", SEARCHING)
@pytest.mark.parametrize("pattern", ["missing-receiver", "captured-value", "dead-producer"])
def test_marked(pattern: str, go: str) -> None:
    """Goroutines that the runtime has found have a state of their own; they are leaked as ever."""
    name = f"{CORES.default_name(f'leaks/{pattern}', go)}-search"
    made = CORES.make(f"leaks/{pattern}", go, experiment=SEARCHING[go], args=["-search"], name=name)
    check(leaks(made.core, made.exe), made.truth, go)

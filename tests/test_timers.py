"""timers against a program that makes tickers and timers in its loops.

Channels of timers are of two kinds: those of before Go 1.23, which the runtime holds until they
are stopped or fire, and those of 1.23, which the collector frees when nobody can read them. The
module of the test programs is old, so that 1.23 to 1.26 have the former unless GODEBUG says
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, report, spanwalk

pytestmark = pytest.mark.needs_go

PROGRAM = "owners/ticker-in-loop"
MODERN = {"GODEBUG": "asynctimerchan=0"}
HOUR = 3600


# The kinds of channels that a release can have: (release, environment).
KINDS: list[tuple[str, dict[str, str]]] = [(go, {}) for go in GO_VERSIONS]
KINDS += [(go, MODERN) for go in GO_VERSIONS if 23 <= minor(go) <= 26]


def is_old(go: str, env: dict[str, str]) -> bool:
    return minor(go) <= 22 or (minor(go) <= 26 and env != MODERN)


def make(go: str, env: dict[str, str] | None = None, **options: Any) -> Any:
    marks = [*("modern" for _ in env or {}), *options.get("args", [])]
    if marks:
        parts = [CORES.default_name(PROGRAM, go), *marks, options.get("mode", "plain")]
        options["name"] = "-".join(part.strip("-") for part in parts)
    return CORES.make(PROGRAM, go, env=env, **options)


def timers(made: Any, *words: object) -> dict[str, Any]:
    return report("timers", made.core, made.exe, "--limit", 0, *words)


def clusters(found: dict[str, Any], **wanted: object) -> list[dict[str, Any]]:
    return [
        row
        for row in found["tables"]["clusters"]
        if all(row[key] == value for key, value in wanted.items())
    ]


def counted(found: dict[str, Any], **wanted: object) -> int:
    return sum(row["timers"] for row in clusters(found, **wanted))


def check(found: dict[str, Any], facts: dict[str, Any]) -> None:
    assert found["complete"], found["warnings"]
    assert not found["warnings"]
    summary = found["summary"]
    assert summary["abandoned_tickers"] == facts["abandoned_tickers"]
    assert summary["abandoned_timers"] == facts["abandoned_timers"]
    assert counted(found, abandoned=True) == sum(
        facts[key] for key in ("abandoned_tickers", "abandoned_timers")
    )
    assert counted(found, kind="ticker", state="stopped") == facts["stopped_tickers"]
    assert counted(found, kind="context") == facts["context_timers"]
    assert counted(found, kind="sleep") == facts["sleep_timers"]
    assert counted(found, kind="deadline") == facts["deadline_timers"]
    check_tickers(found, facts)
    check_sessions(found, facts)


def check_tickers(found: dict[str, Any], facts: dict[str, Any]) -> None:
    (beats,) = clusters(found, kind="ticker", period_seconds=HOUR / 2)
    assert beats["timers"] == beats["readers"] == facts["heartbeat_tickers"]
    assert beats["state"] == "waiting"
    (polled,) = clusters(found, kind="ticker", period_seconds=HOUR / 3)
    assert polled["timers"] == facts["polled_tickers"]
    assert polled["readers"] == polled["full_channels"] == 0
    (renewals,) = [
        row
        for row in clusters(found, kind="timer", abandoned=False)
        if row["next_seconds"] and row["next_seconds"] > 3000 * 24 * HOUR
    ]
    assert renewals["timers"] == facts["renewal_timers"]
    assert renewals["state"] == polled["state"]


def check_sessions(found: dict[str, Any], facts: dict[str, Any]) -> None:
    """Their state hangs on the timers alone."""
    (sessions,) = clusters(found, callee="main.open.func1")
    assert sessions["kind"] == "func"
    assert sessions["timers"] == facts["session_timers"]
    beside = 256 * facts["session_timers"]  # the timer, its closure, the session
    assert facts["session_bytes"] < sessions["retained_bytes"] < facts["session_bytes"] + beside
    assert 2 * HOUR - 60 < sessions["next_seconds"] <= sessions["last_seconds"] < 2 * HOUR + 60


def check_faults(found: dict[str, Any], old: bool) -> None:
    """The channels of 1.23 cannot be lost in this way."""
    codes = [finding["code"] for finding in found["findings"]]
    assert codes == (["ticker_never_stopped", "timer_nobody_reads"] if old else [])


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize(("go", "env"), KINDS)
def test_faults(go: str, env: dict[str, str], mode: str) -> None:
    made = make(go, env, mode=mode)
    facts = made.truth["facts"]
    assert (facts["abandoned_tickers"] == 300) == is_old(go, env)
    assert (facts["abandoned_timers"] == 500) == is_old(go, env)
    found = timers(made)
    check(found, facts)
    check_faults(found, is_old(go, env))
    state = "waiting" if is_old(go, env) else "unwatched"
    assert [row["state"] for row in clusters(found, period_seconds=HOUR / 3)] == [state]


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired(go: str, mode: str) -> None:
    made = make(go, args=["-fixed"], mode=mode)
    found = timers(made)
    assert made.truth["facts"]["abandoned_tickers"] == 0
    check(found, made.truth["facts"])
    check_faults(found, False)


def test_arm64() -> None:
    go = GO_VERSIONS[0]
    made = CORES.make(PROGRAM, go, arch="arm64", mode="stripped")
    found = timers(made)
    check(found, made.truth["facts"])
    check_faults(found, is_old(go, {}))


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_one(go: str) -> None:
    made = make(go, args=["-count", "1"])
    found = timers(made)
    check(found, made.truth["facts"])
    assert counted(found, period_seconds=60) == int(is_old(go, {}))


def made_deadlines(go: str) -> int:
    return int(make(go).truth["facts"]["deadline_timers"])


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_each(go: str) -> None:
    """Every timer once; what is in the heap of a P is told with it."""
    found = timers(make(go), "--each")
    rows = found["tables"]["timers"]
    assert len(rows) == len({row["address"] for row in rows}) == found["summary"]["timers"]
    assert all(row["p"] is not None for row in rows if row["state"] == "waiting")
    assert all(row["p"] is None for row in rows if row["state"] == "unwatched")
    sleepers = [row for row in rows if row["kind"] == "sleep"]
    goroutines = report("goroutines", make(go).core, make(go).exe, "--limit", 0)
    asleep = {
        goid
        for cluster in goroutines["tables"]["clusters"]
        if cluster["wait_reason"] == "sleep"
        for goid in cluster["goids"]
    }
    assert {row["goid"] for row in sleepers} == asleep
    scheduler = report("scheduler", make(go).core, make(go).exe)
    in_heaps = [row for row in rows if row["p"] is not None]
    # Deadlines that were taken back stand in a heap until 1.22, and are no timers any more.
    beside = scheduler["summary"]["timers"] - len(in_heaps)
    assert 0 <= beside <= (made_deadlines(go) if minor(go) <= 22 else 0)


def test_live(start: Callable[..., Any]) -> None:
    process = start(PROGRAM, NEWEST)
    found = spanwalk("timers", "--pid", process.pid, "--limit", 0, "--json").report
    check(found, process.truth["facts"])


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_tickers_with_readers(go: str) -> None:
    """Goroutines wait for these tickers: no fault, whether somebody has stopped them or not."""
    found = timers(CORES.make("leaks/ticker-never-stopped", go))
    assert found["complete"], found["warnings"]
    assert found["findings"] == []
    (waiting,) = clusters(found, kind="ticker", state="waiting")
    assert waiting["readers"] == waiting["timers"] == 19

"""What Ps, Ms and run queues held, against programs that know it and the runtime's own trace."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, report, spanwalk

pytestmark = pytest.mark.needs_go

PROCS = 4
WORK = "main.work"
RUNTIME_TIMERS = 2  # of the scavenger's sleep, and one on its way out of a heap


def rows(found: dict[str, Any], table: str) -> list[dict[str, Any]]:
    table_rows: list[dict[str, Any]] = found["tables"].get(table, [])
    return table_rows


def states(found: dict[str, Any]) -> Counter[str]:
    return Counter(m["state"] for m in rows(found, "ms"))


def differences(found: dict[str, Any]) -> dict[str, int]:
    return {
        row["what"]: row["counted"] - row["kept"]
        for row in rows(found, "checks")
        if row["counted"] != row["kept"]
    }


def check_identities(found: dict[str, Any]) -> None:
    """What holds of every image, and nearly holds of one that was taken amid a change."""
    summary = found["summary"]
    assert found["complete"], found["warnings"]
    assert not found["warnings"]
    assert len(rows(found, "checks")) == 6
    assert all(abs(by) <= 1 for by in differences(found).values()), differences(found)
    ps, ms = rows(found, "ps"), rows(found, "ms")
    assert summary["ms"] == len(ms) == len({m["m"] for m in ms})
    assert states(found)["sysmon"] == 1
    assert all(m["function"].startswith("runtime.") for m in ms if m["state"] == "sysmon")
    goids = [row["goid"] for row in rows(found, "run_queue")]
    assert len(goids) == len(set(goids))
    assert [goid for p in ps for goid in p["run_queue"]] == [
        row["goid"] for row in rows(found, "run_queue") if row["p"] is not None
    ]
    assert summary["runnable_goroutines"] - summary["unqueued_goroutines"] >= len(goids)
    running = {m["goid"]: m["p"] for m in ms if m["state"] == "runs a goroutine"}
    for p in ps:
        if p["status"] == "running" and p["goid"] is not None:
            assert running.get(p["goid"]) == p["p"]


def check_facts(found: dict[str, Any], truth: dict[str, Any]) -> None:
    facts, summary = truth["facts"], found["summary"]
    check_identities(found)
    assert summary["ps"] == truth["gomaxprocs"] == PROCS
    assert summary["goroutines"] >= truth["goroutines"]
    assert summary["gc_cycles"] == truth["memstats"]["NumGC"]
    assert summary["forced_gc_cycles"] == truth["memstats"]["NumForcedGC"]
    assert summary["gc_phase"] == "off"
    assert summary["locked_goroutines"] == summary["locked_ms"] == facts["locked"]
    assert {row["state"] for row in rows(found, "locked_goroutines")} == {"waiting"}
    assert 0 <= summary["timers"] - facts["timers"] <= RUNTIME_TIMERS
    reads = [m for m in rows(found, "ms") if m["caller"] == "main.readPipe"]
    assert [m["state"] for m in reads] == ["in a system call"] * facts["readers"]
    created = summary["goroutines_created"]
    if facts["created"] >= 0:
        assert 0 <= created - facts["created"] <= PROCS
    assert created >= truth["goroutines"]


def check_workers(found: dict[str, Any], truth: dict[str, Any]) -> None:
    """Every worker runs or waits to."""
    workers, summary = truth["facts"]["workers"], found["summary"]
    at_work = {m["goid"] for m in rows(found, "ms") if m["caller"] == WORK}
    queued = {row["goid"] for row in rows(found, "run_queue") if row["function"] == WORK}
    assert not at_work & queued
    assert workers - summary["unqueued_goroutines"] <= len(at_work | queued) <= workers
    assert PROCS - 2 <= len(at_work) <= PROCS
    assert summary["idle_ps"] == 0
    assert found["sentences"][0].startswith("All 4 Ps are busy and ")


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped", "pie"])
def test_workers(mode: str, go: str) -> None:
    made = CORES.make("scheduler", go, mode=mode)
    found = report("scheduler", made.core, made.exe, "--limit", 0)
    check_facts(found, made.truth)
    check_workers(found, made.truth)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_arm64(go: str) -> None:
    made = CORES.make("scheduler", go, arch="arm64", mode="stripped")
    found = report("scheduler", made.core, made.exe, "--limit", 0)
    check_facts(found, made.truth)
    check_workers(found, made.truth)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_as_with_symbols(go: str) -> None:
    made = CORES.make("scheduler", go, mode="stripped")
    words = ("scheduler", made.core, "--exe", made.exe, "--json", "--limit", 0)
    alone = spanwalk(*words).report
    assert alone == spanwalk(*words, "--symbols", CORES.build("scheduler", go)).report


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_long_queue(go: str) -> None:
    made = CORES.make("scheduler", go, args=["-workers", "60"], name=f"scheduler-60-go{go}")
    found = report("scheduler", made.core, made.exe, "--limit", 0, "--fail-on", "P2", status=1)
    check_workers(found, made.truth)
    assert [finding["code"] for finding in found["findings"]] == ["long_run_queue"]
    few = report("scheduler", made.core, made.exe, "--limit", 5)
    assert len(rows(few, "run_queue")) == 5
    assert few["omitted"]["run_queue"] == len(rows(found, "run_queue")) - 5


# ---- threads ----

READERS = 20  # threads in read(2): more than all others together


def with_readers(go: str, name: str, *args: str) -> tuple[dict[str, Any], dict[str, Any]]:
    made = CORES.make(
        "scheduler",
        go,
        args=["-readers", str(READERS), *args],
        name=f"scheduler-{name}-go{go}",
    )
    found = report("scheduler", made.core, made.exe, "--limit", 0)
    check_facts(found, made.truth)
    return found, made.truth


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_many_threads(go: str) -> None:
    """Most threads are in the kernel while Ps are idle, and few more threads may be made."""
    found, truth = with_readers(go, "threads", "-idle", "-spare", "5")
    near, blocked = found["findings"]
    most, threads = truth["facts"]["most threads"], found["summary"]["ms"]
    calls = found["summary"]["syscall_ms"]
    assert READERS <= calls <= READERS + 1  # the one that has the image taken
    assert (near["code"], near["grade"]) == ("near_thread_limit", "P2")
    assert near["evidence"] == {"ms": threads, "max_ms": most}
    assert near["message"].startswith(f"{threads} threads of at most {most}: ")
    assert (blocked["code"], blocked["grade"]) == ("blocked_threads", "P3")
    assert blocked["evidence"] == {"cgo_ms": 0, "syscall_ms": calls, "ms": threads}
    assert blocked["message"] == (
        f"{calls} of {threads} threads are in system calls while Ps are idle"
    )


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_many_threads_at_work(go: str) -> None:
    """The same threads while no P is idle, and many more may be made."""
    found, _ = with_readers(go, "busy-threads", "-spare", "100")
    assert found["summary"]["syscall_ms"] >= READERS
    assert not found["findings"]


# ---- against GODEBUG=schedtrace,scheddetail ----

TRACE = {"GODEBUG": "schedtrace=50,scheddetail=1"}


def traced(text: str) -> tuple[dict[str, str], dict[str, dict[str, dict[str, str]]]]:
    """The last whole block: its first line, and what it says of each P, M and G."""
    block = re.split(r"^SCHED ", text, flags=re.MULTILINE)[-2]
    pairs = re.compile(r"(\w+)=(\S*)")
    head, *lines = block.splitlines()
    things: dict[str, dict[str, dict[str, str]]] = {"P": {}, "M": {}, "G": {}}
    for line in lines:
        kind, number, rest = re.findall(r"^\s+([PMG])(\d+): (.*)", line)[0]
        things[kind][number] = dict(pairs.findall(rest))
    return dict(pairs.findall(head)), things


def none(word: str) -> int | None:
    return None if word in ("nil", "-1") else int(word)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_live_as_the_runtime_traces_it(go: str, start: Callable[..., Any]) -> None:
    process = start("scheduler", go, mode="stripped", args=["-idle"], env=TRACE)
    time.sleep(0.5)
    found = spanwalk("scheduler", "--pid", process.pid, "--json", "--limit", 0).report
    time.sleep(0.2)
    head, things = traced(process.stderr)
    check_facts(found, process.truth)
    summary = found["summary"]
    assert found["sentences"][0] == "Idle: 4 Ps, and nothing to run."
    assert summary["ms"] == int(head["threads"])
    assert summary["idle_ms"] == int(head["idlethreads"])
    assert summary["idle_ps"] == int(head["idleprocs"]) == PROCS
    assert summary["locked_ms"] == int(head["nmidlelocked"])
    assert summary["spinning_ms"] == int(head["spinningthreads"]) == 0
    for m in rows(found, "ms"):
        own = things["M"].pop(str(m["m"]))
        assert (m["goid"], m["locked_goid"]) == (none(own["curg"]), none(own["lockedg"])), m
    assert not things["M"]
    for p in rows(found, "ps"):
        own = things["P"][str(p["p"])]
        assert p["status"] == ["idle", "running", "syscall", "gcstop", "dead"][int(own["status"])]
        assert p["queued"] == int(own["runqsize"])
        # The scavenger comes and goes.
        assert abs(p["schedtick"] - int(own["schedtick"])) <= 100
        assert abs(p["timers"] - int(own["timerslen"])) <= 1
    waiting = {"syscall": "3", "waiting": "4"}
    for row in rows(found, "goroutines"):
        count = sum(g["status"][0] == waiting[row["state"]] for g in things["G"].values())
        assert row["goroutines"] == count, row


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_live(go: str, start: Callable[..., Any]) -> None:
    process = start("scheduler", go)
    for _ in range(5):
        found = spanwalk("scheduler", "--pid", process.pid, "--json", "--limit", 0).report
        check_facts(found, process.truth)


# ---- the world stops ----


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_stuck(go: str) -> None:
    """A worker that cannot be preempted, and the goroutine that dumps, hold up a collection."""
    made = CORES.make(
        "scheduler",
        go,
        args=["-idle", "-stuck"],
        env={"GODEBUG": "asyncpreemptoff=1"},
        name=f"scheduler-stuck-go{go}",
    )
    found = report("scheduler", made.core, made.exe, "--limit", 0)
    assert found["summary"]["is_stopping_the_world"] is True
    assert [finding["code"] for finding in found["findings"]] == ["stop_the_world_wait"]
    assert found["findings"][0]["evidence"] == {"stopwait": 2, "running_ps": 2}
    assert found["summary"]["running_ps"] == found["summary"]["stopped_ps"] == 2
    worker = next(m for m in rows(found, "ms") if m["caller"] == WORK)
    assert found["sentences"][0].startswith("The world is being stopped: P ")
    assert f"P {worker['p']} (goroutine {worker['goid']})" in found["sentences"][0]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_crash(go: str) -> None:
    made = CORES.make("scheduler", go, via="crash", name=f"scheduler-crash-go{go}")
    found = report("scheduler", made.core, made.exe)
    assert "ending with a crash" in found["sentences"][0]
    assert not found["findings"]


# ---- C ----


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_cgo(go: str) -> None:
    made = CORES.make("cgo", go)
    found = report("scheduler", made.core, made.exe, "--limit", 0)
    check_identities(found)
    in_c = Counter(m["caller"] for m in rows(found, "ms") if m["state"] == "in cgo")
    # Goroutines and threads of C that end in C.
    assert in_c == {
        "main._Cfunc_wait_in_c": 8,
        "main._Cfunc_wait_in_handler": 2,
        "main._Cfunc_descend": 8,
    }
    assert found["summary"]["cgo_ms"] == 18
    assert all(m["cgo_calls"] for m in rows(found, "ms") if m["state"] == "in cgo")


# ---- what cannot be found ----


def without(exe: Path, folder: Path, *functions: str) -> Path:
    """The executable with other names for some functions of the runtime."""
    code = exe.read_bytes()
    for name in functions:
        old = b"\0runtime." + name.encode() + b"\0"
        assert old in code
        code = code.replace(old, old[:-2] + b"?\0")
    changed = folder / exe.name
    changed.write_bytes(code)
    return changed


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_without_allm(go: str, tmp_path: Path) -> None:
    """Ms that neither a P nor a goroutine knows are found as far as they are older."""
    made = CORES.make("scheduler", go, mode="stripped")
    exe = without(made.exe, tmp_path, "schedtrace", "mexit")
    whole = report("scheduler", made.core, made.exe, "--limit", 0)
    found = report("scheduler", made.core, exe, "--limit", 0, status=4)
    assert [warning["code"] for warning in found["warnings"]] == ["no_allm"]
    assert any("may be missing" in sentence for sentence in found["sentences"])
    for m in rows(found, "ms"):
        assert m in rows(whole, "ms")
    assert [m for m in rows(whole, "ms") if m["goid"] is not None] == [
        m for m in rows(found, "ms") if m["goid"] is not None
    ]
    assert rows(found, "ps") == rows(whole, "ps")
    assert rows(found, "run_queue") == rows(whole, "run_queue")


def test_without_sched(tmp_path: Path) -> None:
    """The global run queue and the idle list are missing; the rest is there."""
    made = CORES.make("scheduler", NEWEST, mode="stripped")
    names = ("newproc1", "schedtrace", "checkdead", "gcstopm", "schedinit", "handoffp", "sysmon")
    exe = without(made.exe, tmp_path, *names)
    found = report("scheduler", made.core, exe, "--limit", 0, status=4)
    whole = report("scheduler", made.core, made.exe, "--limit", 0)
    assert [warning["code"] for warning in found["warnings"]] == ["no_sched"]
    for p in rows(found, "ps") + rows(whole, "ps"):
        del p["next_timer_seconds"]  # what sched tells of the time is missing
    assert rows(found, "ps") == rows(whole, "ps")
    assert "global_run_queue" not in found["summary"]
    assert found["summary"]["runnable_goroutines"] == whole["summary"]["runnable_goroutines"]
    assert states(found)["idle"] <= states(whole)["idle"]

"""Running processes: analysed often, and left as they were found.

SPANWALK_ROUNDS=1000 runs the whole number of rounds, SPANWALK_SLOW=1 also what takes long.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import NEWEST, PROGRAM, spanwalk
from load import Load, Watch, check_running, stopped, threads

pytestmark = pytest.mark.needs_go

ROUNDS = int(os.environ.get("SPANWALK_ROUNDS", "60"))
SLOW = os.environ.get("SPANWALK_SLOW") == "1"
SEED = 20240917
DETACHED = 2.0  # seconds that the kernel may take to let go after the tool was killed


@pytest.fixture
def busy(start: Callable[..., Any]) -> Any:
    return start("busy", NEWEST)


@pytest.fixture
def load(busy: Any) -> Iterator[Load]:
    with Load(busy.truth["facts"]["port"]) as running:
        yield running


def begin(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(PROGRAM), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def how_long(*words: object) -> float:
    """Seconds that a run takes, undisturbed."""
    before = time.monotonic()
    spanwalk(*words, status=None)
    return time.monotonic() - before


def test_rounds_lose_no_request(busy: Any, load: Load) -> None:
    """Attach, analyse, detach, again and again, while requests are answered."""
    seconds = []
    before = time.monotonic()
    for _ in range(ROUNDS):
        heap = spanwalk("heap", "--pid", busy.pid, "--json").report
        check_running(busy.pid)
        assert heap["complete"], heap["warnings"]
        assert heap["summary"]["live_objects"] > 20_000
        seconds.append(heap["target"]["stopped_seconds"])
    took = time.monotonic() - before
    load.check()
    assert busy.command("gc")["program"] == "busy"
    print(
        f"\n{ROUNDS} rounds, {ROUNDS / took:.1f}/s; stopped for {max(seconds) * 1e3:.1f} ms"
        f" at most, {sorted(seconds)[len(seconds) // 2] * 1e3:.1f} ms in the median;"
        f" {load.answered} requests, the longest {load.longest_seconds * 1e3:.0f} ms"
    )


def disturb(pid: int, number: int, rounds: int) -> list[tuple[int, float]]:
    """Sends the tool a signal at random moments: the statuses it ends with, and how soon."""
    chance = random.Random(SEED)
    whole = how_long("leak-roots", "--pid", pid)
    ends = []
    for _ in range(rounds):
        tool = begin("leak-roots", "--pid", pid)
        time.sleep(chance.random() * whole)
        tool.send_signal(number)
        sent = time.monotonic()
        tool.communicate(timeout=30)
        ends.append((tool.returncode, time.monotonic() - sent))
        check_running(pid, DETACHED)
    return ends


def test_killed_midway(busy: Any, load: Load) -> None:
    statuses = {status for status, _ in disturb(busy.pid, signal.SIGKILL, 40)}
    load.check()
    assert -signal.SIGKILL in statuses
    assert statuses <= {-signal.SIGKILL, 0}


def test_interrupted_midway(start: Callable[..., Any]) -> None:
    """Ctrl-C; before the handler is set it ends the tool as it ends any program."""
    process = start("bigheap", NEWEST, args=["-objects", "1000000"])
    ends = disturb(process.pid, signal.SIGINT, 20)
    statuses = {status for status, _ in ends}
    print(f"\n{sorted(ends)[-1][1]:.2f} s from Ctrl-C to the end, at most")
    assert 130 in statuses
    assert statuses <= {130, 0, -signal.SIGINT}
    assert process.command("gc")["program"] == "bigheap"


def test_killed_while_it_is_stopped(busy: Any, load: Load) -> None:
    """The tool dies in the very moment in which it holds the threads."""
    held = 0
    for _ in range(200):
        tool = begin("heap", "--pid", busy.pid)
        while tool.poll() is None:
            if any(tracer for _, tracer in threads(busy.pid).values()):
                tool.kill()
                held += tool.wait() == -signal.SIGKILL
                break
        tool.communicate()
        check_running(busy.pid, DETACHED)
        if held >= 5:
            break
    assert held >= 5
    load.check()


def test_target_that_exits_midway(start: Callable[..., Any]) -> None:
    """The process is killed while it is being read: an answer or an error, at once."""
    chance = random.Random(SEED)
    statuses = set()
    whole = 0.0
    for _ in range(25):
        process = start("busy", NEWEST)
        whole = whole or how_long("heap", "--pid", process.pid)
        tool = begin("heap", "--pid", process.pid)
        time.sleep(chance.random() * whole)
        os.kill(process.pid, signal.SIGKILL)
        stdout, stderr = tool.communicate(timeout=30)
        statuses.add(tool.returncode)
        assert tool.returncode in (0, 3, 4), stderr
        if tool.returncode == 3:
            assert stderr.startswith("spanwalk: "), stderr
            assert stdout == ""
    assert 3 in statuses


def test_stopped_process_stays_stopped(busy: Any, load: Load) -> None:
    os.kill(busy.pid, signal.SIGSTOP)
    while {state for state, _ in threads(busy.pid).values()} != {"T"}:
        time.sleep(0.01)
    for command in ("heap", "verify", "leak-roots"):
        assert spanwalk(command, "--pid", busy.pid, "--json").report["complete"]
        states = threads(busy.pid).values()
        assert {state for state, _ in states} == {"T"}, states
        assert {tracer for _, tracer in states} == {0}, states
    os.kill(busy.pid, signal.SIGCONT)
    check_running(busy.pid, DETACHED)
    load.check()


def look_in_the_middle(process: Any, seen: Counter[str]) -> None:
    """One look at a heap that changes all the time, and what was seen in it."""
    verify = spanwalk("verify", "--pid", process.pid, "--json").report
    codes = {warning["code"] for warning in verify["warnings"]}
    assert codes <= {"collecting"}, verify["warnings"]
    # A thread that stands between the two halves of an allocation: one for each P.
    mismatches = verify["summary"]["alloc_count_mismatches"]
    assert mismatches <= process.truth["gomaxprocs"], verify["summary"]
    # What died since the last collection is found by the runtime alone. But whatever is
    # reachable was marked by it or is new.
    stale = sum(
        row["objects"]
        for row in verify["tables"]["differences"]
        if row["marked_by"] == "replay only" and row["reason"] == "unexplained"
    )
    assert codes or not stale, verify["tables"]["differences"]
    seen.update(codes)
    seen["mismatch"] += mismatches > 0


def check_planted(process: Any) -> None:
    """What stays is found whole at every look."""
    planted = process.truth["roots"][0]
    roots = spanwalk("leak-roots", "--pid", process.pid, "--json").report["tables"]["roots"]
    held = {row["root"]: row["retained_bytes"] for row in roots}
    assert held[planted["name"]] == pytest.approx(planted["retained_bytes"], rel=1e-3)


def test_in_the_middle_of_anything(start: Callable[..., Any]) -> None:
    """A server that always allocates and collects is caught in malloc, sweeping, marking."""
    process = start("busy", NEWEST, args=["-pause", "20us"])
    rounds = max(ROUNDS, 60)
    seen: Counter[str] = Counter()
    for _ in range(rounds):
        look_in_the_middle(process, seen)
        check_planted(process)
        check_running(process.pid)
    print(f"\n{rounds} times: {dict(seen)}")
    assert 0 < seen["collecting"] < rounds
    assert seen["mismatch"] <= 2 + rounds // 20


def test_another_user(busy: Any, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("not checked: what another user is told of a process (only root becomes one)")
    tool = tmp_path / "spanwalk"
    shutil.copy(PROGRAM, tool)
    tool.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == 0 and not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [tool, "heap", "--pid", str(busy.pid)],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "hint: " in done.stderr
    assert "same user" in done.stderr
    check_running(busy.pid)


def test_traced_by_another(busy: Any) -> None:
    """A debugger holds the process: an error that names it."""
    gdb = subprocess.Popen(
        ["gdb", "-nx", "-q", "-batch", "-p", str(busy.pid), "-ex", "shell sleep 60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while not stopped(busy.pid) and time.monotonic() < end:
            time.sleep(0.05)
        message = spanwalk("heap", "--pid", busy.pid, status=3).stderr
        assert f"process {gdb.pid} traces it" in message
    finally:
        gdb.kill()
        gdb.wait()
    check_running(busy.pid, DETACHED)


def test_a_thread_is_no_process(busy: Any) -> None:
    thread = next(tid for tid in threads(busy.pid) if tid != busy.pid)
    assert f"give {busy.pid}" in spanwalk("heap", "--pid", thread, status=3).stderr


def test_zombie() -> None:
    process = subprocess.Popen(["true"])
    while not Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].startswith(" Z"):
        time.sleep(0.01)
    assert "exited" in spanwalk("heap", "--pid", process.pid, status=3).stderr
    process.wait()


@pytest.mark.skipif(not SLOW, reason="SPANWALK_SLOW=1: a heap of 1 GiB")
def test_stop_time_per_gib(start: Callable[..., Any], tmp_path: Path) -> None:
    """How long a process of 1 GiB stands, beside gcore."""
    process = start("bigheap", NEWEST, args=["-objects", "19000000"], timeout=300)
    resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 / 2**30
    seconds = []
    for _ in range(3):
        report = spanwalk("heap", "--pid", process.pid, "--json").report
        seconds.append(report["target"]["stopped_seconds"])
    with Watch(process.pid) as watch:
        process.core(tmp_path / "core", via="gcore")
    own = sorted(seconds)[1]
    print(
        f"\n{resident:.2f} GiB resident: stopped for {own:.3f} s ({own / resident:.3f} s per GiB),"
        f" by gcore for {watch.traced_seconds:.1f} s"
    )
    assert resident > 0.9
    assert own / resident <= 0.4
    check_running(process.pid)
    assert json.dumps(process.command("gc")["roots"])

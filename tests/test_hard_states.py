"""Processes caught in states that no pause of their own would show: amid a collection, a sweep, a
fault, a signal, a call of C, or anything that the runtime does for a running goroutine.

Where the runtime's own marks cannot speak, the programs do: they list the objects that are
reachable at every moment ("planted"), and those that nothing reaches ("forgotten").
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, CORES, GO_VERSIONS, minor, report
from test_verify import check_exact

sys.path.insert(0, str(BUILD))
module = importlib.import_module("spanwalk")

pytestmark = pytest.mark.needs_go

ROUNDS = int(os.environ.get("SPANWALK_ROUNDS", "15"))


def sample(addresses: Sequence[str]) -> set[str]:
    """Some hundred of them: to look for each of ten thousand takes long."""
    return set(addresses[:: 1 + len(addresses) // 500])


def reachable(session: Any, addresses: set[str]) -> set[str]:
    """Those of the objects that something holds."""
    found = set()
    for address in addresses:
        try:
            session.run("who-holds", address, limit=1)
        except module.Error as error:
            if error.code != "not_found":
                raise
        else:
            found.add(address)
    return found


def check_truth(truth: dict[str, Any], session: Any) -> None:
    planted = sample(truth["planted"])
    assert planted - reachable(session, planted) == set()
    assert reachable(session, sample(truth["forgotten"])) == set()


def check(made: Any) -> dict[str, Any]:
    """A core whose heap is at rest: exact, and the truth holds."""
    verify = report("verify", made.core, made.exe)
    check_exact(verify)
    assert made.truth["planted"]
    check_truth(made.truth, module.open(made.core, exe=made.exe))
    return verify


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["cgo", "external", "pie"])
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_cgo(mode: str, via: str, go: str) -> None:
    """Goroutines in C, below callbacks, on threads of C; handles and pinned objects."""
    made = CORES.make("cgo", go, mode=mode, via=via, name=f"cgo-{via}-{mode}-go{go}")
    assert made.truth["facts"]["foreign_threads"] > 10
    assert made.truth["facts"]["pinned"] == (minor(go) >= 21)
    assert made.truth["forgotten"]
    check(made)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["cgo", "pie"])
def test_cgo_live(mode: str, go: str, start: Callable[..., Any]) -> None:
    """The tables of a position independent executable are half the file's, half the process'."""
    process = start("cgo", go, mode=mode)
    session = module.open(pid=process.pid)
    check_exact(session.run("verify").to_dict())
    check_truth(process.truth, session)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_stubs_faults_coroutines(via: str, go: str) -> None:
    made = CORES.make("states", go, via=via, name=f"states-{via}-go{go}")
    assert made.truth["facts"]["coroutines"] == (minor(go) >= 23)
    verify = check(made)
    if via == "kernel":  # goroutines made in the last moment, most of which never ran
        assert verify["summary"]["only_replay_objects"] >= 12


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_unswept_spans(go: str) -> None:
    """Right after a collection: thousands of dead objects whose finalizers nobody has queued."""
    made = CORES.make("sweeping", go)
    verify = check(made)
    assert verify["summary"]["unswept_spans"] > 100
    revived = [
        row["objects"] for row in verify["tables"]["differences"] if "finalizer" in row["reason"]
    ]
    assert sum(revived) > 1000
    assert bool(made.truth["forgotten"]) == (minor(go) >= 24)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_marking(go: str, tmp_path: Path) -> None:
    """Amid collections, in which objects move from where marking has yet to go to elsewhere."""
    exe = CORES.build("marking", go)
    seen: Counter[str] = Counter()
    for wait in (11, 37, 64, *range(23, 150, 12)):
        if seen["collecting"] and sum(seen.values()) >= 3:
            break
        with CORES.Process(exe, ["-wait", f"{wait}ms"]) as process:
            truth = process.truth
            core = process.core(tmp_path / f"{wait}.core")
        session = module.open(core, exe=exe)
        verify = session.run("verify").to_dict()
        codes = {warning["code"] for warning in verify["warnings"]}
        assert codes <= {"collecting"}, verify["warnings"]
        assert verify["complete"]
        assert not (codes and verify["summary"]["exact"])
        assert not verify["summary"]["only_replay_objects"] or codes or verify["summary"]["exact"]
        check_truth(truth, session)
        seen.update(codes or {"between"})
    print(f"\n{dict(seen)}")
    assert seen["collecting"]


@pytest.mark.parametrize("go", [go for go in GO_VERSIONS if minor(go) >= 20])
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_user_arenas(via: str, go: str) -> None:
    """Chunks in use, in part and whole; chunks that were freed, whose memory is gone."""
    made = CORES.make("userarenas", go, via=via, name=f"userarenas-{via}-go{go}")
    assert made.truth["facts"]["arenas"]
    check(made)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_plugins(mode: str, go: str) -> None:
    """Three modules: text, types, masks and stack maps of two are in files of their own."""
    made = CORES.make("plugins", go, mode=mode)
    assert made.truth["facts"]["modules"] == 3
    check(made)


@pytest.mark.parametrize("go", GO_VERSIONS[-1:])
def test_plugins_live(go: str, start: Callable[..., Any]) -> None:
    process = start("plugins", go)
    session = module.open(pid=process.pid)
    check_exact(session.run("verify").to_dict())
    check_truth(process.truth, session)


def test_plugins_of_arm64() -> None:
    """A core of qemu does not list the files: the dynamic loader's own list names them."""
    check(CORES.make("plugins", GO_VERSIONS[-1], arch="arm64"))


def test_plugins_that_moved(tmp_path: Path) -> None:
    """A plug-in is found beside the executable, and must be the very file that was mapped."""
    go = GO_VERSIONS[-1]
    with CORES.run("plugins", go, out=tmp_path, name="moved") as process:
        core = process.core(tmp_path / "moved.core")
    files = sorted(tmp_path.glob("moved-*.so"))
    assert len(files) == 2
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in [tmp_path / "moved.exe", *files]:
        file.rename(elsewhere / file.name)
    exe = elsewhere / "moved.exe"
    check_exact(report("verify", core, exe))
    files = [elsewhere / file.name for file in files]
    swapped = files[0].read_bytes()
    files[0].write_bytes(files[1].read_bytes())
    verify = report("verify", core, exe, status=4)
    warnings = {warning["code"]: warning["message"] for warning in verify["warnings"]}
    assert files[0].name in warnings["missing_plugin"]
    assert "missing_pclntab" in warnings
    files[0].write_bytes(swapped)
    files[1].unlink()
    verify = report("verify", core, exe, status=4)
    warnings = {warning["code"]: warning["message"] for warning in verify["warnings"]}
    assert f"{files[1].name} is not here" in warnings["missing_plugin"]


def look(session: Any, truth: dict[str, Any], seen: Counter[str]) -> None:
    """Objects that are only in some register, frame or channel at the moment are all found."""
    verify = session.run("verify").to_dict()
    codes = {warning["code"] for warning in verify["warnings"]}
    assert codes <= {"collecting"}, verify["warnings"]
    check_truth(truth, session)
    seen.update(codes or {"between"})


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_busy_live(go: str, start: Callable[..., Any]) -> None:
    process = start("states", go, args=["-busy"])
    seen: Counter[str] = Counter()
    for _ in range(ROUNDS):
        look(module.open(pid=process.pid), process.truth, seen)
    print(f"\n{dict(seen)}")


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_busy_core(via: str, go: str, tmp_path: Path) -> None:
    """The kernel stops threads anywhere; a crash finds them all in a signal handler."""
    exe = CORES.build("states", go)
    for turn in range(3):
        with CORES.Process(exe, ["-busy"]) as process:
            truth = process.truth
            core = process.core(tmp_path / f"{turn}.core", via)
        look(module.open(core, exe=exe), truth, Counter())

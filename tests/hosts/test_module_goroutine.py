"""The Python module's goroutines, objects and type names: session.goroutines(), goroutine(),
object(), type_names()."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, spanwalk
from damage import damaged_core
from gdb_host import module

pytestmark = pytest.mark.needs_go

MODULE = module()


@pytest.fixture(scope="module", params=GO_VERSIONS)
def made(request: pytest.FixtureRequest) -> Any:
    return CORES.make("values", request.param)


@pytest.fixture(scope="module")
def session(made: Any) -> Iterator[Any]:
    with MODULE.open(made.core, exe=made.exe) as opened:
        yield opened


def test_goroutines(session: Any) -> None:
    goroutines = session.goroutines()
    assert len({each["goid"] for each in goroutines}) == len(goroutines) >= 10
    for each in goroutines:
        walked = session.goroutine(each["goid"])
        assert {key: walked[key] for key in each} == each
        assert walked["complete"] and walked["warnings"] == []
        assert walked["stack_low"] <= walked["sp"] < walked["stack_high"]
        frames = walked["frames"]
        assert frames[-1]["function"] == "runtime.goexit"
        assert [f["sp"] for f in frames] == sorted(f["sp"] for f in frames)
        assert all(a["cfa"] == b["sp"] for a, b in zip(frames, frames[1:], strict=False))
        if each["status"] == "waiting":
            assert (frames[0]["pc"], frames[0]["sp"]) == (each["pc"], each["sp"])
            assert each["thread"] is None and each["wait_reason"] and each["fp"]
    assert any(each["system"] for each in goroutines)


def test_known_goroutines(session: Any) -> None:
    """main starts two of main.parked, two receivers, a sender and one that waits for a mutex."""
    starts: dict[str, int] = {}
    for each in session.goroutines():
        if each["system"] or each["goid"] == 1:
            continue
        assert each["created_by"]["function"].endswith("(*Crew).Go")
        assert each["created_by"]["file"].endswith("park.go") and each["created_by"]["line"] > 0
        names = [frame["function"] for frame in session.goroutine(each["goid"])["frames"]]
        waiting = next(name for name in names if name.startswith("main."))
        key = f"{waiting}: {each['wait_reason']}"
        starts[key] = starts.get(key, 0) + 1
    locked = next(key for key in starts if key.startswith("main.locked"))
    assert starts == {
        "main.wait: chan receive": 2,
        "main.receive: chan receive": 2,
        "main.send: chan send": 1,
        locked: 1,
    }
    assert locked.split(": ")[1] in ("semacquire", "sync.Mutex.Lock")
    assert session.goroutine(1)["created_by"] is None


def test_objects(session: Any) -> None:
    names = session.type_names()
    assert names == sorted(set(names))
    assert {"main.point", "[]int", "map[string]int", "chan int", "string"} <= set(names)
    roles = {
        "main.point": "value",
        "[]int": "array",
        "map[string]int": "map",
        "chan int": "chan",
        "string": "string",
    }
    for name, role in roles.items():
        row = session.run("find", name, limit=1).to_dict()["tables"]["objects"][0]
        start = int(row["address"], 0)
        found = session.object(start + 1)
        assert found["address"] == start and found["size_bytes"] == row["size_bytes"]
        assert (found["type"], found["role"]) == (name, role)
        assert found["element"] == ("int" if role == "array" else None)
        assert found["descriptor"] or role not in ("value", "map", "chan")


def test_errors(made: Any) -> None:
    session = MODULE.open(made.core, exe=made.exe)
    for ask, argument in ((session.goroutine, 10**6), (session.object, 8)):
        with pytest.raises(MODULE.Error) as caught:
            ask(argument)
        assert caught.value.code == "not_found" and caught.value.hint
        with pytest.raises(TypeError):
            ask("1")
        for wrong in (-1, 1 << 64):
            with pytest.raises(OverflowError):
                ask(wrong)
    session.close()
    for ask_closed in (session.goroutines, session.type_names, lambda: session.goroutine(1)):
        with pytest.raises(MODULE.Error, match="closed"):
            ask_closed()


def test_second_call_is_refused() -> None:
    def progress(*_: object) -> None:
        session.goroutines()

    big = CORES.make("bigheap", NEWEST, args=["-objects", "1000000"], name="bigheap-1e6")
    with (
        MODULE.open(big.core, exe=big.exe, threads=1, progress=progress) as session,
        pytest.raises(MODULE.Error, match="another call"),
    ):
        session.type_names()


def test_a_damaged_stack_is_no_matter_of_reports(tmp_path: Path) -> None:
    """The warning goes to whoever asked for this one goroutine."""
    made = CORES.make("values", NEWEST)
    with MODULE.open(made.core, exe=made.exe) as session:
        one = next(each for each in session.goroutines() if each["status"] == "waiting")
        frames = session.goroutine(one["goid"])["frames"]
    at = frames[1]["cfa"] - 8
    core = damaged_core(made.core, tmp_path, {at: struct.pack("<Q", 0x1234)})
    with MODULE.open(core, exe=made.exe) as session:
        for _ in range(2):
            walked = session.goroutine(one["goid"])
            assert not walked["complete"] and len(walked["warnings"]) == 1
            assert walked["frames"] == frames[:2]
        warnings = session.run("heap").to_dict()["warnings"]
    expected = spanwalk("heap", core, "--exe", made.exe, "--json", status=None).report["warnings"]
    assert warnings == expected

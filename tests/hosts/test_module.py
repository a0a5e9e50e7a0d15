"""The Python module: what its stub file says is true."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, CORES, NEWEST, spanwalk

sys.path.insert(0, str(BUILD))
module = importlib.import_module("spanwalk")


@pytest.fixture(scope="session")
def made() -> Any:
    return CORES.make("lists", NEWEST)


def test_commands_and_help() -> None:
    commands = {command["name"]: command for command in module.commands()}
    assert {"heap", "verify", "leak-roots", "who-holds", "retained", "find"} <= set(commands)
    assert commands["who-holds"]["usage"] == "ADDR"
    options = {option["name"]: option for option in commands["leak-roots"]["options"]}
    assert {"json", "output", "limit", "min-fraction"} <= set(options)
    assert options["json"]["value"] is None
    assert module.help("leak-roots").startswith("usage: leak-roots [options]")
    assert "spanwalk help COMMAND" in module.help(program="spanwalk ")
    assert spanwalk("--version").stdout == f"spanwalk {module.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "a core or a pid"),
        ({"core": "x", "pid": 1}, "a core or a pid"),
        ({"core": "x", "debugged": []}, "debugged goes with a pid"),
        ({"pid": 1, "debugged": [5]}, "tuple"),
        ({"pid": 1, "debugged": [(1, [2, 3])]}, "expected 27"),
        ({"pid": -1}, "negative"),
        ({"pid": 1, "threads": 65}, "threads is out of range"),
        ({"core": "x", "progress": 1}, "progress is not callable"),
        ({"core": "a\0b"}, "null byte"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError), match=error):
        module.open(**arguments)


def test_error_says_what_and_what_next(tmp_path: Path) -> None:
    missing = tmp_path / "none.core"
    with pytest.raises(module.Error, match=r"none\.core") as caught:
        module.open(missing)
    assert caught.value.code == "not_found"
    assert caught.value.status == 3
    with pytest.raises(module.Error, match="unknown command leak-root") as caught:
        module.help("leak-root")
    assert (caught.value.code, caught.value.status) == ("usage", 2)
    assert "leak-roots" in caught.value.hint


def test_types_are_made_by_the_module_only() -> None:
    for each in (module.Session, module.Report):
        with pytest.raises(TypeError):
            each()


@pytest.mark.needs_go
class TestSession:
    def test_report_is_the_programs(self, made: Any) -> None:
        words = ("heap-types", made.core, "--exe", made.exe, "--limit", "3")
        with module.open(made.core, exe=made.exe) as session:
            report = session.run("heap-types", limit=3)
        assert session.closed
        assert report.text() == spanwalk(*words).stdout == str(report)
        assert report.json() == spanwalk(*words, "--json").stdout
        assert report.to_dict() == json.loads(report.json())
        assert (report.status, report.complete) == (0, True)

    def test_run_words(self, made: Any, tmp_path: Path) -> None:
        with module.open(made.core, exe=os.fsencode(made.exe)) as session:
            text, status = session.run_words(["heap", "--json"])
            assert (status, json.loads(text)["command"]) == (0, "heap")
            assert session.run_words(["heap", "--help"]) == (module.help("heap"), 0)
            file = tmp_path / "heap.json"
            assert session.run_words(["heap", "--json", "--output", file]) == ("", 0)
            assert file.read_text() == text

    def test_words(self, made: Any) -> None:
        with module.open(made.core, exe=made.exe) as session:
            first = session.run("find", "*", limit=1).to_dict()["tables"]["objects"][0]
            address = int(first["address"], 0)
            by_number = session.run("who-holds", address).to_dict()
            asked: list[str] = []
            text, _ = session.run_words(
                ["who-holds", "the.one", "--json"],
                evaluate=lambda text: (asked.append(text), address)[1],
            )
            assert asked == ["the.one"]
            assert json.loads(text) == by_number
            with pytest.raises(ZeroDivisionError):
                session.run_words(["who-holds", "x"], evaluate=lambda _: 1 // 0)
            with pytest.raises(module.Error) as caught:
                session.run("heap", nonsense=1)
            assert caught.value.code == "usage"

    def test_max_memory_is_for_one_call(self, made: Any) -> None:
        with module.open(made.core, exe=made.exe) as session:
            with pytest.raises(module.Error) as caught:
                session.run("leak-roots", max_memory="4K")
            assert caught.value.code == "limit"
            assert session.run("leak-roots").status == 0

    def test_closed(self, made: Any) -> None:
        session = module.open(made.core, exe=made.exe)
        session.close()
        session.close()
        with pytest.raises(module.Error, match="closed"):
            session.run("heap")

    def test_live(self, start: Callable[..., Any]) -> None:
        process = start("lists", NEWEST)
        with module.open(pid=process.pid) as session:
            target = session.run("heap").to_dict()["target"]
        assert (target["kind"], target["pid"]) == ("process", process.pid)


@pytest.mark.needs_go
class TestLongWork:
    """On a heap that takes some tenths of a second."""

    @pytest.fixture
    def big(self) -> Any:
        return CORES.make("bigheap", NEWEST, args=["-objects", "1000000"], name="bigheap-1e6")

    def test_progress_and_cancelled(self, big: Any) -> None:
        seen: list[tuple[str, int, int]] = []
        with module.open(
            big.core,
            exe=big.exe,
            threads=1,
            progress=lambda *step: seen.append(step),
            cancelled=lambda: len(seen) >= 2,
        ) as session:
            with pytest.raises(module.Error) as caught:
                session.run("leak-roots")
            assert (caught.value.code, caught.value.status) == ("interrupted", 130)
            assert len(seen) == 2
            assert all(stage and done <= total for stage, done, total in seen if total)

    def test_callback_raises(self, big: Any) -> None:
        def progress(*_: object) -> None:
            raise RuntimeError("from the callback")

        with (
            module.open(big.core, exe=big.exe, threads=1, progress=progress) as session,
            pytest.raises(RuntimeError, match="from the callback"),
        ):
            session.run("leak-roots")

    def test_second_call_is_refused(self, big: Any) -> None:
        def progress(*_: object) -> None:
            session.run("heap")

        with (
            module.open(big.core, exe=big.exe, threads=1, progress=progress) as session,
            pytest.raises(module.Error, match="another call"),
        ):
            session.run("leak-roots")

    def test_ctrl_c(self, big: Any) -> None:
        with module.open(big.core, exe=big.exe, threads=1) as session:
            # After so much work, however busy the machine is.
            before = signal.signal(signal.SIGVTALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                session.run("leak-roots")
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            assert session.run("heap").status == 0


def test_loads_in_any_python() -> None:
    """Only the stable ABI is used, and no one Python: GDB and LLDB have theirs."""
    file = BUILD / "spanwalk.abi3.so"
    names = output_of("nm", "-D", "--undefined-only", file).split()
    stable = {"_Py_Dealloc", "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct"}
    assert {name for name in names if name.startswith("_Py")} <= stable
    assert "libpython" not in output_of("readelf", "-d", file)


def output_of(*command: object) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

"""GDB as a host: every command there, the program's text, GDB left as it was."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, NEWEST, ROOT, spanwalk
from gdb_host import ENVIRONMENT, command_line, echoed, errors_of, gdb


@pytest.fixture(scope="session")
def made() -> Any:
    return CORES.make("lists", NEWEST)


def test_without_a_target() -> None:
    output = gdb("leak-roots")
    assert output.errors == (
        "spanwalk: there is neither a process nor a core\nhint: gdb -p PID, or gdb EXE CORE\n"
    )
    output = gdb("who-holds --help", "spanwalk", "print $spanwalk_status")
    assert output.errors == ""
    assert output.text.startswith("usage: who-holds ADDR [options]")
    assert "COMMAND --help explains one" in output.text
    assert output.text.endswith("$1 = 0\n")


def test_locale_of_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help texts have characters that GDB cannot keep there; a report has them all the same."""
    monkeypatch.setitem(ENVIRONMENT, "LC_ALL", "C")
    output = gdb("help leak-roots", "leak-roots --help")
    assert output.errors == ""
    assert "usage: leak-roots [options]" in output.text
    assert "goroutine, ?" in output.text
    assert "goroutine, …" in output.text


def test_wrong_command() -> None:
    output = gdb("spanwalk leaks")
    assert output.errors == "spanwalk: no command 'leaks'\nhint: 'spanwalk' lists the commands\n"


def test_no_command_of_gdb_is_hidden() -> None:
    output = gdb("help find", "help spanwalk find")
    assert "Search memory for a sequence of bytes" in output.text
    assert "usage: find TYPE" in output.text


def completed(text: str, **options: Any) -> list[str]:
    """What GDB offers for the last word."""
    start = text.rpartition(" ")[0]
    lines = gdb(f"complete {text}", **options).text.splitlines()
    return [line[len(start) + 1 :] for line in lines if line.startswith(f"{start} ")]


def test_completion() -> None:
    assert completed("spanwalk leak-r") == ["leak-roots"]
    assert completed("leak-roots --min-f") == ["--min-fraction"]
    assert completed("leak-roots --by ") == ["package", "root", "type"]
    assert completed("leak-roots --limit 3 --by=t") == ["--by=type"]
    assert completed("leak-roots --limit ") == []
    assert completed("spanwalk goroutine --o") == ["--off"]
    assert completed("spanwalk find ") == []
    assert "/tmp" in " ".join(completed("heap --output /tm"))


@pytest.mark.needs_go
def test_completion_of_types_and_goroutines() -> None:
    made = CORES.make("values", NEWEST)
    types = {"main.bigKey", "main.bigValue", "main.lookup", "main.point"}
    # Of a core those that objects have; of a program alone all that GDB knows.
    for target in ((made.exe, made.core), (made.exe,)):
        assert types <= set(completed("spanwalk find main.", target=target))
        assert completed("spanwalk find main.bigK", target=target) == ["main.bigKey"]
    target = (made.exe, made.core)
    assert "main.level" not in completed("spanwalk find main.", target=target)
    assert completed("spanwalk find --limit 3 truth.Pro", target=target) == ["truth.Program"]
    assert "1" in completed("spanwalk goroutine ", target=target)


def test_a_folder_gdb_on_the_path_does_no_harm() -> None:
    assert gdb("heap --help", cwd=ROOT).text.startswith("usage: heap")


def test_remote_target() -> None:
    output = gdb("set sysroot /", "target remote | gdbserver - /bin/true", "heap")
    assert "spanwalk: a target of the kind 'remote' cannot be read\nhint: " in output.errors


@pytest.mark.needs_go
class TestCore:
    def test_text_is_the_programs(self, made: Any) -> None:
        commands = (
            "heap",
            "heap-types --limit 5",
            "leak-roots",
            "verify --json",
            "leak-roots --json",
        )
        expected = ""
        for command in commands:
            name, *words = command.split()
            expected += (
                f"<{command}>\n{spanwalk(name, made.core, '--exe', made.exe, *words).stdout}"
            )
        marked = [line for each in commands for line in (f"echo <{each}>\\n", each)]
        output = gdb(*marked, target=(made.exe, made.core))
        assert output.errors == ""
        assert output.text[output.text.index("<heap>") :] == expected

    def test_output_and_status(self, made: Any, tmp_path: Path) -> None:
        file = tmp_path / "report.json"
        output = gdb(
            "echo <here>\\n",
            f"heap --json --output {file}",
            "heap --limit",
            target=(made.exe, made.core),
        )
        assert echoed(output.text, "here") == ""
        assert '"command": "heap"' in file.read_text()
        assert output.errors.startswith("spanwalk: ")
        assert "hint: " in output.errors
        assert gdb("heap", "quit $spanwalk_status", target=(made.exe, made.core)).status == 0

    def test_address_expressions(self, made: Any) -> None:
        output = gdb(
            "echo <number>\\n",
            "python print(gdb.lookup_global_symbol('runtime.allgs').value().address)",
            "echo <symbol>\\n",
            "who-holds &runtime.allgs --json",
            target=(made.exe, made.core),
        )
        # A root is no object of the heap: what matters is the address it was asked for.
        address = re.search(r"0x[0-9a-f]+", echoed(output.text, "number"))
        assert address
        assert address[0] in output.text.split("<symbol>")[1] + output.errors
        output = gdb("who-holds nosuch+1", target=(made.exe, made.core))
        assert "spanwalk: 'nosuch+1' is no address" in output.errors
        assert "Traceback" not in output.errors


@pytest.mark.needs_go
class TestLive:
    def test_gdb_is_left_as_it_was(self, start: Callable[..., Any]) -> None:
        process = start("lists", NEWEST)
        output = gdb(
            "thread 2",
            "frame 1",
            "echo <before>\\n",
            "frame",
            "thread",
            "echo <report>\\n",
            "heap",
            "echo <after>\\n",
            "frame",
            "thread",
            target=("-p", process.pid),
        )
        assert output.errors == ""
        assert echoed(output.text, "before") == echoed(output.text, "after").split("[Inferior")[0]
        assert process.command("gc")["objects"] > 0  # it goes on

    def test_the_process_goes_on_and_is_read_anew(self, start: Callable[..., Any]) -> None:
        process = start("busy", NEWEST)
        session = "python print('held', __import__('gc') and HOST.session is not None)"
        output = gdb(
            "python HOST = next(o for o in __import__('gc').get_objects()"
            " if type(o).__name__ == 'Host')",
            "heap",
            session,
            "tbreak runtime.mallocgc",
            "continue",
            session,
            "heap",
            session,
            "detach",
            session,
            target=("-p", process.pid),
        )
        assert output.errors == ""
        held = re.findall(r"held (\w+)", output.text)
        assert held == ["True", "False", "True", "False"]

    def test_ctrl_c(self, start: Callable[..., Any]) -> None:
        process = start("bigheap", NEWEST, args=["-objects", "3000000"])
        commands = ("echo <begin>\\n", "leak-roots --threads 1", "print $spanwalk_status")
        with subprocess.Popen(
            command_line(*commands, target=("-p", process.pid)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        ) as running:
            assert running.stdout
            while "<begin>" not in running.stdout.readline():
                pass
            time.sleep(0.3)
            running.send_signal(signal.SIGINT)
            text, errors = running.communicate(timeout=60)
        assert errors_of(errors) == "spanwalk: interrupted\n"
        assert "$1 = 130" in text
        assert process.command("gc")["objects"] > 0

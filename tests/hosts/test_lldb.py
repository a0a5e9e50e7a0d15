"""LLDB as a host: what the suite (test_suite.py) does not see. LLDB left as it was, the process
too, expressions as addresses, goroutines as threads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, NEWEST, ROOT, spanwalk
from debuggers import LLDB_SCRIPT, LLDBS, Output, environment, lldb_command, run, run_lldb
from test_module import module

pytestmark = pytest.mark.parametrize("lldb", LLDBS)


# After `process continue` and `detach`, LLDB leaves a process stopped by the signal that it has
# attached with.
def wake(process: Any) -> None:
    os.kill(process.pid, signal.SIGCONT)


STATUS = "script print('status', spanwalk_lldb.status)"
# LLDB hears of it a little later.
DETACHED = (
    "script import time; [time.sleep(0.05) for _ in range(400) if lldb.process.GetState() not in "
    "(lldb.eStateDetached, lldb.eStateExited, lldb.eStateInvalid)]"
)
INTERPRETER = "lldb.debugger.GetCommandInterpreter()"


@pytest.fixture(scope="session")
def made() -> Any:
    return CORES.unpack("gateway-go1.26.11")


def on_core(made: Any) -> list[object]:
    return [made.exe, "--core", made.core]


def errors_of(output: Output) -> str:
    """Without what LLDB says of Go and of its own doings."""
    lines = re.findall(r"^(?:error: spanwalk: |hint: |Traceback).*\n", output.errors, re.MULTILINE)
    return "".join(lines).replace("error: ", "")


def keep_on(lldb: str, tmp_path: Path, *commands: str, target: list[object]) -> Output:
    """LLDB goes on after a command that fails."""
    file = tmp_path / "commands"
    file.write_text("".join(f"{command}\n" for command in commands))
    return run_lldb(lldb, f"command source -e false {file}", target=target)


def printed(output: Output, name: str) -> str:
    """What `script print("NAME", …)` has printed."""
    match = re.search(rf"^{name} (.*)$", output.text, re.MULTILINE)
    assert match, output
    return match[1]


def test_without_a_target(lldb: str) -> None:
    output = run_lldb(lldb, "leak-roots")
    assert errors_of(output) == (
        "spanwalk: there is neither a process nor a core\nhint: lldb -p PID, or lldb EXE -c CORE\n"
    )
    assert output.status == 1  # LLDB's own, for any command that fails
    output = run_lldb(lldb, "who-holds --help", "spanwalk", STATUS)
    assert "(lldb) who-holds --help\nusage: who-holds ADDR [options]" in output.text
    assert "(lldb) spanwalk\nShows what holds the memory" in output.text
    assert printed(output, "status") == "0"


def test_exit_status(lldb: str, tmp_path: Path) -> None:
    end = 'script lldb.debugger.HandleCommand(f"quit {spanwalk_lldb.status}")'
    assert keep_on(lldb, tmp_path, "heap", end, target=[]).status == 3
    assert keep_on(lldb, tmp_path, "spanwalk heap 'x", end, target=[]).status == 2
    assert keep_on(lldb, tmp_path, "heap --help", end, target=[]).status == 0


def test_wrong_command(lldb: str) -> None:
    output = run_lldb(lldb, "spanwalk leaks")
    assert errors_of(output) == (
        "spanwalk: no command 'leaks'\nhint: 'spanwalk' lists the commands\n"
    )


def test_every_command_and_none_of_lldb_is_hidden(lldb: str, tmp_path: Path) -> None:
    names = [command["name"] for command in module.commands()]
    own = f"[n for n in {names} if {INTERPRETER}.CommandExists(n)]"
    lines = [f"{prefix}{name} --help" for prefix in ("", "spanwalk ") for name in names]
    output = keep_on(lldb, tmp_path, f"script print('own', {own})", *lines, target=[])
    assert printed(output, "own") == "[]"
    for line in lines:
        assert f"(lldb) {line}\n{module.help(line.split()[-2])}" in output.text


def test_help(lldb: str) -> None:
    output = run_lldb(lldb, "help heap", "help", "help spanwalk")
    assert module.help("heap").splitlines()[4] in output.text
    assert re.search(r"^  leak-roots +-- which roots hold the memory", output.text, re.MULTILINE)


def test_a_folder_lldb_on_the_path_does_no_harm(lldb: str) -> None:
    assert "usage: heap" in run_lldb(lldb, "heap --help", cwd=ROOT).text


def test_imported_twice(lldb: str, made: Any) -> None:
    again = f"command script import {LLDB_SCRIPT}"
    output = run_lldb(lldb, "heap", again, "heap", target=on_core(made))
    assert output.status == 0 and "error" not in output.errors
    assert output.text.count("live objects") == 2


def test_no_module(lldb: str, tmp_path: Path) -> None:
    env = environment(lldb) | {"SPANWALK_BUILD": str(tmp_path)}
    output = run(lldb_command(lldb), env)
    assert "spanwalk: cannot load the Python module" in output.errors
    assert "hint: make -C" in output.errors


class TestCore:
    def test_output(self, lldb: str, made: Any, tmp_path: Path) -> None:
        file = tmp_path / "re port.json"
        output = run_lldb(lldb, f"heap --json --output '{file}'", target=on_core(made))
        assert json.loads(file.read_text())["command"] == "heap"
        assert output.text.endswith(f"--output '{file}'\n")

    def test_printed_text_is_the_programs(self, lldb: str, made: Any) -> None:
        output = run_lldb(lldb, "leak-roots --limit 3", target=on_core(made))
        text = spanwalk("leak-roots", made.core, "--exe", made.exe, "--limit", 3).stdout
        assert output.text.endswith(f"(lldb) leak-roots --limit 3\n{text}")

    def test_address_expressions(self, lldb: str, made: Any, tmp_path: Path) -> None:
        output = keep_on(
            lldb,
            tmp_path,
            "script print('sp', lldb.frame.FindRegister('sp').GetValueAsUnsigned())",
            "who-holds $sp",
            "who-holds '$sp + 2 * 8'",
            "who-holds &runtime.allgs",
            "who-holds runtime.allgs",
            "expression -l c -- unsigned long $o = 0x40",
            "who-holds $o+1",
            "who-holds nosuch+1",
            "retained runtime.allm",
            "retained *(long*)&runtime.allm",
            target=on_core(made),
        )
        sp = int(printed(output, "sp"))
        errors = [line for line in errors_of(output).splitlines() if line.startswith("spanwalk")]
        nowhere = "spanwalk: no object of the Go heap is at"
        assert errors[:2] == [f"{nowhere} {sp:#x}", f"{nowhere} {sp + 16:#x}"]
        assert re.fullmatch(rf"{nowhere} 0x[0-9a-f]+", errors[2])
        assert errors[3] == "spanwalk: 'runtime.allgs' is a variable of 24 bytes, not an address"
        assert errors[4] == f"{nowhere} 0x41"
        assert errors[5] == (
            "spanwalk: 'nosuch+1' is no address: use of undeclared identifier 'nosuch'"
        )
        assert "runtime.m" in output.text.split("retained runtime.allm")[1]
        assert errors[6:] == [
            "spanwalk: '*(long*)&runtime.allm' is no address: "
            "use of undeclared identifier 'runtime'"
        ]

    def test_several_cores(self, lldb: str, made: Any, tmp_path: Path) -> None:
        """LLDB tells from 18 on which core is of which target; before, it is not guessed."""
        other = CORES.unpack("maps-go1.22.12")
        file = tmp_path / "report"
        output = keep_on(
            lldb,
            tmp_path,
            f"target create {other.exe} --core {other.core}",
            "target select 0",
            f"heap --json --output {file}",
            target=on_core(made),
        )
        if file.exists():
            assert json.loads(file.read_text())["target"]["path"] == str(made.core)
        else:
            assert "does not say which is of which target" in errors_of(output)

    def test_symbols_of_another_file(self, lldb: str, made: Any, tmp_path: Path) -> None:
        stripped, file = tmp_path / "stripped", tmp_path / "report"
        subprocess.run(["strip", "-o", stripped, made.exe], check=True)
        line = f"leak-roots --json --limit 1 --output {file}"
        add = f"target symbols add --shlib {stripped} {made.exe}"
        roots = []
        for command in ("version", add):
            output = run_lldb(lldb, command, line, target=[stripped, "--core", made.core])
            assert output.status == 0, output
            roots.append(json.loads(file.read_text())["tables"]["roots"][0]["root"])
        assert ".bss+0x" in roots[0] and ".bss+0x" not in roots[1]

    def test_sysroot(self, lldb: str, made: Any, tmp_path: Path) -> None:
        output = run_lldb(
            lldb,
            f"platform select --sysroot {tmp_path} remote-linux",
            f"target create {made.exe} --core {made.core}",
            "script t = spanwalk_lldb.host.current_target(lldb.debugger.GetSelectedTarget())",
            "script print('sysroot', t.sysroot)",
        )
        assert printed(output, "sysroot") == str(tmp_path)


@pytest.mark.needs_go
class TestLive:
    def test_all_is_left_as_it_was(
        self, lldb: str, start: Callable[..., Any], tmp_path: Path
    ) -> None:
        process = start("lists", NEWEST)
        maps = f"open('/proc/{process.pid}/maps').read()"
        place = "(lldb.process.GetSelectedThread().GetThreadID(), str(lldb.frame))"
        output = keep_on(
            lldb,
            tmp_path,
            "thread select 2",
            "frame select 1",
            f"script before = {maps}, {place}",
            "heap",
            "who-holds $sp+8",
            "who-holds &runtime.allgs",
            "who-holds runtime.allm",
            "who-holds *(long*)$sp",
            f"script print('same', before == ({maps}, {place}))",
            target=["-p", process.pid],
        )
        assert printed(output, "same") == "True"
        assert "spanwalk: '*(long*)$sp' is no address: only numbers, registers" in output.errors
        assert "runtime.allm" in output.text.split("who-holds runtime.allm")[1]
        assert process.command("gc")["objects"] > 0  # it goes on

    def test_the_process_goes_on_and_is_read_anew(
        self, lldb: str, start: Callable[..., Any], tmp_path: Path
    ) -> None:
        process = start("busy", NEWEST)
        output = keep_on(
            lldb,
            tmp_path,
            "heap",
            "script held = [spanwalk_lldb.host.HOST.session]",
            "verify",
            "script print('kept', held[0] is spanwalk_lldb.host.HOST.session)",
            "breakpoint set --name runtime.mallocgc --one-shot true",
            "process continue",
            "heap",
            "script print('new', held[0] is not spanwalk_lldb.host.HOST.session, held[0].closed)",
            "detach",
            DETACHED,
            "heap",
            "script print('none', spanwalk_lldb.host.HOST.session)",
            target=["-p", process.pid],
        )
        wake(process)
        assert printed(output, "kept") == "True"
        assert printed(output, "new") == "True True"
        assert printed(output, "none") == "None"
        assert errors_of(output).startswith("spanwalk: there is neither a process nor a core")

    def test_remote_target(self, lldb: str, tmp_path: Path) -> None:
        """A debug server that is not LLDB's own might be on another machine."""
        with subprocess.Popen(
            ["gdbserver", "--once", "localhost:0", "/bin/true"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stderr
            port = next(m[1] for line in server.stderr if (m := re.search(r"port (\d+)", line)))
            output = keep_on(lldb, tmp_path, f"gdb-remote localhost:{port}", "heap", target=[])
            server.kill()
        assert "spanwalk: a target of the kind 'gdb-remote' cannot be read\nhint: " in errors_of(
            output
        )

    def test_ctrl_c(self, lldb: str, start: Callable[..., Any]) -> None:
        process = start("bigheap", NEWEST, args=["-objects", "3000000"])
        commands = ("print('begin', flush=True)", "run('leak-roots --threads 1')", STATUS[7:])
        script = "; ".join(["script run = lldb.debugger.HandleCommand", *commands])
        command = lldb_command(lldb, script, target=["-p", process.pid])
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(lldb),
        ) as running:
            assert running.stdout
            while not running.stdout.readline().startswith("begin"):
                pass
            time.sleep(0.5)
            running.send_signal(signal.SIGINT)
            text, errors = running.communicate(timeout=60)
        # Of a command at the prompt itself LLDB says "Interrupted." in the place of all else.
        assert "error: spanwalk: interrupted\n" in errors, text + errors
        assert "status 130\n" in text, text + errors
        assert process.command("gc")["objects"] > 0


THREADS = """
import json, lldb, spanwalk_lldb
process = lldb.debugger.GetSelectedTarget().GetProcess()
threads = []
for thread in process:
    threads.append((thread.GetName(), thread.GetThreadID(), [f.GetPC() for f in thread]))
session = spanwalk_lldb.host.HOST.open(process.GetTarget())
goroutines = [session.goroutine(each["goid"]) for each in session.goroutines()]
print("threads", json.dumps([threads, goroutines]))
"""


def in_sequence(numbers: list[int]) -> list[int]:
    """Each once where it stands several times in a row: LLDB has a frame for what was inlined."""
    return [n for n, before in zip(numbers, [None, *numbers]) if n != before]


@pytest.mark.needs_go
class TestGoroutinesAsThreads:
    def check(self, lldb: str, target: list[object], tmp_path: Path) -> None:
        script = tmp_path / "list_threads.py"
        script.write_text(THREADS)
        commands = ("thread select 2", "frame select 1", "script tid = lldb.thread.GetThreadID()")
        kept = "script print('kept', tid == lldb.thread.GetThreadID(), lldb.frame.GetFrameID())"
        off = "script print('after', len(lldb.process.threads))"
        output = run_lldb(
            lldb,
            *commands,
            "script print('before', len(lldb.process.threads))",
            "spanwalk threads on",
            kept,
            f"command script import {script}",
            "spanwalk goroutine 2",
            "script print('selected', lldb.thread.GetName())",
            "spanwalk threads off",
            off,
            target=target,
        )
        assert printed(output, "kept") == "True 1"
        assert printed(output, "before") == printed(output, "after")
        assert printed(output, "selected").startswith("goroutine 2 [")
        threads, goroutines = json.loads(printed(output, "threads"))
        by_name = {name: (tid, pcs) for name, tid, pcs in threads}
        for goroutine in goroutines:
            state = goroutine["wait_reason"] or goroutine["status"]
            tid, pcs = by_name[f"goroutine {goroutine['goid']} [{state}]"]
            if goroutine["thread"]:
                assert tid == goroutine["thread"]
            else:
                expected = [frame["pc"] for frame in goroutine["frames"]]
                assert in_sequence(pcs) == in_sequence(expected), goroutine
        native = int(printed(output, "before"))
        running = sum(bool(goroutine["thread"]) for goroutine in goroutines)
        assert len(threads) == len(goroutines) + native - running
        assert running >= 1

    def test_core(self, lldb: str, tmp_path: Path) -> None:
        made = CORES.make("channels", NEWEST)
        self.check(lldb, on_core(made), tmp_path)

    def test_live(self, lldb: str, start: Callable[..., Any], tmp_path: Path) -> None:
        process = start("channels", NEWEST)
        self.check(lldb, ["-p", process.pid], tmp_path)
        assert process.command("gc")["objects"] > 0

    def test_stripped(self, lldb: str, tmp_path: Path) -> None:
        """LLDB itself does not come far in a program without symbols; the registers are there."""
        made = CORES.unpack("maps-go1.27.4-amd64-stripped")
        file = tmp_path / "stack"
        output = run_lldb(
            lldb,
            "spanwalk goroutine 2",
            "register read",
            "bt",
            f"stack 2 --brief --runtime --json --output {file}",
            target=on_core(made),
        )
        known = dict(re.findall(r"^ +(r\w\w?) = (0x\w+)", output.text, re.MULTILINE))
        frame = json.loads(file.read_text())["tables"]["frames"][0]
        assert set(known) == {"rip", "rsp", "rbp"}
        assert (int(known["rip"], 0), int(known["rsp"], 0)) == (
            int(frame["pc"], 0),
            int(frame["sp"], 0),
        )

    def test_until_the_process_goes_on(self, lldb: str, start: Callable[..., Any]) -> None:
        """LLDB then has the kernel's threads, and steps them."""
        process = start("busy", NEWEST)
        count = "len([t for t in lldb.process.threads if (t.GetName() or '')[:9] == 'goroutine'])"
        output = run_lldb(
            lldb,
            "spanwalk threads on",
            f"script print('first', {count})",
            "breakpoint set --name runtime.mallocgc --one-shot true",
            "process continue",
            f"script print('second', {count}, lldb.thread.GetStopReason())",
            "spanwalk threads on",
            f"script print('third', {count})",
            "thread step-inst",
            f"script print('fourth', {count}, lldb.thread.GetStopReason())",
            target=["-p", process.pid],
        )
        wake(process)
        assert int(printed(output, "first")) > 8
        assert printed(output, "second") == "0 3"  # eStopReasonBreakpoint
        assert int(printed(output, "third")) > 8
        assert printed(output, "fourth").startswith("0 ")

    def test_errors(self, lldb: str, made: Any, tmp_path: Path) -> None:
        output = keep_on(
            lldb,
            tmp_path,
            "spanwalk threads",
            "spanwalk goroutine x",
            "spanwalk goroutine 99999",
            STATUS,
            "spanwalk goroutine --help",
            target=on_core(made),
        )
        assert errors_of(output) == (
            "spanwalk: threads: on or off\nhint: spanwalk threads on\n"
            "spanwalk: goroutine: a number, or --off\nhint: spanwalk goroutine GOID\n"
            "spanwalk: there is no goroutine 99999: it has ended, or there never was one of this "
            "number\nhint: goroutines lists those that are there\n"
        )
        assert printed(output, "status") == "3"
        assert "usage: spanwalk goroutine [GOID | --off]" in output.text

    def test_twenty_thousand(self, lldb: str) -> None:
        """Listed in less than half a second here; the bound is for a machine at work."""
        made = CORES.make(
            "parked", NEWEST, args=["-light", "-count", "20000"], name=f"parked-20000-go{NEWEST}"
        )
        output = run_lldb(
            lldb,
            "script import time; started = time.monotonic()",
            "spanwalk threads on",
            "script names = {thread.GetName() for thread in lldb.process}",
            "script print('seconds', time.monotonic() - started)",
            "script print('names', sum(name[:9] == 'goroutine' for name in names if name))",
            target=on_core(made),
        )
        assert int(printed(output, "names")) >= 20000
        assert float(printed(output, "seconds")) < 4

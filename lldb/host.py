"""The one open session: what LLDB looks at, handed to the engine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from spanwalk_lldb.engine import Progress, load_module

import lldb

# As struct sw_thread has them (native/target/target.h). Registers that a version of LLDB does not
# show, and no command needs, are 0.
REGISTERS = {
    "x86_64": (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss "
        "fs_base gs_base ds es fs gs"
    ).split(),
    "aarch64": [*(f"x{number}" for number in range(29)), "fp", "lr", "sp", "pc", "cpsr"],
}
NOT_SHOWN = {"orig_rax", "fs_base", "gs_base"}


class HostError(Exception):
    """What failed here, and the next thing to try."""

    def __init__(self, message: str, hint: str | None = None, status: int = 3) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


spanwalk: Any = load_module()

# A thread id and its registers, or None where they could not be read.
Registers = list[tuple[int, "list[int] | None"]]


class Target(NamedTuple):
    """What LLDB looks at; a change of it ends the session."""

    process: tuple[int, int]  # LLDB's number of it, and of its stop
    core: str | None
    pid: int | None
    exe: str | None
    sysroot: str | None
    symbols: str | None
    debugged: Registers | None


def output_of(debugger: lldb.SBDebugger, command: str) -> str:
    result = lldb.SBCommandReturnObject()
    debugger.GetCommandInterpreter().HandleCommand(command, result)
    return result.GetOutput() or ""


# ---- what LLDB looks at ----


def is_core(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            header = file.read(18)
    except OSError:
        return False
    return header[:4] == b"\x7fELF" and header[16:18] == b"\x04\x00"


def core_path(debugger: lldb.SBDebugger, process: lldb.SBProcess) -> str:
    if hasattr(process, "GetCoreFile"):  # since LLDB 18
        return process.GetCoreFile().fullpath
    listed = output_of(debugger, "target modules list --global --fullpath")
    files = set(re.findall(r"^\[ *\d+\] (.+?) *$", listed, re.MULTILINE))
    cores = [file for file in files if is_core(file)]
    if not cores:
        raise HostError(
            "LLDB does not say which core it has open", "the file may be gone: image list --global"
        )
    if len(cores) > 1:
        raise HostError(
            f"LLDB has {len(cores)} cores open and does not say which is of which target",
            "open one core in one LLDB, or use LLDB 18 or later",
        )
    return cores[0]


def path_of(file: lldb.SBFileSpec) -> str | None:
    path = file.fullpath if file.IsValid() else None
    return path if path and os.path.isfile(path) else None


def is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def executable(target: lldb.SBTarget, pid: int | None) -> tuple[str | None, str | None]:
    """The executable that the target has, and the file with its symbols where that is another. A
    process' own /proc/PID/exe is a better way to what it runs than the name that LLDB found."""
    file = target.GetExecutable()
    exe = path_of(file)
    symbols = path_of(target.FindModule(file).GetSymbolFileSpec()) if exe else None
    if exe and symbols and is_same(symbols, exe):
        symbols = None
    if exe and pid and is_same(exe, f"/proc/{pid}/exe"):
        exe = None
    return exe, symbols


def sysroot_of(debugger: lldb.SBDebugger) -> str | None:
    match = re.search(r"^ *Sysroot: (.+)$", output_of(debugger, "platform status"), re.MULTILINE)
    return match[1] if match else None


def number_in(path: str, name: str) -> int:
    """A number of a file such as /proc/PID/status."""
    with open(path) as file:
        match = re.search(rf"^{name}:\s*(\d+)", file.read(), re.MULTILINE)
    return int(match[1]) if match else 0


def is_on_this_machine(pid: int) -> bool:
    """Does an lldb-server that this LLDB has started trace it?"""
    try:
        tracer = number_in(f"/proc/{pid}/status", "TracerPid")
        return tracer > 0 and number_in(f"/proc/{tracer}/status", "PPid") == os.getpid()
    except OSError:
        return False


def registers(process: lldb.SBProcess) -> Registers:
    """Those of every thread that the kernel knows; others are made by a plug-in."""
    tasks = f"/proc/{process.GetProcessID()}/task"
    return sorted(
        (thread.GetThreadID(), thread_registers(thread))
        for thread in process
        if os.path.exists(f"{tasks}/{thread.GetThreadID()}")
    )


def thread_registers(thread: lldb.SBThread) -> list[int] | None:
    names = REGISTERS[machine(thread.GetProcess().GetTarget())]
    frame = thread.GetFrameAtIndex(0)
    error = lldb.SBError()
    numbers = []
    for name in names:
        register = frame.FindRegister(name)
        number = register.GetValueAsUnsigned(error, 0)
        if (not register.IsValid() or error.Fail()) and name not in NOT_SHOWN:
            return None  # this thread alone could not be read
        numbers.append(number)
    return numbers


def machine(target: lldb.SBTarget) -> str:
    name = target.GetTriple().partition("-")[0]
    if name not in REGISTERS:
        raise HostError(f"no support for {name}", "amd64 and arm64 are known")
    return name


def held_pid(process: lldb.SBProcess) -> int:
    """The process that this LLDB holds stopped."""
    pid = process.GetProcessID()
    if process.GetPluginName() != "gdb-remote" or not is_on_this_machine(pid):
        raise HostError(
            f"a target of the kind '{process.GetPluginName()}' cannot be read",
            "analyse it on the machine where it runs, or write a core there: gcore PID",
        )
    if process.GetState() not in (lldb.eStateStopped, lldb.eStateCrashed):
        raise HostError("the process is running", "stop it: process interrupt")
    return pid


def current_target(target: lldb.SBTarget) -> Target:
    debugger, process = target.GetDebugger(), target.GetProcess()
    if not process.IsValid() or process.GetState() in (lldb.eStateExited, lldb.eStateDetached):
        raise HostError("there is neither a process nor a core", "lldb -p PID, or lldb EXE -c CORE")
    is_file = process.GetPluginName() == "elf-core"
    pid = None if is_file else held_pid(process)
    exe, symbols = executable(target, pid)
    return Target(
        (process.GetUniqueID(), process.GetStopID()),
        core_path(debugger, process) if is_file else None,
        pid,
        exe,
        sysroot_of(debugger),
        symbols,
        registers(process) if pid else None,
    )


class Host:
    """The one open session, of the target that the last command was for."""

    def __init__(self) -> None:
        self.session: Any = None
        self.target: Target | None = None
        self.progress = Progress()
        self.interpreter: lldb.SBCommandInterpreter | None = None
        self.listing: Any = None  # goroutines.Listing, while goroutines are shown as threads

    def close(self) -> None:
        session, self.session = self.session, None
        if session:
            session.close()

    def is_interrupted(self) -> bool:
        """Ctrl-C reaches LLDB, not Python."""
        return bool(self.interpreter and self.interpreter.WasInterrupted())

    def open(self, of: lldb.SBTarget) -> Any:
        try:
            target = current_target(of)
        except HostError:
            self.close()
            raise
        if self.session and target == self.target:
            return self.session
        self.close()
        self.session = spanwalk.open(
            target.core,
            pid=target.pid,
            exe=target.exe,
            sysroot=target.sysroot,
            symbols=target.symbols,
            debugged=target.debugged,
            cancelled=self.is_interrupted,
            progress=self.progress,
        )
        self.target = target
        return self.session

    def run(
        self,
        debugger: lldb.SBDebugger,
        line: list[str],
        evaluate: Callable[[lldb.SBDebugger, str], int],
    ) -> tuple[str, int]:
        """What there is to print, and the program's exit status."""
        if "--help" in line:
            return spanwalk.help(line[0]), 0
        self.interpreter = debugger.GetCommandInterpreter()
        self.progress.begin("--quiet" in line)
        try:
            return self.open(debugger.GetSelectedTarget()).run_words(
                line,
                width=debugger.GetTerminalWidth() if os.isatty(1) else 0,
                evaluate=lambda expression: evaluate(debugger, expression),
            )
        finally:
            self.progress.end()


HOST = Host()

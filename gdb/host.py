"""The one open session: what GDB looks at, handed to the engine."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import gdb

from .engine import Progress, load_module

T = TypeVar("T")

# As struct sw_thread has them (native/target/target.h).
REGISTERS = {
    "i386:x86-64": (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs"
    ).split(),
    "aarch64": [*(f"x{number}" for number in range(31)), "sp", "pc", "cpsr"],
}

QUICK_SECONDS = 1.0  # what a completion may take


def fail(message: str, hint: str | None = None) -> gdb.GdbError:
    """An error that GDB prints without a traceback."""
    return gdb.GdbError(f"spanwalk: {message}" + (f"\nhint: {hint}" if hint else ""))


def load_engine() -> Any:
    try:
        return load_module()
    except ImportError as error:
        raise gdb.GdbError(str(error)) from None


spanwalk = load_engine()


class Target(NamedTuple):
    """What GDB looks at; a change of it ends the session."""

    inferior: int
    core: str | None
    pid: int | None
    exe: str | None
    sysroot: str | None
    symbols: str | None


def core_path(inferior: gdb.Inferior) -> str:
    corefile = getattr(inferior, "corefile", None)  # since GDB 17
    if corefile is not None:
        return corefile.filename
    files = gdb.execute("info files", to_string=True)
    match = re.search(r"core dump file:\s*[`'‘](.+)['’], file type", files)
    if not match:
        raise fail("GDB does not say which core it has open", "see 'info files'")
    return match[1]


def files() -> tuple[str | None, str | None]:
    """The executable that GDB reads code from and the file it reads symbols from; the second is
    None when it is the first, as it is but after `exec-file` and `symbol-file`."""
    symbols = gdb.current_progspace().filename
    match = re.search(
        r"^Local exec file:\s+[`'‘](.+)['’], file type",
        gdb.execute("info files", to_string=True),
        re.MULTILINE,
    )
    exe = match[1] if match else symbols
    return exe, symbols if symbols != exe else None


def existing(path: str | None) -> str | None:
    return path if path and os.path.isfile(path) else None


def executable(name: str | None, pid: int | None) -> str | None:
    """What `file` or the command line named. A process' own /proc/PID/exe is a better way to what
    it runs than the name that GDB found for it."""
    if not existing(name):
        return None
    try:
        return None if pid and os.path.samefile(name, f"/proc/{pid}/exe") else name
    except OSError:
        return name


def current_target() -> Target:
    inferior = gdb.selected_inferior()
    kind = inferior.connection.type if inferior.connection else None
    sysroot = gdb.parameter("sysroot") or None
    if sysroot and sysroot.startswith("target:"):
        sysroot = None
    exe, symbols = files()
    if kind == "core":
        core = core_path(inferior)
        return Target(inferior.num, core, None, executable(exe, None), sysroot, existing(symbols))
    if kind == "native" and inferior.pid:
        pid = inferior.pid
        return Target(inferior.num, None, pid, executable(exe, pid), sysroot, existing(symbols))
    if kind and kind != "native":
        raise fail(
            f"a target of the kind '{kind}' cannot be read",
            "analyse it on the machine where it runs, or write a core there: gcore PID",
        )
    raise fail("there is neither a process nor a core", "gdb -p PID, or gdb EXE CORE")


def thread_registers(thread: gdb.InferiorThread) -> tuple[int, list[int] | None]:
    tid = thread.ptid[1]
    if thread.is_running():
        raise fail(f"thread {tid} is running", "stop every thread: interrupt -a")
    thread.switch()
    frame = gdb.newest_frame()
    names = REGISTERS.get(frame.architecture().name())
    if names is None:
        raise fail(f"no support for {frame.architecture().name()}", "amd64 and arm64 are known")
    try:
        return tid, [int(frame.read_register(name)) for name in names]
    except gdb.error:  # this thread alone could not be read
        return tid, None


def registers(inferior: gdb.Inferior) -> list[tuple[int, list[int] | None]]:
    """Every thread's, with the selected thread and frame left as they are."""
    thread = gdb.selected_thread()
    frame = gdb.selected_frame() if thread else None
    try:
        return [thread_registers(each) for each in inferior.threads()]
    finally:
        if thread and thread.is_valid():
            thread.switch()
            if frame and frame.is_valid():
                frame.select()


def symbol_value(expression: str) -> gdb.Value | None:
    """A Go variable, or its address with '&'. In a frame of assembly GDB's parser does not know
    names with a dot."""
    name = expression.lstrip("&")
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if not symbol or symbol.needs_frame:
        return None
    value = symbol.value()
    return value.address if expression.startswith("&") else value


def evaluate(expression: str) -> int:
    """The address that an expression stands for."""
    try:
        value = gdb.parse_and_eval(expression)
    except gdb.error as error:
        value = symbol_value(expression)
        if value is None:
            raise fail(
                f"'{expression}' is no address: {error}",
                "give a number or an expression of GDB, in quotes where it has blanks",
            ) from None
    try:
        return int(value)
    except gdb.error:
        raise fail(
            f"'{expression}' is a {value.type}, not an address", f"perhaps '&{expression}'"
        ) from None


class Host:
    """The one open session, of the target that the last command was for."""

    def __init__(self) -> None:
        self.session: Any = None
        self.target: Target | None = None
        self.progress = Progress()
        self.status = 0  # the program's, of the last command
        self.deadline: float | None = None
        for name in ("cont", "exited", "inferior_call", "memory_changed", "register_changed"):
            getattr(gdb.events, name).connect(self.on_change)
        if hasattr(gdb.events, "connection_removed"):
            gdb.events.connection_removed.connect(self.on_change)

    def on_change(self, _event: object = None) -> None:
        session, self.session = self.session, None
        if session:
            session.close()

    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def open(self) -> Any:
        target = current_target()
        if self.session and target == self.target:
            return self.session
        self.on_change()
        held = registers(gdb.selected_inferior()) if target.pid else None
        self.session = spanwalk.open(
            target.core,
            pid=target.pid,
            exe=target.exe,
            sysroot=target.sysroot,
            symbols=target.symbols,
            debugged=held,
            cancelled=self.is_late,
            progress=self.progress,
        )
        self.target = target
        return self.session

    @contextlib.contextmanager
    def at_work(self, quiet: bool = False) -> Iterator[None]:
        """Errors of the engine as GDB's, and $spanwalk_status."""
        self.status = 3
        self.progress.begin(quiet)
        try:
            yield
        except spanwalk.Error as error:
            self.status = error.status
            raise fail(str(error), error.hint) from None
        except KeyboardInterrupt:
            self.status = 130
            raise fail("interrupted") from None
        finally:
            self.progress.end()
            gdb.set_convenience_variable("spanwalk_status", self.status)

    def quickly(self, ask: Callable[[Any], T]) -> T | None:
        """What the engine says, if it can say so in the time that a key press may take."""
        self.deadline = time.monotonic() + QUICK_SECONDS
        try:
            return ask(self.open())
        except (spanwalk.Error, gdb.error, gdb.GdbError):
            return None
        finally:
            self.deadline = None

    def run(self, words: list[str]) -> None:
        with self.at_work("--quiet" in words):
            text, self.status = self.text_of(words)
            gdb.write(text)

    def text_of(self, words: list[str]) -> tuple[str, int]:
        if "--help" in words:
            return spanwalk.help(words[0]), 0
        width = (gdb.parameter("width") or 0) if os.isatty(1) else 0
        return self.open().run_words(words, width=width, evaluate=evaluate)

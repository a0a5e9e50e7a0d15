"""spanwalk in GDB:  source gdb/spanwalk_gdb.py

Gives every spanwalk command at the prompt, for the selected inferior: a process that GDB holds,
or a core. Each is also there as `spanwalk COMMAND`; `spanwalk` alone lists them. Nothing is
computed here and nothing is done before a command is given. What was built for a command is kept
for the next one until the process goes on.

After a command $spanwalk_status holds the exit status the program would have had, so that a
script can end with `quit $spanwalk_status`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import sys
import time
from types import ModuleType
from typing import Any, NamedTuple

# A checkout on sys.path has a folder `gdb` too, which would import as an empty package.
import gdb

if not hasattr(gdb, "VERSION"):
    raise ImportError("spanwalk_gdb.py runs inside GDB: source gdb/spanwalk_gdb.py")

# Names that GDB has itself: only `spanwalk NAME` is added for them.
GDB_NAMES = frozenset({"find"})

# As struct sw_thread has them (native/target/target.h).
REGISTERS = {
    "i386:x86-64": (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs"
    ).split(),
    "aarch64": [*(f"x{number}" for number in range(31)), "sp", "pc", "cpsr"],
}


def fail(message: str, hint: str | None = None) -> gdb.GdbError:
    """An error that GDB prints without a traceback."""
    return gdb.GdbError(f"spanwalk: {message}" + (f"\nhint: {hint}" if hint else ""))


def load_module() -> ModuleType:
    """The module built beside this file, so that both are of one version, else the installed one;
    SPANWALK_BUILD names another folder that it was built in.

    The file is loaded by its path: no folder is put on sys.path.
    """
    if "spanwalk" in sys.modules:
        return sys.modules["spanwalk"]
    checkout = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    folder = os.environ.get("SPANWALK_BUILD", os.path.join(checkout, "build"))
    built = os.path.join(folder, "spanwalk.abi3.so")
    try:
        if not os.path.exists(built):
            # A folder that is called spanwalk would import as an empty package.
            module = importlib.import_module("spanwalk")
            if not hasattr(module, "commands"):
                del sys.modules["spanwalk"]
                raise ImportError("no module spanwalk")
            return module
        loader = importlib.machinery.ExtensionFileLoader("spanwalk", built)
        spec = importlib.util.spec_from_loader("spanwalk", loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        sys.modules["spanwalk"] = module
        return module
    except ImportError as error:
        raise fail(f"cannot load the Python module: {error}", f"make -C {checkout}") from None


spanwalk: Any = load_module()


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


class Progress:
    """A line on stderr, when that is a terminal, from one second on."""

    def __init__(self) -> None:
        self.is_on = False
        self.is_shown = False
        self.started = 0.0

    def begin(self, quiet: bool) -> None:
        self.is_on = not quiet and os.isatty(2)
        self.started = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self.is_on and time.monotonic() - self.started >= 1:
            share = f" {100 * done // total} %" if total else ""
            os.write(2, f"\r\x1b[K{stage}{share}".encode())
            self.is_shown = True

    def end(self) -> None:
        if self.is_shown:
            os.write(2, b"\r\x1b[K")
        self.is_shown = False


class Host:
    """The one open session, of the target that the last command was for."""

    def __init__(self) -> None:
        self.session: Any = None
        self.target: Target | None = None
        self.progress = Progress()
        for name in ("cont", "exited", "inferior_call", "memory_changed", "register_changed"):
            getattr(gdb.events, name).connect(self.on_change)
        if hasattr(gdb.events, "connection_removed"):
            gdb.events.connection_removed.connect(self.on_change)

    def on_change(self, _event: object = None) -> None:
        session, self.session = self.session, None
        if session:
            session.close()

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
            progress=self.progress,
        )
        self.target = target
        return self.session

    def run(self, words: list[str]) -> None:
        status = 3
        try:
            text, status = self.text_of(words)
            gdb.write(text)
        except spanwalk.Error as error:
            status = error.status
            raise fail(str(error), error.hint) from None
        except KeyboardInterrupt:
            status = 130
            raise fail("interrupted") from None
        finally:
            gdb.set_convenience_variable("spanwalk_status", status)

    def text_of(self, words: list[str]) -> tuple[str, int]:
        if "--help" in words:
            return spanwalk.help(words[0]), 0
        width = (gdb.parameter("width") or 0) if os.isatty(1) else 0
        self.progress.begin("--quiet" in words)
        try:
            return self.open().run_words(words, width=width, evaluate=evaluate)
        finally:
            self.progress.end()


class EngineCommand(gdb.Command):
    """One command of the engine under one name."""

    def __init__(self, host: Host, command: dict[str, Any], name: str) -> None:
        self.host = host
        self.name = command["name"]
        self.options = ["--" + option["name"] for option in command["options"]]
        self.__doc__ = f"{command['summary']}.\n\n{spanwalk.help(self.name)}"
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.dont_repeat()
        self.host.run([self.name, *gdb.string_to_argv(argument)])

    def complete(self, text: str, word: str) -> list[str]:
        """Options; GDB wants what follows the last break in the word, such as a dash."""
        last = text.rpartition(" ")[2]
        skip = len(last) - len(word)
        return [option[skip:] for option in self.options if last and option.startswith(last)]


class Prefix(gdb.Command):
    """Show what holds the memory of a Go process or core.

    `spanwalk` alone lists the commands; `help spanwalk COMMAND` tells of one."""

    def __init__(self) -> None:
        super().__init__("spanwalk", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.dont_repeat()
        if argument:
            raise fail(f"no command '{argument.split()[0]}'", "'spanwalk' lists the commands")
        gdb.write(spanwalk.help())


def register() -> None:
    host = Host()
    Prefix()
    for command in spanwalk.commands():
        EngineCommand(host, command, f"spanwalk {command['name']}")
        if command["name"] not in GDB_NAMES:
            EngineCommand(host, command, command["name"])


register()

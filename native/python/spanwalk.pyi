"""The Python API of spanwalk: what holds the memory of a Go process or core.

    with spanwalk.open("api.core", exe="api") as session:
        report = session.run("leak-roots", limit=5)
        print(report.text())
        for root in report.to_dict()["tables"]["roots"]:
            print(root["root"], root["retained_bytes"])

A session opens its target once and keeps what was built for a command until it is closed. The
engine runs without the interpreter's lock: other threads go on meanwhile, and a second call to the
same session is refused. Ctrl-C in the main thread ends a call with KeyboardInterrupt; the session
stays usable.
"""

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypedDict, final, type_check_only

__version__: str

_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_Thread: TypeAlias = tuple[int, Sequence[int] | None]
"""A thread id and its registers in the kernel's order, or None where they could not be read.

amd64, 27: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss
fs_base gs_base ds es fs gs. arm64, 34: x0 to x30, sp, pc, pstate. Of each number the low 64 bits
are taken.
"""

class Error(Exception):
    """What failed; str() gives the sentence, with the file or address."""

    code: Literal[
        "memory",  # this machine is out of memory
        "limit",  # max_memory, or more than 2^32 objects
        "io",  # a system call failed
        "not_found",  # no such file, process, symbol, object, type
        "permission",  # the kernel refused
        "format",  # not a file, program or runtime that can be analysed
        "damaged",  # the right kind of thing, broken beyond use
        "unsupported",  # a version or architecture that is not known
        "mismatch",  # executable and target do not belong together
        "usage",  # no such command, wrong options, a closed or busy session
        "interrupted",  # `cancelled` asked to stop
        "unknown",  # not raised by spanwalk
    ]
    hint: str | None  # the next thing to try
    status: int  # the exit status of the program: 2, 3 or 130

@type_check_only
class Option(TypedDict):
    name: str  # "min-fraction" for --min-fraction
    value: str | None  # what to call its value, None for a flag
    choices: list[str] | None  # the values there are, None where any text or number goes
    default: str | None
    help: str  # one line

@type_check_only
class Command(TypedDict):
    name: str
    usage: str  # its arguments: "", "ADDR", "TYPE"
    summary: str  # one line
    options: list[Option]  # those of every command, then its own

@type_check_only
class Place(TypedDict):
    function: str  # "main.(*parser).line"
    file: str | None
    line: int  # 0 where the file is not known

@type_check_only
class Frame(Place):
    """A frame of the machine; `function` is the one that the code stands in, `line` that of the
    call it has made, or of the code that runs next."""

    inlined: list[Place]  # the calls that the compiler inlined into it, innermost first
    pc: int
    sp: int
    cfa: int  # the caller's sp once this function returns: where DWARF's CFA is
    is_call: bool  # pc is a return address: lines and variables are those of pc - 1

@type_check_only
class Goroutine(TypedDict):
    goid: int
    address: int  # of the runtime.g
    status: str  # "running", "runnable", "syscall", "waiting", …, as in Go's tracebacks
    wait_reason: str | None  # "chan receive", when it waits
    system: bool  # one of the runtime's own
    thread: int | None  # the thread it is on, when that is known
    # Of the innermost frame: the registers of its thread when it runs, what it left Go with when it
    # is in a system call or in C, else what was saved when it was stopped.
    pc: int
    sp: int
    fp: int | None  # the frame pointer register there: rbp, x29
    lr: int | None  # arm64: the link register there
    stack_low: int  # the stack is from here
    stack_high: int  # up to here
    parent: int | None  # the goroutine that made it
    created_by: Place | None  # the go statement
    start: Place | None  # the function it began with

@type_check_only
class WalkedGoroutine(Goroutine):
    frames: list[Frame]  # innermost first
    complete: bool  # False when the walk ended early; `warnings` says why
    warnings: list[str]

@type_check_only
class Object(TypedDict):
    address: int  # where it starts
    size_bytes: int  # of its slot
    type: str | None  # "main.session"; of the memory behind a reference, the reference's: "[]int"
    role: Literal[
        "value",  # of `type`, or several of them
        "array",  # the elements of a slice
        "string",  # the bytes of a string
        "map",  # what a map value points to
        "chan",  # what a channel value points to
        "func",  # a closure
        "part",  # of a map
        None,  # the type is not known
    ]
    element: str | None  # of an "array"
    descriptor: int | None  # in the target: of `type`; of an "array" that of its elements

@final
class Report:
    """What a command found. It stays valid after its session is closed."""

    @property
    def status(self) -> int:
        """0: ran; 1: findings at or above `fail_on`; 4: analysed in part."""

    @property
    def complete(self) -> bool:
        """False when something is missing; the warnings say what."""

    def text(self, width: int = 0) -> str:
        """The text view, ending in a newline. `width` is the columns of a terminal; with 0 nothing
        is cut."""

    def json(self) -> str:
        """The report as one JSON document of the schema spanwalk.report/1."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document as a new dict. Sizes are bytes (keys end in `_bytes`), durations
        seconds (`_seconds`), shares 0 to 1 (`_fraction`), addresses strings ("0xc000012000")."""

@final
class Session:
    """One open target, made by open(). Closed by close(), by the end of a with statement, or when
    nothing refers to it any more."""

    @property
    def closed(self) -> bool: ...
    def run(self, command: str, /, *words: str | int | os.PathLike[str], **options: Any) -> Report:
        """Runs a command by its name.

        `words` are its arguments; an int is an address. `options` are its options in Python
        spelling: limit=5, min_fraction=0.05, by="type", max_memory="512M", quiet=True; None and
        False stand for an absent one. Spellings of the command line ("--by", "type") may be among
        the words too. `json` is ignored: a report has every form.

        Raises Error, KeyboardInterrupt, or what a callback raised.
        """

    def run_words(
        self,
        words: Sequence[str | int | os.PathLike[str]],
        width: int = 0,
        evaluate: Callable[[str], int] | None = None,
    ) -> tuple[str, int]:
        """Runs a command line, for hosts: what there is to print and the program's exit status.

        The first word is the command; --json, --output and --help do as in the program.
        `evaluate` is asked for the value of an ADDR that is no number. Raises as run() does.
        """

    def goroutines(self) -> list[Goroutine]:
        """All goroutines but the dead, in the order in which the runtime made them. Walks no
        stack: 100,000 take about half a second. Raises as run() does."""

    def goroutine(self, goid: int, /) -> WalkedGoroutine:
        """One goroutine with its frames, as those of a collection that starts now. A damaged stack
        gives what could be walked. Raises Error("not_found") for a number that none has."""

    def object(self, address: int, /) -> Object:
        """The live object of the Go heap that holds an address. Marks the heap and finds the types
        of all objects when first asked. Raises Error("not_found") where there is none."""

    def type_names(self) -> list[str]:
        """The names of the types that live objects have, sorted; what `find` takes."""

    def close(self) -> None:
        """Frees what was built and lets the target go. May be called twice."""

    def __enter__(self) -> Session: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

def open(
    core: _Path | None = None,
    *,
    pid: int | None = None,
    exe: _Path | None = None,
    sysroot: _Path | None = None,
    symbols: _Path | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    debugged: Sequence[_Thread] | None = None,
    cancelled: Callable[[], object] | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Session:
    """Opens a core file or a process; exactly one of `core` and `pid` is given.

    A core is mapped and never written to. A process is stopped for as long as it takes to copy its
    memory, then let go as it was found.

    exe         the executable, where the target does not lead to it
    sysroot     the root of another machine's files
    symbols     the same build before it was stripped, for names and types
    threads     worker threads, 1 to 64; default: one for each core
    max_memory  bytes that the analysis may use; default: no limit
    debugged    the threads of a process that a debugger holds stopped: it is not stopped again,
                and the session is good until it goes on
    cancelled   called about ten times a second during work; true ends it with Error("interrupted")
    progress    called about as often with stage, done and total units (total may be 0)

    Raises Error, TypeError and ValueError for wrong arguments, or what a callback raised.
    """

def commands() -> list[Command]:
    """The commands, in the order of the help."""

def help(name: str | None = None, program: str = "") -> str:
    """The help of one command, or the list of all; `program` stands before each name in examples,
    such as "spanwalk "."""

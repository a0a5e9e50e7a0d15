"""`spanwalk goroutine GOID`: GDB's own backtrace, frame, up, down, info locals on a goroutine that
no thread runs.

Nothing is written to the target and no register is changed. An unwinder answers for the innermost
frame of the selected thread: its caller is where the goroutine waits. From there GDB unwinds by
debug information; where it has none, in a stripped program, the unwinder goes on with the frames
that the engine found. So the thread's own innermost frame stays frame 0, the goroutine's are 1 and
up, and `backtrace` leaves out what is not the goroutine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gdb.FrameDecorator import FrameDecorator
from gdb.unwinder import Unwinder

import gdb

from .commands import goids, suffixes
from .go_types import unsigned
from .host import Host, evaluate, fail

WORD = (1 << 64) - 1
MAX_OWN_FRAMES = 256  # inlined ones of a thread, before those of the goroutine

# pc, sp, frame pointer and link register, as GDB calls them.
REGISTERS = {
    "i386:x86-64": ("rip", "rsp", "rbp", None),
    "aarch64": ("pc", "sp", "x29", "x30"),
}


class Place(NamedTuple):
    """Tells one frame of the machine from another."""

    pc: int
    sp: int


class FrameId(NamedTuple):
    sp: gdb.Value
    pc: gdb.Value


class Selection(NamedTuple):
    """A goroutine that GDB shows in the place of a thread's own frames."""

    goroutine: dict[str, Any]  # session.goroutine()
    places: dict[Place, int]  # of its frames → their number
    inferior: int
    thread: tuple[int, int, int]  # ptid
    innermost: Place  # of the thread itself

    @property
    def goid(self) -> int:
        return self.goroutine["goid"]

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.goroutine["frames"]

    @property
    def first(self) -> Place:
        return place_of(self.frames[0])

    def is_shown(self) -> bool:
        """Is the thread that lends its place selected?"""
        thread = gdb.selected_thread()
        return (
            thread is not None
            and thread.ptid == self.thread
            and gdb.selected_inferior().num == self.inferior
        )


def place_of(frame: dict[str, Any]) -> Place:
    return Place(frame["pc"], frame["sp"])


def place_in(frame: gdb.Frame | gdb.PendingFrame) -> Place | None:
    """Where a frame is; None when its registers are not known."""
    try:
        pc, sp = (int(frame.read_register(name)) & WORD for name in ("pc", "sp"))
    except gdb.error:
        return None
    return Place(pc, sp)


def has_debug_information(frame: dict[str, Any]) -> bool:
    try:
        return gdb.block_for_pc(frame["pc"] - frame["is_call"]) is not None
    except (gdb.error, RuntimeError):
        return False


class GoroutineUnwinder(Unwinder):
    """What calls what on the selected goroutine's stack."""

    def __init__(self) -> None:
        super().__init__("spanwalk-goroutine")
        self.enabled = False
        self.selection: Selection | None = None

    def __call__(self, pending: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        selection = self.selection
        if not selection or not selection.is_shown():
            return None
        place = place_in(pending)
        if place == selection.innermost:
            return self.enter(pending, selection, place)
        number = selection.places.get(place) if place else None
        return None if number is None else self.go_on(pending, selection, number)

    def enter(
        self, pending: gdb.PendingFrame, selection: Selection, place: Place
    ) -> gdb.UnwindInfo | None:
        """From the thread's innermost frame to the goroutine's. GDB wants callers above their
        callees in memory."""
        below = Place(place.pc, selection.first.sp - 16)
        goroutine = selection.goroutine
        return caller(pending, below, selection.first, goroutine["fp"], goroutine["lr"])

    def go_on(
        self, pending: gdb.PendingFrame, selection: Selection, number: int
    ) -> gdb.UnwindInfo | None:
        frame = selection.frames[number]
        is_last = number + 1 == len(selection.frames)
        if has_debug_information(frame) and not (is_last and selection.goroutine["complete"]):
            return None
        # A pc of 0 ends a backtrace.
        pc = 0 if is_last else selection.frames[number + 1]["pc"]
        return caller(pending, Place(frame["pc"], frame["cfa"]), Place(pc, frame["cfa"]))


def caller(
    pending: gdb.PendingFrame,
    callee: Place,
    place: Place,
    fp: int | None = None,
    lr: int | None = None,
) -> gdb.UnwindInfo | None:
    names = REGISTERS.get(pending.architecture().name())
    if not names:
        return None
    word = unsigned()
    info = pending.create_unwind_info(
        FrameId(gdb.Value(callee.sp).cast(word), gdb.Value(callee.pc).cast(word))
    )
    for name, value in zip(names, (place.pc, place.sp, fp, lr)):
        if name and value is not None:
            info.add_saved_register(name, gdb.Value(value).cast(word))
    return info


class NamedFrame(FrameDecorator):
    """A frame of which GDB does not know the function, as the program's own tables have it."""

    def __init__(self, base: Any, frame: dict[str, Any]) -> None:
        super().__init__(base)
        self.frame = frame

    def function(self) -> str:
        return self.frame["function"]

    def filename(self) -> str | None:
        return self.frame["file"]

    def line(self) -> int | None:
        return self.frame["line"] or None

    def frame_args(self) -> None:
        return None

    frame_locals = frame_args


class GoroutineFilter:
    """Leaves out of a backtrace what is not the goroutine's; names frames without symbols."""

    def __init__(self, unwinder: GoroutineUnwinder) -> None:
        self.name = "spanwalk-goroutine"
        self.enabled = False
        self.priority = 100
        self.unwinder = unwinder
        gdb.frame_filters[self.name] = self

    def filter(self, frames: Iterable[Any]) -> Iterator[Any]:
        selection = self.unwinder.selection
        if not selection or not selection.is_shown():
            yield from frames
            return
        is_inside = False
        for each in frames:
            place = place_in(each.inferior_frame())
            is_inside = is_inside or place == selection.first
            if is_inside and place and place.pc:
                yield self.decorate(each, selection, place)

    def decorate(self, decorated: Any, selection: Selection, place: Place) -> Any:
        number = selection.places.get(place)
        if number is None or decorated.inferior_frame().function():
            return decorated
        return NamedFrame(decorated, selection.frames[number])


class Goroutines:
    """Which goroutine is selected, if any."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.unwinder = GoroutineUnwinder()
        self.filter = GoroutineFilter(self.unwinder)
        gdb.unwinder.register_unwinder(None, self.unwinder, replace=True)
        for name in ("cont", "exited", "inferior_call", "connection_removed", "inferior_deleted"):
            if hasattr(gdb.events, name):
                getattr(gdb.events, name).connect(self.on_change)
        gdb.events.before_prompt.connect(self.on_prompt)
        self.leave()

    @property
    def selection(self) -> Selection | None:
        return self.unwinder.selection

    def on_change(self, _event: object = None) -> None:
        if self.selection:
            self.leave()

    def on_prompt(self) -> None:
        """The user may have gone to another thread, or down into the thread's own frame."""
        selection = self.selection
        if not selection or (selection.is_shown() and is_inside(selection)):
            return
        self.leave()
        gdb.write(f"[Left goroutine {selection.goid}]\n")

    def leave(self) -> None:
        self.select(None)

    def select(self, selection: Selection | None) -> None:
        self.unwinder.selection = selection
        self.unwinder.enabled = self.filter.enabled = selection is not None
        gdb.set_convenience_variable("_goroutine", selection.goid if selection else 0)
        gdb.invalidate_cached_frames()

    def enter(self, goroutine: dict[str, Any]) -> Selection:
        """Shows a goroutine in the place of the selected thread, whose registers tell GDB what
        machine it is, and selects its innermost frame."""
        self.leave()
        thread = gdb.selected_thread()
        innermost = place_in(gdb.newest_frame())
        if not thread or not innermost:
            raise fail("the selected thread cannot be read", "select another: thread N")
        selection = Selection(
            goroutine,
            {place_of(frame): number for number, frame in enumerate(goroutine["frames"])},
            gdb.selected_inferior().num,
            thread.ptid,
            innermost,
        )
        self.select(selection)
        frame = innermost_frame(selection)
        if not frame:
            self.leave()
            raise fail(f"GDB cannot unwind into goroutine {selection.goid}", "stack GOID can")
        frame.select()
        return selection


def innermost_frame(selection: Selection) -> gdb.Frame | None:
    frame = gdb.newest_frame()
    for _ in range(MAX_OWN_FRAMES):
        if not frame or place_in(frame) == selection.first:
            break
        frame = frame.older()
    else:
        frame = None
    return frame


def is_inside(selection: Selection) -> bool:
    """Is a frame of the goroutine selected, and not the thread's own?"""
    try:
        return place_in(gdb.selected_frame()) != selection.innermost
    except gdb.error:
        return False


# ---- what is printed ----


def describe(goroutine: dict[str, Any]) -> str:
    """ "goroutine 42 (waiting: chan receive), created by main.serve at server.go:10"."""
    state = goroutine["status"]
    if goroutine["wait_reason"]:
        state += f": {goroutine['wait_reason']}"
    text = f"goroutine {goroutine['goid']} ({state})"
    origin = goroutine["created_by"]
    if origin:
        text += f", created by {origin['function']}"
        if origin["file"]:
            text += f" at {origin['file']}:{origin['line']}"
        if goroutine["parent"]:
            text += f" in goroutine {goroutine['parent']}"
    return text


def name_of(thread: gdb.InferiorThread) -> str:
    return f"thread {thread.num} (LWP {thread.ptid[1]})"


def print_frame(selection: Selection | None) -> None:
    """The selected frame as `frame` shows it; without symbols the engine's name for it."""
    frame = gdb.selected_frame()
    place = place_in(frame)
    number = selection.places.get(place) if selection and place else None
    if number is None or frame.function():
        gdb.execute("frame")
        return
    named = selection.frames[number]
    where = f" at {named['file']}:{named['line']}" if named["file"] else ""
    gdb.write(f"#{frame.level()}  {named['pc']:#018x} in {named['function']} (){where}\n")


class GoroutineCommand(gdb.Command):
    """Select a goroutine, so that GDB's own commands show it.

    usage: spanwalk goroutine [GOID | --off]

    backtrace, frame, up, down, info frame, info locals, info args and print then work on the
    goroutine, on a core and on a live process. Nothing is written to the target. A goroutine that
    runs has its thread selected instead; of one that is in a system call or in C the Go frames are
    shown, and on which thread it is.

    Frame 0 stays the thread's own; the goroutine's frames are 1 and up. Registers that a waiting
    goroutine does not have show as <not saved>.

    Without an argument it says which goroutine is selected. --off goes back to the thread; so does
    going to a thread (thread N), or to frame 0, and letting the process go on. step, next and
    finish are the thread's: go back first.

    example: spanwalk goroutine 42"""

    def __init__(self, host: Host, goroutines: Goroutines) -> None:
        self.host = host
        self.goroutines = goroutines
        super().__init__("spanwalk goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.dont_repeat()
        words = gdb.string_to_argv(argument)
        with self.host.at_work():
            if len(words) > 1:
                raise fail("too many words", "spanwalk goroutine GOID")
            if not words:
                self.show()
            elif words[0] == "--help":
                gdb.write(f"{self.__doc__}\n")
            elif words[0] == "--off":
                self.leave()
            elif words[0].startswith("--"):
                raise fail(f"no option {words[0]}", "spanwalk goroutine GOID, or --off")
            else:
                self.select(evaluate(words[0]))
            self.host.status = 0

    def complete(self, text: str, word: str) -> list[str]:
        if text.startswith("-"):
            return suffixes(["--help", "--off"], text, word)
        return suffixes(goids(self.host), text, word) if " " not in text else []

    def show(self) -> None:
        selection = self.goroutines.selection
        if selection and selection.is_shown():
            gdb.write(f"[Current goroutine is {describe(selection.goroutine)[10:]}]\n")
            print_frame(selection)
            return
        running = self.on_thread()
        if not running:
            gdb.write("No goroutine is selected, and the selected thread runs none.\n")
            return
        gdb.write(f"No goroutine is selected; the selected thread runs {describe(running)}.\n")

    def on_thread(self) -> dict[str, Any] | None:
        """The goroutine that the selected thread runs."""
        thread = gdb.selected_thread()
        tid = thread.ptid[1] if thread else None
        goroutines = self.host.open().goroutines()
        return next((each for each in goroutines if tid and each["thread"] == tid), None)

    def leave(self) -> None:
        if not self.goroutines.selection:
            raise fail("no goroutine is selected")
        self.goroutines.leave()
        thread = gdb.selected_thread()
        if thread:
            gdb.write(f"[Back to {name_of(thread)}]\n")
            gdb.execute("frame")

    def select(self, goid: int) -> None:
        if goid < 0:
            raise fail(f"{goid} is no number of a goroutine", "goroutines lists them")
        goroutine = self.host.open().goroutine(goid)
        thread = self.thread_of(goroutine)
        if goroutine["status"] == "running":
            self.select_thread(goroutine, thread)
            return
        if not goroutine["frames"]:
            why = "; ".join(goroutine["warnings"]) or f"goroutine {goid} has no stack"
            raise fail(why, f"its g may tell more: p *$goroutine({goid})")
        selection = self.goroutines.enter(goroutine)
        on_thread = f", on {name_of(thread)}" if thread else ""
        gdb.write(f"[Switching to {describe(goroutine)}{on_thread}]\n")
        for warning in goroutine["warnings"]:
            gdb.write(f"warning: {warning}\n")
        print_frame(selection)

    def thread_of(self, goroutine: dict[str, Any]) -> gdb.InferiorThread | None:
        threads = gdb.selected_inferior().threads()
        return next((each for each in threads if each.ptid[1] == goroutine["thread"]), None)

    def select_thread(self, goroutine: dict[str, Any], thread: gdb.InferiorThread | None) -> None:
        if not thread:
            raise fail(
                f"goroutine {goroutine['goid']} was running, and nothing tells on which thread",
                "thread apply all backtrace",
            )
        self.goroutines.leave()
        thread.switch()
        gdb.write(f"[Switching to {name_of(thread)}, which runs {describe(goroutine)}]\n")
        gdb.execute("frame")


def register(host: Host) -> GoroutineCommand:
    return GoroutineCommand(host, Goroutines(host))

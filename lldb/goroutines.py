"""`spanwalk threads on` and `spanwalk goroutine GOID`: goroutines as threads of LLDB.

Each goroutine is a thread with its number, state and wait reason as its name: `thread list`,
`thread select`, `bt`, `up` work on it. One that runs, or is in a system call, is shown by its
thread of the kernel, under that thread's id; the others stand where they wait, with the registers
that they have kept. A thread of the kernel that runs none is there as always.

Nothing is written to the target: LLDB has this file for a plug-in that lists threads. The list is
made once and is good until the process goes on; then LLDB has the threads of the kernel again, and
steps as it always does.
"""

from __future__ import annotations

import os
import struct
from typing import Any

from spanwalk_lldb.host import HOST, HostError, machine, output_of

import lldb

# A goroutine's number as a thread id, apart from those of the kernel.
FIRST_TID = 10**12

SETTING = "target.process.python-os-plugin-path"


# Name, number in DWARF, meaning. What a goroutine that waits has kept comes first; the others have
# to be named all the same, or LLDB 14 falls over them.
REGISTERS = {
    "x86_64": [
        *[("rip", 16, "pc"), ("rsp", 7, "sp"), ("rbp", 6, "fp")],
        *[("rax", 0, ""), ("rdx", 1, ""), ("rcx", 2, ""), ("rbx", 3, ""), ("rsi", 4, "")],
        *[("rdi", 5, ""), *((f"r{number}", number, "") for number in range(8, 16))],
    ],
    "aarch64": [
        *[("pc", 32, "pc"), ("sp", 31, "sp"), ("fp", 29, "fp"), ("lr", 30, "ra")],
        *((f"x{number}", number, "") for number in range(29)),
    ],
}


def register(offset: int, name: str, number: int, generic: str) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "bitsize": 64, "offset": offset, "set": 0}
    described |= {"encoding": "uint", "format": "hex", "gcc": number, "dwarf": number}
    return described | ({"generic": generic} if generic else {})


def described_registers(machine: str) -> list[dict[str, Any]]:
    """Those that are not kept stand behind the end of get_register_data(): LLDB has them for
    unavailable."""
    kept = sum(bool(generic) for _, _, generic in REGISTERS[machine])
    ranked = enumerate(REGISTERS[machine])
    return [register(8 * min(rank, kept), *each) for rank, each in ranked]


def stop_of(process: lldb.SBProcess) -> tuple[int, int]:
    return process.GetUniqueID(), process.GetStopID()


def title(goroutine: dict[str, Any]) -> str:
    """As in Go's tracebacks."""
    return f"goroutine {goroutine['goid']} [{goroutine['wait_reason'] or goroutine['status']}]"


class FramePointers:
    """What rbp has to be for LLDB to unwind a goroutine.

    Go's .debug_frame does not say where a function saves rbp, and LLDB takes it to be unchanged.
    It needs rbp for functions that begin with `push rbp; mov rbp, rsp` alone, for which it does
    not read .debug_frame: those of Go that check no stack, such as runtime.chanrecv1. So rbp is
    not that of the innermost frame, but that of the first that LLDB needs it for.
    """

    PROLOGUE = b"\x55\x48\x89\xe5"

    def __init__(self, target: lldb.SBTarget) -> None:
        self.target = target
        self.needing: dict[int, bool] = {}  # by pc

    def is_needed(self, pc: int) -> bool:
        if pc not in self.needing:
            address = self.target.ResolveLoadAddress(pc)
            start = address.GetSymbol().GetStartAddress()
            described = address.GetModule().FindSection(".debug_frame").IsValid()
            code = self.target.ReadMemory(start, len(self.PROLOGUE), lldb.SBError())
            self.needing[pc] = not described or code == self.PROLOGUE
        return self.needing[pc]

    def of(self, frames: list[dict[str, Any]], own: int) -> int:
        if not frames or self.is_needed(frames[0]["pc"]):
            return own
        needed = (frame for frame in frames[1:] if self.is_needed(frame["pc"]))
        return next((frame["cfa"] - 16 for frame in needed), own)


class Listing:
    """The goroutines of a process while it stands."""

    def __init__(self, process: lldb.SBProcess) -> None:
        target = process.GetTarget()
        self.stop = stop_of(process)
        self.machine = machine(target)
        self.session = HOST.open(target)
        self.frame_pointers = FramePointers(target)
        self.tids: dict[int, int] = {}
        self.waiting: dict[int, dict[str, Any]] = {}
        self.threads: list[dict[str, Any]] = []
        cores = {thread.GetThreadID(): rank for rank, thread in enumerate(process)}
        for goroutine in self.session.goroutines():
            self.add(goroutine, cores)

    def add(self, goroutine: dict[str, Any], cores: dict[int, int]) -> None:
        thread: dict[str, Any] = {
            "name": title(goroutine),
            "state": "stopped",
            "stop_reason": "none",
        }
        tid = goroutine["thread"]
        if tid in cores:
            thread["core"] = cores[tid]
        else:
            tid = FIRST_TID + goroutine["goid"]
            self.waiting[tid] = goroutine
        thread["tid"] = self.tids[goroutine["goid"]] = tid
        self.threads.append(thread)

    def registers(self, tid: int) -> bytes:
        goroutine = self.waiting[tid]
        pc, sp, fp, lr = (goroutine[name] or 0 for name in ("pc", "sp", "fp", "lr"))
        if self.machine == "aarch64":
            return struct.pack("<4Q", pc, sp, fp, lr)
        frames = self.session.goroutine(goroutine["goid"])["frames"]
        return struct.pack("<3Q", pc, sp, self.frame_pointers.of(frames, fp))


class OperatingSystemPlugIn:
    """What LLDB makes of this file for a process, and asks at each stop. It must not ask LLDB for
    threads in turn."""

    def __init__(self, process: lldb.SBProcess) -> None:
        self.process = process
        self.listing = HOST.listing
        self.machine = machine(process.GetTarget())

    def get_thread_info(self) -> list[dict[str, Any]]:
        is_good = self.listing and self.listing.stop == stop_of(self.process)
        return self.listing.threads if is_good else []

    def get_register_info(self) -> dict[str, Any]:
        described = described_registers(self.machine)
        return {"sets": ["General Purpose Registers"], "registers": described}

    def get_register_data(self, tid: int) -> bytes:
        return self.listing.registers(tid)

    def create_thread(self, tid: int, context: int) -> None:
        return None


# ---- the commands ----


def load(process: lldb.SBProcess, listing: Listing | None) -> None:
    """Has LLDB list the threads anew, with the thread and frame left selected that were."""
    thread = process.GetSelectedThread()
    tid, frame = thread.GetThreadID(), thread.GetSelectedFrame().GetFrameID()
    HOST.listing = listing
    path = f'set {SETTING} "{os.path.realpath(__file__)}"' if listing else f"clear {SETTING}"
    process.GetTarget().GetDebugger().HandleCommand(f"settings {path}")
    if process.SetSelectedThreadByID(tid):
        process.GetSelectedThread().SetSelectedFrame(frame)


def hide(process: lldb.SBProcess) -> None:
    if HOST.listing:
        load(process, None)


def show(process: lldb.SBProcess) -> Listing:
    if not HOST.listing or HOST.listing.stop != stop_of(process):
        hide(process)
        load(process, Listing(process))
    return HOST.listing


THREADS_HELP = """usage: spanwalk threads on|off

on shows every goroutine as a thread of LLDB, until the process goes on; off
shows the threads of the kernel again. A goroutine that runs, or is in a system
call, is shown by its thread of the kernel. Nothing is written to the target.

example:
  spanwalk threads on
  thread list
"""

GOROUTINE_HELP = """usage: spanwalk goroutine [GOID | --off]

selects a goroutine, as a thread of LLDB: bt, up, down and frame then work on
it. Without a number it shows which thread is selected. --off shows the threads
of the kernel again; so does letting the process go on.

example:
  spanwalk goroutine 42
  bt
"""


def threads_command(process: lldb.SBProcess, words: list[str]) -> str:
    if "--help" in words:
        return THREADS_HELP
    if words not in (["on"], ["off"]):
        raise HostError("threads: on or off", "spanwalk threads on", 2)
    if words == ["off"]:
        hide(process)
        return ""
    return f"{len(show(process).threads)} goroutines are threads; thread list shows them\n"


def goroutine_command(process: lldb.SBProcess, words: list[str]) -> str:
    if "--help" in words:
        return GOROUTINE_HELP
    if len(words) > 1 or (words and words[0] != "--off" and not words[0].isdecimal()):
        raise HostError("goroutine: a number, or --off", "spanwalk goroutine GOID", 2)
    debugger = process.GetTarget().GetDebugger()
    if words == ["--off"]:
        hide(process)
    elif words:
        goid = int(words[0])
        session = HOST.open(process.GetTarget())
        session.goroutine(goid)  # an error that says so when there is none
        process.SetSelectedThreadByID(show(process).tids[goid])
    selected = process.GetSelectedThread()
    return output_of(debugger, f"thread select {selected.GetIndexID()}")


OWN_COMMANDS = {"goroutine": goroutine_command, "threads": threads_command}

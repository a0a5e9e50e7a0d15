"""Convenience functions for expressions: $goroutine(GOID), $goobj(ADDR)."""

from __future__ import annotations

from typing import Any

import gdb

from .dynamic_type import described_type
from .go_types import go_type, named, unsigned, void_pointer
from .goroutine import GoroutineCommand
from .host import Host, fail


class GoroutineFunction(gdb.Function):
    """$goroutine([GOID]): the g of a goroutine.

    A `runtime.g *` where the program has debug information, else an address. Without an argument
    the g of the goroutine that is selected, or that the selected thread runs. The number of the
    selected goroutine is $_goroutine, 0 when none is.

    example: p $goroutine(42)->waitreason"""

    def __init__(self, host: Host, command: GoroutineCommand) -> None:
        self.host = host
        self.command = command
        super().__init__("goroutine")

    def invoke(self, goid: gdb.Value | None = None) -> gdb.Value:
        with self.host.at_work():
            goroutine = self.selected() if goid is None else self.find(int(goid))
            self.host.status = 0
        g = named("runtime.g")
        return gdb.Value(goroutine["address"]).cast(g.pointer() if g else unsigned())

    def find(self, goid: int) -> dict[str, Any]:
        if goid < 0:
            raise fail(f"{goid} is no number of a goroutine", "goroutines lists them")
        return self.host.open().goroutine(goid)

    def selected(self) -> dict[str, Any]:
        selection = self.command.goroutines.selection
        if selection and selection.is_shown():
            return selection.goroutine
        running = self.command.on_thread()
        if not running:
            raise fail(
                "no goroutine is selected, and the selected thread runs none",
                "$goroutine(GOID), or first spanwalk goroutine GOID",
            )
        return running


class ObjectFunction(gdb.Function):
    """$goobj(ADDR): the object of the Go heap that holds an address.

    Its start, as a pointer to its Go type where GDB knows that type: `p *$goobj($sp+8)`. The
    elements of a slice and the bytes of a string are an array; a map and a channel are such values
    themselves. Of a type that GDB does not know, or that is not known at all, it is a void pointer.

    example: p *$goobj(0xc000012345)"""

    def __init__(self, host: Host) -> None:
        self.host = host
        super().__init__("goobj")

    def invoke(self, address: gdb.Value) -> gdb.Value:
        with self.host.at_work():
            found = self.host.open().object(int(address) & (1 << 64) - 1)
            self.host.status = 0
        return gdb.Value(found["address"]).cast(pointer_to(found))


def pointer_to(found: dict[str, Any]) -> gdb.Type:
    """What type a pointer to the object has: never one that reaches beyond it."""
    if found["role"] in ("map", "chan"):
        kind = language_type(found)  # a pointer itself, to what is here
        plain = kind.strip_typedefs() if kind else None
        if plain and plain.code == gdb.TYPE_CODE_PTR:
            return kind if plain.target().sizeof <= found["size_bytes"] else void_pointer()
    target = type_of(found)
    if target and target.sizeof <= found["size_bytes"]:
        return target.pointer()
    return void_pointer()


def type_of(found: dict[str, Any]) -> gdb.Type | None:
    role = found["role"]
    if role == "value":
        return language_type(found)
    if role == "array":
        return array_of(language_type(found), found["size_bytes"])
    return array_of(named("uint8"), found["size_bytes"]) if role == "string" else None


def language_type(found: dict[str, Any]) -> gdb.Type | None:
    """By its descriptor, which tells import paths, else by its name."""
    kind = described_type(found["descriptor"]) if found["descriptor"] else None
    return kind or go_type(found["element"] or found["type"])


def array_of(element: gdb.Type | None, size: int) -> gdb.Type | None:
    if not element or not 0 < element.sizeof <= size:
        return None
    return element.array(size // element.sizeof - 1)


def register(host: Host, command: GoroutineCommand) -> None:
    GoroutineFunction(host, command)
    ObjectFunction(host)

"""What an interface holds: from the type descriptor in the target to GDB's type.

A descriptor (internal/abi/type.go, runtime/type.go up to 1.20; its head is the same in Go 1.18 to
1.27) has its name as an offset from the `types` of the module that it lies in, and
runtime.firstmoduledata leads to all modules. Debug information has import paths where descriptors
have the names of packages: net/http.Request for http.Request.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

import gdb

from .go_types import go_type, named

MAX_MODULES = 256
MAX_NAME = 4096
MAX_DEPTH = 16  # of pointers to slices of maps to …

UNCOMMON, EXTRA_STAR, NAMED = 1, 2, 4  # abi.TFlag
DIRECT = 1 << 5  # abi.KindDirectIface, from 1.26 on abi.TFlagDirectIface
KIND_MASK = 31
ARRAY, CHAN, FUNC, INTERFACE, MAP, POINTER, SLICE, STRUCT = 17, 18, 19, 20, 21, 22, 23, 25

# Bytes of a descriptor, behind which the package path of a named type stands; 48 where not listed.
HEAD_BYTES = 48
BYTES = {ARRAY: 72, CHAN: 64, FUNC: 56, INTERFACE: 80, POINTER: 56, SLICE: 56, STRUCT: 80}
MAP_TYPES = ("MapType", "SwissMapType", "OldMapType")


class DynamicType(NamedTuple):
    name: str  # as Go's %T has it
    type: gdb.Type | None  # None: GDB does not know it
    is_direct: bool  # the data word is the value itself


class Descriptor:
    """struct abi.Type."""

    def __init__(self, address: int) -> None:
        self.address = address
        head = read(address, HEAD_BYTES)
        self.size, self.flags, kind, self.name_offset = struct.unpack_from("<Q12xB2xB16xi", head)
        self.kind = kind & KIND_MASK
        self.is_direct = bool((kind | self.flags) & DIRECT)
        self.types = types_of(address)

    def name(self) -> str:
        text = text_at(self.types + self.name_offset)
        return text[1:] if self.flags & EXTRA_STAR else text

    def path(self) -> str:
        """The import path of the package of a named type, "" for others."""
        if not self.flags & UNCOMMON:
            return ""
        after = map_bytes() if self.kind == MAP else BYTES.get(self.kind, HEAD_BYTES)
        (offset,) = struct.unpack("<i", read(self.address + after, 4))
        return text_at(self.types + offset) if offset else ""

    def word(self, offset: int) -> int:
        return struct.unpack("<Q", read(self.address + HEAD_BYTES + offset, 8))[0]

    def debug_name(self, depth: int = 0) -> str:
        """What debug information calls it."""
        if depth > MAX_DEPTH:
            raise gdb.MemoryError("a type that contains itself")
        if self.flags & NAMED:
            return self.named()
        if self.kind == POINTER:
            return "*" + self.part(0, depth)
        if self.kind == SLICE:
            return "[]" + self.part(0, depth)
        if self.kind == ARRAY:
            return f"[{self.word(16)}]" + self.part(0, depth)
        if self.kind == MAP:
            return f"map[{self.part(0, depth)}]{self.part(8, depth)}"
        return self.name()

    def named(self) -> str:
        name, path = self.name(), self.path()
        if not path or "." not in name:
            return name
        head, slash, last = path.rpartition("/")
        return head + slash + last.replace(".", "%2e") + name[name.index(".") :]

    def part(self, offset: int, depth: int) -> str:
        return Descriptor(self.word(offset)).debug_name(depth + 1)


def read(address: int, size: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except (OverflowError, ValueError):
        raise gdb.MemoryError(f"no memory at 0x{address:x}") from None


def text_at(address: int) -> str:
    """struct abi.Name: a byte of flags, the length as a varint, the text."""
    length, shift, at = 0, 0, address + 1
    for _ in range(3):
        (byte,) = read(at, 1)
        length |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            break
    if length > MAX_NAME:
        raise gdb.MemoryError("the name of a type is damaged")
    text = read(at, length).decode("utf-8", "replace")
    return re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", "�", text)


def types_of(descriptor: int) -> int:
    """The `types` of the module that a descriptor lies in."""
    symbol = gdb.lookup_global_symbol("runtime.firstmoduledata")
    symbol = symbol or gdb.lookup_static_symbol("runtime.firstmoduledata")
    if not symbol:
        raise gdb.MemoryError("no runtime.firstmoduledata")
    module = symbol.value()
    for _ in range(MAX_MODULES):
        if int(module["types"]) <= descriptor < int(module["etypes"]):
            return int(module["types"])
        if not int(module["next"]):
            break
        module = module["next"].dereference()
    raise gdb.MemoryError("a type that the program made itself")


def map_bytes() -> int:
    found = next(filter(None, (named(f"internal/abi.{name}") for name in MAP_TYPES)), None)
    found = found or named("runtime.maptype")
    if not found:
        raise gdb.MemoryError("no runtime.maptype")
    return found.sizeof


def dynamic_type(interface: gdb.Value) -> DynamicType | None:
    """Of a runtime.eface or runtime.iface; None for nil."""
    fields = {field.name for field in interface.type.fields()}
    word = int(interface["_type" if "_type" in fields else "tab"])
    if not word:
        return None
    address = word if "_type" in fields else struct.unpack("<Q", read(word + 8, 8))[0]
    try:
        descriptor = Descriptor(address)
        name = descriptor.name()
    except gdb.MemoryError:
        return DynamicType(f"type at 0x{address:x}", None, True)
    kind = known_type(descriptor)
    return DynamicType(name, kind, descriptor.is_direct)


def described_type(address: int) -> gdb.Type | None:
    """What GDB knows of the type that a descriptor describes."""
    try:
        return known_type(Descriptor(address))
    except gdb.MemoryError:
        return None


def known_type(descriptor: Descriptor) -> gdb.Type | None:
    """GDB's type, when it is as large as the descriptor says."""
    try:
        kind = go_type(descriptor.debug_name())
    except gdb.MemoryError:
        return None
    return kind if kind and kind.sizeof == descriptor.size else None

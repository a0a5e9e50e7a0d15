"""Pretty printers for Go's strings, slices, maps, channels and interfaces.

GDB has one for strings, which works in frames of Go alone; Go's own runtime-gdb.py is rarely loaded
(auto-load safe-path) and knows no map since 1.24. These read what debug information describes:
hmap of Go up to 1.23, internal/runtime/maps from 1.24 on. They answer for the types of Go programs
only; `disable pretty-printer global spanwalk` turns them off, `… "spanwalk;map"` one of them.

A value may be damaged, or not yet made: every length is held against what can be read, every loop
has an end, and what cannot be read says so in its place.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import gdb.printing

import gdb

from .dynamic_type import dynamic_type
from .go_types import unsigned

Child = tuple[str, Any]  # GDB's: a name and a value, of a map the keys and values in turn

SLOTS = 8  # of a map's bucket, of a group
MIN_TOP_HASH = 5  # less: an empty slot, or one whose entry has moved
SAME_SIZE_GROW = 8  # hmap.flags
MAX_STRING = 1 << 26  # bytes that are read of a string however long it says that it is
MAX_WALK = 1 << 24  # steps through a structure that says that it is larger
MAX_CHAIN = 1 << 12  # buckets of one hash, goroutines that wait on one channel


def is_readable(address: int, size: int) -> bool:
    """Whether the target has the first and the last byte."""
    inferior = gdb.selected_inferior()
    try:
        for at in (address, address + size - 1):
            inferior.read_memory(at, 1)
    except (gdb.error, OverflowError, ValueError):
        return False
    return True


def is_whole(value: gdb.Value) -> bool:
    """Whether GDB can read it: what fails while it prints ends the whole print."""
    try:
        value.fetch_lazy()
    except gdb.error:
        return False
    return True


def unreadable(address: int) -> str:
    return f"<cannot read 0x{address:x}>"


def at(start: gdb.Value, index: int) -> gdb.Value:
    """An element of an array, by a pointer to its first. GDB does not count in elements of no
    size."""
    return (start + index if start.type.target().sizeof else start).dereference()


def first_of(array: gdb.Value) -> gdb.Value:
    """A pointer to the first element."""
    return array.address.cast(array.type.strip_typedefs().target().pointer())


def elements(start: gdb.Value, first: int, count: int) -> Iterator[gdb.Value | str]:
    """What an array has, up to the first element that cannot be read."""
    for index in range(first, first + count):
        element = at(start, index)
        if not is_whole(element):
            yield unreadable(int(start) + index * element.type.sizeof)
            return
        yield element


def numbered(values: Iterable[gdb.Value | str]) -> Iterator[Child]:
    for index, value in enumerate(values):
        yield f"[{index}]", value


# ---- strings, slices ----


class StringPrinter:
    """struct string { str *uint8; len int }, and types that are one."""

    def __init__(self, value: gdb.Value) -> None:
        self.start = value["str"]
        self.length = int(value["len"])
        self.is_whole = 0 <= self.length <= MAX_STRING and (
            not self.length or is_readable(int(self.start), self.length)
        )

    @staticmethod
    def fits(plain: gdb.Type) -> bool:
        return has_fields(plain, "str", "len")

    def to_string(self) -> Any:
        if not self.is_whole:
            return f"<cannot read {self.length} bytes at 0x{int(self.start):x}>"
        return self.start.lazy_string("UTF-8", self.length) if self.length else ""

    def display_hint(self) -> str | None:
        return "string" if self.is_whole else None


class SlicePrinter:
    """struct []T { array *T; len, cap int }."""

    def __init__(self, value: gdb.Value) -> None:
        self.name = go_name(value.type)
        self.start = value["array"]
        self.length = int(value["len"])
        self.capacity = int(value["cap"])

    @staticmethod
    def fits(plain: gdb.Type) -> bool:
        return has_fields(plain, "array", "len", "cap")

    def to_string(self) -> str:
        if not int(self.start) and not self.length and not self.capacity:
            return f"{self.name}(nil)"
        return f"{self.name} (len {self.length}, cap {self.capacity})"

    def children(self) -> Iterator[Child]:
        if 0 < self.length <= self.capacity:
            yield from numbered(elements(self.start, 0, self.length))

    def display_hint(self) -> str:
        return "array"


# ---- maps ----


class MapPrinter:
    """A map value is a pointer to hash<K,V> or map<K,V>, as the linker describes hmap and maps.Map
    for this very type."""

    def __init__(self, value: gdb.Value) -> None:
        self.name = go_name(value.type)
        self.pointer = value.cast(value.type.strip_typedefs())
        header = self.pointer.type.target().name
        self.is_swiss = header.startswith("map<")
        self.types = header[header.index("<") + 1 : -1]  # "K,V"

    @staticmethod
    def fits(plain: gdb.Type) -> bool:
        name = pointed_name(plain)
        return name is not None and name.startswith(("hash<", "map<"))

    def to_string(self) -> str:
        if not int(self.pointer):
            return f"{self.name}(nil)"
        try:
            return f"{self.name} (len {int(self.pointer['used' if self.is_swiss else 'count'])})"
        except gdb.error:
            return f"{self.name} {unreadable(int(self.pointer))}"

    def children(self) -> Iterator[Child]:
        if not int(self.pointer):
            return
        pairs = swiss_pairs(self.pointer) if self.is_swiss else bucket_pairs(self.pointer)
        try:
            for index, (key, elem) in enumerate(itertools.islice(pairs, MAX_WALK)):
                pair = self.direct(key, "{},"), self.direct(elem, ",{}")
                for value in pair:
                    value.fetch_lazy()
                yield f"[{index}].key", pair[0]
                yield f"[{index}].elem", pair[1]
        except gdb.error as error:
            # A map's children come in pairs.
            yield "damaged.key", "<damaged>"
            yield "damaged.elem", f"<{error}>"

    def direct(self, value: gdb.Value, place: str) -> gdb.Value:
        """Of keys and values over 128 bytes the map has pointers. A pointer that is a key itself is
        written with a star in the name of the map's type."""
        if value.type.code != gdb.TYPE_CODE_PTR:
            return value
        stored = place.format(value.type.target().name)
        is_indirect = (
            self.types.startswith(stored) if place.startswith("{") else self.types.endswith(stored)
        )
        return value.dereference() if is_indirect else value

    def display_hint(self) -> str:
        return "map"


Pair = tuple[gdb.Value, gdb.Value]


def bucket_pairs(header: gdb.Value) -> Iterator[Pair]:
    """runtime/map.go of Go up to 1.23: 1 << B buckets, each with a chain of overflow; while the map
    grows the entries of old buckets that have not moved are in the old array alone."""
    bits = int(header["B"])
    arrays = [(header["buckets"], bits)]
    if int(header["oldbuckets"]):
        shrink = 0 if int(header["flags"]) & SAME_SIZE_GROW else 1
        arrays.append((header["oldbuckets"], bits - shrink))
    left = int(header["count"])
    for start, size in arrays:
        for index in range(1 << max(0, min(size, 48))):
            for pair in chain_pairs(start + index):
                if left <= 0:
                    return
                yield pair
                left -= 1
            if left <= 0:
                return


def chain_pairs(bucket: gdb.Value) -> Iterator[Pair]:
    """Of a bucket and what overflowed."""
    for _ in range(MAX_CHAIN):
        if not int(bucket):
            return
        keys, values = first_of(bucket["keys"]), first_of(bucket["values"])
        for slot in range(SLOTS):
            if int(bucket["tophash"][slot]) >= MIN_TOP_HASH:
                yield at(keys, slot), at(values, slot)
        bucket = bucket["overflow"]


def swiss_pairs(header: gdb.Value) -> Iterator[Pair]:
    """internal/runtime/maps of Go 1.24 and later: one group, or a directory of tables of groups, a
    table standing in it as often as its share of the hashes says."""
    left = int(header["used"])
    for group in swiss_groups(header):
        control = int(group["ctrl"].cast(unsigned()))
        for slot in range(SLOTS):
            if control >> (8 * slot) & 0x80 or left <= 0:
                continue
            yield slot_pair(group, slot)
            left -= 1
        if left <= 0:
            return


def slot_pair(group: gdb.Value, slot: int) -> Pair:
    fields = {field.name for field in group.type.strip_typedefs().fields()}
    if "slots" in fields:
        entry = at(first_of(group["slots"]), slot)
        return entry["key"], entry["elem"]
    return at(first_of(group["keys"]), slot), at(first_of(group["elems"]), slot)


def swiss_groups(header: gdb.Value) -> Iterator[gdb.Value]:
    directory = header["dirPtr"]
    table_type = directory.type.target().target()
    group_pointer = table_type.strip_typedefs()["groups"].type.strip_typedefs()["data"].type
    size = int(header["dirLen"])
    if size == 0:
        if int(directory):
            yield directory.cast(group_pointer).dereference()
        return
    last = 0
    for index in range(min(size, MAX_WALK)):
        table = (directory + index).dereference()
        if int(table) == last:
            continue
        last = int(table)
        groups = table["groups"]
        for number in range(min(int(groups["lengthMask"]) + 1, MAX_WALK)):
            yield (groups["data"] + number).dereference()


# ---- channels ----


class ChannelPrinter:
    """A channel value is a pointer to hchan<T> (runtime/chan.go): a ring of dataqsiz elements of
    which qcount are there, from recvx on."""

    def __init__(self, value: gdb.Value) -> None:
        self.name = go_name(value.type)
        self.pointer = value.cast(value.type.strip_typedefs())

    @staticmethod
    def fits(plain: gdb.Type) -> bool:
        name = pointed_name(plain)
        return name is not None and name.startswith("hchan<")

    def to_string(self) -> str:
        if not int(self.pointer):
            return f"{self.name}(nil)"
        try:
            return f"{self.name} ({', '.join(self.state())})"
        except gdb.error:
            return f"{self.name} {unreadable(int(self.pointer))}"

    def state(self) -> Iterator[str]:
        yield f"len {int(self.pointer['qcount'])}"
        yield f"cap {int(self.pointer['dataqsiz'])}"
        if int(self.pointer["closed"]):
            yield "closed"
        for queue, name in (("recvq", "receiving"), ("sendq", "sending")):
            waiting = sum(1 for _ in self.waiting(queue))
            if waiting:
                yield f"{waiting} {name}"

    def waiting(self, queue: str) -> Iterator[gdb.Value]:
        sudog = self.pointer[queue]["first"]
        for _ in range(MAX_CHAIN):
            if not int(sudog):
                return
            yield sudog
            sudog = sudog["next"].cast(sudog.type)

    def element(self) -> gdb.Type:
        """The linker gives the sudog of each channel type an elem of the right type."""
        return self.pointer["recvq"]["first"].type.target()["elem"].type

    def children(self) -> Iterator[Child]:
        try:
            yield from numbered(self.queued())
        except gdb.error as error:
            yield "damaged", f"<{error}>"

    def queued(self) -> Iterator[gdb.Value | str]:
        if not int(self.pointer):
            return
        count, size = int(self.pointer["qcount"]), int(self.pointer["dataqsiz"])
        first = int(self.pointer["recvx"])
        if not 0 < count <= size or first >= size:
            return
        start = self.pointer["buf"].cast(self.element())
        tail = min(count, size - first)
        yield from elements(start, first, tail)
        yield from elements(start, 0, count - tail)

    def display_hint(self) -> str:
        return "array"


# ---- interfaces ----


class InterfacePrinter:
    """runtime.eface { _type, data } and runtime.iface { tab, data }: "(TYPE) VALUE"."""

    def __init__(self, value: gdb.Value) -> None:
        self.name = go_name(value.type)
        plain = value.type.strip_typedefs()
        self.value = value.cast(plain)
        self.inner: Any = None
        self.hint: str | None = None
        self.prefix = self.text = ""
        try:
            self.look()
        except gdb.MemoryError:
            self.text = f"{self.name} <damaged>"

    @staticmethod
    def fits(plain: gdb.Type) -> bool:
        return plain.name in ("runtime.eface", "runtime.iface")

    def look(self) -> None:
        found = dynamic_type(self.value)
        if not found:
            self.text = f"{self.name}(nil)"
            return
        self.prefix = f"({found.name}) "
        data = self.value["data"]
        if not found.type:
            self.text = f"{self.prefix}0x{int(data):x}"
        elif found.is_direct:
            self.hold(gdb.Value(struct.pack("<Q", int(data)), found.type))
        else:
            self.hold(data.cast(found.type.pointer()).dereference())

    def hold(self, held: gdb.Value) -> None:
        """As the value would be printed on its own."""
        if not is_whole(held):
            self.text = self.prefix + unreadable(int(held.address))
            return
        self.inner = gdb.default_visualizer(held)
        if self.inner:
            self.hint = getattr(self.inner, "display_hint", lambda: None)()
            text = held.format_string() if self.hint == "string" else text_of(self.inner)
            # Slices, maps and channels say themselves what they are.
            says_type = isinstance(self.inner, (SlicePrinter, MapPrinter, ChannelPrinter))
            self.text = text if says_type else f"{self.prefix}{text}"
        elif held.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
            self.inner = Fields(held)
            self.text = self.prefix.rstrip()
        else:
            self.text = self.prefix + held.format_string()

    def to_string(self) -> str:
        return self.text

    def children(self) -> Iterator[Child]:
        if self.inner and hasattr(self.inner, "children"):
            yield from self.inner.children()

    def display_hint(self) -> str | None:
        return None if self.hint == "string" else self.hint


def text_of(printer: Any) -> str:
    """Of a printer that may be somebody else's."""
    return str(printer.to_string()) if hasattr(printer, "to_string") else ""


class Fields:
    """The fields of a struct as children."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def children(self) -> Iterator[Child]:
        for field in self.value.type.strip_typedefs().fields():
            yield field.name or "_", self.value[field]


# ---- which printer ----


def has_fields(plain: gdb.Type, *names: str) -> bool:
    """A struct of a pointer and Go's ints by these names, and of nothing else."""
    if plain.code != gdb.TYPE_CODE_STRUCT:
        return False
    fields = plain.fields()
    if [field.name for field in fields] != list(names):
        return False
    start, *counts = (field.type for field in fields)
    return start.code == gdb.TYPE_CODE_PTR and all(
        each.name == "int" and each.sizeof == start.sizeof for each in counts
    )


def pointed_name(plain: gdb.Type) -> str | None:
    return plain.target().name if plain.code == gdb.TYPE_CODE_PTR else None


def go_name(kind: gdb.Type) -> str:
    return kind.name or str(kind)


class Kind(gdb.printing.SubPrettyPrinter):
    def __init__(self, name: str, printer: Any, is_typedef: bool) -> None:
        super().__init__(name)
        self.printer = printer
        self.is_typedef = is_typedef


class Printers(gdb.printing.PrettyPrinter):
    """Chooses by the shape that Go's linker gives a type."""

    # Strings and slices are structs, the others typedefs of what they are stored as.
    KINDS: ClassVar[list[Kind]] = [
        Kind("string", StringPrinter, False),
        Kind("slice", SlicePrinter, False),
        Kind("map", MapPrinter, True),
        Kind("chan", ChannelPrinter, True),
        Kind("interface", InterfacePrinter, True),
    ]

    def __init__(self) -> None:
        super().__init__("spanwalk", list(self.KINDS))
        self.is_go: dict[str, bool] = {}  # by the file of symbols

    def __call__(self, value: gdb.Value) -> Any:
        code = value.type.code
        if code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_TYPEDEF) or not self.of_go(value.type):
            return None
        if value.is_optimized_out:
            return None
        plain = value.type.strip_typedefs()
        for kind in self.subprinters:
            is_typedef = code == gdb.TYPE_CODE_TYPEDEF
            if kind.enabled and (is_typedef or not kind.is_typedef) and kind.printer.fits(plain):
                try:
                    return kind.printer(value)
                except gdb.error:  # its memory is not there, or a part is optimized out
                    return None
        return None

    def of_go(self, kind: gdb.Type) -> bool:
        """Does the type come from a Go program's debug information?"""
        objfile = kind.objfile
        if not objfile:
            return False
        name = objfile.filename or ""
        if name not in self.is_go:
            found = objfile.lookup_global_symbol("runtime.buildVersion")
            self.is_go[name] = bool(found or objfile.lookup_static_symbol("runtime.buildVersion"))
        return self.is_go[name]


def register() -> None:
    gdb.printing.register_pretty_printer(None, Printers(), replace=True)

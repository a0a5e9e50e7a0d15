"""Cores with a few wrong bytes."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

PT_LOAD = 1


def segments(core: Path) -> list[tuple[int, int, int]]:
    """Address, size and place in the file of what a core has of the memory."""
    with core.open("rb") as file:
        head = file.read(64)
        (start,) = struct.unpack_from("<Q", head, 32)
        (count,) = struct.unpack_from("<H", head, 56)
        file.seek(start)
        table = file.read(56 * count)
    found = (struct.unpack_from("<IIQQQQQQ", table, 56 * number) for number in range(count))
    return [(at, size, offset) for kind, _, offset, at, _, size, _, _ in found if kind == PT_LOAD]


def place_in(core: Path, address: int, size: int) -> int:
    """Where in the file of a core some bytes of the memory are."""
    for at, length, offset in segments(core):
        if at <= address and address + size <= at + length:
            return offset + address - at
    raise AssertionError(f"{core} does not have 0x{address:x}")


def damaged_core(core: Path, folder: Path, changes: Mapping[int, bytes]) -> Path:
    """A copy of a core in which other bytes stand at some addresses."""
    copy = folder / "damaged.core"
    shutil.copy(core, copy)
    with copy.open("r+b") as file:
        for address, data in changes.items():
            file.seek(place_in(core, address, len(data)))
            file.write(data)
    return copy

"""Includes run downward only: `python3 tests/lint/floors.py` prints each line that does not.

Rooms are the folders of native/, session.c and session.h a room of their own. A file may include
files of its own room and of rooms on lower floors; neighbours on one floor do not know each other.
Python.h is included in the room `python` only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# docs/internals.md says what each room knows.
FLOORS = (
    ("base",),
    ("target", "report"),
    ("image", "code"),
    ("heap",),
    ("go", "malloc"),
    ("type",),
    ("index", "view"),
    ("library",),
    ("owner",),
    ("session",),
    ("command",),
    ("cli", "python"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Headers of others that only these rooms may include.
RESERVED = {"Python.h": {"python"}}

INCLUDE = re.compile(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def room_of(path: str) -> str:
    """The room of a path below native/: "go/span.c" is in go, "session.h" in session."""
    folder, _, _ = path.rpartition("/")
    return folder.split("/")[0] if folder else Path(path).stem


def fault(room: str, quoted: str | None, system: str | None) -> str | None:
    """What is wrong with an include in a file of this room, or None."""
    if system:
        rooms = RESERVED.get(system)
        return None if rooms is None or room in rooms else f"{system} belongs in {sorted(rooms)}"
    assert quoted
    other = room_of(quoted)
    if other == room:
        return None
    if other not in FLOOR:
        return f"{other} is no room"
    if FLOOR[other] > FLOOR[room]:
        return f"{other} is above {room}"
    if FLOOR[other] == FLOOR[room]:
        return f"{other} and {room} are neighbours on one floor"
    return None


def faults(native: Path) -> Iterator[str]:
    """A line for each fault of the C files below native/."""
    for file in sorted([*native.rglob("*.c"), *native.rglob("*.h")]):
        path = file.relative_to(native).as_posix()
        room = room_of(path)
        if room not in FLOOR:
            yield f"native/{path}: {room} has no floor"
            continue
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            match = INCLUDE.match(line)
            found = fault(room, match[1], match[2]) if match else None
            if found:
                yield f"native/{path}:{number}: {line.strip()}: {found}"


def main() -> int:
    found = list(faults(Path(__file__).resolve().parents[2] / "native"))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

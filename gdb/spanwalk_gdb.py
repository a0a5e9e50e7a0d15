"""spanwalk in GDB:  source gdb/spanwalk_gdb.py

Gives every spanwalk command at the prompt, for the selected inferior: a process that GDB holds,
or a core. Each is also there as `spanwalk COMMAND`; `spanwalk` alone lists them. Nothing is
computed here and nothing is done before a command is given. What was built for a command is kept
for the next one until the process goes on.

After a command $spanwalk_status holds the exit status the program would have had, so that a
script can end with `quit $spanwalk_status`.

    spanwalk goroutine 42    backtrace, frame, up, down, info locals, info args show goroutine 42
    $goroutine(42)           its g;  $goroutine() that of the selected one, $_goroutine its number
    $goobj(ADDR)             the object of the heap that holds an address, as a typed pointer

Go's strings, slices, maps, channels and interfaces print as what they hold, in every language that
GDB takes a frame to be in; `disable pretty-printer global spanwalk` shows them as they are stored.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

# A checkout on sys.path has a folder `gdb` too, which would import as an empty package.
import gdb

if not hasattr(gdb, "VERSION"):
    raise ImportError("spanwalk_gdb.py runs inside GDB: source gdb/spanwalk_gdb.py")

PACKAGE = "spanwalk_gdb"


def part(name: str) -> ModuleType:
    """One of the files beside this one, or what they share with LLDB's. They make up a package
    that is found by its folders alone, which are not put on sys.path."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        here = os.path.dirname(os.path.realpath(__file__))
        package.__path__ = [here, os.path.join(here, "../native/python")]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")


def register() -> None:
    host = part("host").Host()
    part("commands").register(host)
    goroutines = part("goroutine").register(host)
    part("functions").register(host, goroutines)
    part("printers").register()


if PACKAGE not in sys.modules:
    register()

"""What GDB and LLDB share: the way to the engine, and a line that says how far it is.

The scripts of both take this file as one of theirs; it knows neither of them.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType


def load_module() -> ModuleType:
    """The module built in this checkout, so that it and the scripts are of one version, else the
    installed one; SPANWALK_BUILD names another folder that it was built in.

    The file is loaded by its path: no folder is put on sys.path. ImportError says what to do.
    """
    if "spanwalk" in sys.modules:
        return sys.modules["spanwalk"]
    checkout = Path(__file__).resolve().parents[2]
    built = Path(os.environ.get("SPANWALK_BUILD", checkout / "build"), "spanwalk.abi3.so")
    try:
        return load_built(str(built)) if built.exists() else load_installed()
    except ImportError as error:
        raise ImportError(
            f"spanwalk: cannot load the Python module: {error}\nhint: make -C {checkout}"
        ) from None


def load_built(path: str) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader("spanwalk", path)
    spec = importlib.util.spec_from_loader("spanwalk", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules["spanwalk"] = module
    return module


def load_installed() -> ModuleType:
    """A folder that is called spanwalk would import as an empty package."""
    module = importlib.import_module("spanwalk")
    if not hasattr(module, "commands"):
        del sys.modules["spanwalk"]
        raise ImportError("no module spanwalk")
    return module


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
        self.is_on = False

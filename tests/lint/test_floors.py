"""The check of the includes finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import floors
import pytest


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ("base/error.c", '#include "go/span.h"', "go is above base"),
        ("heap/mark.c", '#include "go/runtime.h"', "go is above heap"),
        ("go/span.c", '#include "session.h"', "session is above go"),
        ("session.c", '#include "command/command.h"', "command is above session"),
        ("report/text.c", '#include "target/target.h"', "neighbours on one floor"),
        ("malloc/glibc.c", '  #  include "go/span.h"', "neighbours on one floor"),
        ("command/heap.c", "#include <Python.h>", "Python.h belongs in"),
        ("command/heap.c", '#include "gdb/host.h"', "gdb is no room"),
        ("attic/old.c", "int x;", "attic has no floor"),
    ],
)
def test_fault_is_found(tmp_path: Path, path: str, line: str, found: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"/* first */\n{line}\n")
    (message,) = floors.faults(tmp_path)
    assert found in message
    assert message.startswith(f"native/{path}:")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("go/span.c", '#include "go/runtime.h"'),
        ("go/span.c", '#include "heap/heap.h"'),
        ("session.c", '#include "session.h"'),
        ("command/heap.c", '#include "session.h"'),
        ("python/module.h", "#include <Python.h>"),
        ("base/error.c", "#include <stdio.h>"),
        ("base/error.c", '/* #include "go/span.h" */'),
    ],
)
def test_what_runs_downward_passes(tmp_path: Path, path: str, line: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(line)
    assert not list(floors.faults(tmp_path))


def test_the_house_as_it_stands() -> None:
    assert not list(floors.faults(Path(__file__).resolve().parents[2] / "native"))

#!/usr/bin/env python3
"""The layouts of the runtime's structs in each release of Go: `make layouts`.

Builds a program with each release, for both architectures, reads its debug information (show.c)
and writes native/go/layout_tables.h, from which programs without debug information are read.
test_layouts.py compares that file with what the releases say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SPANWALK_BUILD", ROOT / "build"))
TABLES = ROOT / "native" / "go" / "layout_tables.h"

ARCHITECTURES = ("amd64", "arm64")


class Column(NamedTuple):
    """One layout: the release it begins with, one that has it, the experiment that makes it."""

    since: str
    built_by: str
    experiment: str = ""

    @property
    def numbers(self) -> tuple[int, int]:
        return numbers(self.since)


# Every release from 1.18 on has the layout of the last column that begins at or before it. 1.18.3
# and 1.18.9 were not to be had: what changed in 1.18.4 and 1.18.10 may have come with them.
COLUMNS = (
    Column("1.18", "1.18"),
    Column("1.18.4", "1.18.4"),
    Column("1.18.9", "1.18.10"),
    Column("1.19", "1.19"),
    Column("1.19.4", "1.19.4"),
    Column("1.20", "1.20"),
    Column("1.21.0", "1.21.0"),
    Column("1.22.0", "1.22.0"),
    Column("1.22.0", "1.22.0", "noallocheaders"),
    Column("1.23.0", "1.23.0"),
    Column("1.23.12", "1.23.12"),
    Column("1.24.0", "1.24.0"),
    Column("1.24.0", "1.24.0", "nospinbitmutex"),
    Column("1.24.6", "1.24.6"),
    Column("1.24.6", "1.24.6", "nospinbitmutex"),
    Column("1.25.0", "1.25.0"),
    Column("1.25.0", "1.25.0", "greenteagc"),
    Column("1.26.0", "1.26.0"),
    Column("1.26.0", "1.26.0", "nogreenteagc"),
    Column("1.27.0", "1.27.0"),
    Column("1.27.0", "1.27.0", "nogreenteagc"),
)

HEAD = """/* Written by `make layouts` from the debug information of the releases; test_layouts.py
 * compares. Numbers are bytes. */
/* clang-format off */
"""

Field = tuple[str, str, str]  # type, member, what
Layout = dict[Field, int]


def numbers(go: str) -> tuple[int, int]:
    """Minor and patch: (18, 0) of 1.18, (26, 11) of 1.26.11."""
    _, minor, *patch = go.split(".")
    return int(minor), int(patch[0]) if patch else 0


def build(go: str, arch: str, out: Path, experiment: str = "") -> Path:
    """An executable with debug information whose runtime is whole."""
    source = out / "main.go"
    source.write_text("package main\n\nfunc main() { println() }\n")
    exe = out / "main"
    environment = os.environ | {
        "GOTOOLCHAIN": f"go{go}",
        "GOARCH": arch,
        "GOEXPERIMENT": experiment,
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    command = ["go", "build", "-o", str(exe), str(source)]
    subprocess.run(command, check=True, env=environment, cwd=out)
    return exe


def layout(source: Path | str, go: str, experiment: str = "") -> Layout:
    """What the debug information of an executable says, or the table of an architecture."""
    words = [str(source), *map(str, numbers(go)), experiment]
    done = subprocess.run([str(BUILD / "show"), *words], check=True, capture_output=True, text=True)
    found: Layout = {}
    for line in done.stdout.splitlines():
        kind, member, what, number = line.split()
        found[kind, member, what] = int(number)
    return found


def read(go: str, arch: str, experiment: str = "") -> Layout:
    """What the debug information of a program built by a release says."""
    with tempfile.TemporaryDirectory() as folder:
        return layout(build(go, arch, Path(folder), experiment), go, experiment)


def _list(layouts: Sequence[Layout], field: Field) -> str:
    return ", ".join(str(one.get(field, "None")) for one in layouts)


def _row(field: Field, tables: dict[str, list[Layout]]) -> str:
    kind, member, what = field
    name = f'"{kind.removeprefix("runtime.")}"' + ("" if what == "SIZE" else f', "{member}"')
    amd64, arm64 = (_list(tables[arch], field) for arch in ARCHITECTURES)
    if amd64 == arm64:
        return f"{what}({name}, BOTH({amd64}))\n"
    return f"{what}({name},\n\tAMD64({amd64})\n\tARM64({arm64}))\n"


def write(tables: dict[str, list[Layout]]) -> str:
    """The text of layout_tables.h, for all columns of each architecture."""
    columns = [(*column.numbers, column.experiment) for column in COLUMNS]
    fields = {field for layouts in tables.values() for one in layouts for field in one}
    lines = [HEAD, "#ifdef COLUMN\n"]
    lines += [f'COLUMN({minor}, {patch}, "{name}")\n' for minor, patch, name in columns]
    lines += ["#else\n", *(_row(field, tables) for field in sorted(fields)), "#endif\n"]
    return "".join(lines) + "/* clang-format on */\n"


def main() -> int:
    tables = {
        arch: [read(column.built_by, arch, column.experiment) for column in COLUMNS]
        for arch in ARCHITECTURES
    }
    TABLES.write_text(write(tables))
    print(f"{TABLES.relative_to(ROOT)}: {len(tables['amd64'][-1])} numbers for each release")
    return 0


if __name__ == "__main__":
    sys.exit(main())

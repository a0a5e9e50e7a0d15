"""GDB and LLDB as hosts for tests.

SPANWALK_LLDB names the LLDBs to test with, as on a command line (spaces between them); by default
lldb and every lldb-N that is installed, each version once. SPANWALK_LLDB=none leaves LLDB out,
aloud. A debugger that is named and missing fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import BUILD, ROOT

GDB_SCRIPT = ROOT / "gdb" / "spanwalk_gdb.py"
LLDB_SCRIPT = ROOT / "lldb" / "spanwalk_lldb.py"
IN_DEBUGGER = Path(__file__).with_name("in_debugger.py")


def installed_lldbs() -> list[str]:
    folders = [Path(each) for each in os.get_exec_path() if each]
    found = {path.name for each in folders for path in each.glob("lldb-*")}
    names = ["lldb", *sorted(name for name in found if re.fullmatch(r"lldb-\d+", name))]
    files = {name: shutil.which(name) for name in reversed(names)}
    return sorted({os.path.realpath(file): name for name, file in files.items() if file}.values())


def lldbs() -> list[Any]:
    """For a parameter of tests."""
    named = os.environ.get("SPANWALK_LLDB", "").split()
    if named == ["none"]:
        left_out = pytest.mark.skip(reason="SPANWALK_LLDB=none: LLDB is left out")
        return [pytest.param("lldb", marks=left_out)]
    return named or installed_lldbs() or ["lldb"]


LLDBS = lldbs()


class Output(NamedTuple):
    status: int
    text: str
    errors: str


class Answer(NamedTuple):
    """What a host says to one line."""

    text: str
    error: str
    status: int


def environment(lldb: str = "") -> dict[str, str]:
    """Debian's LLDB does not find its own module; a virtual environment would lead it astray."""
    assert not lldb or shutil.which(lldb), f"no {lldb}: see .ci/packages, or SPANWALK_LLDB=none"
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    made = {name: value for name, value in os.environ.items() if name not in left_out}
    made["SPANWALK_BUILD"] = str(BUILD)
    library = Path(os.path.realpath(shutil.which(lldb) or lldb)).parent.parent / "lib"
    modules = sorted(library.glob("python3*/*-packages/lldb/__init__.py"))
    if lldb and modules:
        made["PYTHONPATH"] = str(modules[0].parent.parent)
    return made


def run(command: Sequence[object], env: dict[str, str], cwd: Path | None = None) -> Output:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env=env,
    )
    return Output(done.returncode, done.stdout, done.stderr)


def lldb_command(lldb: str, *commands: object, target: Sequence[object] = ()) -> list[str]:
    """LLDB stops at the first command that fails."""
    words = [
        lldb,
        "--no-lldbinit",
        "--batch",
        *target,
        "-o",
        f"command script import {LLDB_SCRIPT}",
    ]
    return [str(word) for word in words] + [w for each in commands for w in ("-o", str(each))]


def run_lldb(
    lldb: str, *commands: object, target: Sequence[object] = (), cwd: Path | None = None
) -> Output:
    return run(lldb_command(lldb, *commands, target=target), environment(lldb), cwd)


# ---- a script in a debugger ----


def answers(command: list[object], env: dict[str, str], lines: list[str], at: Path) -> list[Answer]:
    """Has in_debugger.py run the lines in a debugger that starts with `command`."""
    at.mkdir()
    (at / "lines").write_text(json.dumps(lines))
    output = run(command, env | {"SPANWALK_SCRIPT": str(at)})
    file = at / "answers"
    assert file.exists(), f"{command}\n{output.text[-2000:]}\n{output.errors[-2000:]}"
    return [Answer(*each) for each in json.loads(file.read_text())]


def by_gdb(lines: list[str], target: Sequence[object], at: Path) -> list[Answer]:
    command = ["gdb", "-q", "-nx", "-batch", "-iex", "set auto-load no", *target]
    script = [word for file in (GDB_SCRIPT, IN_DEBUGGER) for word in ("-ex", f"source {file}")]
    return answers([*command, *script], environment(), lines, at)


def by_lldb(lldb: str, lines: list[str], target: Sequence[object], at: Path) -> list[Answer]:
    command = lldb_command(lldb, f"command script import {IN_DEBUGGER}", target=target)
    return answers([*command], environment(lldb), lines, at)

"""Stripped programs: what is found without symbols is what symbols and debug information tell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, report, spanwalk

pytestmark = pytest.mark.needs_go

PROGRAMS = ["assorted", "finalizers", "stacks"]


def strip(exe: Path, folder: Path) -> Path:
    """What strip leaves of an executable: the code and the build id are the same."""
    stripped = folder / exe.name
    subprocess.run(["strip", "-o", str(stripped), str(exe)], check=True)
    return stripped


def counters(core: Path, exe: Path, *words: object) -> list[object]:
    """All that the runtime's variables lead to, in numbers."""
    heap = report("heap", core, exe, *words)
    verify = report("verify", core, exe, *words)
    assert verify["summary"]["exact"], (verify["summary"], verify["tables"]["differences"])
    return [heap["summary"], heap["tables"]["runtime"], verify["summary"]]


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_as_with_symbols(program: str, go: str) -> None:
    """go build -ldflags="-s -w", on its own and with the names of the unstripped build."""
    stripped = CORES.make(program, go, mode="stripped")
    unstripped = CORES.build(program, go)
    alone = counters(stripped.core, stripped.exe)
    assert alone == counters(stripped.core, stripped.exe, "--symbols", unstripped)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "pie"])
def test_as_with_debug_information(mode: str, go: str, tmp_path: Path) -> None:
    """One core, read with the executable and with what strip leaves of it."""
    made = CORES.make("finalizers", go, mode=mode)
    assert counters(made.core, strip(made.exe, tmp_path)) == counters(made.core, made.exe)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_live(go: str, start: Callable[..., Any]) -> None:
    process = start("channels", go, mode="stripped-pie")
    verify = spanwalk("verify", "--pid", process.pid, "--json").report
    assert verify["summary"]["exact"], verify["tables"]["differences"]


def test_functions_without_names(tmp_path: Path) -> None:
    """The names of functions are gone: the error says which variable cannot be found."""
    made = CORES.make("lists", NEWEST, mode="stripped")
    exe = tmp_path / "nameless"
    exe.write_bytes(made.exe.read_bytes().replace(b"\0runtime.", b"\0ernutim."))
    message = spanwalk("heap", made.core, "--exe", exe, status=3).stderr
    assert "no variable fits runtime.mheap_" in message
    assert "0 candidates" in message
    assert "hint: give the unstripped build" in message

"""A runtime that is not the one its version says is an error that names what does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import CORES, GO_VERSIONS, spanwalk

pytestmark = pytest.mark.needs_go

MINORS = range(18, 28)
MISFITS = (
    "is a function table of",
    "fits runtime.",
    "cannot be right",
    "is not where that release has it",
)


def pretend(exe: Path, go: str, other: str, folder: Path) -> Path:
    """A copy of an executable that says it was built by another release."""
    assert len(other) == len(go)
    copy = folder / other
    contents = exe.read_bytes()
    assert f"go{go}".encode() in contents
    copy.write_bytes(contents.replace(f"go{go}".encode(), f"go{other}".encode()))
    return copy


def refusal(core: Path, exe: Path) -> str:
    done = spanwalk("leak-roots", core, "--exe", exe, status=3)
    assert done.stdout == ""
    assert "hint: " in done.stderr
    return done.stderr


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_release_of_tomorrow(go: str, tmp_path: Path) -> None:
    """With debug information or without: what a release not yet known means is not guessed."""
    minor = go.split(".")[1]
    for mode in ("plain", "stripped"):
        made = CORES.make("lists", go, mode=mode)
        exe = pretend(made.exe, go, go.replace(f".{minor}.", ".28.", 1), tmp_path)
        message = refusal(made.core, exe)
        assert "was built by go1.28." in message
        assert "knows Go 1.18 to 1.27" in message


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_structures_of_another_release(go: str, tmp_path: Path) -> None:
    """A stripped program whose structures are none of its version's: as a changed runtime is."""
    made = CORES.make("lists", go, mode="stripped")
    _, minor, patch = go.split(".")
    for other in MINORS:
        if other == int(minor):
            continue
        exe = pretend(made.exe, go, f"1.{other}.{patch}", tmp_path)
        message = refusal(made.core, exe)
        assert any(what in message for what in MISFITS), message


def test_fields_that_moved(tmp_path: Path) -> None:
    """The program's own type descriptors contradict the table: in 1.23.12 runtime.m grew."""
    made = CORES.make("lists", "1.23.12", mode="stripped")
    message = refusal(made.core, pretend(made.exe, "1.23.12", "1.23.00", tmp_path))
    assert "not those of go1.23.00: runtime.m" in message


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_damaged_module_data(go: str, tmp_path: Path) -> None:
    """Words of moduledata that are gone, in a stripped program: the field is named."""
    made = CORES.make("lists", go, mode="stripped")
    core = tmp_path / "core"
    shutil.copy(made.core, core)
    contents = bytearray(core.read_bytes())
    header = find_module_data(contents)
    for field in (22, 23):  # text, etext
        start = header + field * 8
        contents[start : start + 8] = b"\xff" * 8
    core.write_bytes(contents)
    message = refusal(core, made.exe)
    assert "runtime.firstmoduledata" in message
    assert "text" in message


def find_module_data(core: bytes) -> int:
    """Where moduledata begins: its second to seventh fields are tables behind the first, a length
    and the same capacity each."""
    for at in range(0, len(core) - 256, 8):
        words = [int.from_bytes(core[at + 8 * i : at + 8 * i + 8], "little") for i in range(10)]
        rising = 0 < words[0] < words[1] < words[4] < words[7] < words[0] + 2**30
        slices = words[2] == words[3] and words[5] == words[6] and words[8] == words[9]
        if rising and slices and words[2]:
            return at
    raise AssertionError("no module data in this core")

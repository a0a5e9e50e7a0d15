"""Bad input: a clear error with a hint, or a partial report; never a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, NEWEST, PROGRAM, needs_go, report, spanwalk


def fails(*words: object) -> str:
    """A command that must say that the target cannot be analysed, and what to do."""
    result = spanwalk(*words, status=3)
    assert result.stdout == ""
    assert result.stderr.startswith("spanwalk: "), result.stderr
    assert "\nhint: " in result.stderr, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def made() -> Any:
    return CORES.make("lists", NEWEST) if needs_go() else CORES.unpack("maps-go1.22.12")


def test_no_such_file() -> None:
    fails("heap", "/nonexistent/core")


def test_directory(tmp_path: Path) -> None:
    fails("heap", tmp_path)


def test_empty_and_text(tmp_path: Path) -> None:
    for content in (b"", b"no core\n" * 1000):
        file = tmp_path / "file"
        file.write_bytes(content)
        fails("heap", file)


def test_executable_in_place_of_core(made: Any) -> None:
    assert "core" in fails("heap", made.exe)


def test_c_program() -> None:
    core = CORES.make("cprog")
    assert "not a Go program" in fails("heap", core.core, "--exe", core.exe)


@pytest.mark.needs_go
def test_wrong_executable(made: Any) -> None:
    other = CORES.build("maps", NEWEST)
    assert "build" in fails("heap", made.core, "--exe", other)


@pytest.mark.needs_go
def test_missing_executable(tmp_path: Path) -> None:
    made = CORES.make("lists", NEWEST, out=tmp_path)
    made.exe.unlink()
    assert "--exe" in fails("heap", made.core)


@pytest.mark.parametrize("word,offset", [("32-bit", 4), ("endian", 5)])
def test_other_class(made: Any, tmp_path: Path, word: str, offset: int) -> None:
    core = tmp_path / "core"
    shutil.copy(made.core, core)
    with core.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x01" if offset == 4 else b"\x02")
    assert word in fails("heap", core, "--exe", made.exe)


def test_cut_zst(made: Any, tmp_path: Path) -> None:
    packed = tmp_path / "core.zst"
    subprocess.run(["zstd", "-q", "-1", "-o", packed, made.core], check=True)
    whole = report("heap", packed, made.exe)
    data = packed.read_bytes()
    packed.write_bytes(data[: len(data) // 2])
    result = spanwalk("heap", packed, "--exe", made.exe, "--json", status=None)
    assert result.status in (3, 4)
    if result.status == 4:
        assert not result.report["complete"]
        assert result.report["summary"]["live_objects"] < whole["summary"]["live_objects"]


@pytest.mark.parametrize("percent", [1, 50, 75, 99])
def test_truncated_core(made: Any, tmp_path: Path, percent: int) -> None:
    """What is left is analysed; when that is nothing, the hint says that the core is cut."""
    core = tmp_path / "core"
    shutil.copy(made.core, core)
    os.truncate(core, made.core.stat().st_size * percent // 100)
    result = spanwalk("heap", core, "--exe", made.exe, "--json", status=None)
    assert result.status in (3, 4)
    if result.status == 4:
        assert "truncated_core" in {w["code"] for w in result.report["warnings"]}
    else:
        assert "cut" in fails("heap", core, "--exe", made.exe)


@pytest.mark.parametrize(
    ("magic", "hint"),
    [
        (b"\x1f\x8b", "gunzip"),
        (b"\xfd7zXZ\0", "xz -d"),
        (b"\x28\xb5\x2f\xfd", "cut"),
        (b"\x7fELF", "cut"),
        (b"MDMP", "ELF cores"),
    ],
)
def test_other_formats(tmp_path: Path, magic: bytes, hint: str) -> None:
    file = tmp_path / "core"
    file.write_bytes(magic + b"\2\1" + bytes(30))
    assert hint in fails("heap", file)


def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for file in (tmp_path / "fifo", "/dev/null", "/dev/zero"):
        assert "regular file" in fails("heap", file)


def test_executable_that_is_none(made: Any, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    for exe in (text, tmp_path, "/dev/null", "/nonexistent"):
        fails("heap", made.core, "--exe", exe)
    cut = tmp_path / "cut"
    cut.write_bytes(made.exe.read_bytes()[:100_000])
    result = spanwalk("heap", made.core, "--exe", cut, status=None)
    assert result.status in (3, 4), result.stderr


def test_unreadable_file_and_process(made: Any, tmp_path: Path) -> None:
    """As another user: no permission, and a hint about it."""
    core = tmp_path / "core"
    shutil.copy(made.core, core)
    core.chmod(0o600)
    tool = tmp_path / "spanwalk"
    shutil.copy(PROGRAM, tool)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o055)
    for words in (["heap", str(core)], ["heap", "--pid", str(os.getpid())]):
        done = subprocess.run(
            [tool, *words], user=65534, group=65534, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3 and "hint: " in done.stderr, done.stderr


def test_process_that_is_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    fails("heap", "--pid", process.pid)


def test_max_memory(made: Any) -> None:
    assert "--max-memory" in fails(
        "leak-roots", made.core, "--exe", made.exe, "--max-memory", "64K"
    )


def test_usage() -> None:
    for words in (["heap"], ["heap", "x", "--nope"], ["nonsense", "x"], ["who-holds", "x"]):
        assert spanwalk(*words, status=2).stderr


def test_not_an_object(made: Any) -> None:
    fails("who-holds", made.core, "--exe", made.exe, "0x10")


@pytest.mark.needs_go
def test_interrupt(start: Callable[..., Any]) -> None:
    """Ctrl-C in the middle of the work: status 130, and the target goes on."""
    process = start("bigheap", NEWEST, args=["-objects", "2000000"])
    tool = subprocess.Popen(
        [PROGRAM, "leak-roots", "--pid", str(process.pid), "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        tool.wait(0.7)
    except subprocess.TimeoutExpired:
        tool.send_signal(signal.SIGINT)
    assert tool.wait(60) in (0, 130)
    assert process.command("gc")["program"] == "bigheap"

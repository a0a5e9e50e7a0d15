"""The matrix is whole, and nothing but an exact analysis counts as one."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import document
import matrix
import pytest
import results
from conftest import CORES, PROGRAM
from judge import judge
from matrix import Square

TRUTH = {
    "go_version": "go1.26.11 X:nogreenteagc",
    "facts": {},
    "memstats": {"HeapObjects": 2003, "HeapAlloc": 65536},
}
REPORT: dict[str, Any] = {
    "target": {"runtime": "go1.26.11"},
    "complete": True,
    "warnings": [],
    "summary": {
        "exact": True,
        "replay_objects": 2003,
        "runtime_objects": 2003,
        "runtime_bytes": 65536,
        "live_objects": 2003,
        "garbage_objects": 0,
        "heap_marked_bytes": 65600,
        "marked_bits_bytes": 65536,
    },
    "tables": {"differences": []},
}


def answer(folder: Path, status: int, report: dict[str, Any] | str, errors: str = "") -> str:
    """What the judge makes of a program that answers so."""
    (folder / "stdout").write_text(report if isinstance(report, str) else json.dumps(report))
    (folder / "stderr").write_text(errors)
    program = folder / "answers"
    program.write_text(f"#!/bin/sh\ncat {folder}/stdout; cat {folder}/stderr >&2; exit {status}\n")
    program.chmod(0o755)
    difference: str = judge(program, folder / "x.core", folder / "x.exe", TRUTH).difference
    return difference


def test_exact(tmp_path: Path) -> None:
    assert answer(tmp_path, 0, REPORT) == ""


def test_newer_garbage_is_no_difference(tmp_path: Path) -> None:
    report = copy.deepcopy(REPORT)
    report["summary"].update(runtime_objects=2000, live_objects=2001, garbage_objects=2)
    assert answer(tmp_path, 0, report) == ""


@pytest.mark.parametrize("status", [1, 2, 3, 5, 130])
def test_a_failed_run_is_never_exact(tmp_path: Path, status: int) -> None:
    errors = f"spanwalk: {tmp_path}/x.exe has no symbol\nhint: none\n"
    assert answer(tmp_path, status, REPORT, errors) == "x.exe has no symbol"
    assert answer(tmp_path, status, REPORT) == f"status {status}, and nothing said"


def test_no_report(tmp_path: Path) -> None:
    assert answer(tmp_path, 0, "") == "verify: status 0 without a report"


def test_killed(tmp_path: Path) -> None:
    program = tmp_path / "dies"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    assert judge(program, tmp_path / "c", tmp_path / "e", TRUTH).difference == "killed by SIGSEGV"


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "complete": lambda r: r.update(complete=False),
    "not exact": lambda r: r["summary"].update(exact=False),
    "for go1.25.1": lambda r: r["target"].update(runtime="go1.25.1"),
    "2,003 objects, not 2,002 to 2,002": lambda r: r["summary"].update(
        runtime_objects=2002, live_objects=2002
    ),
    "2,003 objects, not 2,004 to 2,003": lambda r: r["summary"].update(runtime_objects=2004),
    "bytes, not": lambda r: r["summary"].update(runtime_bytes=65537),
    "more than its mark bits": lambda r: r["summary"].update(heap_marked_bytes=65535),
}


@pytest.mark.parametrize("word", WRONG)
def test_what_does_not_fit(tmp_path: Path, word: str) -> None:
    report = copy.deepcopy(REPORT)
    WRONG[word](report)
    assert word in answer(tmp_path, 0, report)
    assert answer(tmp_path, 4, REPORT)


def test_matrix_is_whole() -> None:
    squares = matrix.matrix()
    assert len(set(squares)) == len(squares)
    minors = [f"1.{minor}" for minor in range(18, 28)]
    for releases in (CORES.VERSIONS, CORES.FIRST_PATCHES):
        assert [".".join(go.split(".")[:2]) for go in releases] == minors
    for square in squares:
        assert square.programs
    assert len({str(square) for square in squares}) == len(squares)


def test_spread_covers_what_it_says() -> None:
    squares = [square for square, _ in matrix.spread()]
    assert set(squares) <= set(matrix.matrix())
    usual = [square for square in squares if not square.experiment]
    for arch in CORES.ARCHES:
        assert {s.go for s in usual if s.arch == arch} == set(CORES.VERSIONS)
        assert {s.mode for s in usual if s.arch == arch} == set(CORES.MODES)
    assert {s.experiment for s in squares} == {"", *matrix.EXPERIMENTS}


def test_stems_differ() -> None:
    cells = [CORES.Cell(p, *square) for square in matrix.matrix() for p in square.programs]
    assert len({cell.stem() for cell in cells}) == len(cells)


@pytest.mark.needs_go
def test_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is not the usual one comes back from the manifest as it was made."""
    monkeypatch.setattr(CORES, "DATA", tmp_path)
    monkeypatch.setattr(CORES, "MANIFEST", tmp_path / "manifest.json")
    cell = CORES.Cell("assorted", CORES.VERSIONS[-1], "arm64", "stripped")
    files = CORES.commit(cell, "cores/build …")
    assert sum(file.stat().st_size for file in files) < 2 << 20
    made = CORES.unpack(cell.stem(), tmp_path)
    assert CORES.arch_of(made.exe) == "arm64"
    assert not judge(PROGRAM, made.core, made.exe, made.truth).difference
    (entry,) = json.loads(CORES.MANIFEST.read_text())
    assert {name: entry[name] for name in cell._fields} == cell._asdict()


def test_bare_has_no_sections(tmp_path: Path) -> None:
    """What segments map stays, and nothing else."""
    segment = b"mapped"
    header = CORES.ELF_HEADER.pack(
        b"\x7fELF\2\1\1".ljust(16, b"\0"), 2, 62, 1, 0, 64, 200, 0, 64, 56, 1, 64, 2, 1
    )
    table = CORES.PROGRAM_HEADER.pack(1, 5, 120, 0, 0, len(segment), len(segment), 4096)
    exe = tmp_path / "x.exe"
    exe.write_bytes((header + table + segment).ljust(200, b"s") + b"S" * 128)
    CORES.cut_section_headers(exe)
    cut = exe.read_bytes()
    assert cut[64:] == table + segment
    assert CORES.ELF_HEADER.unpack(cut[:64])[CORES.E_SHOFF] == 0
    assert CORES.ELF_HEADER.unpack(cut[:64])[CORES.E_SHNUM :] == (0, 0)
    assert CORES.arch_of(exe) == "amd64"


def test_select() -> None:
    only = "go=1.26.* arch=arm64 mode=pie,plain experiment=none"
    assert [str(s) for s in matrix.select(matrix.matrix(), only)] == [
        *("go1.26.11 arm64 plain", "go1.26.11 arm64 pie", "go1.26.0 arm64 plain")
    ]
    with pytest.raises(ValueError, match="processor=arm64"):
        matrix.select(matrix.matrix(), "processor=arm64")


def everything_exact() -> results.Results:
    return {s: results.Result(1000, "", 1.0, "2026-01-02", "t") for s in matrix.matrix()}


def test_document() -> None:
    known = everything_exact()
    text = document.render(known, "spanwalk 1.2.3")
    assert f"{len(known)} of {len(known)} entries exact" in text
    assert "spanwalk 1.2.3, 2026-01-02:" in text
    assert text.count("1,000") == len(known)
    assert text.endswith("## Differences\n\nNone.\n")


def test_document_shows_differences() -> None:
    known = everything_exact()
    wrong = Square("1.18.10", "arm64", "bare")
    known[wrong] = known[wrong]._replace(difference="stacks: nothing fits")
    text = document.render(known, "spanwalk 1.2.3")
    assert f"{len(known) - 1} of {len(known)} entries exact" in text
    assert text.count("**no** [1]") == 1
    assert "1. stacks: nothing fits (1 entries, as go1.18.10 arm64 bare)" in text


def test_document_needs_every_square() -> None:
    known = everything_exact()
    del known[Square("1.18.10", "arm64", "bare")]
    with pytest.raises(ValueError, match=r"go1\.18\.10 arm64 bare"):
        document.render(known, "spanwalk 1.2.3")


def test_results_are_kept(tmp_path: Path) -> None:
    known = everything_exact()
    results.save(tmp_path / "new" / "results.json", known)
    assert results.load(tmp_path / "new" / "results.json", matrix.matrix()) == known
    assert os.listdir(tmp_path / "new") == ["results.json"]

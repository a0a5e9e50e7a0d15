"""A small number of what `make fuzz` does: damaged cores under the sanitizers, none may hurt.

SPANWALK_FUZZ_ROUNDS is how many random damages each subject gets.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import fuzz
import pytest

ROUNDS = int(os.environ.get("SPANWALK_FUZZ_ROUNDS", "1500"))
COMMANDS = (["heap"], ["verify"], ["heap-types"], ["leak-roots"], ["who-holds", "0xc000012000"])


@pytest.fixture(scope="module")
def subjects() -> list[fuzz.Subject]:
    fuzz.build()
    return fuzz.subjects()


def check(done: dict[str, Any], rounds: int) -> None:
    """Every round ran, and the damage mattered: some cost a part, some everything."""
    assert done["sanitized"]
    assert done["complaints"] == 0
    assert done["rounds"] >= rounds
    assert done["partial"] > 0
    assert done["refused"] > 0


@pytest.mark.parametrize(
    ("kind", "report"),
    [
        ("overrun", "use-after-poison"),
        ("leak", "LeakSanitizer"),
        ("undefined", "runtime error"),
        ("endless", "a round takes too long"),
        ("allocation", "exceeds maximum"),
    ],
)
def test_the_driver_notices(subjects: list[fuzz.Subject], kind: str, report: str) -> None:
    with pytest.raises(AssertionError, match=report):
        fuzz.run(subjects[0], "mistake", kind)


def test_cases(subjects: list[fuzz.Subject]) -> None:
    for subject in subjects:
        check(fuzz.run(subject, "cases"), 90)


def test_cuts(subjects: list[fuzz.Subject]) -> None:
    for subject in subjects:
        check(fuzz.run(subject, "cuts", 512 << 10), 30)


def test_zeroed_pages(subjects: list[fuzz.Subject]) -> None:
    for subject in subjects:
        check(fuzz.run(subject, "pages", 4), 50)


def test_random_damage(subjects: list[fuzz.Subject]) -> None:
    jobs = [fuzz.Job(subject, "seeds", 1, ROUNDS) for subject in subjects]
    for job in jobs:
        check(job.finish(1800), ROUNDS)


@pytest.mark.parametrize("what", ["7", "77", "777", "spans_overlap", "zero_types", "zero_module"])
def test_status_of_the_program(subjects: list[fuzz.Subject], what: str, tmp_path: Path) -> None:
    """The program itself: a report or a message, and a status that says which."""
    subject = subjects[-1]
    fuzz.run(subject, "save", what, tmp_path)
    for words in COMMANDS:
        command = [fuzz.PROGRAM, words[0], tmp_path / "core", *words[1:]]
        command += ["--exe", tmp_path / "exe", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, 3, 4), done.stderr
        if done.returncode == 3:
            assert done.stdout == ""
            assert done.stderr.startswith("spanwalk: ")
        else:
            assert '"schema"' in done.stdout

"""A small number of what `make fuzz` does: damaged cores under the sanitizers, none may hurt.

SPANWALK_FUZZ_ROUNDS is how many random damages each subject gets.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import fuzz
import pytest
from conftest import needs_go

ROUNDS = int(os.environ.get("SPANWALK_FUZZ_ROUNDS", "400"))
COMMANDS = (
    ["heap"],
    ["verify"],
    ["heap-types"],
    ["leak-roots"],
    ["who-holds", "0xc000012000"],
    ["goroutines", "--retained"],
    ["goroutine-leaks"],
    ["stack", "all", "--values"],
    ["scheduler"],
    ["buffer-owner", "0xc000012000"],
    ["buffers"],
    ["arenas"],
    ["pools"],
    ["contexts"],
    ["timers"],
    ["fds"],
    ["finalizers"],
    ["closures"],
)


@pytest.fixture(scope="module")
def subjects() -> list[fuzz.Subject]:
    fuzz.build()
    return fuzz.subjects()


def unstripped(subjects: list[fuzz.Subject]) -> list[fuzz.Subject]:
    """One with few goroutines and one with many, for what takes long without debug information or
    on every release; `make fuzz` does it on all."""
    return [each for each in subjects if "stripped" not in each.name][-3:]


def check(done: dict[str, Any], rounds: int) -> None:
    """Every round ran, and none hurt."""
    assert done["sanitized"]
    assert done["complaints"] == 0
    assert done["rounds"] >= rounds


def check_outcomes(all_done: list[dict[str, Any]], *outcomes: str) -> None:
    """The damage mattered: some cost a part, some everything. Of all subjects together: a few
    rounds on one may be spent where nothing is read."""
    for outcome in outcomes:
        assert sum(done[outcome] for done in all_done) > 0


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
    """What one subject has nothing of, another one has."""
    idle = []
    for subject in subjects:
        few = subject.share < 0.2
        done = fuzz.run(subject, "cases", *([3] if few else []))
        check(done, 60 if few else 180)
        check_outcomes([done], "partial", "refused")
        if not few:
            idle.append(set(done["idle"]))
    none = {name for name in set.intersection(*idle) if not name.startswith("owner_")}
    assert not needs_go() or not none


# Who has the structures that cases are about, by how their names begin behind "owner_".
CASES = {
    "arena-chunks": ["chunk", "string"],
    "broken-cancel-chain": ["context"],
    "database-rows": ["database"],
    "dirty-pool": ["pool"],
    "finalizer-cycles": ["finalizer", "special"],
    "idle-connections": ["connection", "descriptor", "map"],
    "influx-gateway": ["map"],
    "parser-arena": ["slice"],
    "readers": ["buffer"],
    "short-link": ["closure"],
    "ticker-in-loop": ["timer"],
}


def test_cases_of_owners() -> None:
    """What no subject of test_cases has, and every command about owners on it."""
    idle: dict[str, list[set[str]]] = {}
    for subject in fuzz.owners():
        for begin in CASES.get(subject.name.split("-plain")[0].removeprefix("owners-"), []):
            done = fuzz.run(subject, "cases", f"owner_{begin}")
            idle.setdefault(begin, []).append(set(done["idle"]))
            check(done, 2)
    assert not [names for sets in idle.values() if (names := set.intersection(*sets))]


def rounds(subject: fuzz.Subject, most: int) -> int:
    return max(25, int(most * subject.share))


def test_cuts(subjects: list[fuzz.Subject]) -> None:
    for subject in unstripped(subjects):
        wanted = rounds(subject, 90)
        done = fuzz.run(subject, "cuts", subject.core.stat().st_size // wanted)
        assert done["complaints"] == 0
        assert done["rounds"] >= wanted
        assert done["refused"] > wanted / 2


def test_zeroed_pages(subjects: list[fuzz.Subject]) -> None:
    all_done = []
    for subject in unstripped(subjects):
        pages = subject.core.stat().st_blocks * 512 // 4096
        wanted = rounds(subject, 100)
        done = fuzz.run(subject, "pages", pages // wanted + 1)
        assert done["complaints"] == 0
        assert done["rounds"] > wanted / 2
        all_done.append(done)
    check_outcomes(all_done, "partial")


def test_short_memory(subjects: list[fuzz.Subject]) -> None:
    """Any allocation may fail: an error, nothing leaked, and the next command starts afresh."""
    for subject in unstripped(subjects):
        done = fuzz.run(subject, "memory", int(61 / subject.share))
        assert done["complaints"] == 0
        assert done["refused"] > 8


def test_index(
    subjects: list[fuzz.Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an index that leads astray, and with one of a damaged core."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    all_done = [fuzz.run(subject, "index", 1, 30) for subject in subjects[:2]]
    for done in all_done:
        check(done, 45)
    # Most of what is damaged is refused; some is a lie that no check can see.
    assert sum(done["indexes"] for done in all_done) > 5
    check_outcomes(all_done, "partial", "refused")
    assert not list(tmp_path.iterdir())


def test_random_damage(subjects: list[fuzz.Subject]) -> None:
    check_random(subjects)


def test_random_damage_of_owners() -> None:
    check_random(fuzz.owners())


def check_random(subjects: list[fuzz.Subject]) -> None:
    counts = [rounds(subject, ROUNDS) for subject in subjects]
    jobs = [
        fuzz.Job(subject, "seeds", 1, count)
        for subject, count in zip(subjects, counts, strict=True)
    ]
    all_done = [job.finish(1800) for job in jobs]
    for done, count in zip(all_done, counts, strict=True):
        check(done, count)
    if subjects:
        check_outcomes(all_done, "partial", "refused")


def test_damaged_zst(subjects: list[fuzz.Subject], tmp_path: Path) -> None:
    """Compressed cores: what can be unpacked is analysed, or there is a message."""
    packed = tmp_path / "core.zst"
    subject = subjects[-1]
    subprocess.run(["zstd", "-q", "-1", "-o", packed, subject.core], check=True)
    whole = packed.read_bytes()
    chance = random.Random(1)
    statuses = set()
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        packed.write_bytes(
            damaged[: chance.randrange(len(damaged))] if chance.random() < 0.3 else damaged
        )
        statuses.add(run_program(["heap", packed, "--exe", subject.exe]))
    assert 3 in statuses


def run_program(words: list[Any]) -> int:
    """The program under the sanitizers: a report or a message, and a status that says which."""
    done = subprocess.run(
        [fuzz.PROGRAM, *words, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 3, 4), done.stderr
    if done.returncode == 3:
        assert done.stdout == ""
        assert done.stderr.startswith("spanwalk: ")
    else:
        assert '"schema"' in done.stdout
    return done.returncode


@pytest.mark.parametrize(
    "what",
    ["7", "77", "777", "spans_overlap", "zero_types", "zero_module", "stack_pointer_outside"],
)
def test_status_of_the_program(subjects: list[fuzz.Subject], what: str, tmp_path: Path) -> None:
    subject = subjects[-1]
    subprocess.run([fuzz.DRIVER, subject.exe, subject.core, "save", what, tmp_path], check=True)
    for command, *words in COMMANDS:
        run_program([command, tmp_path / "core", *words, "--exe", tmp_path / "exe"])

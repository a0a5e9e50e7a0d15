"""The index beside a core: the same reports with it, in whatever state it is."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import CORES, GO_VERSIONS, PROGRAM, Result, spanwalk

CORE = "maps-go1.22.12"  # a committed one
FLIPS = int(os.environ.get("SPANWALK_FLIPS", "300"))


class Place(NamedTuple):
    """A core in a folder of its own."""

    core: Path
    exe: Path

    @property
    def index(self) -> Path:
        return Path(f"{self.core}.spanwalk-index")

    @property
    def target(self) -> list[object]:
        return [self.core, "--exe", self.exe]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Links: the files behind them are what an index belongs to."""
    made = CORES.unpack(CORE)
    core = tmp_path / "app.core"
    core.symlink_to(made.core)
    return Place(core, made.exe)


@pytest.fixture
def copied(tmp_path: Path) -> Place:
    """Copies, to be changed."""
    made = CORES.unpack(CORE)
    (tmp_path / "copy").mkdir()
    core, exe = tmp_path / "copy" / "app.core", tmp_path / "copy" / "app.exe"
    shutil.copyfile(made.core, core)
    shutil.copy(made.exe, exe)
    return Place(core, exe)


def shell(place: Place, lines: list[str], *options: object) -> Result:
    done = subprocess.run(
        [str(PROGRAM), "shell", *map(str, [*place.target, *options])],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def index_status(place: Place, *options: object) -> str:
    """What the shell says of its index once it has looked at the core."""
    done = shell(place, ["leak-roots --output /dev/null", "status"], *options)
    assert done.status == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("index: ")]
    return lines[0].removeprefix("index: ") if lines else ""


# ---- the same reports ----


def commands(place: Place) -> list[str]:
    """Every command there is, on objects and types of this core."""
    found = spanwalk("find", *place.target, "*", "--limit", 300, "--no-index", "--json").report
    rows = found["tables"]["objects"]
    objects = [rows[i] for i in (0, len(rows) // 2, -1)]
    words = {
        "": [""],
        "ADDR": [row["address"] for row in objects],
        # sync.Mutex is a type that may be known though no object has it.
        "TYPE": [*(f"'{row['type']}'" for row in objects), "'runtime.*'", "sync.Mutex", "no.such"],
        "GOID|all": ["all"],
    }
    names = re.findall(r"^  ([a-z-]+)(?: ([A-Z]\S+))?  ", spanwalk("help").stdout, re.MULTILINE)
    assert ("find", "TYPE") in names
    return [
        "leak-roots --limit 0 --paths 2 --json",
        "heap-types --limit 0 --json",
        "leak-roots --by type",
        *(
            f"{name} {word} --limit 40 --json"
            for name, usage in names
            if name != "shell"
            for word in words[usage.partition("|SYMBOL")[0]]
        ),
    ]


PROGRAMS = ["assorted", "maps", "interfaces", "closures", "channels", "globals", "finalizers"]


def check_same(place: Place, threads: list[int]) -> None:
    lines = commands(place)
    expected = shell(place, lines, "--no-index", "--threads", 1)
    assert expected.stdout.count('"schema"') > 10
    assert not place.index.exists()
    for writing in threads:
        place.index.unlink(missing_ok=True)
        assert shell(place, lines, "--threads", writing) == expected
        written = place.index.stat()
        for reading in threads:
            assert shell(place, lines, "--threads", reading) == expected
        # It was right: nobody wrote it again.
        assert place.index.stat().st_ino == written.st_ino
    for line in lines[:2]:
        name, *words = line.split()
        alone = spanwalk(name, *place.target, *words)
        assert alone == spanwalk(name, *place.target, "--no-index", *words)


@pytest.mark.needs_go
@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_same_reports(program: str, go: str, tmp_path: Path) -> None:
    made = CORES.make(program, go)
    core = tmp_path / "app.core"
    core.symlink_to(made.core)
    check_same(Place(core, made.exe), [1, 2])


@pytest.mark.needs_go
@pytest.mark.parametrize("go", GO_VERSIONS)
def test_same_reports_of_a_stripped_program(go: str, tmp_path: Path) -> None:
    """Types come from the code there, and what is kept of it is told in the index."""
    made = CORES.make("assorted", go, mode="stripped")
    core = tmp_path / "app.core"
    core.symlink_to(made.core)
    check_same(Place(core, made.exe), [1, 2])


def test_same_reports_of_a_committed_core(place: Place) -> None:
    check_same(place, [1, 2])


def test_same_reports_of_a_packed_core(tmp_path: Path) -> None:
    core = tmp_path / "app.core.zst"
    core.symlink_to(CORES.DATA / f"{CORE}.core.zst")
    check_same(Place(core, CORES.unpack(CORE).exe), [2])


# ---- who writes, who reads ----


def test_shell_writes_and_reads(place: Place) -> None:
    assert not place.index.exists()
    assert index_status(place) == str(place.index)
    assert place.index.stat().st_mode & 0o777 == place.core.stat().st_mode & 0o666
    assert index_status(place) == str(place.index)
    assert index_status(place, "--no-index") == ""


def test_shell_writes_what_was_found_only(place: Place) -> None:
    """A command that does not need it all does not pay for it all."""
    shell(place, ["heap", "heap-types"])
    assert not place.index.exists()
    shell(place, ["heap-types", "leak-roots --by type"])
    assert place.index.exists()


def test_commands_write_when_asked_to(place: Place) -> None:
    spanwalk("leak-roots", *place.target)
    spanwalk("leak-roots", *place.target, "--no-index")
    assert not place.index.exists()
    heap = spanwalk("heap", *place.target, "--json")
    assert spanwalk("heap", *place.target, "--json", "--index") == heap
    assert place.index.exists()
    assert index_status(place) == str(place.index)


def test_no_index_neither_reads_nor_writes(place: Place) -> None:
    assert shell(place, ["leak-roots"], "--no-index").status == 0
    assert not place.index.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pid", "1", "--index"], "a running process has no index"),
        (["x.core", "--index", "--no-index"], "exclude each other"),
    ],
)
def test_wrong_usage(words: list[str], message: str) -> None:
    assert message in spanwalk("heap", *words, status=2).stderr


def test_cache_where_the_folder_cannot_be_written(place: Place, cache: Path) -> None:
    place.index.mkdir()  # nobody can write a file there, not even root
    (place.index / "something").touch()
    status = index_status(place)
    assert status.startswith(f"{cache}/spanwalk/{CORE}.core-")
    (file,) = (cache / "spanwalk").iterdir()
    assert str(file) == status
    place.index.joinpath("something").unlink()
    place.index.rmdir()
    assert index_status(place) == status


def test_nowhere_to_write(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once; the reports come all the same."""
    place.index.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "app.core"))
    done = shell(place, ["leak-roots --json", "leak-roots --json"])
    assert done.status == 0
    assert done.stderr.count("no index is kept: cannot create") == 1
    assert done.stdout == 2 * spanwalk("leak-roots", *place.target, "--json").stdout
    assert not list(place.core.parent.glob("*.part"))
    # Who asked for it is told that it could not be had.
    assert "cannot create" in spanwalk("heap", *place.target, "--index", status=3).stderr


# ---- an index of something else ----


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    status = path.stat()
    shutil.copy(path, path.with_suffix(".new"))
    os.rename(path.with_suffix(".new"), path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def write_inside(path: Path) -> None:
    """Another word in the first segment that is mapped, at the very same time."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-8192, os.SEEK_END)
        file.write(b"\x01" * 64)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 1))


@pytest.mark.parametrize("change", [touch, grow, replace, write_inside])
@pytest.mark.parametrize("what", ["core", "exe"])
def test_a_stale_one_is_noticed(copied: Place, what: str, change: Any) -> None:
    index_status(copied)
    before = copied.index.read_bytes()
    change(getattr(copied, what))
    expected = spanwalk("leak-roots", *copied.target, "--json", "--no-index", status=None)
    # A command leaves it as it is, without a word.
    assert spanwalk("leak-roots", *copied.target, "--json", status=None) == expected
    assert copied.index.read_bytes() == before
    done = shell(copied, ["leak-roots --json", "leak-roots --json"])
    name = "executable" if what == "exe" else "core"
    note = f"the index {copied.index} is not used: the {name} has changed since\n"
    assert done.stderr.count(note) == 1, done.stderr
    assert done.stdout == 2 * expected.stdout
    assert copied.index.read_bytes() != before
    assert index_status(copied) == str(copied.index)


def test_symbols_have_an_index_of_their_own(tmp_path: Path) -> None:
    """Names and types of another file make another index."""
    made = CORES.unpack("maps-go1.27.4-amd64-stripped")
    core = tmp_path / "app.core"
    core.symlink_to(made.core)
    place = Place(core, made.exe)
    index_status(place)
    again = shell(place, ["leak-roots --json"], "--symbols", made.exe)
    assert "it was made with other symbols" in again.stderr
    assert again.stdout == spanwalk("leak-roots", *place.target, "--json", "--no-index").stdout


# ---- a damaged index ----


@pytest.fixture
def intact(place: Place) -> tuple[Place, bytes, str]:
    assert index_status(place) == str(place.index)
    expected = spanwalk("leak-roots", *place.target, "--json", "--no-index").stdout
    assert json.loads(expected)["complete"]
    return place, place.index.read_bytes(), expected


def test_flipped_bits(intact: tuple[Place, bytes, str]) -> None:
    """Anywhere in the file: never a crash, never another report, and never silence in a shell."""
    place, content, expected = intact
    chance = random.Random(20240919)
    noticed = 0
    for number in range(FLIPS):
        damaged = bytearray(content)
        # A third of them in the head, where what is elsewhere is told.
        end = 512 if number % 3 == 0 else len(content)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(end)] ^= 1 << chance.randrange(8)
        place.index.write_bytes(damaged)
        alone = spanwalk("leak-roots", *place.target, "--json")
        assert (alone.stdout, alone.stderr) == (expected, "")
        if number % 5 == 0:
            done = shell(place, ["leak-roots --json"])
            assert done.stdout == expected
            noticed += "is not used: " in done.stderr
            assert place.index.read_bytes() == content or "is not used" not in done.stderr
    assert noticed > FLIPS / 5 * 0.8, noticed


def test_cut_and_padded(intact: tuple[Place, bytes, str]) -> None:
    place, content, expected = intact
    chance = random.Random(4)
    for size in (
        0,
        1,
        511,
        4096,
        len(content) - 1,
        *(chance.randrange(len(content)) for _ in range(20)),
    ):
        place.index.write_bytes(content[:size])
        assert spanwalk("leak-roots", *place.target, "--json").stdout == expected
    place.index.write_bytes(content + content)
    assert spanwalk("leak-roots", *place.target, "--json").stdout == expected


def test_zeroed_and_swapped_pages(intact: tuple[Place, bytes, str]) -> None:
    """As a crash of the machine may leave a file."""
    place, content, expected = intact
    chance = random.Random(5)
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    for _ in range(30):
        mixed = list(pages)
        first, second = chance.randrange(len(pages)), chance.randrange(len(pages))
        if chance.random() < 0.5:
            mixed[first] = bytes(4096)
        else:
            mixed[first], mixed[second] = mixed[second], mixed[first]
        place.index.write_bytes(b"".join(mixed))
        assert spanwalk("leak-roots", *place.target, "--json").stdout == expected

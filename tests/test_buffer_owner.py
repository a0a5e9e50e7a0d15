"""buffer-owner against structures of the library and a parser in states that are known."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, PROGRAM, minor, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

CELLS = [(mode, go) for go in GO_VERSIONS for mode in ("plain", "stripped")]

# Of each buffer: the type that owns it, what its bytes are, its state, and what the words about
# its reader or writer end with.
LIBRARY = {
    "closed_reader": ("bufio.Reader", "unread", "open", "of a connection that is closed"),
    "open_reader": ("bufio.Reader", "unread", "open", "of an open connection"),
    "writer": ("bufio.Writer", "unwritten", "open", "to an open connection"),
    "pipe": ("bufio.Reader", "unread", "open", "of a connection that is closed"),
    "file": ("bufio.Reader", "unread", "open", "of the closed file /proc/self/maps"),
    "failing": ("bufio.Writer", "unwritten", "failed", "to a main.full"),
    "scanner": ("bufio.Scanner", "unread", "open", "of a strings.Reader"),
    "buffer": ("bytes.Buffer", "unread", "open", "unread"),
    "bytes": ("bytes.Reader", "unread", "open", "unread"),
    "text": ("strings.Reader", "unread", "open", "unread"),
    "builder": ("strings.Builder", "written", "open", "written"),
    "message": ("proto.Buffer", "unread", "open", "unread"),
    "gunzip": ("flate.decompressor", "unread", "open", "of a bytes.Buffer"),
    "gzip": ("flate.compressor", "unwritten", "open", "to an io.discard"),
    "json": ("json.Decoder", "unread", "open", "of a strings.Reader"),
    "ended": ("json.Decoder", "unread", "at_end", "of a strings.Reader"),
    "gob": ("gob.decBuffer", "unread", "open", "unread"),
    "request": ("bufio.Reader", "unread", "open", "of an open connection"),
}
# Those that nothing more is read from or written to.
GRADES = {"closed_reader": "P2", "pipe": "P2", "file": "P2", "failing": "P2", "ended": "P3"}
# What is above a buffer says more.
ABOVE = {
    "gunzip": "gzip.Reader of 32.0 KiB, 32668 bytes unread",
    "gzip": "gzip.Writer of 64.0 KiB, 500 bytes unwritten",
    "gob": "gob.Decoder of",
}


def documents(text: str) -> Iterator[dict[str, Any]]:
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].strip()


@lru_cache
def all_owners(core: Path, exe: Path, addresses: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    """The reports on some addresses, by one session."""
    script = "".join(f"buffer-owner {address} --json\n" for address in addresses)
    done = subprocess.run(
        [PROGRAM, "shell", core, "--exe", exe, "--no-index"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(addresses, documents(done.stdout), strict=True))


def owner(made: Any, word: object, *more: object) -> dict[str, Any]:
    """The report on an address of the truth, or a few bytes behind it; or on something else."""
    facts = made.truth["facts"]
    known = tuple(value + 3 for key, value in facts.items() if key.endswith("_address"))
    if more or not isinstance(word, int):
        return report("buffer-owner", made.core, made.exe, word, *more)
    return all_owners(made.core, made.exe, known)[word + 3]


def address(made: Any, name: str) -> int:
    return int(made.truth["facts"][f"{name}_address"])


def type_of(name: str, made: Any) -> str:
    """encoding/json was written anew for 1.27: a decoder inside the decoder."""
    wanted = LIBRARY[name][0]
    is_new = minor(made.truth["go_version"]) >= 27
    return "jsontext.Decoder" if is_new and wanted == "json.Decoder" else wanted


def check_library(made: Any, name: str) -> None:
    _, what, state, peer = LIBRARY[name]
    pending = made.truth["facts"][f"{name}_{what}"]
    found = owner(made, address(made, name))
    assert found["complete"], found["warnings"]
    summary = found["summary"]
    assert summary["object"]["address"] == hex(address(made, name))
    assert summary["offset_bytes"] == 3
    buffer = summary["buffer"]
    assert buffer, name
    assert buffer["type"] == type_of(name, made)
    assert buffer[f"{what}_bytes"] == pending, (name, buffer)
    assert f" {pending} byte{'' if pending == 1 else 's'} {what}" in buffer["words"]
    assert (buffer["guess"], buffer["state"]) == (False, state), (name, buffer)
    assert buffer["words"].endswith(peer), (name, buffer)
    grades = [finding["grade"] for finding in found["findings"]]
    assert grades == ([GRADES[name]] if name in GRADES else []), (name, found["findings"])
    above = " ".join(row["words"] or "" for row in found["tables"]["owners"])
    assert ABOVE.get(name, "") in above, (name, above)


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_library(mode: str, go: str) -> None:
    made = CORES.make("owners/readers", go, mode=mode)
    for name in LIBRARY:
        check_library(made, name)


def test_library_arm64() -> None:
    made = CORES.make("owners/readers", NEWEST, arch="arm64")
    for name in LIBRARY:
        check_library(made, name)


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_error_text(mode: str, go: str) -> None:
    """The type and the fields of an error that is the program's own."""
    made = CORES.make("owners/readers", go, mode=mode)
    buffer = owner(made, address(made, "failing"))["summary"]["buffer"]
    assert buffer["error"] == 'main.diskFull{"/var/spool" 4096}'


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_views(mode: str, go: str) -> None:
    """What three views look at of one array, and who allocated it."""
    made = CORES.make("owners/readers", go, mode=mode)
    facts = made.truth["facts"]
    found = owner(made, address(made, "frame"))
    summary = found["summary"]
    called = [frame["function"] for frame in summary["allocated_by"]]
    assert called[:3] == [facts["frame_inlined"], facts["frame_function"], "main.frames"]
    assert called.index("main.main") == 3
    assert all(frame["line"] for frame in summary["allocated_by"][:4])
    span = summary["span"]
    assert (span["pages"], span["slots"], span["size_class"]) == (1, 1, 51)
    assert span["noscan"] is True
    assert summary["rounded_bytes"] == 8192
    assert not found["findings"]
    offsets = [row["offset_bytes"] for row in found["tables"]["views"]]
    assert offsets == [100, 140, 1000]
    assert all(row["len_known"] for row in found["tables"]["views"])
    assert summary["requested_bytes"] == facts["frame_requested"]
    assert summary["slack_bytes"] == 8192 - facts["frame_requested"]
    assert summary["used_bytes"] == facts["frame_used"]
    assert summary["hole_bytes"] == facts["frame_requested"] - facts["frame_used"]
    assert summary["largest_hole_bytes"] == facts["frame_largest_hole"]
    views = [
        (row["kind"], row["offset_bytes"], row["len_bytes"], row["cap_bytes"])
        for row in found["tables"]["views"]
    ]
    assert views == [
        ("slice", 100, 50, 100),
        ("slice", 140, 160, 7860),
        ("string", 1000, 100, 100),
    ]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_view_names(go: str) -> None:
    made = CORES.make("owners/readers", go)
    found = owner(made, address(made, "frame"))
    fields = [row["field"] for row in found["tables"]["views"]]
    assert fields == ["main.frame.head", "main.frame.body", "main.frame.line"]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_pinned(go: str) -> None:
    """Two bytes keep 1 MiB; what was asked for is beyond what they can grow to."""
    made = CORES.make("owners/readers", go)
    found = owner(made, address(made, "pinned"))
    summary = found["summary"]
    assert summary["rounded_bytes"] == 1 << 20
    assert summary["requested_bytes"] is None
    assert summary["slack_bytes"] is None
    assert summary["requested_at_least_bytes"] == (1 << 20) - 8191
    assert summary["used_bytes"] == 2
    assert summary["span"]["size_class"] == 0
    (finding,) = found["findings"]
    assert (finding["grade"], finding["code"]) == ("P1", "pinned_by_small_views")
    assert finding["next"] == f"who-holds {hex(address(made, 'pinned'))}"


def test_spare_is_not_pinned() -> None:
    """A large buffer that is empty, and begins where its array does, is to be filled."""
    made = CORES.make("bigheap", NEWEST, args=["-objects", "10000"], name="bigheap-small")
    facts = report("find", made.core, made.exe, "[]uint8")["tables"]["objects"]
    largest = max(facts, key=lambda row: row["size_bytes"])
    found = owner(made, largest["address"])
    assert found["summary"]["requested_bytes"] == 256 << 10  # truth.Program.out
    assert found["summary"]["used_bytes"] < 26 << 10
    assert not found["findings"]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_owner(go: str) -> None:
    """The holder that a buffer lives as long as; of two variables none."""
    made = CORES.make("owners/readers", go)
    found = owner(made, address(made, "closed_reader"))
    above = found["summary"]["owner"]
    assert (above["kind"], above["type"]) == ("object", "bufio.Reader")
    assert above["expression"] == "main.held.closedReader"
    assert above["address"] == found["summary"]["buffer"]["address"]
    names = [row["name"].split()[0] for row in found["tables"]["owners"]]
    assert names == ["bufio.Reader", "main.shelf", "main.held"]
    assert found["summary"]["expression"] == "main.held.closedReader.buf"

    found = owner(made, address(made, "last_frame"))
    above = found["summary"]["owner"]
    assert (above["kind"], above["name"]) == ("global", "main.lastFrame")

    found = owner(made, address(made, "shared"))
    assert found["summary"]["owner"]["kind"] == "roots"
    assert not found["tables"].get("owners")
    roots = {row["root"] for row in found["tables"]["roots"]}
    assert roots == {"main.first", "main.second"}
    assert found["summary"]["roots"] == 2
    assert found["sentences"][1].startswith("It has no single holder: 2 roots")


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_goroutines(mode: str, go: str) -> None:
    """A request's buffer: the goroutine that serves it can reach it, and others cannot."""
    made = CORES.make("owners/readers", go, mode=mode)
    summary = owner(made, address(made, "request"))["summary"]
    assert summary["goroutines"] == len(summary["goids"]) >= 1
    shown = report("stack", made.core, made.exe, summary["goids"][0])["tables"]["frames"]
    assert "net/http.(*conn).serve" in [frame["function"] for frame in shown]
    assert owner(made, address(made, "frame"))["summary"]["goroutines"] == 0


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_pool(mode: str, go: str) -> None:
    made = CORES.make("owners/readers", go, mode=mode)
    found = owner(made, address(made, "pooled"))
    pool = found["summary"]["pool"]
    assert pool["victim"] is True
    assert pool["element_type"] == "bytes.Buffer"
    assert pool["element_address"] == found["summary"]["owner"]["address"]
    if mode == "plain":
        assert pool["name"] == "main.buffers"
    assert owner(made, address(made, "frame"))["summary"]["pool"] is None


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_symbols(go: str) -> None:
    """Variables in place of addresses: what they lead to."""
    made = CORES.make("owners/readers", go)
    for symbol, name in {
        "main.lastFrame": "last_frame",
        "main.frame.line": "frame",
        "main.held.buffer": "buffer",
        "main.held.buffer.buf": "buffer",
        "main.held.closedReader": "closed_reader",
        "main.held.closedReader.buf": "closed_reader",
        "main.held.text.s": "text",
    }.items():
        summary = owner(made, symbol)["summary"]
        assert summary["object"]["address"] == hex(address(made, name)), symbol
    for symbol in ("main.nothing", "main.held.nothing", "main.lastFrame.x", "nonsense"):
        done = spanwalk("buffer-owner", made.core, "--exe", made.exe, symbol, status=3)
        assert symbol in done.stderr
        assert "hint: " in done.stderr


def test_symbol_stripped() -> None:
    """A variable has no name left; where all its pointers lead to one array, that is meant."""
    made = CORES.make("owners/readers", NEWEST, mode="stripped")
    found = owner(made, address(made, "last_frame"))
    name = found["summary"]["owner"]["name"]
    assert "bss+0x" in name
    again = owner(made, name)
    assert again["summary"]["object"] == found["summary"]["object"]


# ---- the gateway ----


def gateway(go: str, mode: str, *, fixed: bool = False) -> Any:
    if fixed:
        return repaired("owners/influx-gateway", go, mode)
    return CORES.make("owners/influx-gateway", go, mode=mode)


def check_parser(made: Any, name: str) -> dict[str, Any]:
    facts = {
        key.removeprefix(f"{name}_"): value
        for key, value in made.truth["facts"].items()
        if key.startswith(f"{name}_")
    }
    found = owner(made, facts["address"])
    summary, buffer = found["summary"], found["summary"]["buffer"]
    assert buffer["guess"] is True
    assert buffer["type"] == "main.lineParser"
    assert buffer["address"] == hex(facts["parser"])
    assert buffer["positions"] == f"pos {facts['pos']}"
    assert buffer["unread_bytes"] == facts["len"] - facts["pos"]
    assert "looks like a parser" in buffer["words"]
    assert summary["requested_bytes"] == facts["cap"]
    assert summary["used_bytes"] == facts["len"]
    assert summary["owner"]["address"] == hex(facts["parser"])
    assert buffer["error"] == facts.get("err")
    return found


@pytest.mark.parametrize(("mode", "go"), CELLS)
def test_gateway(mode: str, go: str) -> None:
    made = gateway(go, mode)
    facts = made.truth["facts"]
    assert facts["failed"] == 60
    rounded = {1000: 1024, 4000: 4096, 40000: 40960}
    for i in range(6):
        found = check_parser(made, f"failed_{i}")
        assert found["summary"]["rounded_bytes"] == rounded[facts[f"failed_{i}_len"]]
        (finding,) = found["findings"]
        assert (finding["grade"], finding["code"]) == ("P2", "buffer_of_dead_owner")
        assert finding["evidence"]["rounded_bytes"] == found["summary"]["rounded_bytes"]
        assert finding["next"] == f"who-holds {hex(facts[f'failed_{i}_parser'])}"
        if mode == "plain":
            assert found["summary"]["expression"] == f"main.server.failed[{i}].buf"
    for i in range(3):
        assert not check_parser(made, f"open_{i}")["findings"]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_gateway_repaired(go: str) -> None:
    """Only parsers that still expect the rest of a line are left, and none is told of."""
    made = gateway(go, "plain", fixed=True)
    assert made.truth["facts"]["failed"] == 0
    for i in range(3):
        assert not check_parser(made, f"open_{i}")["findings"]


def test_text() -> None:
    """The first sentence says whose it is and how it stands."""
    made = CORES.make("owners/readers", NEWEST)
    where = hex(address(made, "closed_reader"))
    text = spanwalk("buffer-owner", made.core, "--exe", made.exe, where).stdout
    assert text.splitlines()[0] == (
        f"The []uint8 of 4.0 KiB at {where} belongs to a bufio.Reader of 4.0 KiB, 700 bytes "
        "unread, of a connection that is closed: main.held.closedReader.buf."
    )
    assert "\nIt lives as long as main.held.closedReader (bufio.Reader), which retains " in text
    assert "\nIt was allocated by bufio.NewReaderSize for main.read (" in text
    assert "\nP2  4.0 KiB are kept for a bufio.Reader of 4.0 KiB, 700 bytes unread" in text


def test_limit() -> None:
    made = CORES.make("owners/readers", NEWEST)
    found = owner(made, address(made, "frame"), "--limit", 1)
    assert len(found["tables"]["views"]) == 1
    assert found["omitted"]["views"] == 2

"""arenas against programs that say what their arenas handed out, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

WRONG = ["parser-arena", "arena-chunks", "arena-reset", "arena-pool"]
WITH_USER_ARENAS = [go for go in GO_VERSIONS if minor(go) >= 20]
C_ARENA = "packet_arena{buf=base, off=used, cap=size, next=next}"


class Found:
    """The report on one core, and the facts of its program."""

    def __init__(self, made: Any, *words: object, **options: Any) -> None:
        self.report = report("arenas", made.core, made.exe, "--limit", 0, *words, **options)
        self.made = made
        self.facts: dict[str, int] = made.truth["facts"]
        self.summary: dict[str, Any] = self.report["summary"]

    def rows(self, table: str, **wanted: object) -> list[dict[str, Any]]:
        rows = self.report["tables"].get(table, [])
        return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]

    def codes(self) -> list[tuple[str, str]]:
        return [(f["code"], f["grade"]) for f in self.report["findings"]]

    def warnings(self) -> set[str]:
        return {w["code"] for w in self.report["warnings"]}


def find(
    name: str, go: str, *words: object, fixed: bool = False, mode: str = "plain", **options: Any
) -> Found:
    program = f"owners/{name}"
    made = repaired(program, go) if fixed else CORES.make(program, go, mode=mode, **options)
    return Found(made, *words)


# What each program's report must say, in any mode.


def check_parser_arena(found: Found) -> None:
    facts = found.facts
    (arena,) = found.rows("arenas", type="main.arena")
    assert (arena["buf"], arena["off"], arena["recognized_by"]) == ("chunk", "used", "evidence")
    assert arena["capacity_bytes"] == facts["chunk_bytes"]
    assert arena["used_bytes"] == facts["used_bytes"]
    assert arena["views"] == facts["pending_views"]
    assert arena["viewed_bytes"] == facts["pending_bytes"]
    retired = found.rows("chunks", state="retired")
    assert len(retired) == found.summary["retired_chunks"] == facts["retired_chunks"]
    assert found.summary["one_view_chunks"] == facts["one_view_chunks"]
    assert found.summary["retired_bytes"] == facts["retired_chunks"] * facts["chunk_bytes"]
    for row in retired:
        assert row["capacity_bytes"] == facts["chunk_bytes"]
        (view,) = row["intervals"]
        assert (view["offset"], view["length_bytes"]) == (0, facts["key_bytes"])
        assert view["field"] == "main.series.key"
    if facts["retired_chunks"]:
        (keys,) = found.rows("views", field="main.series.key")
        assert keys["chunks_kept_alone"] == facts["retired_chunks"]


def check_arena_chunks(found: Found) -> None:
    facts = found.facts
    per_arena = facts["retired_chunks"] // facts["retired_arenas"] if facts["retired_arenas"] else 0
    retired = found.rows("arenas", type="main.chunk", state="retired")
    assert len(retired) == facts["retired_arenas"]
    for row in retired:
        assert row["chunks"] == per_arena
        assert row["capacity_bytes"] == per_arena * facts["chunk_bytes"]
        assert (row["views"], row["viewed_bytes"]) == (1, facts["caller_bytes"])
    assert found.summary["retired_chunks"] == facts["retired_chunks"]
    assert found.summary["one_view_chunks"] == facts["retired_chunks"]
    (active,) = found.rows("arenas", type="main.chunk", state="in use")
    assert (active["chunks"], active["views"]) == (facts["active_chunks"], facts["active_views"])
    assert active["used_bytes"] == facts["active_used_bytes"]
    (table,) = found.rows("arenas", type="main.names")
    assert (table["buf"], table["off"]) == ("chunks", "off")
    assert (table["chunks"], table["views"]) == (facts["table_chunks"], facts["table_views"])
    assert table["used_bytes"] == table["viewed_bytes"] == facts["table_used_bytes"]


def check_arena_reset(found: Found) -> None:
    facts = found.facts
    fills = {}
    for row in found.rows("arenas"):
        fills[row["type"]] = row["off"]
        assert row["used_bytes"] == facts["used_bytes"]
        assert row["capacity_bytes"] == facts["capacity_bytes"]
    assert fills == {"main.scratch": "used", "main.lines": "len"}
    assert found.summary["stale_views"] == facts["stale_views"]
    assert found.summary["views"] == facts["views"]
    for row in found.rows("chunks"):
        assert row["stale_views"] == facts["stale_views"] // 2
        for view in row["intervals"]:
            stale = view["offset"] >= facts["used_bytes"]
            assert view.get("stale", False) is stale
            assert view["field"] == ("main.alarm.message" if stale else "main.worker.batch[]")


def check_arena_pool(found: Found) -> None:
    facts = found.facts
    assert found.summary["dangling_views"] == facts["dangling_views"]
    pooled = found.rows("chunks", state="pooled")
    assert all(row["capacity_bytes"] == facts["buffer_bytes"] for row in pooled)
    if facts["dangling_views"]:
        assert len(pooled) == facts["buffers"]
        assert {row["type"] for row in pooled} == {"main.frame", "[]uint8"}
        fields = {view["field"] for row in pooled for view in row["intervals"]}
        assert fields == {"main.failure.part"}


def check_user_arenas(found: Found) -> None:
    facts = found.facts
    (arena,) = found.rows("user_arenas")
    assert arena["state"] == "in use"
    assert arena["used_bytes"] == facts["pointer_bytes"] + facts["plain_bytes"]
    (active,) = found.rows("user_chunks", state="active")
    assert active["pointer_bytes"] == facts["pointer_bytes"]
    assert active["plain_bytes"] == facts["plain_bytes"]
    assert active["arena_address"] == arena["address"]
    sizes = active["pointer_bytes"] + active["plain_bytes"] + active["free_bytes"]
    assert sizes == active["size_bytes"] == arena["capacity_bytes"]
    freed = sum(row["freed_pointers"] for row in found.rows("user_chunks", state="freed"))
    spare = sum(row["freed_pointers"] for row in found.rows("user_chunks", state="spare"))
    assert (freed, spare) == (facts["freed_pointers"], facts["spare_pointers"])
    rows = found.rows("freed")
    assert sum(row["pointers"] for row in rows) == freed + spare


CHECKS = {
    "parser-arena": (check_parser_arena, [("kept_by_view", "P0")]),
    "arena-chunks": (check_arena_chunks, [("kept_by_view", "P0")]),
    "arena-reset": (check_arena_reset, [("use_after_reset", "P1")] * 2),
    "arena-pool": (check_arena_pool, [("dangling_views", "P1")] * 2),
    "user-arenas": (
        check_user_arenas,
        [("referenced_after_free", "P0"), ("referenced_after_free", "P1")],
    ),
}


def check(name: str, found: Found) -> None:
    compare, codes = CHECKS[name]
    assert found.report["complete"], found.report["warnings"]
    compare(found)
    assert found.codes() == codes


def check_fixed(name: str, found: Found) -> None:
    assert found.report["complete"], found.report["warnings"]
    if name != "arena-pool":  # nobody looks into its buffers: they are no arenas
        CHECKS[name][0](found)
    assert found.codes() == []
    for key in ("retired_chunks", "stale_views", "dangling_views", "freed_pointers"):
        assert found.summary[key] == 0, key


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("name", WRONG)
def test_arenas(name: str, mode: str, go: str) -> None:
    check(name, find(name, go, mode=mode))


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("name", WRONG)
def test_repaired(name: str, go: str) -> None:
    check_fixed(name, find(name, go, fixed=True))


@pytest.mark.parametrize("go", WITH_USER_ARENAS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_user_arenas(mode: str, go: str) -> None:
    check("user-arenas", find("user-arenas", go, mode=mode))


@pytest.mark.parametrize("go", WITH_USER_ARENAS)
def test_user_arenas_repaired(go: str) -> None:
    check_fixed("user-arenas", find("user-arenas", go, fixed=True))


def test_user_arenas_of_many_kinds() -> None:
    """Full, parked on stacks, only kept by their handle, freed: the program that verify has."""
    made = CORES.make("userarenas", NEWEST, via="kernel", name=f"userarenas-kernel-go{NEWEST}")
    found = Found(made)
    assert len(found.rows("user_arenas")) == 5 + 5  # of variables, of goroutines
    assert len(found.rows("user_chunks", state="full")) == 2
    (row,) = found.rows("freed")
    assert (row["field"], row["chunk"]) == ("main.faulting[]", "freed")
    assert found.codes() == [("referenced_after_free", "P0")]


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("go", ["1.20.14", NEWEST])
def test_chunk_has_no_type(go: str, mode: str) -> None:
    """One object for the collector, with values of several types: it is of none of them."""
    found = find("user-arenas", go, mode=mode)
    chunks = [row["size_bytes"] for row in found.rows("user_chunks")]
    assert len(chunks) == 3
    rows = report("heap-types", found.made.core, found.made.exe, "--limit", 0)["tables"]["types"]
    sizes = {row["type"]: row["bytes"] for row in rows}
    assert sizes.pop("?") >= sum(chunks)
    assert max(sizes.values()) < min(chunks)


@pytest.mark.parametrize("name", ["parser-arena", "user-arenas"])
def test_arm64(name: str) -> None:
    check(name, find(name, NEWEST, arch="arm64"))


# ---- descriptions ----


def test_described() -> None:
    """What a user says is believed, and agrees with what the evidence says."""
    found = find("parser-arena", NEWEST, "--arena", "main.arena{buf=chunk, off=used}")
    (arena,) = found.rows("arenas")
    assert arena["recognized_by"] == "description"
    arena["recognized_by"] = "evidence"
    check("parser-arena", found)


def test_described_chain() -> None:
    """Without `next` each part is an arena of its own."""
    words = "main.chunk{buf=data, off=used, next=next}; main.names{buf=chunks, off=off}"
    check("arena-chunks", find("arena-chunks", NEWEST, "--arena", words))
    found = find("arena-chunks", NEWEST, "--arena", "main.chunk{buf=data, off=used}")
    chunks = found.facts["retired_chunks"] + found.facts["active_chunks"]
    rows = found.rows("arenas", type="main.chunk")
    assert [row["chunks"] for row in rows] == [1] * chunks


def test_described_without_views() -> None:
    """No evidence speaks for buffers that nobody looks into."""
    assert not find("arena-pool", NEWEST, fixed=True).rows("arenas")
    found = find("arena-pool", NEWEST, "--arena", "main.frame{buf=buf,off=n}", fixed=True)
    rows = found.rows("arenas", type="main.frame")
    assert len(rows) == found.facts["buffers"] // 2
    assert {row["state"] for row in rows} == {"pooled"}
    assert found.codes() == []


def test_description_in_file(tmp_path: Path) -> None:
    file = tmp_path / "arenas"
    file.write_text("# the gateway's\nmain.arena{buf=chunk, off=used} # one\n\nmain.nix{buf=x}\n")
    found = find("parser-arena", NEWEST, "--arena-file", file)
    assert {row["recognized_by"] for row in found.rows("arenas")} == {"description"}
    assert found.warnings() == {"no_arena_of_type"}
    assert found.report["complete"]


def test_wrong_description() -> None:
    """What does not fit the values is left out, and said."""
    made = CORES.make("owners/parser-arena", NEWEST)
    for words in ("main.arena{buf=used}", "main.arena{buf=nothing}", "main.arena{buf=chunk,off=x}"):
        done = spanwalk(
            "arenas", made.core, "--exe", made.exe, "--json", "--arena", words, status=None
        )
        codes = {w["code"] for w in done.report["warnings"]}
        rows = done.report["tables"]["arenas"]
        if "off=x" in words:
            assert all("used_bytes" not in row for row in rows) and rows
        else:
            assert not rows
        assert codes == {"arena_misfit"} and done.status == 4, words


@pytest.mark.parametrize(
    "words", ["main.arena", "main.arena{buf=}", "main.arena{off=x}", "{buf=x}"]
)
def test_malformed_description(words: str) -> None:
    made = CORES.make("owners/parser-arena", NEWEST)
    done = spanwalk("arenas", made.core, "--exe", made.exe, "--arena", words, status=2)
    assert "description of an arena, line 1" in done.stderr
    assert "hint: " in done.stderr


def test_missing_file(tmp_path: Path) -> None:
    made = CORES.make("owners/parser-arena", NEWEST)
    done = spanwalk(
        "arenas", made.core, "--exe", made.exe, "--arena-file", tmp_path / "none", status=None
    )
    assert done.status in (2, 3) and "none" in done.stderr


# ---- C ----


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_c_arena(go: str) -> None:
    found = find("c-arena", go, "--arena", C_ARENA)
    facts = found.facts
    (arena,) = found.rows("arenas")
    assert arena["holder"] == "packets"
    assert (arena["chunks"], arena["views"]) == (facts["chunks"], facts["views"])
    assert arena["capacity_bytes"] == facts["chunks"] * facts["chunk_bytes"]
    assert arena["used_bytes"] == facts["used_bytes"]
    assert arena["viewed_bytes"] == facts["viewed_bytes"]
    assert found.summary["stale_views"] == facts["stale_views"]
    assert {row["field"] for row in found.rows("views")} == {
        "main.session.peer",
        "main.session.payload",
    }
    assert found.codes() == [("use_after_reset", "P1")]


def test_c_arena_repaired() -> None:
    found = find("c-arena", NEWEST, "--arena", C_ARENA, fixed=True)
    assert (found.summary["views"], found.summary["parser_arenas"]) == (0, 1)
    assert found.codes() == []


def test_c_arena_needs_debug_information() -> None:
    found = find("c-arena", NEWEST, "--arena", C_ARENA, mode="stripped")
    assert not found.rows("arenas")
    assert found.warnings() == {"no_arena_of_type"}


# ---- what is no arena ----


@pytest.mark.parametrize("program", ["gateway", "values", "large", "owners/influx-gateway"])
def test_no_arena(program: str) -> None:
    """Buffers, strings and their parts that no arena hands out."""
    found = Found(CORES.make(program, NEWEST))
    assert not found.rows("arenas"), found.rows("arenas")
    assert found.codes() == []

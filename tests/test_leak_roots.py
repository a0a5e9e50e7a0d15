"""Retained sizes, paths and sets of roots, against programs that know what holds what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, report, spanwalk

pytestmark = pytest.mark.needs_go

NOISE_BYTES = 256


def rows_by_root(leak_roots: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["root"]: row for row in leak_roots["tables"]["roots"]}


def held_bytes(leak_roots: dict[str, Any]) -> int:
    return sum(
        row["retained_bytes"] for name in ("roots", "shared") for row in leak_roots["tables"][name]
    )


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("program", ["maps", "lists", "interfaces", "closures", "globals"])
def test_nothing_is_lost(program: str, go: str) -> None:
    """Rows and shared sets add up to the live heap, whatever the number of threads."""
    made = CORES.make(program, go)
    one = report("leak-roots", made.core, made.exe, "--limit", 0, "--threads", 1)
    two = report("leak-roots", made.core, made.exe, "--limit", 0, "--threads", 2)
    assert held_bytes(one) == one["summary"]["live_bytes"]
    assert one == two


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_retained_by_construction(go: str) -> None:
    """What lists built below each variable is what the variable retains."""
    made = CORES.make("lists", go)
    rows = rows_by_root(report("leak-roots", made.core, made.exe, "--limit", 0))
    for root in made.truth["roots"]:
        if root["kind"] == "global":
            held = rows[root["name"]]["retained_bytes"]
            # The runtime may allocate a sudog or two while the program measures itself.
            expected = pytest.approx(root["retained_bytes"], rel=1e-3, abs=256)
            assert held == expected, root["name"]


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_what_variables_lead_to(go: str) -> None:
    """What the linker lays out for `var x = &T{…}` has no name: it has that of the variable."""
    made = CORES.make("globals", go)
    found = report("leak-roots", made.core, made.exe, "--limit", 0, "--paths", 1)
    rows = rows_by_root(found)
    truth = {root["name"]: root["retained_bytes"] for root in made.truth["roots"]}
    for name, place in {
        "main.dataNext": "main.dataNext",
        "main.dataSlice": "main.dataSlice[2]",
        "main.dataShelf": "main.dataShelf[1]",
        "main.bssTree": "main.bssTree",
    }.items():
        # What was measured may have another small object or two in it.
        assert abs(rows[place]["retained_bytes"] - truth[name]) <= NOISE_BYTES, name
        assert rows[place]["accumulation"]["type"] == "main.item", name
    ledger = [rows[f"main.dataLedger{part}"] for part in ("", ".open")]
    held = sum(row["retained_bytes"] for row in ledger)
    assert abs(held - truth["main.dataLedger"]) <= NOISE_BYTES
    assert rows["main.dataNext"]["expression"] == "main.dataNext.next"
    assert rows["main.dataShelf[1]"]["expression"] == "main.dataShelf[1].first"
    # All but what an unsafe.Pointer or a type parameter hides.
    types = report("heap-types", made.core, made.exe, "--limit", 0)["tables"]["types"]
    items = {row["type"]: row["objects"] for row in types}["main.item"]
    assert items >= made.truth["types"]["main.item"] - 50


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("arguments", [[], ["-shared-half"]], ids=["own", "shared"])
def test_planted_leak(
    go: str, arguments: list[str], start: Callable[..., Any], tmp_path: Path
) -> None:
    """The leak of bigheap retains what a collection frees once the program drops it."""
    process = start("bigheap", go, args=["-objects", "300000", *arguments])
    core = process.core(tmp_path / "core", via="gcore")
    rows = rows_by_root(report("leak-roots", core, process.exe))
    freed = process.command("drop leak")["freed_bytes"]
    assert rows["main.leak"]["retained_bytes"] == pytest.approx(freed, rel=1e-3)
    if not arguments:
        assert rows["main.leak"]["accumulation"]["type"] == "main.session"


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_shared_set(go: str) -> None:
    """What two roots hold together stands below both their names."""
    made = CORES.make("bigheap", go, args=["-objects", "300000", "-shared-half"])
    leak_roots = report("leak-roots", made.core, made.exe)
    sets = leak_roots["tables"]["shared"]
    both = next(row for row in sets if sorted(row["roots"]) == ["main.leak", "main.shared"])
    # The program made the slice main.shared in the same step.
    made_together = (
        both["retained_bytes"] + rows_by_root(leak_roots)["main.shared"]["retained_bytes"]
    )
    truth = next(r for r in made.truth["roots"] if r["name"] == "main.leak+main.shared")
    assert made_together == pytest.approx(truth["retained_bytes"], rel=1e-3)


LEAKS = {
    "spanwalk/programs/gateway/parser.failed": ("parser.failure", "failed_batches"),
    "spanwalk/programs/gateway/tagcache.sets": ("tagcache.tagSet", "tag_sets"),
    "spanwalk/programs/gateway/ingest.readers": ("bufio.Reader", "readers"),
}


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_gateway(go: str) -> None:
    """The three leaks of the gateway are found, with the type and number of what piled up."""
    made = CORES.make("gateway", go, args=["-requests", "3000"])
    leak_roots = report("leak-roots", made.core, made.exe)
    rows = rows_by_root(leak_roots)
    for root in made.truth["roots"]:
        type_name, count = LEAKS[root["name"]]
        row = rows[root["name"]]
        assert row["retained_bytes"] == pytest.approx(root["retained_bytes"], rel=5e-3)
        assert row["accumulation"]["type"].endswith(type_name), row["accumulation"]
        assert row["accumulation"]["objects"] == made.truth["facts"][count]
    assert leak_roots["findings"], "a leak of half the heap is a finding"
    assert spanwalk("leak-roots", made.core, "--exe", made.exe, "--fail-on", "P2", status=1)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired_gateway_is_clean(go: str) -> None:
    made = CORES.make(
        "gateway", go, args=["-requests", "3000", "-fixed"], name=f"gateway-fixed-go{go}"
    )
    leak_roots = report("leak-roots", made.core, made.exe, "--fail-on", "P3")
    assert leak_roots["findings"] == []
    assert not set(LEAKS) & {
        name for name, row in rows_by_root(leak_roots).items() if row["retained_bytes"] > 100_000
    }


def test_who_holds_names_the_way() -> None:
    """An entry of a map is reached by its key, a field by its name."""
    made = CORES.make("gateway", NEWEST, args=["-requests", "3000"])
    rows = rows_by_root(report("leak-roots", made.core, made.exe))
    entry = rows["spanwalk/programs/gateway/tagcache.sets"]["accumulation"]["address"]
    holds = report("who-holds", made.core, made.exe, entry)
    path = holds["tables"]["paths"][0]["expression"]
    assert path.startswith('spanwalk/programs/gateway/tagcache.sets["'), path
    retained = report("retained", made.core, made.exe, entry)
    assert retained["summary"]["retained_bytes"] >= retained["summary"]["object"]["size_bytes"]
    found = report("find", made.core, made.exe, "tagcache.tagSet", "--limit", 0)
    assert found["summary"]["objects"] == made.truth["facts"]["tag_sets"]
    assert entry in {row["address"] for row in found["tables"]["objects"]}


@pytest.mark.parametrize("by", ["type", "package"])
def test_by(by: str) -> None:
    """Other groupings count every byte once too."""
    made = CORES.make("gateway", NEWEST, args=["-requests", "3000"])
    view = report("leak-roots", made.core, made.exe, "--by", by, "--limit", 0)
    if by == "type":
        total = sum(row["bytes"] for row in view["tables"]["types"])
    else:
        total = held_bytes(view)
        assert "spanwalk/programs/gateway/parser" in rows_by_root(view)
    assert total == view["summary"]["live_bytes"]


def test_types_by_construction() -> None:
    made = CORES.make("lists", NEWEST)
    types = report("heap-types", made.core, made.exe, "--limit", 0)["tables"]["types"]
    found = {row["type"]: row["objects"] for row in types}
    for name, count in made.truth["types"].items():
        assert found[name] == count, name

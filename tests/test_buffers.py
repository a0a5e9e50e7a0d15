"""buffers against a program that wastes memory in stated ways, and against its repaired twin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, repaired, report

pytestmark = pytest.mark.needs_go

PROGRAM = "owners/pinned-views"
TABLES = ("pinned", "capacity", "maps", "idle", "duplicate_fields")
Fields = dict[str, dict[str, int]]


def buffers(core: Path, exe: Path, *words: object) -> dict[str, Any]:
    return report("buffers", core, exe, "--limit", 0, *words)


def stated(truth: dict[str, Any], table: str) -> Fields:
    """What the program says that a table has: by field, by column."""
    fields: Fields = {}
    for key, value in truth["facts"].items():
        name, field, column = key.split("/")
        if name == table:
            fields.setdefault(field, {})[column] = value
    return fields


def own(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of the program's own fields, not of the library that states the truth."""
    return {
        row["field"]: row
        for row in rows
        if row["field"].startswith("main.") or row["field"] == "map[string]int key"
    }


def check(found: dict[str, Any], truth: dict[str, Any]) -> None:
    """Each table has the stated rows, and none beside them."""
    assert found["complete"], found["warnings"]
    for table in TABLES:
        expected = stated(truth, table)
        rows = own(found["tables"][table])
        assert {
            field: {column: rows[field][column] for column in columns}
            for field, columns in expected.items()
            if field in rows
        } == expected, table
        assert rows.keys() == expected.keys(), table
    check_summary(found, truth)


def check_summary(found: dict[str, Any], truth: dict[str, Any]) -> None:
    pinned = stated(truth, "pinned")
    summary = found["summary"]
    assert summary["pinned_arrays"] == sum(row["arrays"] for row in pinned.values())
    assert summary["pinned_bytes"] == sum(row["wasted_bytes"] for row in pinned.values())
    assert summary["unknown_arrays"] == 0
    assert summary["sparse_maps"] == sum(row["maps"] for row in stated(truth, "maps").values())
    assert summary["idle_bytes"] == sum(row["size_bytes"] for row in stated(truth, "idle").values())


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_program(go: str) -> None:
    made = CORES.make(PROGRAM, go)
    found = buffers(made.core, made.exe)
    check(found, made.truth)
    worst = found["findings"][0]
    assert worst["grade"] == "P1"
    assert worst["code"] == "pinned_array"
    assert worst["evidence"]["field"] == "main.session.id"
    assert {row["code"] for row in found["findings"]} >= {
        "pinned_array",
        "spare_capacity",
        "sparse_map",
        "idle_buffer",
    }


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired(go: str) -> None:
    """The same program, that copies what it keeps: nothing of its own is named."""
    made = repaired(PROGRAM, go)
    assert not any("/" in key for key in made.truth["facts"])
    found = buffers(made.core, made.exe)
    check(found, made.truth)
    assert not [
        row["message"]
        for row in found["findings"]
        if not row["evidence"]["field"].startswith("truth.")
    ]


def check_nameless(found: dict[str, Any], truth: dict[str, Any]) -> None:
    """Variables have no names: their rows are known by their numbers."""
    assert found["complete"], found["warnings"]
    for table in TABLES:
        expected = stated(truth, table)
        every = found["tables"][table]
        rows = {row["field"]: row for row in every}
        for field, columns in expected.items():
            if field in rows:
                same = [rows[field]]
            else:
                assert field == "main.lines[]", (table, field)
                same = [row for row in every if row["field"].endswith("[]")]
            assert columns in [{key: row[key] for key in columns} for row in same], (table, field)
        beside = own(every).keys() - expected.keys()
        assert all(field.endswith("[]") for field in beside), (table, beside)
    check_summary(found, truth)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_stripped(go: str) -> None:
    made = CORES.make(PROGRAM, go, mode="stripped")
    check_nameless(buffers(made.core, made.exe), made.truth)


def test_stripped_with_index(tmp_path: Path) -> None:
    """What code says of variables is kept in the index."""
    made = CORES.make(PROGRAM, NEWEST, mode="stripped")
    core = tmp_path / "app.core"
    core.symlink_to(made.core)
    written = buffers(core, made.exe, "--index")
    assert Path(f"{core}.spanwalk-index").exists()
    assert buffers(core, made.exe) == written == buffers(core, made.exe, "--no-index")
    check_nameless(written, made.truth)


def test_arm64() -> None:
    made = CORES.make(PROGRAM, NEWEST, arch="arm64")
    check(buffers(made.core, made.exe), made.truth)


def test_options() -> None:
    """Larger arrays alone, and those that are wasted nearly whole."""
    made = CORES.make(PROGRAM, NEWEST)
    large = buffers(made.core, made.exe, "--min-size", "1MiB")["tables"]
    assert [row["field"] for row in large["pinned"]] == ["main.session.id"]
    assert not large["idle"]
    # 960 of 2 MiB of requests, 153 of 32 KiB of a document, 8 of 16 KiB of a table.
    strict = buffers(made.core, made.exe, "--min-wasted", "99.9%")["tables"]
    assert [row["field"] for row in strict["pinned"]] == [
        "main.session.id",
        "main.header.name",
        "main.cursor.at",
    ]


def test_threads() -> None:
    """The same for any number of threads."""
    made = CORES.make(PROGRAM, NEWEST)
    assert buffers(made.core, made.exe, "--threads", 1) == buffers(
        made.core, made.exe, "--threads", 4
    )

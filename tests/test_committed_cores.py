"""The cores in cores/data, which need no Go toolchain: exact, and with the roots they hold.

Where an executable has no symbols its variables have no names, and are known by what they hold.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import CORES, report

ENTRIES = {entry["name"]: entry for entry in json.loads(CORES.MANIFEST.read_text())}
WITHOUT_NAMES = ("stripped", "stripped-pie", "bare")


@pytest.mark.parametrize("name", ENTRIES)
def test_committed_core(name: str) -> None:
    made = CORES.unpack(name)
    verify = report("verify", made.core, made.exe)
    assert verify["summary"]["exact"] and verify["complete"], verify
    assert verify["summary"]["runtime_objects"] == made.truth["objects"]
    assert verify["target"]["arch"] == ENTRIES[name].get("arch", "amd64")
    leak_roots = report("leak-roots", made.core, made.exe, "--limit", 0)
    held = [row for table in leak_roots["tables"].values() for row in table]
    assert sum(row["retained_bytes"] for row in held) == leak_roots["summary"]["live_bytes"]
    for root in made.truth["roots"]:
        if root["kind"] == "global" and root["retained_bytes"]:
            check_held(leak_roots["tables"]["roots"], root, ENTRIES[name].get("mode", "plain"))


def check_held(rows: list[dict[str, Any]], root: dict[str, Any], mode: str) -> None:
    expected = pytest.approx(root["retained_bytes"], rel=5e-3, abs=64)
    if mode not in WITHOUT_NAMES:
        rows = [row for row in rows if row["root"] == root["name"]]
    assert any(row["retained_bytes"] == expected for row in rows), (root, rows)


@pytest.mark.parametrize("name", ENTRIES)
def test_compressed(name: str) -> None:
    """The .zst itself gives the same as the plain file."""
    made = CORES.unpack(name)
    plain = report("heap", made.core, made.exe)
    packed = report("heap", CORES.DATA / f"{name}.core.zst", made.exe)
    assert plain["summary"] == packed["summary"]
    assert plain["tables"] == packed["tables"]

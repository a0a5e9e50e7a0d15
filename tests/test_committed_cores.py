"""The cores in cores/data, which need no Go toolchain: exact, and with the roots they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import CORES, report

ENTRIES = json.loads(CORES.MANIFEST.read_text())


@pytest.mark.parametrize("name", [entry["name"] for entry in ENTRIES])
def test_committed_core(name: str) -> None:
    made = CORES.unpack(name)
    verify = report("verify", made.core, made.exe)
    assert verify["summary"]["exact"] and verify["complete"], verify
    assert verify["summary"]["replay_objects"] == made.truth["objects"]
    leak_roots = report("leak-roots", made.core, made.exe, "--limit", 0)
    rows: dict[str, dict[str, Any]] = {row["root"]: row for row in leak_roots["tables"]["roots"]}
    held = [row for table in leak_roots["tables"].values() for row in table]
    assert sum(row["retained_bytes"] for row in held) == leak_roots["summary"]["live_bytes"]
    for root in made.truth["roots"]:
        if root["kind"] == "global" and root["retained_bytes"]:
            expected = pytest.approx(root["retained_bytes"], rel=5e-3, abs=64)
            assert rows[root["name"]]["retained_bytes"] == expected, root["name"]


@pytest.mark.parametrize("name", [entry["name"] for entry in ENTRIES])
def test_compressed(name: str) -> None:
    """The .zst itself gives the same as the plain file."""
    made = CORES.unpack(name)
    plain = report("heap", made.core, made.exe)
    packed = report("heap", CORES.DATA / f"{name}.core.zst", made.exe)
    assert plain["summary"] == packed["summary"]
    assert plain["tables"] == packed["tables"]

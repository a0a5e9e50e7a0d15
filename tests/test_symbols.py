"""--symbols FILE: a stripped program with the names of its unstripped build."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import CORES, NEWEST, report, spanwalk

pytestmark = pytest.mark.needs_go

ARGS = ["-requests", "300"]


def roots(core: Path, exe: Path, *words: object) -> dict[str, int]:
    rows = report("leak-roots", core, exe, "--limit", 0, *words)["tables"]["roots"]
    return {row["root"]: row["retained_bytes"] for row in rows if row["kind"] == "global"}


def test_names_of_the_unstripped_build() -> None:
    """Build ids differ by -ldflags="-s -w"; the code is the same."""
    stripped = CORES.make("gateway", NEWEST, args=ARGS, ldflags="-s -w", name="gateway-s-w")
    plain = CORES.make("gateway", NEWEST, args=ARGS, name="gateway-unstripped")
    found = roots(stripped.core, stripped.exe, "--symbols", plain.exe)
    for root in stripped.truth["roots"]:
        if root["kind"] == "global":
            assert found[root["name"]] == pytest.approx(root["retained_bytes"], rel=2e-2)


def test_what_strip_took(tmp_path: Path) -> None:
    """A file of nothing but symbols and debug information: one build id."""
    made = CORES.make("lists", NEWEST)
    stripped, debug = tmp_path / "stripped", tmp_path / "debug"
    subprocess.run(["objcopy", "--only-keep-debug", str(made.exe), str(debug)], check=True)
    shutil.copy(made.exe, stripped)
    subprocess.run(["strip", str(stripped)], check=True)
    assert roots(made.core, stripped, "--symbols", debug) == roots(made.core, made.exe)


def test_another_build_is_refused() -> None:
    made = CORES.make("lists", NEWEST)
    other = CORES.make("maps", NEWEST)
    message = spanwalk(
        "heap", made.core, "--exe", made.exe, "--symbols", other.exe, status=3
    ).stderr
    assert "are not of one build" in message
    assert "hint: " in message

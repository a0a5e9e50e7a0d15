"""The program built for arm64 says the same, byte for byte."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import BUILD, CORES, ROOT, spanwalk

ENTRIES = json.loads(CORES.MANIFEST.read_text())
COMMANDS = [
    ("verify", "--json"),
    ("heap", "--json"),
    ("heap-types", "--json", "--limit", "0"),
    ("leak-roots", "--json", "--limit", "0"),
    ("leak-roots", "--threads", "2"),
]


@pytest.fixture(scope="module")
def arm64() -> list[str]:
    """The command that runs the program."""
    make = ["make", "-C", str(ROOT), f"BUILD={BUILD}", "arm64"]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return ["qemu-aarch64", str(BUILD / "arm64" / "spanwalk")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", [entry["name"] for entry in ENTRIES])
def test_same_report(name: str, command: tuple[str, ...], arm64: list[str]) -> None:
    made = CORES.unpack(name)
    words = [command[0], str(made.core), "--exe", str(made.exe), *command[1:]]
    there = subprocess.run(
        [*arm64, *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout == spanwalk(*words).stdout

"""Types without debug information: held against those of the same core with it."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, report, spanwalk

pytestmark = pytest.mark.needs_go

SMALL = {"bigheap": ["-objects", "100000"], "gateway": ["-requests", "300"]}
PROGRAMS = (
    *("gateway", "bigheap", "assorted", "maps", "closures", "interfaces", "channels"),
    *("lists", "large", "globals", "finalizers", "stacks", "tiny"),
)
# Shares of the live bytes.
LOST = 0.02
WRONG = 0.001

OBJCOPY = {"amd64": "objcopy", "arm64": "aarch64-linux-gnu-objcopy"}


class Types(NamedTuple):
    """Bytes by the name of their type; those without one are not in it."""

    bytes: Counter[str]
    live_bytes: int
    summary: dict[str, Any]

    @property
    def share(self) -> float:
        return sum(self.bytes.values()) / self.live_bytes


def read_types(core: Path, exe: Path, *words: object) -> Types:
    document = report("heap-types", core, exe, "--limit", 0, *words)
    found = Counter({row["type"]: row["bytes"] for row in document["tables"]["types"]})
    found.pop("?", None)
    assert document["complete"], document["warnings"]
    summary = document["summary"]
    assert sum(found.values()) == summary["typed_bytes"]
    return Types(found, summary["live_bytes"], summary)


@pytest.fixture
def strip(tmp_path: Path) -> Callable[..., Path]:
    def run(exe: Path, arch: str = "amd64") -> Path:
        out = tmp_path / "stripped.exe"
        subprocess.run([OBJCOPY[arch], "--strip-all", exe, out], check=True)
        return out

    return run


def check_agreement(whole: Types, bare: Types) -> None:
    """What has a type with debug information has the same without."""
    assert bare.live_bytes == whole.live_bytes
    assert abs(whole.share - bare.share) < LOST, (whole.share, bare.share)
    # A type that got more bytes than it has took them from another one, or from what debug
    # information could not tell.
    more = bare.bytes - whole.bytes
    unknown = whole.live_bytes - sum(whole.bytes.values())
    wrong = max(0, sum(more.values()) - unknown)
    assert wrong <= WRONG * whole.live_bytes, more.most_common(10)


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_stripped(program: str, go: str, strip: Callable[..., Path]) -> None:
    made = CORES.make(program, go, args=SMALL.get(program, []), name=f"{program}-kernel-go{go}")
    whole = read_types(made.core, made.exe)
    bare = read_types(made.core, strip(made.exe))
    check_agreement(whole, bare)

    assert whole.summary["root_pointers_typed_by_debug_information"]
    assert not whole.summary["root_pointers_typed_by_code"]
    assert not bare.summary["root_pointers_typed_by_debug_information"]
    assert bare.summary["root_pointers_typed_by_code"]


def test_any_number_of_threads(strip: Callable[..., Path]) -> None:
    made = CORES.make("maps", NEWEST, name=f"maps-kernel-go{NEWEST}")
    exe = strip(made.exe)
    assert read_types(made.core, exe, "--threads", 1) == read_types(made.core, exe, "--threads", 2)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_types_by_construction(go: str, strip: Callable[..., Path]) -> None:
    """The program counts its objects; the code of the stripped one tells them all."""
    made = CORES.make("lists", go, name=f"lists-kernel-go{go}")
    document = report("heap-types", made.core, strip(made.exe), "--limit", 0)
    found = {row["type"]: row["objects"] for row in document["tables"]["types"]}
    for name, count in made.truth["types"].items():
        assert found.get(f"main.{name}", found.get(name)) == count, name


def test_captured_variables(strip: Callable[..., Path]) -> None:
    """A closure's fields are what it captured, with debug information and without."""
    made = CORES.make("closures", NEWEST, name=f"closures-kernel-go{NEWEST}")
    for exe in (made.exe, strip(made.exe)):
        types = read_types(made.core, exe)
        assert types.share > 0.95
        assert any(name.startswith("func main.") for name in types.bytes)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_variables_without_names(go: str) -> None:
    """The package whose functions alone use a variable, a function that does, and its type."""
    made = CORES.make("gateway", go, args=SMALL["gateway"], mode="stripped")
    document = report("leak-roots", made.core, made.exe)
    rows = document["tables"]["roots"]
    for root in made.truth["roots"]:
        if root["kind"] != "global":
            continue
        package = root["name"].rpartition(".")[0]
        same = [row for row in rows if row["root"].startswith(f"{package}.bss+0x")]
        held = max(same, key=lambda row: row["retained_bytes"])
        assert held["retained_bytes"] == pytest.approx(root["retained_bytes"], rel=2e-2)
        assert held["used_by"].startswith(f"{package}.")
    names = {row["root"] for row in rows}
    assert "Go runtime" in names
    assert not any(name.startswith("runtime.") for name in names)
    text = spanwalk("leak-roots", made.core, "--exe", made.exe).stdout
    assert "(map[string]*tagcache.tagSet, used by " in text.splitlines()[0]

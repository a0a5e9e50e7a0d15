"""The walk is exact: verify on every program, on cores and live, against the runtime's marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, TWICE_BYTES, report, spanwalk

pytestmark = pytest.mark.needs_go

# "busy" never rests, "marking" is dumped amid a collection.
PROGRAMS = [p for p in CORES.programs() if p not in ("cprog", "busy", "marking")]
FIRST_MINOR = {"userarenas": 20}
SMALL = {"bigheap": ["-objects", "100000"], "gateway": ["-requests", "300"]}


def check_exact(verify: dict[str, Any]) -> None:
    summary = verify["summary"]
    assert summary["exact"], (summary, verify["tables"]["differences"])
    assert verify["complete"], verify["warnings"]
    counted_twice = summary["heap_marked_bytes"] - summary["marked_bits_bytes"]
    assert 0 <= counted_twice <= TWICE_BYTES, summary


CASES = [
    (program, go)
    for program in PROGRAMS
    for go in GO_VERSIONS
    if int(go.split(".")[1]) >= FIRST_MINOR.get(program, 0)
]


@pytest.mark.parametrize(("program", "go"), CASES)
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_core(program: str, go: str, via: str) -> None:
    made = CORES.make(
        program, go, args=SMALL.get(program, []), via=via, name=f"{program}-{via}-go{go}"
    )
    check_exact(report("verify", made.core, made.exe))


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_gcore(go: str) -> None:
    """A core that GDB wrote: notes at its end, reserved memory as zeros."""
    made = CORES.make("stacks", go, via="gcore", name=f"stacks-gcore-go{go}")
    check_exact(report("verify", made.core, made.exe))


@pytest.mark.parametrize(("program", "go"), CASES)
def test_live(program: str, go: str, start: Callable[..., Any]) -> None:
    process = start(program, go, args=SMALL.get(program, []))
    check_exact(spanwalk("verify", "--pid", process.pid, "--json").report)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_live_bytes_are_the_runtimes(go: str) -> None:
    """What is live is what runtime.MemStats said after the collection, but for tiny blocks."""
    made = CORES.make("lists", go)
    heap = report("heap", made.core, made.exe)
    live = heap["summary"]["live_bytes"]
    assert abs(live - made.truth["heap_live_bytes"]) <= 16384
    rows = {row["name"]: row["value"] for row in heap["tables"]["runtime"]}
    for name in ("HeapAlloc", "HeapObjects", "NumGC", "HeapSys", "StackInuse", "MSpanSys"):
        assert rows[name] == made.truth["memstats"][name], name

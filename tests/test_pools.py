"""pools against what a program has put into its pools.

owners/dirty-pool fills them right before it aborts, but for some encoders, which the last
collection has made victims.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

PROGRAM = "owners/dirty-pool"
SCRATCH = 128 << 10


class Pools:
    """The report on one run, and what the program says."""

    def __init__(self, made: Any, *words: object) -> None:
        self.report = report("pools", made.core, made.exe, "--limit", 0, *words)
        self.truth: dict[str, Any] = made.truth["facts"]
        self.is_stripped = "stripped" in made.core.name
        self.summary = self.report["summary"]
        self.findings = {f["code"]: f for f in self.report["findings"]}
        assert self.report["complete"], self.report["warnings"]

    def pool(self, element_type: str) -> dict[str, Any]:
        """The one pool whose elements are of a type."""
        (row,) = [r for r in self.report["tables"]["pools"] if r["element_type"] == element_type]
        return dict(row)

    def dirty(self, fault: str) -> list[dict[str, Any]]:
        return [row for row in self.report["tables"]["dirty"] if row["fault"] == fault]


def check_stock(pools: Pools) -> None:
    """What lies where: the same in both programs but for the faults."""
    truth = pools.truth
    encoders = pools.pool("*main.encoder")
    assert encoders["elements"] == truth["encoders"]
    assert encoders["victims"] == truth["victim_encoders"]
    assert encoders["private_elements"] in (2, 3)  # of each P that put some, and of the victims
    assert encoders["new"] == "main.newEncoder"
    buffers = pools.pool("*bytes.Buffer")
    assert (buffers["elements"], buffers["victims"]) == (truth["buffers"], 0)
    scratch = pools.pool("*[]uint8")
    assert scratch["elements"] == truth["scratch"]
    assert scratch["median_bytes"] == scratch["largest_bytes"]
    assert 0 <= scratch["held_bytes"] - truth["scratch_bytes"] <= 32 * truth["scratch"]
    boxes = pools.pool("main.render")
    assert (boxes["elements"], boxes["new"]) == (truth["boxes"], None)
    cells = pools.pool("*main.cell")
    assert (cells["elements"], cells["held_bytes"]) == (truth["cells"], 32 * truth["cells"])
    assert pools.pool("*main.item")["elements"] == truth["items"]
    assert pools.pool("*main.job")["elements"] == truth["items"]
    assert pools.pool("*[]*main.job")["elements"] == 1
    assert pools.summary["elements"] == sum(
        row["elements"] for row in pools.report["tables"]["pools"]
    )
    assert pools.summary["victims"] == truth["victim_encoders"]
    if not pools.is_stripped:
        names = {encoders["pool"], buffers["pool"], scratch["pool"], boxes["pool"], cells["pool"]}
        assert names == {
            "main.encoders",
            "main.buffers",
            "main.shortly.scratch",
            "main.shortly.boxes",
            "main.cells",
        }


def check_faults(pools: Pools) -> None:
    truth, summary = pools.truth, pools.summary
    requests = pools.dirty("keeps_request")
    assert summary["request_elements"] == len(requests) == truth["request_encoders"]
    assert {(row["path"], row["object_type"]) for row in requests} == {(".req", "http.Request")}
    kept = sum(row["kept_bytes"] for row in requests)
    assert truth["request_bytes"] <= kept == summary["request_bytes"]
    assert kept < truth["request_bytes"] + 2048 * len(requests)
    assert sum(row["victim"] for row in requests) == (truth["victim_encoders"] + 2) // 3

    (twice,) = pools.dirty("put_twice")
    assert (twice["times"], twice["element_type"]) == (2, "*bytes.Buffer")
    referenced = pools.dirty("still_referenced")
    assert summary["referenced_elements"] == len(referenced) == truth["referenced_buffers"]
    assert Counter(row["path"] for row in referenced) == {"": 1, ".buf": 1}
    assert len({row["address"] for row in [twice, *referenced]}) == 3
    if not pools.is_stripped:
        assert {row["path"]: row["held_by"] for row in referenced} == {
            "": "main.lastPage",
            ".buf": "main.slug",
        }
    (giant,) = pools.report["tables"]["oversized"]
    assert 0 <= giant["size_bytes"] - truth["giant_bytes"] < 4096
    assert giant["element_type"] == "*bytes.Buffer"
    live = pools.dirty("leads_to_live")
    assert len(live) == truth["live_elements"] == summary["live_elements"]
    assert {(row["path"], row["object_type"]) for row in live} == {(".last", "main.link")}
    grades = {code: finding["grade"] for code, finding in pools.findings.items()}
    assert grades == {
        "pool_put_twice": "P1",
        "pool_still_referenced": "P1",
        "pool_keeps_request": "P3",  # some KiB
        "pool_oversized": "P1",
        "pool_leads_to_live": "P3",
    }


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("go", GO_VERSIONS)
def test_dirty_pool(go: str, mode: str) -> None:
    pools = Pools(CORES.make(PROGRAM, go, mode=mode))
    check_stock(pools)
    check_faults(pools)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired(go: str) -> None:
    pools = Pools(repaired(PROGRAM, go))
    check_stock(pools)
    assert not pools.report["findings"]
    assert not pools.report["tables"]["dirty"]
    assert not pools.report["tables"]["oversized"]


def test_arm64() -> None:
    pools = Pools(CORES.make(PROGRAM, NEWEST, arch="arm64"))
    check_stock(pools)
    check_faults(pools)


def test_many_elements() -> None:
    """Queues of several rings, and no more rows than asked for."""
    name = f"{CORES.default_name(PROGRAM, NEWEST)}-many"
    made = CORES.make(PROGRAM, NEWEST, args=["-count", "3000"], name=name)
    pools = Pools(made)
    check_stock(pools)
    assert pools.summary["request_elements"] == pools.truth["request_encoders"] == 1500
    assert pools.summary["request_bytes"] > 1500 * 4096
    assert pools.findings["pool_keeps_request"]["grade"] == "P1"  # most of the heap
    few = report("pools", made.core, made.exe, "--limit", 3)
    assert len(few["tables"]["dirty"]) == 3
    assert few["omitted"]["dirty"] == len(pools.report["tables"]["dirty"]) - 3


def test_oversized_is_relative() -> None:
    """Scratch buffers are all alike; below the median nothing is too large."""
    made = CORES.make(PROGRAM, NEWEST)
    small = Pools(made, "--oversized", "1")
    assert {row["element_type"] for row in small.report["tables"]["oversized"]} == {
        "*bytes.Buffer",
        "*main.encoder",  # those that keep a request
        "*[]*main.job",  # alone
    }
    assert not Pools(made, "--oversized", "2M").report["tables"]["oversized"]


def test_request_types() -> None:
    """A type that the user calls a request is one."""
    made = CORES.make(PROGRAM, NEWEST)
    pools = Pools(made, "--request-types", "main.nothing,main.l*k")
    paths = Counter(row["path"] for row in pools.dirty("keeps_request"))
    assert paths == {".req": pools.truth["request_encoders"], ".last": pools.truth["boxes"]}
    assert not pools.dirty("leads_to_live")


def test_text() -> None:
    made = CORES.make(PROGRAM, NEWEST)
    text = spanwalk("pools", made.core, "--exe", made.exe).stdout
    assert text.startswith("1 element lies in a pool twice: two will get the same one.\n")
    assert "main.lastPage" in text
    assert "who-holds 0x" in text


def test_no_pools() -> None:
    """A program that has put nothing into one."""
    made = CORES.make("tiny", NEWEST)
    found = report("pools", made.core, made.exe)
    assert found["complete"]
    assert not found["findings"]
    assert not found["tables"]["dirty"]

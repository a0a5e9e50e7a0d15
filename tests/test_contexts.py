"""contexts against programs that know what they forgot to cancel.

owners/broken-cancel-chain has each fault a stated number of times, and as many contexts beside
them that are as they should be; its repaired twin has those alone. leaks/forgotten-cancel has
goroutines that wait for contexts whose cancel functions are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

PROGRAM = "owners/broken-cancel-chain"
REQUEST_BYTES = 48  # main.request


def contexts(made: Any, *words: object) -> dict[str, Any]:
    return report("contexts", made.core, made.exe, "--limit", 0, *words)


def clusters(found: dict[str, Any], **wanted: object) -> list[dict[str, Any]]:
    """The rows of the tree with these values."""
    return [
        row
        for row in found["tables"]["tree"]
        if all(row[key] == value for key, value in wanted.items())
    ]


def counted(found: dict[str, Any], **wanted: object) -> int:
    return sum(row["contexts"] for row in clusters(found, **wanted))


def codes(found: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in found["findings"]}


def check(found: dict[str, Any], facts: dict[str, Any]) -> None:
    """What the program says of itself."""
    assert found["complete"], found["warnings"]
    assert not found["warnings"]
    summary = found["summary"]
    for key in (
        "abandoned_contexts",
        "lost_contexts",
        "orphan_contexts",
        "propagating_goroutines",
        "after_func_goroutines",
        "longest_value_chain",
        "waiting_goroutines",
    ):
        assert summary[key] == facts[key], key
    assert summary["unreached_contexts"] == summary["overdue_contexts"] == 0
    assert counted(found, state="abandoned", kind="cancel") == facts["abandoned_requests"]
    assert counted(found, state="abandoned", kind="deadline") == facts["abandoned_calls"]
    assert counted(found, state="abandoned", kind="after func") == facts["abandoned_after_funcs"]
    parents = found["tables"]["parents"]
    assert parents[0]["children"] == summary["children"] == facts["server_children"]
    assert parents[0]["abandoned_children"] == facts["abandoned_contexts"]
    assert parents[0]["lost_children"] == facts["abandoned_contexts"] + facts["lost_contexts"]
    check_bytes(found, facts)


def check_bytes(found: dict[str, Any], facts: dict[str, Any]) -> None:
    """The bodies, and little beside them, go with the forgotten contexts."""
    bodies = facts["abandoned_body_bytes"]
    contexts = facts["abandoned_contexts"]
    assert bodies <= found["summary"]["abandoned_bytes"] <= bodies + 2048 * contexts
    held = [row for row in found["tables"]["keys"] if row["key_type"] == "main.requestKey"]
    requests = facts["abandoned_requests"]
    if requests:
        assert [row["value_bytes"] for row in held] == [bodies + requests * REQUEST_BYTES]
        assert [row["value_type"] for row in held] == ["main.request"]
        assert [row["contexts"] for row in held] == [requests]
    else:
        assert held == []


FAULTS = {
    "cancel_never_called",
    "cancel_lost",
    "orphan_contexts",
    "propagating_goroutines",
    "long_value_chain",
    "many_children",
}


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_faults(mode: str, go: str) -> None:
    made = CORES.make(PROGRAM, go, mode=mode)
    found = contexts(made)
    facts = made.truth["facts"]
    assert facts["abandoned_requests"] == 1000
    assert (facts["abandoned_after_funcs"] > 0) == (minor(go) >= 21)
    check(found, facts)
    assert codes(found) == FAULTS
    grades = [finding["grade"] for finding in found["findings"]]
    assert grades[:2] == ["P1", "P1"]


def test_arm64() -> None:
    made = CORES.make(PROGRAM, NEWEST, arch="arm64", mode="stripped")
    found = contexts(made)
    check(found, made.truth["facts"])
    assert codes(found) == FAULTS


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_repaired(mode: str, go: str) -> None:
    made = repaired(PROGRAM, go, mode)
    found = contexts(made)
    check(found, made.truth["facts"])
    assert found["findings"] == []
    assert made.truth["facts"]["abandoned_contexts"] == 0


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_one(go: str) -> None:
    """One forgotten request is enough."""
    name = f"{CORES.default_name(PROGRAM, go)}-one"
    made = CORES.make(PROGRAM, go, args=["-count", "1"], name=name)
    found = contexts(made)
    check(found, made.truth["facts"])
    assert counted(found, state="abandoned", kind="cancel") == 1


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_tree(go: str) -> None:
    """Each row below its parent; values of one key in a row are one line."""
    found = contexts(CORES.make(PROGRAM, go))
    rows = found["tables"]["tree"]
    by_id = {row["id"]: row for row in rows}
    above: dict[int, int] = {}
    for place, row in enumerate(rows):
        above[row["id"]] = place
        if row["parent_id"] is None:
            assert row["depth"] == 0
        else:
            assert above[row["parent_id"]] < place
            assert row["depth"] == by_id[row["parent_id"]]["depth"] + 1
    (hops,) = clusters(found, key_type="main.hopKey")
    assert hops["contexts"] == hops["value_depth"] == 150
    (requests,) = clusters(found, key_type="main.requestKey")
    below = clusters(found, parent_id=requests["id"])
    assert [(row["contexts"], row["state"]) for row in below] == [(1000, "abandoned")]
    (tenant,) = clusters(found, state="cancelled")
    audit = clusters(found, parent_id=tenant["id"])
    assert [row["type"] for row in audit] == ["main.auditContext"]
    assert counted(found, parent_id=audit[0]["id"], state="open") == 30


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_deadlines(go: str) -> None:
    found = contexts(CORES.make(PROGRAM, go))
    (calls,) = clusters(found, state="abandoned", kind="deadline")
    # The clock of a core is at most the truth.
    assert 7000 < calls["first_deadline_seconds"] <= calls["last_deadline_seconds"] < 7260
    (slow,) = clusters(found, state="open", kind="deadline")
    assert slow["waiters"] == slow["contexts"] == 20


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_each(go: str) -> None:
    """Every context once, each with its parent."""
    found = contexts(CORES.make(PROGRAM, go), "--each")
    rows = found["tables"]["contexts"]
    kinds = {"background", "todo"}
    seen = [row for row in rows if row["kind"] not in kinds]
    assert len(seen) == found["summary"]["contexts"]
    assert len({row["address"] for row in seen}) == len(seen)
    addresses = {row["address"] for row in rows}
    assert {row["parent_address"] for row in seen} <= addresses
    assert sum(row["contexts"] for row in found["tables"]["tree"]) == len(rows)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_forgotten_cancel(go: str) -> None:
    """Contexts that goroutines wait for: 11 and 12 below Background, 8 below a context that can be
    cancelled, 9 with a deadline; of 7, and of the parent, somebody has the cancel function."""
    found = contexts(CORES.make("leaks/forgotten-cancel", go))
    assert found["complete"], found["warnings"]
    assert found["summary"]["waiting_goroutines"] == 47
    assert counted(found, state="lost", kind="deadline") == 9
    lost = clusters(found, state="lost", kind="cancel")
    assert sorted(row["contexts"] for row in lost) == [8, 23]
    assert counted(found, state="open", kind="cancel") == 8
    assert codes(found) == {"cancel_lost"}


def test_live(start: Callable[..., Any]) -> None:
    process = start(PROGRAM, NEWEST)
    found = spanwalk("contexts", "--pid", process.pid, "--limit", 0, "--json").report
    check(found, process.truth["facts"])
    (calls,) = clusters(found, state="abandoned", kind="deadline")
    assert 7000 < calls["first_deadline_seconds"] < 7200


def test_text() -> None:
    made = CORES.make(PROGRAM, NEWEST)
    text = spanwalk("contexts", made.core, "--exe", made.exe).stdout
    assert text.startswith("1,240 contexts were never cancelled")
    assert "1,000 × context.cancelCtx, abandoned, retain 8.0 MiB\n" in text

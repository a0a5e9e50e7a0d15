"""finalizers against what programs have made.

owners/finalizer-cycles keeps objects alive by their own finalizers and cleanups, and
owners/finalizer-blocked blocks the goroutine that runs finalizers; finalizers, the program, has
one of everything.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

CYCLES = "owners/finalizer-cycles"
BLOCKED = "owners/finalizer-blocked"
STANDARD_FILES = 3  # stdin, stdout, stderr
PAYLOAD = 4 << 10


class Finalizers:
    """The report on one run, and what the program says."""

    def __init__(self, made: Any) -> None:
        self.report = report("finalizers", made.core, made.exe, "--limit", 0)
        self.truth: dict[str, Any] = made.truth["facts"]
        self.summary = self.report["summary"]
        self.tables = self.report["tables"]
        self.is_modern = "caches" in self.truth
        assert self.report["complete"], self.report["warnings"]

    def function(self, name: str) -> dict[str, Any]:
        (row,) = [row for row in self.tables["functions"] if row["function"] == name]
        return dict(row)

    def never(self, kind: str, type_name: str) -> list[dict[str, Any]]:
        return [
            row
            for row in self.tables["never_freed"]
            if (row["kind"], row["type"]) == (kind, type_name)
        ]


def fixed(program: str, go: str) -> Finalizers:
    return Finalizers(repaired(program, go))


def check_ordinary(found: Finalizers) -> None:
    """What is as it should be."""
    truth = found.truth
    leases = found.function("main.ordinary.func1")
    assert (leases["kind"], leases["type"]) == ("finalizer", "main.lease")
    assert (leases["set"], leases["never_run"]) == (truth["leases"], 0)
    files = found.function("os.(*file).close")
    assert (files["set"], files["type"]) == (truth["files"] + STANDARD_FILES, "os.file")
    sessions = found.function("main.(*session).end")
    assert sessions["set"] == truth["kept_sessions"]
    assert found.summary["queued_finalizers"] == found.summary["queued_cleanups"] == 0
    assert found.summary["busy_goroutines"] == 0
    if found.is_modern:
        caches = found.function("main.own.func1")
        assert (caches["kind"], caches["type"]) == ("cleanup", "main.cache")
        assert (caches["set"], caches["never_run"]) == (truth["caches"], 0)
        (pages,) = found.tables["weak"]
        assert (pages["type"], pages["objects"]) == ("main.page", truth["pages"])
        (weak,) = found.tables["weak_pointers"]
        assert weak == {
            "type": "weak.Pointer[main.page]",
            "handles": truth["pages"] + truth["dead_pages"],
            "dead": truth["dead_pages"],
        }
    else:
        assert found.summary["cleanups"] == found.summary["weak_targets"] == 0


def check_cycles(found: Finalizers) -> None:
    truth, summary = found.truth, found.summary
    caches = truth.get("lost_caches", 0)
    lost = truth["lost_sessions"] + truth["lost_streams"] + caches
    assert summary["lost"] == lost
    assert summary["never_run"] == lost + truth["kept_sessions"] == len(found.tables["never_freed"])
    bytes_lost = truth["lost_bytes"] + caches * PAYLOAD
    assert bytes_lost <= summary["lost_bytes"] < bytes_lost + 256 * lost

    sessions = found.never("finalizer", "main.session")
    assert Counter(row["lost"] for row in sessions) == {
        True: truth["lost_sessions"],
        False: truth["kept_sessions"],
    }
    assert {(row["path"], row["held_by"]) for row in sessions} == {
        (".peer.of", "what it refers to")
    }
    streams = found.never("finalizer", "main.stream")
    assert len(streams) == truth["lost_streams"]
    assert all(row["lost"] for row in streams)
    assert {row["held_by"] for row in streams} == {"its function or argument"}
    cleanups = [row for row in found.tables["never_freed"] if row["kind"] == "cleanup"]
    assert len(cleanups) == caches
    assert {row["function"] for row in cleanups} <= {"main.(*janitor).sweep"}
    for row in [*sessions, *streams, *cleanups]:
        assert PAYLOAD <= row["retained_bytes"] < PAYLOAD + 256
    assert found.function("main.(*session).end")["lost"] == truth["lost_sessions"]

    codes = Counter((f["code"], f["grade"]) for f in found.report["findings"])
    assert codes == {
        ("finalizer_cycle", "P1"): 1,
        ("finalizer_cycle", "P2"): 1,
        ("finalizer_holds_object", "P1"): 2 if caches else 1,
    }


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("go", GO_VERSIONS)
def test_cycles(go: str, mode: str) -> None:
    found = Finalizers(CORES.make(CYCLES, go, mode=mode))
    check_ordinary(found)
    check_cycles(found)


@pytest.mark.parametrize("go", ["1.24.11", "1.25.12"])
def test_cleanups_of_old(go: str) -> None:
    """The closures that AddCleanup made then."""
    found = Finalizers(CORES.make(CYCLES, go, mode="stripped"))
    check_ordinary(found)
    check_cycles(found)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_cycles_repaired(go: str) -> None:
    found = fixed(CYCLES, go)
    check_ordinary(found)
    assert not found.report["findings"]
    assert not found.tables["never_freed"]
    assert found.summary["lost"] == found.summary["lost_bytes"] == 0


def test_cycles_arm64() -> None:
    found = Finalizers(CORES.make(CYCLES, NEWEST, arch="arm64"))
    check_ordinary(found)
    check_cycles(found)


def check_blocked(found: Finalizers) -> None:
    truth = found.truth
    assert found.summary["queued_finalizers"] == truth["waiting"] + truth["running"]
    assert found.summary["busy_goroutines"] == truth["running"]
    (runner,) = [row for row in found.tables["goroutines"] if row["busy"]]
    assert (runner["runs"], runner["blocked"]) == ("finalizers", True)
    assert runner["waiting"] == truth["waiting"]
    assert runner["place"]["function"] == "main.(*handle).report"
    handles = found.function("main.(*handle).release")
    assert (handles["set"], handles["type"]) == (truth["open"], "main.handle")
    assert handles["queued"] == truth["waiting"] // 2 + 1
    tickets = found.function("main.issue.func1")
    assert (tickets["queued"], tickets["type"]) == (truth["waiting"] // 2, "main.ticket")
    (finding,) = found.report["findings"]
    assert (finding["code"], finding["grade"]) == ("finalizer_blocked", "P1")
    assert finding["next"] == f"stack {runner['goid']}"


@pytest.mark.parametrize("mode", ["plain", "stripped"])
@pytest.mark.parametrize("go", GO_VERSIONS)
def test_blocked(go: str, mode: str) -> None:
    check_blocked(Finalizers(CORES.make(BLOCKED, go, mode=mode)))


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_blocked_repaired(go: str) -> None:
    found = fixed(BLOCKED, go)
    assert not found.report["findings"]
    assert found.summary["queued_finalizers"] == found.summary["busy_goroutines"] == 0


def test_text() -> None:
    made = CORES.make(BLOCKED, NEWEST)
    text = spanwalk("finalizers", made.core, "--exe", made.exe).stdout
    assert text.startswith("Goroutine ")
    first = text.splitlines()[0]
    assert first.endswith(
        ", which runs finalizers, is blocked in one of them: 100 others wait behind it."
    )
    assert "main.(*handle).report (main.go:" in text


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_everything(go: str) -> None:
    """A large object holds itself by a pointer from one piece of it to another."""
    found = Finalizers(CORES.make("finalizers", go))
    big = found.never("finalizer", "main.bigSelf")
    assert len(big) == 5 == len(found.tables["never_freed"])
    assert {row["path"] for row in big} == {None}
    assert all(row["lost"] and row["retained_bytes"] > 300 << 10 for row in big)
    assert found.summary["queued_finalizers"] == 51
    resources = found.function("main.ordinary.func1.1")
    assert (resources["set"], resources["type"]) == (100, "main.resource")

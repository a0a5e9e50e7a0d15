"""fds against what programs have opened, lost and closed.

Each program states what it has; with -fixed it has nothing that fds finds fault with.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, CORES, GO_VERSIONS, NEWEST, ROOT, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

PROGRAMS = ["leaked-files", "idle-connections", "database-rows", "sockets", "event-streams"]


def fds(made: Any, *words: object) -> dict[str, Any]:
    found = report("fds", made.core, made.exe, "--limit", 0, *words)
    assert found["complete"], found["warnings"]
    return found


def make(program: str, go: str, mode: str = "plain", arch: str = "amd64") -> Any:
    return CORES.make(f"owners/{program}", go, mode=mode, arch=arch)


def codes(found: dict[str, Any]) -> dict[str, int]:
    """What is found, and how many of it: the one number of the evidence."""
    return {f["code"]: next(iter(f["evidence"].values())) for f in found["findings"]}


def grades(found: dict[str, Any]) -> dict[str, str]:
    return {f["code"]: f["grade"] for f in found["findings"]}


CELLS = [(go, mode) for go in GO_VERSIONS for mode in ("plain", "stripped")]


# ---- files ----


def check_files(found: dict[str, Any], facts: dict[str, Any], dropped: str) -> None:
    """`dropped` is who keeps the files that the program will have dropped."""
    rows = found["tables"]["descriptors"]
    held = [row for row in rows if row["state"] == "open"]
    assert len(held) == facts["open_files"] + facts["stale_files"] + facts["shared_files"]
    assert len({row["descriptor"] for row in held}) == len(held) - facts["shared_files"]
    assert found["summary"]["shared_descriptors"] == facts["shared_files"]
    assert len([row for row in rows if row["state"] == "closed"]) == facts["closed_files"]
    assert all(row["descriptor"] is None for row in rows if row["state"] == "closed")
    assert {row["kind"] for row in rows} == {"file"}
    names = {row["name"]: row for row in held}
    for i in range(facts["spooled_files"]):
        row = names[f"upload-{i:03d}.part"]
        assert row["kept_by"] == "program"
        assert row["retained_bytes"] > 0
    for i in range(facts["dropped_files"]):
        assert names[f"header-{i}"]["kept_by"] == dropped


def number_of(found: dict[str, Any], name: str) -> int:
    """The descriptor of a file."""
    rows = found["tables"]["descriptors"]
    return next(int(row["descriptor"]) for row in rows if row.get("name") == name)


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_files(go: str, mode: str) -> None:
    made = make("leaked-files", go, mode)
    facts = made.truth["facts"]
    found = fds(made)
    check_files(found, facts, "nobody")
    assert codes(found) == {
        "lost_descriptors": facts["dropped_files"],
        "shared_descriptor": number_of(found, "twin"),
        "many_open_files": facts["spooled_files"],
    }
    assert grades(found)["lost_descriptors"] == "P1"
    assert found["summary"]["lost_descriptors"] == facts["dropped_files"]
    if mode == "plain":
        paths = {row["name"]: row["held_by"] for row in found["tables"]["descriptors"]}
        assert paths["upload-007.part"] == 'main.spool["upload-007.part"].file.file'
        assert paths["/dev/stdin"] == "os.Stdin.file"
        assert paths["stale"] == "main.stale.file"


@pytest.mark.parametrize("many", [120, 121])
def test_many(many: int) -> None:
    """--many decides from how many files of one holder on there is a finding."""
    found = fds(make("leaked-files", NEWEST), "--many", many)
    assert ("many_open_files" in codes(found)) == (many == 120)


# ---- HTTP ----


def hosts(facts: dict[str, Any]) -> list[str]:
    return [facts[f"host{i}"] for i in range(3)]


def check_connections(found: dict[str, Any], facts: dict[str, Any]) -> None:
    tenants, probes = facts["tenant_connections"], facts["probe_connections"]
    archived, lost = facts["archived_bodies"], facts["lost_bodies"]
    rows = [row for row in found["tables"]["connections"] if row["side"] == "client"]
    idle: Counter[tuple[str, str]] = Counter()
    owners: Counter[tuple[str, str]] = Counter()
    for row in rows:
        assert row["owner_type"] == "http.Transport"
        assert row["active"] == row["waiting"] == 0
        idle[row["host"], row["kept_by"]] += row["idle"]
        owners[row["host"], row["kept_by"]] += 1
    first, second, third = hosts(facts)
    assert idle == {(first, "program"): tenants + 2, (second, "library"): probes} | {
        (third, "program"): 0
    }
    assert owners == {(first, "program"): tenants + 1, (second, "library"): probes} | {
        (third, "program"): 1
    }
    bodies = {row["host"]: row["unread_bodies"] for row in rows if row["unread_bodies"]}
    assert bodies == {third: archived + lost}
    assert {row["host"]: row["lost_bodies"] for row in rows if row["lost_bodies"]} == {third: lost}


def check_servers(found: dict[str, Any], facts: dict[str, Any]) -> None:
    """Each connection has its other end in the same process."""
    tables = found["tables"]
    served = {f"http://{r['host']}": r for r in tables["connections"] if r["side"] == "server"}
    clients: Counter[str] = Counter()
    for row in tables["connections"]:
        if row["side"] == "client":
            clients[row["host"]] += row["idle"] + row["unread_bodies"]
    assert set(served) == set(hosts(facts))
    for host, row in served.items():
        assert row["owner_type"] == "http.Server"
        assert row["idle"] + row["active"] + row["new"] == clients[host]
    sockets = [row for row in tables["descriptors"] if row["kind"] == "socket"]
    ends = Counter((row["local"], row["remote"]) for row in sockets)
    assert ends == Counter((row["remote"], row["local"]) for row in sockets)
    assert found["summary"]["sockets"] == 2 * clients.total()
    listeners = [row for row in tables["descriptors"] if row["kind"] == "listener"]
    assert {f"http://{row['local']}" for row in listeners} == set(hosts(facts))


def check_bodies(found: dict[str, Any], facts: dict[str, Any]) -> None:
    rows = found["tables"]["unclosed"]
    kept = [row for row in rows if row["kept_by"] == "program"]
    assert len(kept) == facts["archived_bodies"]
    assert {row["what"] for row in kept} == {"response body"}
    lost = [row for row in rows if row["kept_by"] in ("nobody", "library")]
    assert len(lost) == facts["lost_bodies"]
    assert {row["of"] for row in rows} == {facts["host2"]}
    assert len({row["of_address"] for row in rows}) == len(rows) == len(kept) + len(lost)


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_connections(go: str, mode: str) -> None:
    made = make("idle-connections", go, mode)
    facts = made.truth["facts"]
    found = fds(made)
    check_connections(found, facts)
    check_servers(found, facts)
    check_bodies(found, facts)
    assert codes(found) == {
        "lost_transports": facts["probe_connections"],
        "lost_bodies": facts["lost_bodies"],
        "unread_bodies": facts["archived_bodies"],
        "many_idle_connections": facts["tenant_connections"] + 2,
    }
    if mode == "plain":
        paths = {row["held_by"] for row in found["tables"]["connections"]}
        assert 'main.tenants["tenant-3"].client.Transport' in paths
        assert "main.archive[1].Body" in {row["held_by"] for row in found["tables"]["unclosed"]}


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_streams(go: str, mode: str) -> None:
    """Of HTTP/2 one connection has all requests."""
    made = make("event-streams", go, mode)
    found = fds(made)
    client, server = found["tables"]["connections"]
    assert client["host"] == f"https://{made.truth['facts']['address']}"
    assert client["protocol"] == "HTTP/2"
    assert (client["idle"], client["active"]) == (0, 1)
    assert client["streams"] == made.truth["facts"]["streams"] > 1
    assert server["host"] == made.truth["facts"]["address"]
    assert found["summary"]["tls_connections"] == 2
    assert found["findings"] == []


# ---- databases ----


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_databases(go: str, mode: str) -> None:
    made = make("database-rows", go, mode)
    facts = made.truth["facts"]
    found = fds(made)
    orders, reports = sorted(found["tables"]["databases"], key=lambda row: -row["open"])
    for name, row in (("orders", orders), ("reports", reports)):
        for key in ("open", "in_use", "idle", "wait_count"):
            assert row[key] == facts[f"{name}_{key}"], key
        assert (row["max_open"] or 0) == facts[f"{name}_max_open"]
        assert row["driver"] == "main.fakeDriver"
        assert row["statements"] == 0
    lost = facts["dropped_rows"] + facts["cancelled_rows"]
    assert (orders["waiters"], reports["waiters"]) == (facts["waiters"], 0)
    assert (orders["lost_connections"], reports["lost_connections"]) == (lost, 0)
    assert orders["unclosed_rows"] == facts["cursors"] + facts["cancelled_rows"]
    assert (orders["transactions"], reports["transactions"]) == (facts["open_transactions"], 0)
    assert reports["unclosed_rows"] == reports["in_use"] == 1
    kept = Counter((r["what"], r["kept_by"]) for r in found["tables"]["unclosed"])
    assert kept == {
        ("sql.Rows", "program"): facts["cursors"],
        ("sql.Rows", "library"): facts["cancelled_rows"],
        ("sql.Rows", "goroutine"): 1,
        ("sql.Tx", "program"): facts["open_transactions"],
        ("connection in use", "nobody"): facts["dropped_rows"],
    }
    assert codes(found) == {
        "database_exhausted": facts["waiters"],
        "lost_rows": lost,
        "unclosed_rows": facts["cursors"] + facts["open_transactions"],
    }


# ---- sockets ----


def check_sockets(found: dict[str, Any], facts: dict[str, Any]) -> None:
    rows = found["tables"]["descriptors"]
    sockets = [row for row in rows if row["kind"] == "socket"]
    listeners = {row["net"]: row for row in rows if row["kind"] == "listener"}
    assert {row["state"] for row in rows} == {"open"}
    assert Counter(row["net"] for row in sockets) == {
        "tcp": facts["tcp"],
        "unix": facts["unix"],
        "udp": 1,
    }
    assert listeners["tcp"]["local"] == facts["listen_tcp"]
    assert listeners["unix"]["local"] == facts["listen_unix"]
    assert len(listeners) == facts["listeners"]
    assert [row["local"] for row in sockets if row["net"] == "udp"] == [facts["udp"]]
    by_local = {row["local"]: row for row in sockets}
    assert by_local[facts["client_local"]]["remote"] == facts["client_remote"]
    assert by_local[facts["client_local"]]["type"] == "net.TCPConn"
    secure = by_local[facts["tls_local"]]
    assert secure["type"] == "tls.Conn"
    assert secure["tls"]["client"]
    assert secure["tls"]["established"]
    tls = [row["tls"] for row in rows if "tls" in row]
    assert Counter(t["client"] for t in tls) == {True: 1, False: facts["tls"] - 1}
    assert len([row for row in rows if row["kind"] == "file"]) == facts["files"]
    waiting = {row["what"]: w["call"] for row in rows for w in row.get("waiting", [])}
    assert len(waiting) == facts["readers"]
    assert waiting[f"tcp {facts['listen_tcp']}"] == "Accept"
    assert waiting[f"tcp {facts['listen_tcp']} -> {facts['client_local']}"] == "Read"
    assert waiting["file |0"] == "Read"
    assert found["findings"] == []


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_sockets(go: str, mode: str) -> None:
    made = make("sockets", go, mode)
    check_sockets(fds(made), made.truth["facts"])


# ---- repaired, arm64, live ----


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_repaired(program: str, go: str) -> None:
    """The same program without its fault: nothing is found."""
    made = repaired(f"owners/{program}", go)
    found = fds(made)
    assert found["findings"] == []
    lost = {k: v for k, v in found["summary"].items() if k.startswith("lost") and v}
    assert lost == {}
    if program == "leaked-files":
        assert found["summary"]["open_descriptors"] == made.truth["facts"]["open_files"]
    if program == "idle-connections":
        assert found["summary"]["idle_connections"] > 0
        assert found["summary"]["unread_bodies"] == 0


def test_arm64() -> None:
    made = make("leaked-files", NEWEST, arch="arm64")
    check_files(fds(made), made.truth["facts"], "nobody")
    made = make("sockets", NEWEST, "stripped", "arm64")
    check_sockets(fds(made), made.truth["facts"])


def open_now(pid: int) -> set[int]:
    return {int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir()}


def check_process(found: dict[str, Any], facts: dict[str, Any], pid: int) -> None:
    summary = found["summary"]
    rows = found["tables"]["descriptors"]
    unowned = found["tables"]["unowned"]
    assert summary["process_descriptors"] == len(open_now(pid))
    assert summary["stale_descriptors"] == facts["stale_files"]
    stale = [row for row in rows if row["open_in_process"] is False and row["descriptor"]]
    assert [row["name"] for row in stale] == ["stale"]
    owned = {row["descriptor"] for row in rows if row["open_in_process"]}
    assert owned | {row["descriptor"] for row in unowned} == open_now(pid)
    raw = [row for row in unowned if not row["runtime"]]
    assert [row["leads_to"] for row in raw] == ["/dev/null"] * facts["raw_descriptors"]
    kinds = Counter(row["kind"] for row in unowned if row["runtime"])
    assert kinds["epoll"] == 1
    assert kinds["eventfd"] + kinds["pipe"] / 2 == 1
    assert summary["descriptor_limit"] > 0


@pytest.mark.parametrize(("go", "mode"), CELLS)
def test_process(go: str, mode: str, start: Callable[..., Any]) -> None:
    """What the process has open beside what Go code owns."""
    process = start("owners/leaked-files", go, mode=mode)
    facts = process.truth["facts"]
    words = ("fds", "--pid", process.pid, "--limit", 0, "--json")
    found = spanwalk(*words).report
    assert found["complete"], found["warnings"]
    check_files(found, facts, "program")
    check_process(found, facts, process.pid)
    assert codes(found) == {
        "stale_descriptor": number_of(found, "stale"),
        "shared_descriptor": number_of(found, "twin"),
        "many_open_files": facts["spooled_files"],
        "unowned_descriptors": facts["raw_descriptors"],
    }


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired_process(go: str, start: Callable[..., Any]) -> None:
    process = start("owners/leaked-files", go, args=["-fixed"])
    found = spanwalk("fds", "--pid", process.pid, "--json").report
    assert found["findings"] == []
    assert found["summary"]["unowned_descriptors"] == 0


def test_limit(start: Callable[..., Any]) -> None:
    """Near RLIMIT_NOFILE the next open fails."""
    process = start("owners/leaked-files", NEWEST)
    count = len(open_now(process.pid))
    for share, grade in ((0.5, None), (0.85, "P1"), (0.99, "P0")):
        limit = int(count / share)
        pid = str(process.pid)
        subprocess.run(["prlimit", "--pid", pid, f"--nofile={limit}:"], check=True)
        found = spanwalk("fds", "--pid", process.pid, "--json").report
        assert grades(found).get("descriptor_limit") == grade
        assert found["summary"]["descriptor_limit"] == limit


def test_debugger(start: Callable[..., Any], tmp_path: Path) -> None:
    """A process that a debugger holds has its descriptors compared too."""
    process = start("owners/leaked-files", NEWEST)
    out = tmp_path / "report.json"
    commands = [f"source {ROOT}/gdb/spanwalk_gdb.py", f"fds --limit 0 --json --output {out}"]
    script = [word for command in commands for word in ("-ex", command)]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(process.pid), *script],
        env=os.environ | {"SPANWALK_BUILD": str(BUILD)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert out.exists(), done.stdout + done.stderr
    check_process(json.loads(out.read_text()), process.truth["facts"], process.pid)

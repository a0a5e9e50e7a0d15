"""A server that was not written for these tests: etcd, held against what it says of itself.

The server is built from servers/etcd once, by the Go module proxy and with the newest release of
Go; it serves on the loopback interface, is given some hundred keys, tells what a collection left
in its heap, and a core is taken at once.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import BUILD, NEWEST, report

pytestmark = pytest.mark.needs_go

SOURCES = Path(__file__).resolve().parent / "servers" / "etcd"
KEYS = 400
VALUE_BYTES = 8 << 10
READY_SECONDS = 30


class Taken(NamedTuple):
    """A core of the server, and what the server said just before."""

    exe: Path
    core: Path
    heap_alloc: int
    heap_objects: int


def build_server() -> Path:
    """The server's executable, built when its sources or the release of Go changed."""
    folder = BUILD / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    exe, stamp = folder / "etcd", folder / "etcd.key"
    key = hashlib.sha256(NEWEST.encode())
    for source in ("main.go", "go.mod", "go.sum"):
        key.update((SOURCES / source).read_bytes())
    if exe.exists() and stamp.exists() and stamp.read_text() == key.hexdigest():
        return exe
    environment = os.environ | {
        "GOTOOLCHAIN": f"go{NEWEST}",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
    }
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(exe), "."]
    done = subprocess.run(
        command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    stamp.write_text(key.hexdigest())
    return exe


def free_ports() -> tuple[int, int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


@contextmanager
def serving(exe: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server while it runs, and the port for its clients."""
    port, peers = free_ports()
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    command = [
        *(str(exe), "--name", "one", "--data-dir", str(folder / "data")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"one={peer}", "--unsafe-no-fsync", "--enable-pprof"),
        *("--log-level", "error"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if b"true" in ask(port, "GET", "/health"):
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail("the server does not serve: " + (folder / "log").read_text()[-2000:])


def ask(port: int, method: str, path: str, body: dict[str, str] | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data
    finally:
        connection.close()


def put_keys(port: int) -> None:
    for number in range(KEYS):
        value = f"{number:08d}".encode() * (VALUE_BYTES // 8)
        pair = {"key": f"/tests/key{number:04d}".encode(), "value": value}
        body = {name: base64.b64encode(data).decode() for name, data in pair.items()}
        ask(port, "POST", "/v3/kv/put", body)


def ask_heap(port: int) -> dict[str, int]:
    """What the server reads from its runtime right after a collection."""
    text = ask(port, "GET", "/debug/pprof/heap?gc=1&debug=1").decode(errors="replace")
    return {name: int(value) for name, value in re.findall(r"^# (\w+) = (\d+)$", text, re.M)}


def take_core(pid: int, core: Path) -> None:
    command = ["gdb", "-nx", "-batch", "-iex", "set auto-load no", "-p", str(pid)]
    done = subprocess.run(
        [*command, "-ex", f"gcore {core}"], capture_output=True, text=True, check=False
    )
    assert core.exists(), done.stdout + done.stderr


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("etcd")
    exe = build_server()
    with serving(exe, folder) as (process, port):
        wait_until_ready(process, port, folder)
        put_keys(port)
        heap = ask_heap(port)
        take_core(process.pid, folder / "core")
    yield Taken(exe, folder / "core", heap["HeapAlloc"], heap["HeapObjects"])
    shutil.rmtree(folder)


def test_live_bytes(taken: Taken) -> None:
    """What is found live is what the server itself reported after a collection."""
    heap = report("heap", taken.core, taken.exe)
    assert heap["complete"], heap["warnings"]
    live = heap["summary"]["live_bytes"]
    # A busy machine has time for another collection, which frees what start-up left behind.
    assert live <= 1.02 * taken.heap_alloc
    assert live + heap["summary"]["garbage_bytes"] >= 0.85 * taken.heap_alloc
    assert heap["summary"]["live_objects"] == pytest.approx(taken.heap_objects, rel=0.02)


def test_marks(taken: Taken) -> None:
    """Slot by slot the runtime's own marks agree, but for what is explained."""
    summary = report("verify", taken.core, taken.exe)["summary"]
    differing = summary["only_replay_objects"] + summary["only_runtime_objects"]
    unexplained = differing - summary["explained_objects"]
    assert unexplained < summary["replay_objects"] / 100, summary


def test_who_holds_it(taken: Taken) -> None:
    """Nothing is lost between the roots, and each path begins with the root's name."""
    leak_roots = report("leak-roots", taken.core, taken.exe, "--limit", 0)
    tables = leak_roots["tables"]
    rows = [*tables["roots"], *tables["shared"]]
    assert sum(row["retained_bytes"] for row in rows) == leak_roots["summary"]["live_bytes"]

    piled = [row for row in tables["roots"] if row["accumulation"].get("address")]
    largest = max(piled, key=lambda row: row["accumulation"]["bytes"])
    address = largest["accumulation"]["address"]
    holds = report("who-holds", taken.core, taken.exe, address)
    paths: list[dict[str, Any]] = holds["tables"]["paths"]
    assert any(path["expression"].startswith(largest["root"]) for path in paths), paths


def test_types(taken: Taken) -> None:
    """Nearly all of a real heap gets a type, and the server's own types are among them."""
    types = report("heap-types", taken.core, taken.exe, "--limit", 0)
    summary = types["summary"]
    assert summary["typed_bytes"] > 0.9 * summary["live_bytes"], summary
    assert any("mvcc." in row["type"] for row in types["tables"]["types"])

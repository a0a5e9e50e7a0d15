"""HTTP load on the test server `busy`, and what /proc says of a process."""

from __future__ import annotations

import http.client
import threading
import time
from pathlib import Path
from types import TracebackType

CLIENTS = 4
PATIENCE = 30  # seconds that a request may take


class Load:
    """Clients that ask one request after the other, over connections that stay open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.failures: list[str] = []
        self.longest_seconds = 0.0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._clients = [threading.Thread(target=self._ask, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        for client in self._clients:
            client.join()

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self._end.is_set():
            begin = time.monotonic()
            try:
                connection.request("GET", f"/client/{number}")
                body = connection.getresponse().read()
                failure = "" if body.startswith(b"ok ") else f"unexpected answer {body[:50]!r}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
                connection.close()
            with self._lock:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - begin)
                if failure:
                    self.failures.append(failure)
                else:
                    self.answered += 1
            time.sleep(0.002)
        connection.close()

    def check(self) -> None:
        """Nothing was lost, and the server still answers."""
        before = self.answered
        end = time.monotonic() + PATIENCE
        while self.answered < before + CLIENTS and time.monotonic() < end:
            time.sleep(0.005)
        assert not self.failures, self.failures[:5]
        assert self.answered >= before + CLIENTS, "the server answers no more"


def status(pid: int, tid: int) -> dict[str, str]:
    """The lines of /proc/PID/task/TID/status; empty for a thread that has ended."""
    try:
        text = Path(f"/proc/{pid}/task/{tid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def threads(pid: int) -> dict[int, tuple[str, int]]:
    """State and tracer of each thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = status(pid, int(task.name))
        if lines:
            found[int(task.name)] = (lines["State"].strip()[0], int(lines["TracerPid"]))
    return found


def stopped(pid: int) -> dict[int, tuple[str, int]]:
    """The threads that are stopped (T) or traced (t)."""
    return {tid: of for tid, of in threads(pid).items() if of[0] in "Tt" or of[1]}


def check_running(pid: int, patience: float = 0) -> None:
    """No thread is stopped or traced, now or within the patience (seconds)."""
    end = time.monotonic() + patience
    left = stopped(pid)
    while left and time.monotonic() < end:
        time.sleep(0.002)
        left = stopped(pid)
    assert not left, left


class Watch:
    """Measures for how long a process is traced, from outside."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.traced_seconds = 0.0
        self._end = threading.Event()
        self._watcher = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._watcher.join()

    def _look(self) -> None:
        before = time.monotonic()
        while not self._end.wait(0.005):
            now = time.monotonic()
            if status(self.pid, self.pid).get("TracerPid", "0").strip() != "0":
                self.traced_seconds += now - before
            before = now

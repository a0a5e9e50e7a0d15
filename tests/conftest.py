"""What the tests share: the program under test, and programs with a known heap.

SPANWALK_GO names the releases of Go to test with (spaces between them); by default an old one and
the newest. Every release has its turn in tests/compat. A test that needs something that this
machine lacks fails; only SPANWALK_NO_GO=1 leaves out, aloud, what needs a Go toolchain.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("SPANWALK_BUILD", ROOT / "build"))
PROGRAM = BUILD / "spanwalk"


def load_cores() -> ModuleType:
    """cores/build as a module."""
    loader = importlib.machinery.SourceFileLoader("cores_build", str(ROOT / "cores" / "build"))
    spec = importlib.util.spec_from_loader("cores_build", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


CORES = load_cores()
GO_VERSIONS = os.environ.get("SPANWALK_GO", f"{CORES.VERSIONS[0]} {CORES.VERSIONS[-1]}").split()
NEWEST = GO_VERSIONS[-1]


def minor(go: str) -> int:
    """27 of "1.27.4"."""
    return int(go.split(".")[1])


def repaired(program: str, go: str, mode: str = "plain") -> Any:
    """A run of a program's twin that lacks its fault."""
    parts = [CORES.default_name(program, go), *([] if mode == "plain" else [mode]), "fixed"]
    return CORES.make(program, go, mode=mode, args=["-fixed"], name="-".join(parts))


# Two workers may mark an object at once, and both count it: a few objects in a collection.
TWICE_BYTES = 64 << 10


class Result(NamedTuple):
    """One run of the program."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.stdout)
        return report


def spanwalk(*words: object, timeout: float = 300, status: int | None = 0) -> Result:
    """Runs the program; `status` is what it must exit with (None: anything)."""
    command = [str(PROGRAM), *map(str, words)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if status is not None:
        assert done.returncode == status, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Result(done.returncode, done.stdout, done.stderr)


def report(command: str, core: Path, exe: Path, *words: object, **options: Any) -> dict[str, Any]:
    """The JSON report of a command on a core."""
    return spanwalk(command, core, "--exe", exe, "--json", *words, **options).report


@pytest.fixture(scope="session")
def cores() -> ModuleType:
    return CORES


@pytest.fixture
def start(cores: ModuleType) -> Iterator[Callable[..., Any]]:
    """Starts programs with cores/build's run(); they end with the test."""
    running: list[Any] = []

    def run(*args: Any, **options: Any) -> Any:
        running.append(cores.run(*args, **options))
        return running[-1]

    yield run
    for process in running:
        process.stop()


def needs_go() -> bool:
    return os.environ.get("SPANWALK_NO_GO") != "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what needs Go when SPANWALK_NO_GO=1 says so."""
    if needs_go():
        return
    left_out = pytest.mark.skip(reason="SPANWALK_NO_GO=1: needs a Go toolchain")
    for item in items:
        if item.get_closest_marker("needs_go"):
            item.add_marker(left_out)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_go: builds a Go program")

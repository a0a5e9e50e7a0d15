"""The texts in native/go/wait_reason.c are those in runtime/runtime2.go of every release."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import CORES, ROOT

pytestmark = pytest.mark.needs_go

SOURCE = ROOT / "native" / "go" / "wait_reason.c"
RELEASES = sorted({*CORES.VERSIONS, *CORES.FIRST_PATCHES})


def known() -> dict[int, list[str]]:
    """The arrays of the source, by the minor release from which on they hold."""
    arrays = re.findall(r"go1_(\d+)\[\] = \{(.*?)\};", SOURCE.read_text(), re.DOTALL)
    return {int(minor): re.findall(r'"(.*?)"', texts) for minor, texts in arrays}


def runtime_source(go: str) -> str:
    """runtime2.go of a release; the toolchain is had as the go command has it."""
    environment = os.environ | {"GOTOOLCHAIN": f"go{go}", "GO111MODULE": "on"}
    done = subprocess.run(
        ["go", "env", "GOROOT"],
        env=environment,
        cwd=CORES.PROGRAMS,
        capture_output=True,
        text=True,
        check=True,
    )
    root = Path(done.stdout.strip())
    assert (root / "VERSION").read_text().split()[0] == f"go{go}"
    return (root / "src" / "runtime" / "runtime2.go").read_text()


def texts_of(source: str) -> list[str]:
    """The constants in their order, and the text of each."""
    constants = re.search(r"^\twaitReasonZero .*?^\)", source, re.MULTILINE | re.DOTALL)
    strings = re.search(r"waitReasonStrings = .*?^\}", source, re.MULTILINE | re.DOTALL)
    assert constants
    assert strings
    order = re.findall(r"^\t(waitReason\w+)", constants[0], re.MULTILINE)
    text = dict(re.findall(r'(waitReason\w+):\s+"(.*?)"', strings[0]))
    assert len(text) == len(order)
    return [text[name] for name in order]


@pytest.mark.parametrize("go", RELEASES)
def test_release(go: str) -> None:
    minor = int(go.split(".")[1])
    since = max(m for m in known() if m <= minor)
    # What later releases append does not matter to earlier ones.
    texts = texts_of(runtime_source(go))
    assert known()[since][: len(texts)] == texts

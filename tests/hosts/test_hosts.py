"""One script of commands in every host gives the same text, on a core and live.

The program, GDB and the Python module must all be there: a host that is missing fails.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import BUILD, CORES, NEWEST, ROOT, spanwalk

pytestmark = pytest.mark.needs_go

# On the core of the gateway, and live on lists, which does nothing by itself.
SCRIPT = [
    ["heap"],
    ["verify"],
    ["heap-types", "--limit", "8"],
    ["leak-roots", "--limit", "4"],
    ["leak-roots", "--by", "package", "--limit", "3"],
    ["leak-roots", "--by=type", "--json", "--limit=2"],
    ["find", "TYPE", "--limit", "3"],
    ["who-holds", "OBJECT"],
    ["retained", "OBJECT"],
]


def module() -> ModuleType:
    path = BUILD / "spanwalk.abi3.so"
    loader = importlib.machinery.ExtensionFileLoader("spanwalk", str(path))
    spec = importlib.util.spec_from_loader("spanwalk", loader)
    assert spec
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def made() -> Any:
    return CORES.make(
        "gateway", NEWEST, args=["-requests", "300"], name=f"gateway-small-go{NEWEST}"
    )


def script_for(type_name: str, *target: object) -> list[list[str]]:
    """The script with the name of a type, and the address of an object of it."""
    found = spanwalk("find", *target, type_name, "--json", "--limit", 1).report
    names = {
        "TYPE": type_name.replace("a", "?"),
        "OBJECT": found["tables"]["objects"][0]["address"],
    }
    return [[names.get(word, word) for word in words] for words in SCRIPT]


def by_program(script: list[list[str]], *target: object) -> list[str]:
    return [spanwalk(words[0], *target, *words[1:]).stdout for words in script]


def by_gdb(
    script: list[list[str]], arguments: list[str], directory: Path, prefix: str = ""
) -> list[str]:
    outputs = [directory / f"gdb-{number}" for number in range(len(script))]
    lines = ["set pagination off", f"source {ROOT / 'gdb' / 'spanwalk_gdb.py'}"]
    for words, output in zip(script, outputs, strict=True):
        # GDB has a command find of its own.
        own = "spanwalk " if words[0] == "find" and not prefix else prefix
        quoted = " ".join(f"'{word}'" if "?" in word else word for word in words)
        lines.append(f"{own}{quoted} --output {output}")
    script_file = directory / "script.gdb"
    script_file.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-x", str(script_file), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert all(output.exists() for output in outputs), done.stdout + done.stderr
    return [output.read_text() for output in outputs]


def by_python(script: list[list[str]], **target: Any) -> list[str]:
    texts = []
    with module().open(**target) as session:
        for words in script:
            report = session.run(*words)
            texts.append(report.json() if "--json" in words else report.text())
    return texts


def same(texts: list[str]) -> list[str]:
    """Without what a host may say otherwise: how the target is named and how long it stood."""
    target = r'("(path|pid|exe|stopped_seconds)": )[^\n]*'
    return [re.sub(target, r"\1…", text).rstrip("\n") for text in texts]


def test_core(made: Any, tmp_path: Path) -> None:
    script = script_for("tagcache.tagSet", made.core, "--exe", made.exe)
    program = same(by_program(script, made.core, "--exe", made.exe))
    assert same(by_gdb(script, [str(made.exe), str(made.core)], tmp_path)) == program
    assert same(by_gdb(script, [str(made.exe), str(made.core)], tmp_path, "spanwalk ")) == program
    assert same(by_python(script, core=str(made.core), exe=str(made.exe))) == program


def test_live(start: Callable[..., Any], tmp_path: Path) -> None:
    process = start("lists", NEWEST)
    script = script_for("main.tree", "--pid", process.pid)
    program = same(by_program(script, "--pid", process.pid))
    assert same(by_gdb(script, ["-p", str(process.pid)], tmp_path)) == program
    assert same(by_python(script, pid=process.pid)) == program
    assert process.command("gc")["program"] == "lists"  # it goes on


def test_gdb_errors_are_plain(made: Any) -> None:
    """No traceback, the hint is shown, and GDB goes on."""
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-ex", f"source {ROOT / 'gdb' / 'spanwalk_gdb.py'}"]
        + ["-ex", "heap --nope", "-ex", "who-holds 0x10", "-ex", "print 6 * 7"]
        + [str(made.exe), str(made.core)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("hint: ") >= 1 and "$1 = 42" in done.stdout, done.stdout + done.stderr


def test_gdb_expression_as_address(made: Any, tmp_path: Path) -> None:
    address = script_for("tagcache.tagSet", made.core, "--exe", made.exe)[-1][1]
    output = tmp_path / "out"
    subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-ex", f"source {ROOT / 'gdb' / 'spanwalk_gdb.py'}"]
        + ["-ex", f"set $o = {address}", "-ex", f"retained $o+8 --output {output}"]
        + [str(made.exe), str(made.core)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert address in output.read_text()

"""One suite of command scripts in every host, on cores and on a process: the program, the Python
module, GDB and every LLDB say the same, byte for byte, and end with the same status.

scripts/*.txt have a command a line; `#` begins a comment. TYPE, OBJECT and GOID stand for a type of
the target, the address of one of its objects and one of its goroutines, FILE for a file of the
host's own, whose contents are part of what it says. Every command has a line of its own, one with
--json and one with --help; a host that is missing fails (debuggers.py).
"""

from __future__ import annotations

import difflib
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import CORES, NEWEST, spanwalk
from debuggers import LLDBS, Answer, by_gdb, by_lldb
from test_module import module

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.txt"))
LINES = [
    line
    for script in SCRIPTS
    for line in script.read_text().splitlines()
    if line and not line.startswith("#")
]
# What GDB and LLDB have a command of their own for.
TAKEN = {"gdb": {"find"}, "lldb": set()}


class Target(NamedTuple):
    program: list[str]  # the program's words for it
    python: dict[str, Any]
    gdb: list[str]
    lldb: list[str]
    prefix: str  # before each command in a debugger: "" or "spanwalk "
    names: dict[str, str]  # what TYPE, OBJECT and GOID stand for


def names(type_name: str, goid: int, *target: str) -> dict[str, str]:
    found = spanwalk("find", *target, type_name, "--json", "--limit", 1).report
    address = found["tables"]["objects"][0]["address"]
    return {"TYPE": type_name, "OBJECT": address, "GOID": str(goid)}


def core_of(made: Any, *named: Any) -> Target:
    """Under the commands' own names."""
    exe, core = str(made.exe), str(made.core)
    return Target(
        program=[core, "--exe", exe],
        python={"core": core, "exe": exe},
        gdb=[exe, core],
        lldb=[exe, "--core", core],
        prefix="",
        names=names(*named, core, "--exe", exe),
    )


@pytest.fixture(scope="module")
def server() -> Target:
    return core_of(CORES.unpack("gateway-go1.26.11"), "tagcache.tagSet", 1)


@pytest.fixture(scope="module")
def goroutines() -> Target:
    return core_of(CORES.make("channels", NEWEST), "main.message", 100)


def rest(pid: str) -> None:
    """Waits until the runtime has given back what memory it wants to."""
    for _ in range(300):
        rows = spanwalk("goroutines", "--pid", pid, "--list", "--system", "--limit", 0, "--json")
        reasons = {row["wait_reason"] for row in rows.report["tables"]["goroutines"]}
        if "GC scavenge wait" in reasons:
            return
        time.sleep(0.1)
    raise AssertionError("the scavenger finds no end")


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    """At rest; as `spanwalk COMMAND`."""
    with CORES.run("channels", NEWEST) as running:
        pid = str(running.pid)
        rest(pid)
        yield Target(
            program=["--pid", pid],
            python={"pid": running.pid},
            gdb=["-p", pid],
            lldb=["-p", pid],
            prefix="spanwalk ",
            names=names("main.message", 100, "--pid", pid),
        )
        assert running.command("gc")["program"] == "channels"  # it goes on


NEEDS_GO = [pytest.param(name, marks=pytest.mark.needs_go) for name in ("goroutines", "process")]


@pytest.fixture(scope="module", params=["server", *NEEDS_GO])
def target(request: pytest.FixtureRequest) -> Target:
    return request.getfixturevalue(request.param)


def lines_for(target: Target, at: Path) -> list[str]:
    made = []
    for number, line in enumerate(LINES):
        for name, text in {**target.names, "FILE": str(at / f"output-{number}")}.items():
            line = re.sub(rf"\b{name}\b", text, line)
        made.append(line)
    return made


def lines_in(debugger: str, target: Target, at: Path) -> list[str]:
    def typed(line: str) -> str:
        is_taken = line.split()[0] in TAKEN[debugger]
        return ("spanwalk " if is_taken else target.prefix) + line

    return [typed(line) for line in lines_for(target, at)]


# ---- what each host says ----


def with_files(answers: list[Answer], at: Path) -> list[Answer]:
    """With what was written to files."""
    made = []
    for number, answer in enumerate(answers):
        file = at / f"output-{number}"
        text = answer.text + (f"<file>\n{file.read_text()}" if file.exists() else "")
        made.append(answer._replace(text=text))
    return made


@pytest.fixture(scope="module")
def program(target: Target, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    at = tmp_path_factory.mktemp("program")
    made = []
    for line in lines_for(target, at):
        command, *words = shlex.split(line)
        done = spanwalk(command, *target.program, *words, status=None)
        made.append(Answer(done.stdout, done.stderr, done.status))
    return with_files(made, at)


def at_prompt(text: str) -> str:
    """A program's help or usage as at a prompt, where there is a target already."""
    parts = [part for part in text.split("\n\n") if not part.startswith(("TARGET ", "exit status"))]
    text = "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
    return re.sub(r"\bspanwalk (?=[a-z])|(?<=\S) (TARGET|app\.core)\b", "", text)


def without_time(text: str) -> str:
    """Hosts look at a process one after the other, and its goroutines wait on."""
    text = re.sub(r"(\d[\d.]* (ms|s|min|h)\b ?)+", "… ", text)
    text = re.sub(r'("\w+_seconds": )[^,\n]*', r"\1…", text)
    return re.sub(r" +", " ", text)


def form(text: str) -> str:
    """What a moving scheduler leaves as it is: keys of JSON, headings of tables."""
    keys = dict.fromkeys(re.findall(r'"(\w+)": ', text))
    text = re.sub(r" +", " ", text)
    return "\n".join([*keys, *re.findall(r"^[A-Z][A-Z ]+$|^[a-z ]+:", text, flags=re.MULTILINE)])


def same(answer: Answer, line: str, is_live: bool) -> Answer:
    """Without what a host has to say otherwise: how the target is named, how long it stood."""
    text = re.sub(r'("(path|exe|stopped_seconds)": )[^\n]*', r"\1…", answer.text)
    error = answer.error
    if text.startswith("usage: "):
        text = at_prompt(text)
    elif is_live:
        text = form(text) if line.startswith("scheduler") else without_time(text)
    if "hint: usage: " in error:
        error = at_prompt(error)
    return answer._replace(text=text, error=error)


def compare(answers: list[Answer], program: list[Answer], target: Target) -> None:
    """Answers to the lines in the order of the scripts."""
    assert len(answers) == len(program) == len(LINES)
    differences = []
    for line, *both in zip(LINES, program, answers):
        expected, got = (same(answer, line, "--pid" in target.program) for answer in both)
        for name, *texts in zip(Answer._fields, map(str, expected), map(str, got)):
            halves = [text.splitlines() for text in texts]
            changes = difflib.unified_diff(*halves, "program", "debugger", lineterm="", n=1)
            if texts[0] != texts[1]:
                differences.append("\n".join([f"== {line}: {name}", *list(changes)[:30]]))
    assert not differences, "\n".join(differences)


def test_python(target: Target, program: list[Answer], tmp_path: Path) -> None:
    def say(line: str) -> Answer:
        try:
            text, status = session.run_words(shlex.split(line))
            return Answer(text, "", status)
        except module.Error as error:
            hint = f"hint: {error.hint}\n" if error.hint else ""
            return Answer("", f"spanwalk: {error}\n{hint}", error.status)

    with module.open(**target.python) as session:
        answers = [say(line) for line in lines_for(target, tmp_path)]
    compare(with_files(answers, tmp_path), program, target)


def test_gdb(target: Target, program: list[Answer], tmp_path: Path) -> None:
    at = tmp_path / "gdb"
    answers = by_gdb(lines_in("gdb", target, at), target.gdb, at)
    compare(with_files(answers, at), program, target)


@pytest.mark.parametrize("lldb", LLDBS)
def test_lldb(lldb: str, target: Target, program: list[Answer], tmp_path: Path) -> None:
    at = tmp_path / "lldb"
    answers = by_lldb(lldb, lines_in("lldb", target, at), target.lldb, at)
    compare(with_files(answers, at), program, target)


# ---- is it whole ----


def test_every_command_has_its_lines() -> None:
    words = [line.split() for line in LINES]
    for command in module.commands():
        lines = [set(line[1:]) for line in words if line[0] == command["name"]]
        for option in ("--json", "--help"):
            assert any(option in line for line in lines), f"{command['name']}: no line {option}"
        assert any(not {"--json", "--help"} & line for line in lines), command["name"]


def test_scripts_say_what_they_are_to_say(program: list[Answer]) -> None:
    """Errors where they belong and nowhere else, so that hosts do not agree in failing."""
    errors = Path(__file__).with_name("scripts") / "errors.txt"
    expected = errors.read_text().splitlines()
    for line, answer in zip(LINES, program):
        if answer.error:
            assert line in expected and answer.status in (2, 3), (line, answer)
            assert answer.error.startswith("spanwalk: ") and not answer.text, (line, answer)
        else:
            assert answer.text and answer.status in (0, 1), (line, answer)
    assert any(answer.status == 2 for answer in program)
    assert any(answer.status == 3 for answer in program)

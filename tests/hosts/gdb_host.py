"""GDB for tests: commands in, text and errors out; values out as JSON."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from conftest import BUILD, ROOT

SCRIPT = ROOT / "gdb" / "spanwalk_gdb.py"
# Without the user's own settings, and without Go's own script.
QUIET = ("gdb", "-q", "-nx", "-iex", "set auto-load no")
ENVIRONMENT = os.environ | {"SPANWALK_BUILD": str(BUILD)}


class Output(NamedTuple):
    status: int
    text: str
    errors: str  # without what GDB says of sources and cores


def command_line(*commands: str, target: tuple[object, ...] = ()) -> list[str]:
    words = [*QUIET, "-batch", *map(str, target), "-ex", f"source {SCRIPT}"]
    return words + [word for command in commands for word in ("-ex", command)]


def gdb(*commands: str, target: tuple[object, ...] = (), cwd: Path | None = None) -> Output:
    done = subprocess.run(
        command_line(*commands, target=target),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env=ENVIRONMENT,
    )
    return Output(done.returncode, done.stdout, errors_of(done.stderr))


def typed(*lines: str, target: tuple[object, ...] = ()) -> str:
    """What GDB prints when the lines are typed at its prompt."""
    done = subprocess.run(
        [*QUIET, *map(str, target)],
        input="\n".join(["set pagination off", "set width 0", f"source {SCRIPT}", *lines, ""]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=ENVIRONMENT,
    )
    assert errors_of(done.stderr) == ""
    return done.stdout


def errors_of(text: str) -> str:
    ours = ("spanwalk: ", "hint: ", "Traceback", "Python Exception", "Error")
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith(ours))


def echoed(text: str, name: str) -> str:
    """What was printed between `echo NAME\\n` and the next."""
    return text.split(f"<{name}>\n")[1].split("<")[0]


def evaluated(program: str, *, target: tuple[object, ...], **given: Any) -> Any:
    """Runs Python in GDB with what is given as variables and `execute` for commands; gives what it
    leaves in `result`."""
    lines = [
        "import json",
        "execute = lambda command: gdb.execute(command, to_string=True)",
        *(f"{name} = json.loads({json.dumps(json.dumps(value))})" for name, value in given.items()),
        program,
        "print('<result>' + json.dumps(result))",
    ]
    output = gdb("python " + "exec(" + repr("\n".join(lines)) + ")", target=target)
    assert output.errors == "" and "<result>" in output.text, output
    return json.loads(output.text.split("<result>")[1].splitlines()[0])


def module() -> ModuleType:
    path = BUILD / "spanwalk.abi3.so"
    loader = importlib.machinery.ExtensionFileLoader("spanwalk", str(path))
    spec = importlib.util.spec_from_loader("spanwalk", loader)
    assert spec
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded

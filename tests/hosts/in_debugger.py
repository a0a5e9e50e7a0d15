"""Runs in GDB or LLDB: each line of $SPANWALK_SCRIPT/lines as if typed at the prompt, and what came
of it into $SPANWALK_SCRIPT/answers: text, error, exit status."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def in_gdb(line: str) -> tuple[str, str, int]:
    gdb = sys.modules["gdb"]
    text = error = ""
    try:
        text = gdb.execute(line, to_string=True)
    except gdb.error as failure:
        error = f"{failure}\n"
    return text, error, int(gdb.convenience_variable("spanwalk_status"))


def in_lldb(line: str) -> tuple[str, str, int]:
    lldb: Any = sys.modules["lldb"]
    result = lldb.SBCommandReturnObject()
    lldb.debugger.GetCommandInterpreter().HandleCommand(line, result)
    error = (result.GetError() or "").removeprefix("error: ")
    return result.GetOutput() or "", error, sys.modules["spanwalk_lldb"].status


folder = Path(os.environ["SPANWALK_SCRIPT"])
run = in_lldb if hasattr(sys.modules.get("lldb"), "debugger") else in_gdb
answers = [run(line) for line in json.loads((folder / "lines").read_text())]
(folder / "answers").write_text(json.dumps(answers))

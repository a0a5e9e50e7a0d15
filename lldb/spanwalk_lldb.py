"""spanwalk in LLDB:  command script import lldb/spanwalk_lldb.py

Gives every spanwalk command at the prompt, for the selected target: a process that LLDB holds, or
a core. Each is also there as `spanwalk COMMAND`; `spanwalk` alone lists them. Nothing is computed
here and nothing is done before a command is given. What was built for a command is kept for the
next one until the process goes on.

`spanwalk threads on` shows goroutines as threads (goroutines.py).

After a command spanwalk_lldb.status holds the exit status the program would have had, so that a
script can end with
    script lldb.debugger.HandleCommand(f"quit {spanwalk_lldb.status}")
"""

from __future__ import annotations

import os
import shlex
from typing import Any

# A checkout on sys.path has a folder `lldb` too, which would import as an empty package.
import lldb

if not hasattr(lldb, "SBDebugger"):
    raise ImportError("spanwalk_lldb.py runs inside LLDB: command script import spanwalk_lldb.py")

# The files beside this one are its parts, spanwalk_lldb.host and so on, and what they share with
# those of GDB.
__path__ = [
    os.path.dirname(os.path.realpath(__file__)),
    os.path.join(os.path.dirname(os.path.realpath(__file__)), "../native/python"),
]

from spanwalk_lldb.expression import evaluate
from spanwalk_lldb.goroutines import OWN_COMMANDS
from spanwalk_lldb.host import HOST, HostError, spanwalk

status = 0  # the program's, of the last command


def words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise HostError(f"{line}: {str(error).lower()}", "close the quotation mark", 2) from None


class Command:
    """A command at LLDB's prompt. Exceptions end here: LLDB would print a traceback and go on as
    if all were well."""

    def __init__(self, debugger: lldb.SBDebugger, _: dict[str, Any]) -> None:
        self.debugger = debugger

    def __call__(
        self,
        debugger: lldb.SBDebugger,
        line: str,
        _: lldb.SBExecutionContext,
        result: lldb.SBCommandReturnObject,
    ) -> None:
        global status
        status = 3
        try:
            text, status = self.run(debugger, words(line))
            result.write(text)
            result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
        except (HostError, spanwalk.Error) as error:
            status = error.status
            hint = f"\nhint: {error.hint}" if error.hint else ""
            result.SetError(f"spanwalk: {error}{hint}")
        except KeyboardInterrupt:
            status = 130
            result.SetError("spanwalk: interrupted")
        except Exception as error:
            result.SetError(f"spanwalk: {type(error).__name__}: {error}")

    def run(self, debugger: lldb.SBDebugger, line: list[str]) -> tuple[str, int]:
        raise NotImplementedError


class Prefix(Command):
    """spanwalk COMMAND, and what only LLDB has (goroutines.py)."""

    def run(self, debugger: lldb.SBDebugger, line: list[str]) -> tuple[str, int]:
        if not line:
            return spanwalk.help(), 0
        if line[0] in OWN_COMMANDS:
            process = debugger.GetSelectedTarget().GetProcess()
            return OWN_COMMANDS[line[0]](process, line[1:]), 0
        if line[0] not in (command["name"] for command in spanwalk.commands()):
            raise HostError(f"no command '{line[0]}'", "'spanwalk' lists the commands")
        return HOST.run(debugger, line, evaluate)

    def get_short_help(self) -> str:
        return "Show what holds the memory of a Go process or core."

    def get_long_help(self) -> str:
        return spanwalk.help()


class EngineCommand(Command):
    """One command of the engine under its own name; a class for each is made of it."""

    command: dict[str, Any]

    def run(self, debugger: lldb.SBDebugger, line: list[str]) -> tuple[str, int]:
        return HOST.run(debugger, [self.command["name"], *line], evaluate)

    def get_short_help(self) -> str:
        return f"{self.command['summary']}."

    def get_long_help(self) -> str:
        return spanwalk.help(self.command["name"])


def __lldb_init_module(debugger: lldb.SBDebugger, _: dict[str, Any]) -> None:
    debugger.HandleCommand(f"command script add -o -c {__name__}.Prefix spanwalk")
    interpreter = debugger.GetCommandInterpreter()
    for command in spanwalk.commands():
        name = command["name"]
        # Of what LLDB has itself, only `spanwalk NAME` is added.
        if interpreter.CommandExists(name) or interpreter.AliasExists(name):
            continue
        made = f"Command_{name.replace('-', '_')}"
        globals()[made] = type(made, (EngineCommand,), {"command": command})
        debugger.HandleCommand(f"command script add -o -c {__name__}.{made} {name}")

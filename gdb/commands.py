"""The engine's commands at GDB's prompt, and their completion."""

from __future__ import annotations

import glob
import os
from typing import Any

import gdb

from .go_types import type_names
from .host import Host, fail, spanwalk

# Names that GDB has itself: only `spanwalk NAME` is added for them.
GDB_NAMES = frozenset({"find"})


def suffixes(choices: list[str], last: str, word: str) -> list[str]:
    """Of the choices that begin with the last word those parts that GDB wants: what follows the
    last break in it, such as a dash."""
    skip = len(last) - len(word)
    return [choice[skip:] for choice in choices if choice.startswith(last)]


def file_names(start: str) -> list[str]:
    found = glob.glob(glob.escape(start) + "*")
    return [name + os.sep * os.path.isdir(name) for name in sorted(found)]


def goids(host: Host) -> list[str]:
    numbers = host.quickly(lambda session: session.goroutines()) or []
    return [str(goroutine["goid"]) for goroutine in numbers]


def representable(text: str) -> str:
    """What GDB can keep as a help text: it takes nothing beyond its charset (that of the locale,
    ASCII in "C"), while gdb.write() takes anything."""
    charset = gdb.host_charset() if hasattr(gdb, "host_charset") else "ascii"
    return text.encode(charset, "replace").decode(charset)


class EngineCommand(gdb.Command):
    """One command of the engine under one name."""

    def __init__(self, host: Host, command: dict[str, Any], name: str) -> None:
        self.host = host
        self.name = command["name"]
        self.usage = command["usage"].split()
        self.options = {"--" + option["name"]: option for option in command["options"]}
        self.__doc__ = representable(f"{command['summary']}.\n\n{spanwalk.help(self.name)}")
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.dont_repeat()
        self.host.run([self.name, *gdb.string_to_argv(argument)])

    def complete(self, text: str, word: str) -> list[str] | int:
        *before, last = text.split(" ")
        previous = self.options.get(before[-1]) if before else None
        if previous and previous["value"]:
            return self.complete_value(previous, last, word)
        name, equals, value = last.partition("=")
        if equals and name in self.options:
            return self.complete_value(self.options[name], value, word)
        if last.startswith("-"):
            return suffixes(list(self.options), last, word)
        return self.complete_positional(before, last, word)

    def complete_value(self, option: dict[str, Any], last: str, word: str) -> list[str]:
        if option["name"] == "output":
            return suffixes(file_names(last), last, word)
        return suffixes(option["choices"] or [], last, word)

    def complete_positional(self, before: list[str], last: str, word: str) -> list[str] | int:
        place = self.place(before)
        kind = self.usage[place].strip("[]") if place < len(self.usage) else ""
        if kind.split("|")[0] == "ADDR":
            return gdb.COMPLETE_EXPRESSION
        if kind == "TYPE":
            return suffixes(type_names(self.host, last), last, word)
        if kind.split("|")[0] == "GOID":
            return suffixes([*kind.split("|")[1:], *goids(self.host)], last, word)
        return []

    def place(self, before: list[str]) -> int:
        """Which positional comes after these words."""
        place, is_value = 0, False
        for each in before:
            place += bool(each) and not is_value and not each.startswith("-")
            option = self.options.get(each)
            is_value = bool(option and option["value"])
        return place


class Prefix(gdb.Command):
    """Show what holds the memory of a Go process or core.

    `spanwalk` alone lists the commands; `help spanwalk COMMAND` tells of one.
    `spanwalk goroutine GOID` makes backtrace, frame, up, down, info locals show a goroutine;
    $goroutine(GOID) is its g, $goobj(ADDR) the object of the heap that holds an address."""

    def __init__(self) -> None:
        super().__init__("spanwalk", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.dont_repeat()
        if argument:
            raise fail(f"no command '{argument.split()[0]}'", "'spanwalk' lists the commands")
        gdb.write(spanwalk.help())


def register(host: Host) -> None:
    Prefix()
    for command in spanwalk.commands():
        EngineCommand(host, command, f"spanwalk {command['name']}")
        if command["name"] not in GDB_NAMES:
            EngineCommand(host, command, command["name"])

"""Go's types by their Go names, as GDB knows them from debug information."""

from __future__ import annotations

import re

import gdb

from .host import Host

MAX_NAMES = 1000  # offered by a completion


def named(name: str) -> gdb.Type | None:
    """A Go type that debug information has under this very name. C may have an int of its own, and
    so has GDB, for most languages."""
    for domain in (gdb.SYMBOL_VAR_DOMAIN, gdb.SYMBOL_STRUCT_DOMAIN):
        for symbol in gdb.lookup_static_symbols(name, domain):
            if symbol.addr_class == gdb.SYMBOL_LOC_TYPEDEF and is_go(symbol):
                return symbol.type
    return None


def is_go(symbol: gdb.Symbol) -> bool:
    """By the file that it comes from."""
    name = symbol.symtab.filename if symbol.symtab else ""
    return not name.endswith((".c", ".h", ".cc", ".cpp", ".cxx"))


def go_type(name: str) -> gdb.Type | None:
    """The type of a Go name, with pointers and arrays to and of what there is; None when GDB does
    not know it."""
    found = named(name)
    if found:
        return found
    if name.startswith("*"):
        target = go_type(name[1:])
        return target.pointer() if target else None
    array = re.match(r"\[(\d+)\]", name)
    if array and 0 < int(array[1]) < 1 << 31:
        element = go_type(name[array.end() :])
        return element.array(int(array[1]) - 1) if element else None
    return None


def unsigned(bits: int = 64) -> gdb.Type:
    return gdb.selected_inferior().architecture().integer_type(bits, False)


def void_pointer() -> gdb.Type:
    return gdb.lookup_type("void").pointer()


def type_names(host: Host, prefix: str) -> list[str]:
    """What `find` could be given: the types that objects have, else, when there is no telling in
    time, the types that GDB has read. GDB splits words at blanks, so that only names without one
    can be offered."""
    names = host.quickly(lambda session: session.type_names())
    if names is None:
        names = symbol_names(prefix)
    fitting = [name for name in names if name.startswith(prefix) and " " not in name]
    return fitting[:MAX_NAMES]


def symbol_names(prefix: str) -> list[str]:
    """From GDB's symbol tables, which have import paths before the names of packages and %2e for a
    dot in the path's last part."""
    if not prefix:
        return []
    literal = re.sub(r"([].*[^$\\])", r"\\\1", prefix)  # GDB takes basic regular expressions
    try:
        listed = gdb.execute(f"info types \\(^\\|/\\){literal}", to_string=True)
    except gdb.error:
        return []
    # "12:     typedef struct {…} main.name;" or "        main.name"
    found = re.findall(r"^(?:\d+:)?[ \t]+(?:.*[ \t])?(\S+?);?$", listed, re.MULTILINE)
    return sorted({re.sub(r"^[^\[\]*]*/", "", name).replace("%2e", ".") for name in found})

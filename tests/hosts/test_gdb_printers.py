"""Go's strings, slices, maps, channels and interfaces in GDB, and $goobj: the values of `values`,
which are known by construction, and damaged ones."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST
from damage import place_in
from gdb_host import evaluated, gdb, module

pytestmark = pytest.mark.needs_go

PRINT = """
result = {}
execute("set height 0")
execute("set language " + language)
for name in names:
    symbol = gdb.lookup_global_symbol("main." + name) or gdb.lookup_static_symbol("main." + name)
    result[name] = symbol.value().format_string(max_elements=elements)
"""

ADDRESS = r"0x[0-9a-f]+"

# What is to be seen of each variable: text, or a pattern.
STRINGS = {
    "text": r'"hello, \"world\""',
    "empty": '""',
    "long": "'x' <repeats 200 times>...",
    "bytes": r'"a\377b\000c"',
    "ownString": '"mine"',
}
SLICES = {
    "ints": "[]int (len 3, cap 5) = {1, 2, 3}",
    "names": '[]string (len 2, cap 2) = {"one", "two"}',
    "nilSlice": "[]int(nil)",
    "emptySlice": "[]int (len 0, cap 4)",
    "points": "[]main.point (len 2, cap 2) = {{x = 1, y = 2}, {x = 3, y = 4}}",
    "rows": "[][]int (len 3, cap 3) = {[]int (len 1, cap 1) = {1}, "
    "[]int (len 2, cap 2) = {2, 3}, []int(nil)}",
    "ownSlice": "main.numbers (len 2, cap 2) = {7, 8}",
    "array": '{"a", "b", "c"}',
}
MAPS = {
    "set": 'map[string]struct {} (len 1) = {["member"] = {<No data fields>}}',
    "nested": 'map[string]map[int]string (len 1) = {["outer"] = '
    'map[int]string (len 1) = {[5] = "inner"}}',
    "nilMap": "map[string]int(nil)",
    "noEntries": "map[string]int (len 0)",
    "ownMap": 'main.lookup (len 1) = {["key"] = 41}',
    # Keys and values over 128 bytes stand elsewhere.
    "indirect": r'map[main.bigKey]main.bigValue (len 1) = {["\t", '
    r"'\000' <repeats 158 times>] = {number = 99, body = '\000' <repeats 199 times>}}",
}
CHANNELS = {
    "queue": "chan int (len 3, cap 4) = {3, 4, 5}",
    "closed": 'chan string (len 1, cap 2, closed) = {"last"}',
    "unbuffered": "chan int (len 0, cap 0, 2 receiving)",
    "full": "chan int (len 1, cap 1, 1 sending) = {1}",
    "nilChan": "chan int(nil)",
    "signals": "chan struct {} (len 1, cap 3) = {{<No data fields>}}",
    "ownChan": "main.pipe (len 0, cap 1)",
}
INTERFACES = {
    "noError": "error(nil)",
    "stringer": "(main.level) = {depth = 4}",
    "inside": '{name = "name", value = (int) 1000}',
}
PATTERNS = {
    "failure": rf"\(\*errors\.errorString\) {ADDRESS}",
    "pointed": rf"\(\*main\.level\) {ADDRESS}",
    "pointers": rf'map\[string\]\*main\.point \(len 1\) = {{\["origin"\] = {ADDRESS}}}',
    "anything": r"\[\]interface {} \(len 17, cap 17\) = {interface {}\(nil\), \(int\) 42, "
    rf'\(string\) "text", \(bool\) true, \(float64\) 2\.5, \(\*main\.point\) {ADDRESS}, '
    r"\(main\.point\) = {x = 5, y = 6}, \[\]int \(len 2, cap 2\) = {7, 8}, "
    r'map\[string\]int \(len 1\) = {\["k"\] = 1}, \(main\.level\) = {depth = 3}, '
    r"\(main\.label\) \"own\", interface {}\(nil\), \(uint8\) 7 '\\a', "
    rf"\(main\.holder\) = {{held = {ADDRESS}}}, \(\[1\]\*main\.point\) {{{ADDRESS}}}, "
    r"\[\]string\(nil\), chan int \(len 3, cap 4\) = {3, 4, 5}}",
}
TEXTS = STRINGS | SLICES | MAPS | CHANNELS | INTERFACES


def shown(made: Any, *names: str, elements: int = 200, language: str = "auto") -> dict[str, str]:
    result: dict[str, str] = evaluated(
        PRINT,
        target=(made.exe, made.core),
        names=list(names),
        elements=elements,
        language=language,
    )
    return result


@pytest.fixture(scope="module", params=GO_VERSIONS)
def made(request: pytest.FixtureRequest) -> Any:
    return CORES.make("values", request.param)


# Frames of Go's assembly have the language asm, those of C code theirs.
@pytest.mark.parametrize("language", ["auto", "go", "c", "asm"])
def test_values(made: Any, language: str) -> None:
    found = shown(made, *TEXTS, *PATTERNS, language=language)
    assert {name: found[name] for name in TEXTS} == TEXTS
    for name, pattern in PATTERNS.items():
        assert re.fullmatch(pattern, found[name]), found[name]


def entries(text: str) -> dict[str, str]:
    """Of a map's text with simple keys and values."""
    pairs = re.findall(r'\[([^]]+)\] = ("[^"]*"|[^,}]+)', text.partition("=")[2])
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_every_entry_of_a_map(made: Any) -> None:
    """Many groups and tables, buckets that overflow, deleted entries, a map that grows."""
    found = shown(made, "counts", "many", "deleted", "growing", elements=0)
    assert entries(found["counts"]) == {'"one"': "1", '"two"': "2", '"three"': "3"}
    assert entries(found["many"]) == {str(i): f'"value {i}"' for i in range(1000)}
    assert entries(found["deleted"]) == {str(i): str(-i) for i in range(100)}
    assert entries(found["growing"]) == {str(i): str(i * i) for i in range(14)}


def test_bounded_by_print_elements(made: Any) -> None:
    found = shown(made, "thousand", "many", "long", "itself", elements=4)
    assert found["thousand"] == "[]int (len 1000, cap 1280) = {0, 1, 2, 3...}"
    assert re.fullmatch(
        r"map\[int\]string \(len 1000\) = {\[.*\] = .*, \[.*\] = .*\.\.\.}", found["many"]
    )
    assert found["long"] == '"xxxx"...'
    assert found["itself"].count("(len 1, cap 1)") < 30  # print max-depth


def test_disabled(made: Any) -> None:
    target = (made.exe, made.core)
    text = gdb(
        "disable pretty-printer global spanwalk;map",
        "print 'main.ints'",
        "print 'main.counts'",
        "disable pretty-printer global spanwalk",
        "print 'main.ints'",
        "enable pretty-printer global spanwalk",
        "print 'main.ints'",
        target=target,
    ).text
    assert "$1 = []int (len 3, cap 5) = {1, 2, 3}" in text
    assert re.search(rf"^\$2 = (\(.*\) )?{ADDRESS}$", text, re.M)
    assert re.search(rf"^\$3 = {{array = {ADDRESS}, len = 3, cap = 5}}$", text, re.M)
    assert "$4 = []int (len 3, cap 5) = {1, 2, 3}" in text


def test_object(made: Any) -> None:
    """$goobj: typed by what the engine and debug information tell."""
    output = gdb(
        "set print elements 6",
        "print *$goobj('main.points'.array)",
        "print $goobj('main.counts')",
        "print $goobj('main.queue')",
        "print *$goobj('main.failure'.data)",
        "print *$goobj('main.text'.str)",
        "print *$goobj('main.names'.array)",
        "print *$goobj('main.anything'.array)",
        # In the middle of an object.
        "print *$goobj(&'main.points'.array[1].y)",
        "print $goobj(8)",
        "print $goobj(&'main.points')",
        target=(made.exe, made.core),
    )
    assert "$1 = {{x = 1, y = 2}, {x = 3, y = 4}}\n" in output.text
    assert "$2 = map[string]int (len 3) = {[" in output.text
    assert "$3 = chan int (len 3, cap 4) = {3, 4, 5}\n" in output.text
    assert '$4 = {s = "broken"}\n' in output.text
    assert '$5 = "hello,"...\n' in output.text
    assert '$6 = {"one", "two"}\n' in output.text
    assert '$7 = {interface {}(nil), (int) 42, (string) "text", ' in output.text
    assert "$8 = {{x = 1, y = 2}, {x = 3, y = 4}}\n" in output.text
    assert output.errors.count("spanwalk: no object of the Go heap is at 0x") == 2
    assert "Traceback" not in output.errors


def test_object_on_a_stripped_core() -> None:
    made = CORES.make("values", NEWEST, mode="stripped")
    with module().open(made.core, exe=made.exe) as session:
        row = session.run("find", "main.bigValue", limit=1).to_dict()["tables"]["objects"][0]
    start = int(row["address"], 0)
    text = gdb(f"print $goobj({start + 9})", target=(made.exe, made.core)).text
    assert f"$1 = (void *) {row['address']}\n" in text


# ---- damage ----

BAD = 0x7FFF_0000_0000_0000  # no memory
HUGE = 1 << 60

FIND = """
def find(name, *fields):
    symbol = gdb.lookup_global_symbol("main." + name) or gdb.lookup_static_symbol("main." + name)
    value = symbol.value()
    for field in fields:
        plain = value.cast(value.type.strip_typedefs())
        value = (plain.dereference() if plain.type.code == gdb.TYPE_CODE_PTR else plain)[field]
    return value
"""

# GDB opens the core anew for each change, and sees one at a time.
SHOW_DAMAGED = """
result = []
for name, offset, data in changes:
    with open(core, "r+b") as file:
        file.seek(offset)
        whole = file.read(len(data) // 2)
        file.seek(offset)
        file.write(bytes.fromhex(data))
    execute("core-file " + core)
    result.append(find(name).format_string(max_elements=elements))
    assert find("ownString").format_string() == '"mine"'
    with open(core, "r+b") as file:
        file.seek(offset)
        file.write(whole)
execute("core-file " + core)
result.append(find(name).format_string(max_elements=elements))
"""

Change = tuple[str, list[str], int, int]  # variable, fields, value, bytes of it


def addresses(made: Any, *paths: tuple[str, list[str]]) -> list[int]:
    """Of variables, and of fields in them and in what they point to."""
    program = FIND + "result = [int(find(name, *fields).address) for name, fields in paths]"
    found: list[int] = evaluated(program, target=(made.exe, made.core), paths=list(paths))
    return found


def shown_damaged(made: Any, folder: Path, changes: list[Change], elements: int = 50) -> list[str]:
    """What GDB prints of each variable after its change; none is left in the core."""
    core = folder / "damaged.core"
    shutil.copy(made.core, core)
    places = addresses(made, *((name, fields) for name, fields, _, _ in changes))
    written = [
        (name, place_in(made.core, at, size), struct.pack("<Q", value)[:size].hex())
        for (name, _, value, size), at in zip(changes, places, strict=True)
    ]
    *found, whole = evaluated(
        FIND + SHOW_DAMAGED,
        target=(made.exe,),
        core=str(core),
        changes=written,
        elements=elements,
    )
    assert whole == shown(made, changes[-1][0], elements=elements)[changes[-1][0]]
    return found


# What is written where, and what is to be seen of the variable.
DAMAGE = [
    ("text", ["str"], BAD, rf"<cannot read 14 bytes at {BAD:#x}>"),
    ("text", ["len"], HUGE, rf"<cannot read {HUGE} bytes at {ADDRESS}>"),
    ("text", ["len"], (1 << 64) - 1, rf"<cannot read -1 bytes at {ADDRESS}>"),
    ("ints", ["array"], BAD, rf"\[\]int \(len 3, cap 5\) = {{<cannot read {BAD:#x}>}}"),
    ("ints", ["len"], HUGE, rf"\[\]int \(len {HUGE}, cap 5\)"),
    ("names", ["array"], BAD, rf".* = {{<cannot read {BAD:#x}>}}"),
    ("counts", [], BAD, rf"map\[string\]int <cannot read {BAD:#x}>.*"),
    ("queue", [], BAD, rf"chan int <cannot read {BAD:#x}>.*"),
    ("failure", ["tab"], BAD, r"error <damaged>"),
    ("failure", ["data"], BAD, rf"\(\*errors\.errorString\) {BAD:#x}"),
    ("queue", ["buf"], BAD, rf"chan int \(.*\) = {{<cannot read {BAD + 16:#x}>.*}}"),
    ("queue", ["qcount"], HUGE, rf"chan int \(len {HUGE}, cap 4\)"),
    ("queue", ["recvx"], HUGE, r"chan int \(len 3, cap 4\)"),
    ("unbuffered", ["recvq", "first"], BAD, rf"chan int <cannot read {ADDRESS}>"),
]


def test_damaged(made: Any, tmp_path: Path) -> None:
    found = shown_damaged(
        made, tmp_path, [(name, fields, value, 8) for name, fields, value, _ in DAMAGE]
    )
    for (*change, pattern), text in zip(DAMAGE, found, strict=True):
        assert re.fullmatch(pattern, text), (change, text)


def test_damaged_maps(made: Any, tmp_path: Path) -> None:
    """What can be read of a map is shown; the rest says so, whatever its numbers say."""
    is_swiss = int(made.exe.stem.split("go1.")[1].split(".")[0]) >= 24
    count, start, size = ("used", "dirPtr", "dirLen") if is_swiss else ("count", "buckets", "B")
    changes: list[Change] = [
        (name, [field], value, 1 if field == "B" else 8)
        for name in ("counts", "many", "growing", "indirect")
        for field in (count, start, size)
        for value in (BAD, HUGE, 0, 0xFF)
    ]
    found = shown_damaged(made, tmp_path, changes)
    for change, text in zip(changes, found, strict=True):
        assert text.startswith("map["), change
        if change[1] == [start] and change[2] in (BAD, HUGE):
            assert "<damaged>" in text, (change, text)


def test_any_damage(made: Any, tmp_path: Path) -> None:
    """No value makes a printer fail, and none goes on for ever."""
    names = ["anything", "many", "queue", "failure", "stringer"]
    words = [0, 1, 8, BAD, HUGE, (1 << 64) - 1]
    words += addresses(made, *((name, []) for name in ("many", "queue", "itself", "failure")))
    changes: list[Change] = [
        (name, fields, word, 8)
        for name in names
        for fields in {
            "anything": [["array"], ["len"], ["cap"]],
            "failure": [["tab"], ["data"]],
            "stringer": [["tab"], ["data"]],
        }.get(name, [[]])
        for word in words
    ]
    found = shown_damaged(made, tmp_path, changes, elements=20)
    assert max(map(len, found)) < 20000

"""stack: calls, arguments, variables, deferred calls, panics and frames of C, held against programs
whose values are known."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, report, spanwalk

pytestmark = pytest.mark.needs_go

SOURCE = CORES.PROGRAMS / "frames" / "main.go"

Frame = dict[str, Any]
Stack = dict[str, Any]


def line_of(text: str) -> int:
    """The only line of the source that has the text."""
    found = [i for i, line in enumerate(SOURCE.read_text().splitlines(), 1) if text in line]
    assert len(found) == 1, text
    return found[0]


class Image:
    """A core of the program, and all its stacks."""

    def __init__(self, made: Any, *words: object, status: int = 0) -> None:
        self.made = made
        self.go: str = made.truth["go_version"][2:]
        options = ("all", "--values", "--limit", 0, *words)
        self.report = report("stack", made.core, made.exe, *options, status=status)
        self.stacks: list[Stack] = self.report["tables"]["goroutines"]

    def stack(self, function: str) -> Stack:
        """The one goroutine that is in a function."""
        found = [s for s in self.stacks if any(f["function"] == function for f in s["frames"])]
        assert len(found) == 1, function
        return found[0]

    def frame(self, function: str) -> Frame:
        return next(f for f in self.stack(function)["frames"] if f["function"] == function)


def values(frame: Frame, key: str = "arguments") -> dict[str, tuple[str, Any]]:
    return {v["name"]: (v["type"], v["value"]) for v in frame[key]}


@pytest.fixture(scope="module", params=GO_VERSIONS)
def plain(request: pytest.FixtureRequest) -> Image:
    for attempt in "abcde":
        image = Image(
            CORES.make("frames", request.param, name=f"frames-{attempt}-go{request.param}")
        )
        # On a busy machine main.spin may have been preempted at the moment.
        if image.stack("main.spin")["state"] == "running":
            break
    return image


@pytest.fixture(scope="module")
def arm64() -> Image:
    return Image(CORES.make("frames", NEWEST, arch="arm64"))


# Every kind of argument: its type, and its value as a pattern. "#" is any address.
ARGUMENTS: dict[str, dict[str, tuple[str, str]]] = {
    "main.numbers": {
        "a": ("int", "-42"),
        "b": ("uint8", "200"),
        "c": ("float64", r"2\.5"),
        "d": ("bool", "true"),
        "e": ("complex128", r"\(1-2i\)"),
        "f": ("float32", r"0\.1"),
        "g": ("main.state", "3"),
    },
    "main.texts": {
        "s": ("string", '"hello"'),
        "raw": ("[]uint8", 'len 9 cap 9 "raw bytes"'),
        "list": ("[]int", r"len 2 cap 3 \[1, 2\]"),
        "none": ("[]string", "nil"),
        "long": ("string", '"' + "0123456789" * 6 + '0123…" len 200'),
    },
    "main.references": {
        "p": ("*main.item", r'# → \{id: 7, name: "seven", next: #\}'),
        "m": ("map[string]int", "len 2 #"),
        "c": ("chan int", "len 1 cap 4 #"),
        "f": ("func(int) int", r"main\.double"),
        "any": ("interface {}", r"main\.state\(9\)"),
        "sh": ("main.shape", r"main\.square\(\{side: 1\.5\}\)"),
        "empty": ("*main.item", "nil"),
    },
    "main.interfaces": {
        "pointer": ("interface {}", r'\*main\.item\(# → \{id: 7, name: "seven", next: #\}\)'),
        "nothing": ("interface {}", "nil"),
        "text": ("interface {}", r'string\("text"\)'),
        "err": ("error", "nil"),
        "sh": ("main.shape", r'\*main\.item\(# → \{id: 7, name: "seven", next: #\}\)'),
    },
    "main.outer": {"n": ("int", "10")},
    "main.inner": {"i": ("int", "21"), "s": ("string", '"in"')},
    "main.looping": {"n": ("int", "3")},
    "main.locked": {"p": ("*main.item", r'# → \{id: 7, name: "seven", next: #\}')},
}


def check_arguments(image: Image) -> None:
    for function, wanted in ARGUMENTS.items():
        found = values(image.frame(function))
        assert list(found) == list(wanted), function
        for name, (kind, pattern) in wanted.items():
            assert found[name][0] == kind, (function, name, found[name])
            pattern = pattern.replace("#", "0x[0-9a-f]+")
            assert re.fullmatch(pattern, found[name][1]), (function, name, found[name])


def test_arguments(plain: Image) -> None:
    assert plain.report["complete"]
    check_arguments(plain)


def test_arguments_of_arm64(arm64: Image) -> None:
    check_arguments(arm64)


def check_locals(image: Image) -> None:
    found = values(image.frame("main.locals"), "locals")
    # What the compiler keeps of the others differs; what is there is right, and no part is made up.
    right = {
        "list": {"[5, 6, 7]", None},
        "where": {"{x: 5, y: 25}", "{x: 5, y: ?}", "{x: ?, y: 25}", None},
        "words": {'len 2 cap 2 ["one", "two"]', None},
        "count": {"500", None},
        "both": {'{p: {x: 1, y: 2}, s: "both"}', None},
    }
    for name, choices in right.items():
        if name in found:
            value = found[name][1]
            assert value in choices or "?" in value, (name, value)
    assert found["where"][1] or found["list"][1]
    assert set(found) <= set(right), "a local of later, or a part of another one"
    escaped = image.frame("main.escaped")
    moved = next(v for v in escaped["locals"] if v["name"] == "moved")
    assert moved["type"] == "main.item"
    assert moved["value"] == '{id: 11, name: "moved", next: nil}'
    assert moved["escaped"]
    # Whose address is taken: 1.20 to 1.26 do not say where it is.
    number = values(escaped, "locals")["number"]
    assert number == ("int", None if 20 <= minor(image.go) <= 26 else "12")


def test_locals(plain: Image) -> None:
    check_locals(plain)


def test_locals_of_arm64(arm64: Image) -> None:
    check_locals(arm64)


def check_registers(image: Image) -> None:
    """A goroutine that runs has its variables in registers; they are this very moment's."""
    spin = image.stack("main.spin")
    assert spin["state"] == "running"
    assert isinstance(spin["thread"], int)
    found = values(image.frame("main.spin"))
    assert found["factor"] == ("int", "12345")
    assert found["p"][1].startswith(image.made.truth["planted"][0] + " → {id: 7, ")
    rest = values(image.frame("main.spin"), "locals")
    assert set(rest) <= {"n"}
    if rest.get("n", ("", None))[1]:  # arm64: not the pointer that Go's tables take it for
        assert int(rest["n"][1]) < 1 << 40


def test_registers(plain: Image) -> None:
    check_registers(plain)


def test_registers_of_arm64(arm64: Image) -> None:
    check_registers(arm64)


def test_generic(plain: Image) -> None:
    frames = [f for s in plain.stacks for f in s["frames"] if f["function"] == "main.generic[...]"]
    found = sorted(values(f)["value"][1] for f in frames)
    assert found == sorted(["21", plain.made.truth["planted"][0]])
    lists = sorted(values(f)["list"][1] for f in frames)
    assert lists == sorted(
        ["len 2 cap 2 [4, 5]", f"len 1 cap 1 [{plain.made.truth['planted'][0]}]"]
    )


def test_inlined(plain: Image) -> None:
    frames = plain.stack("main.outer")["frames"]
    names = [f["function"] for f in frames]
    assert names[:4] == ["main.park", "main.inner", "main.middle", "main.outer"]
    inner, middle, outer = frames[1:4]
    assert (inner["line"], middle["line"], outer["line"]) == (
        next(i for i in (line_of("func inner"),)) + 1,
        line_of("inner(m+1"),
        line_of("middle(n * 2)"),
    )
    assert middle["inlined"]
    assert not outer["inlined"]
    assert middle["pc"] == outer["pc"]
    assert middle["sp"] == outer["sp"]
    assert outer["file"].endswith("frames/main.go")


def check_header(image: Image) -> None:
    stack = image.stack("main.locked")
    assert stack["state"] == "waiting"
    assert stack["wait_reason"] == "chan receive"
    assert isinstance(stack["locked_thread"], int)
    created = stack["created_by"]
    assert created["function"] == "spanwalk/programs/internal/truth.(*Crew).Go"
    assert created["line"] > 0
    if minor(image.go) >= 21:
        assert created["goroutine"] == 1
    assert all(f["language"] == "go" for f in stack["frames"])


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_header(mode: str, go: str) -> None:
    check_header(Image(CORES.make("frames", go, mode=mode)))


# ---- deferred calls and panics ----


def defer_lines(frame: Frame) -> list[int]:
    return [d["line"] for d in frame["defers"]]


def check_defers(image: Image) -> None:
    """In the order in which they will run. Wrappers stand where the defer statement does."""
    open_coded = image.frame("main.openCoded")
    assert defer_lines(open_coded) == [
        line_of("defer clean(n + 2)"),
        line_of('use(n, "second")'),
        line_of("defer clean(n)\n".strip()),
    ]
    assert all(d["function"].startswith("main.openCoded") for d in open_coded["defers"])
    assert all("deferred_at_line" not in d for d in open_coded["defers"])

    looping = image.frame("main.looping")
    assert defer_lines(looping) == [line_of("defer clean(i)")] * 3
    assert [d["deferred_at_line"] for d in looping["defers"]] == [line_of("defer clean(i)")] * 3
    if minor(image.go) >= 23:
        ranging = image.frame("main.ranging")
        first, second, third = defer_lines(ranging)
        assert first == second == third + 2
    everywhere = [f for s in image.stacks for f in s["frames"] if f.get("defers")]
    functions = {f["function"] for f in everywhere}
    assert functions - {"main.ranging"} == {
        "main.escaped",
        "main.openCoded",
        "main.looping",
        "main.panicking",
        "main.faulting",
    }


def check_panics(image: Image) -> None:
    panicking = image.stack("main.panicking")
    (panic,) = panicking["panics"]
    assert panic["type"] == "*main.failure"
    assert re.fullmatch(r'0x[0-9a-f]+ → \{code: 17, what: "it broke"\}', panic["value"])
    assert not panic["goexit"]
    assert not panic["recovered"]
    names = [f["function"] for f in panicking["frames"]]
    assert names[:4] == ["main.park", "main.panicking.func1", "panic", "main.panicking"]
    # The deferred call that runs is not to come any more.
    assert defer_lines(image.frame("main.panicking")) == [line_of("defer clean(f.code)")]

    first, second = reversed(image.stack("main.panicAgain")["panics"])
    assert (first["type"], first["value"]) == ("string", '"first"')
    assert second["type"] == "*errors.errorString"
    assert '"second"' in second["value"]

    (exit_,) = image.stack("main.exiting")["panics"]
    assert exit_["goexit"]
    assert "value" not in exit_

    (fault,) = image.stack("main.faulting")["panics"]
    assert fault["type"].startswith("runtime.error")
    assert "nil pointer" in fault["value"]
    assert image.frame("main.faulting")["line"] == line_of("null.id++")
    assert defer_lines(image.frame("main.faulting")) == [line_of("defer clean(5)")]
    others = ["main.panicking", "main.panicAgain", "main.exiting", "main.faulting"]
    quiet = [s for s in image.stacks if s["goid"] not in {image.stack(f)["goid"] for f in others}]
    assert not any(s["panics"] for s in quiet)


def test_defers_and_panics(plain: Image) -> None:
    check_defers(plain)
    check_panics(plain)


def test_defers_and_panics_of_arm64(arm64: Image) -> None:
    check_defers(arm64)
    check_panics(arm64)


# ---- without debug information ----


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_stripped(go: str) -> None:
    image = Image(CORES.make("frames", go, mode="stripped"))
    assert image.report["complete"]
    check_defers(image)
    check_panics(image)
    assert not any("arguments" in f for s in image.stacks for f in s["frames"])
    first = image.made.truth["planted"][0]
    for function in ("main.references", "main.interfaces", "main.locked"):
        pointers = image.frame(function)["heap_pointers"]
        (item, *_) = [p for p in pointers if p["address"] == first]
        assert item["type"] == "main.item"
        assert item["size_bytes"] == 32
        assert int(item["at"], 16) >= int(image.frame(function)["sp"], 16)
    channel = [p["type"] for p in image.frame("main.references")["heap_pointers"]]
    assert "chan int" in channel
    # What may be a pointer is said to be no more than that.
    spin = image.frame("main.spin")["heap_pointers"]
    assert spin
    assert all(p["conservative"] for p in spin)


# ---- the command ----


def test_one_and_its_text(plain: Image) -> None:
    made = plain.made
    goid = plain.stack("main.texts")["goid"]
    one = report("stack", made.core, made.exe, goid)
    assert one["summary"]["goid"] == goid
    assert one["summary"]["state"] == "waiting"
    assert one["tables"]["frames"] == plain.stack("main.texts")["frames"]
    assert one["tables"]["panics"] == []
    text = spanwalk("stack", made.core, "--exe", made.exe, goid).stdout
    lines = text.splitlines()
    assert re.match(rf"goroutine {goid} \[chan receive(, [^]]*)?\]:", lines[0])
    assert lines[1] == "main.park()"
    assert re.fullmatch(r"    \S*frames/main.go:\d+ \+0x[0-9a-f]+ sp=0x[0-9a-f]+", lines[2])
    assert '        s string = "hello"' in lines
    assert any(line.startswith("created by spanwalk/programs/internal/truth") for line in lines)
    short = spanwalk("stack", made.core, "--exe", made.exe, plain.stack("main.outer")["goid"])
    assert 'main.inner(i=21, s="in")' in short.stdout


def test_brief(plain: Image) -> None:
    made = plain.made
    goid = plain.stack("main.texts")["goid"]
    one = report("stack", made.core, made.exe, goid, "--brief")
    assert not any("arguments" in f or "locals" in f for f in one["tables"]["frames"])
    everything = report("stack", made.core, made.exe, "all", "--limit", 0)
    assert everything["summary"]["goroutines"] == len(everything["tables"]["goroutines"])
    assert not any("locals" in f for s in everything["tables"]["goroutines"] for f in s["frames"])
    few = report("stack", made.core, made.exe, "all", "--limit", 3)
    assert len(few["tables"]["goroutines"]) == 3
    assert few["omitted"]["goroutines"] == everything["summary"]["goroutines"] - 3


def test_runtime(plain: Image) -> None:
    made = plain.made
    stack = plain.stack("main.locked")
    shown = [f["function"] for f in stack["frames"]]
    assert not any(name.startswith("runtime.") for name in shown)
    everything = report("stack", made.core, made.exe, stack["goid"], "--runtime")
    names = [f["function"] for f in everything["tables"]["frames"]]
    assert names[0] == "runtime.gopark"
    assert names[-1] == "runtime.goexit"
    rest = iter(names)  # wrappers too, up to 1.20 that of the go statement
    assert all(name in rest for name in shown)


def test_no_such_goroutine(plain: Image) -> None:
    made = plain.made
    for word in (987654321, 0, 1 << 63):
        result = spanwalk("stack", made.core, "--exe", made.exe, word, status=3)
        assert result.stdout == ""
        assert "goroutine" in result.stderr
        assert "hint: goroutines --list" in result.stderr
    result = spanwalk("stack", made.core, "--exe", made.exe, "main.main", status=2)
    assert "hint: " in result.stderr
    spanwalk("stack", made.core, "--exe", made.exe, "all", "--values", "--brief", status=2)


def test_live(start: Callable[..., Any]) -> None:
    process = start("frames", NEWEST)
    found = spanwalk("stack", "--pid", process.pid, "all", "--values", "--limit", 0, "--json")
    stacks = found.report["tables"]["goroutines"]
    (frame,) = [f for s in stacks for f in s["frames"] if f["function"] == "main.numbers"]
    assert values(frame)["a"] == ("int", "-42")
    (spin,) = [f for s in stacks for f in s["frames"] if f["function"] == "main.spin"]
    assert values(spin)["factor"] == ("int", "12345")


# ---- frames of C ----

DEPTH = 5


def c_names(stack: Stack) -> list[str]:
    """Functions outwards, with what the compilers of Go and C add cut off."""
    names = []
    for frame in stack["frames"]:
        name = re.sub(r"_[0-9a-f]{12}_", "_", frame["function"])
        names.append(("c " if frame["language"] == "c" else "") + name)
    return names


def check_cgo(made: Any) -> None:
    found = report("stack", made.core, made.exe, "all", "--limit", 0)
    codes = {w["code"] for w in found["warnings"]}
    assert codes <= {"unverified_executable"}, found["warnings"]
    stacks = [c_names(s) for s in found["tables"]["goroutines"]]

    def of(last: str) -> list[list[str]]:
        return [names for names in stacks if names[-1] == last]

    for names in of("main.waitInC"):
        own = names[names.index("c wait_in_c") :]
        assert own == ["c wait_in_c", "c _cgo_Cfunc_wait_in_c", "main._Cfunc_wait_in_c", own[-1]]
    assert len(of("main.waitInC")) == 4

    level = ["main._Cfunc_descend", "main.goDescend", "c goDescend", "c descend"]
    level.append("c _cgo_Cfunc_descend")
    below = ["c wait_in_c", "c descend", "c _cgo_Cfunc_descend"]
    for names in of("main.descend"):
        own = names[names.index("c wait_in_c") :]
        own = [n for n in own if not n.startswith("_cgoexp")]
        assert own == [*below, *level * DEPTH, "main._Cfunc_descend", "main.descend"]
    assert len(of("main.descend")) == 4

    parked = of("main.parkBelowC")
    assert len(parked) == 4
    for names in parked:
        assert names[:2] == ["main.park", "main.goForeign"]
        assert names[-5:-2] == ["c call_foreign", "c _cgo_Cfunc_call_foreign", names[-3]]

    # On a thread that C has started, down to where it began.
    foreign = [n for n in stacks if "c run" in n and "main.goForeign" in n]
    assert len(foreign) >= 12
    for names in foreign:
        at = names.index("c goForeign")
        assert names[at + 1] == "c run"
        assert all(name.startswith("c ") for name in names[at:])
        assert len(names) >= at + 3

    # A signal handler of C that waits, on the signal stack, and what it interrupted.
    handlers = of("main.waitInHandler")
    assert len(handlers) == 2
    for names in handlers:
        assert "c wait_in_handler" in names
        if "crash" not in str(made.core):
            assert names.index("c wait_here") < names.index("c wait_in_handler")


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("via", ["kernel", "crash"])
def test_cgo(via: str, go: str) -> None:
    made = CORES.make("cgo", go, mode="cgo", via=via, name=f"cgo-{via}-cgo-go{go}")
    check_cgo(made)


def test_cgo_live(start: Callable[..., Any]) -> None:
    process = start("cgo", NEWEST, mode="cgo")
    found = spanwalk("stack", "--pid", process.pid, "all", "--limit", 0, "--json").report
    stacks = [c_names(s) for s in found["tables"]["goroutines"]]
    assert found["complete"], found["warnings"]
    waiting = [names for names in stacks if names[-1] == "main.waitInC"]
    assert len(waiting) == 4
    assert all("c wait_in_c" in names for names in waiting)


def test_cgo_of_arm64() -> None:
    check_cgo(CORES.make("cgo", NEWEST, arch="arm64"))


def test_c_lines() -> None:
    made = CORES.make("cgo", NEWEST, mode="cgo", name=f"cgo-kernel-cgo-go{NEWEST}")
    found = report("stack", made.core, made.exe, "all", "--limit", 0)
    frames = [f for s in found["tables"]["goroutines"] for f in s["frames"]]
    source = (CORES.PROGRAMS / "cgo" / "calls.c").read_text().splitlines()
    waits = {f["line"] for f in frames if f["function"] == "wait_in_c"}
    assert waits == {source.index("\t\tpause();") + 1}
    assert {Path(f["file"]).name for f in frames if f["function"] == "wait_in_c"} == {"calls.c"}
    assert {Path(f["library"]).name for f in frames if f["function"] == "pause"} == {"libc.so.6"}


def test_library_that_is_not_here(tmp_path: Path) -> None:
    """Another machine's core: the walk says where it ends, and the frames of Go are whole."""
    made = CORES.make("cgo", NEWEST, mode="cgo", name=f"cgo-kernel-cgo-go{NEWEST}")
    options = ("--sysroot", tmp_path, "all", "--limit", 0)
    core = tmp_path / "core"
    data = made.core.read_bytes()
    core.write_bytes(data.replace(b"/libc.so.6\0", b"/libX.so.6\0"))
    found = report("stack", core, made.exe, *options, status=4)
    assert "c_stack" in {w["code"] for w in found["warnings"]}
    stacks = [c_names(s) for s in found["tables"]["goroutines"]]
    assert sum(names[-1] == "main.waitInC" for names in stacks) == 4


# ---- damage ----


class Core:
    """A copy of a core whose words can be changed."""

    def __init__(self, original: Path, copy: Path) -> None:
        shutil.copy(original, copy)
        self.path = copy
        with copy.open("rb") as file:
            header = CORES.ELF_HEADER.unpack(file.read(CORES.ELF_HEADER.size))
            file.seek(header[CORES.E_PHOFF])
            table = file.read(CORES.PROGRAM_HEADER.size * header[CORES.E_PHNUM])
        self.segments = [s for s in CORES.PROGRAM_HEADER.iter_unpack(table) if s[0] == 1]

    def place(self, address: int) -> int:
        for _, _, offset, start, _, size, _, _ in self.segments:
            if start <= address < start + size:
                return int(offset + address - start)
        raise AssertionError(hex(address))

    def read(self, address: int) -> int:
        with self.path.open("rb") as file:
            file.seek(self.place(address))
            return int(struct.unpack("<Q", file.read(8))[0])

    def write(self, address: int, word: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.place(address))
            file.write(struct.pack("<Q", word))


@pytest.fixture
def damaged(plain: Image, tmp_path: Path) -> Core:
    return Core(plain.made.core, tmp_path / "core")


def g_of(image: Image, goid: int) -> int:
    found = report("goroutines", image.made.core, image.made.exe, "--list", "--limit", 0)
    rows = [row for row in found["tables"]["goroutines"] if row["goid"] == goid]
    return int(rows[0]["address"], 16)


# runtime.g: stack, two guards, _panic, _defer (1.18 to 1.27)
G_PANIC, G_DEFER = 32, 40


def run_damaged(image: Image, core: Core, goid: int) -> dict[str, Any]:
    result = report("stack", core.path, image.made.exe, goid, status=4)
    text = spanwalk("stack", core.path, "--exe", image.made.exe, goid, status=4).stdout
    assert "warning: " in text
    return result


def test_sp_outside_stack(plain: Image, damaged: Core) -> None:
    stack = plain.stack("main.locked")
    inner = report("stack", damaged.path, plain.made.exe, stack["goid"], "--runtime", "--brief")
    sp = int(inner["tables"]["frames"][0]["sp"], 16)
    g = g_of(plain, stack["goid"])
    (place,) = [g + i for i in range(48, 160, 8) if damaged.read(g + i) == sp]
    for wrong in (0, 8, sp + (1 << 30), (1 << 64) - 8, sp + 1):
        damaged.write(place, wrong)
        found = run_damaged(plain, damaged, stack["goid"])
        assert found["summary"]["partial"]
        assert "damaged_stack" in {w["code"] for w in found["warnings"]}


def test_cyclic_defers(plain: Image, damaged: Core) -> None:
    stack = plain.stack("main.looping")
    link = 40 if minor(plain.go) < 22 else 32
    g = g_of(plain, stack["goid"])
    first = damaged.read(g + G_DEFER)
    second = damaged.read(first + link)
    third = damaged.read(second + link)
    assert first and second and third
    damaged.write(third + link, first)
    found = run_damaged(plain, damaged, stack["goid"])
    frame = next(f for f in found["tables"]["frames"] if f["function"] == "main.looping")
    assert len(frame["defers"]) == 3
    assert "damaged_defers" in {w["code"] for w in found["warnings"]}
    damaged.write(second + link, 0xDEAD0000)
    found = run_damaged(plain, damaged, stack["goid"])
    frame = next(f for f in found["tables"]["frames"] if f["function"] == "main.looping")
    assert len(frame["defers"]) == 2


def test_cyclic_panics(plain: Image, damaged: Core) -> None:
    stack = plain.stack("main.panicAgain")
    g = g_of(plain, stack["goid"])
    second, first = (int(p["address"], 16) for p in stack["panics"])
    assert damaged.read(g + G_PANIC) == second
    (link,) = [i for i in range(0, 64, 8) if damaged.read(second + i) == first]
    for wrong in (second, first, 0x10, (1 << 64) - 8):
        damaged.write(first + link, wrong)
        found = run_damaged(plain, damaged, stack["goid"])
        assert [p["address"] for p in found["tables"]["panics"]] == [hex(second), hex(first)]
        assert "damaged_defers" in {w["code"] for w in found["warnings"]}


def test_ended_goroutine(start: Callable[..., Any]) -> None:
    """Numbers that no goroutine has any more, or that none has had."""
    process = start("frames", NEWEST)
    found = spanwalk("stack", "--pid", process.pid, "all", "--limit", 0, "--json").report
    live = {s["goid"] for s in found["tables"]["goroutines"]}
    gone = min(set(range(1, max(live))) - live)
    result = spanwalk("stack", "--pid", process.pid, gone, status=3)
    assert f"goroutine {gone}" in result.stderr

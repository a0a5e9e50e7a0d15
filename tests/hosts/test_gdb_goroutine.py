"""Goroutines in GDB: its own backtrace, frame, up, down and info locals on one that no thread runs,
on cores and live; the target and its threads stay as they were."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST
from damage import damaged_core
from gdb_host import evaluated, gdb, module, typed

MODULE = module()

# The calls of each goroutine as GDB has them, innermost first, and what `backtrace` prints.
CALLS = """
execute("set width 0")
execute("set backtrace past-main on")
result = {}
for goid in goids:
    execute(f"spanwalk goroutine {goid}")
    calls, frame = [], gdb.selected_frame()
    while frame and frame.pc():
        calls.append(frame.name())
        frame = frame.older()
    result[goid] = {"calls": calls, "backtrace": execute("backtrace")}
"""


def names_of(goroutine: dict[str, Any]) -> list[str]:
    """The engine's names of its calls, the inlined ones too."""
    return [
        call["function"] for frame in goroutine["frames"] for call in [*frame["inlined"], frame]
    ]


def printed(backtrace: str) -> list[str]:
    """The functions that a backtrace names."""
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) \((?=[^()]*\)|.*\) at)", backtrace, re.M)


class Parked:
    """A core of `values`, or the program while GDB holds it, as the engine sees it."""

    def __init__(self, session: Any) -> None:
        self.all = {each["goid"]: session.goroutine(each["goid"]) for each in session.goroutines()}

    def of(self, function: str) -> list[dict[str, Any]]:
        return [each for each in self.all.values() if function in names_of(each)]

    @property
    def first(self) -> dict[str, Any]:
        """One of the two that wait in main.parked."""
        return self.of("main.parked")[0]


@pytest.fixture(scope="module", params=[*GO_VERSIONS[:1], *GO_VERSIONS[-1:]])
def core(request: pytest.FixtureRequest) -> Any:
    return CORES.make("values", request.param)


@pytest.fixture(scope="module")
def parked(core: Any) -> Iterator[Parked]:
    with MODULE.open(core.core, exe=core.exe) as session:
        yield Parked(session)


@pytest.mark.needs_go
class TestCore:
    def test_calls_are_the_engines(self, core: Any, parked: Parked) -> None:
        states = {goid: each["status"] for goid, each in parked.all.items()}
        goids = [goid for goid, state in states.items() if state in ("waiting", "syscall")]
        assert len(goids) >= 10
        seen = evaluated(CALLS, target=(core.exe, core.core), goids=goids)
        for goid in goids:
            expected = names_of(parked.all[goid])
            assert seen[str(goid)]["calls"] == expected
            assert printed(seen[str(goid)]["backtrace"]) == expected
            assert "#0 " not in seen[str(goid)]["backtrace"]

    def test_locals_and_arguments(self, core: Any, parked: Parked) -> None:
        """main.parked(number, words) has total = 2 * number, 100 and 101 in turn."""
        totals = evaluated(
            """
execute("set print frame-arguments all")
result = []
for goid in goids:
    execute(f"spanwalk goroutine {goid}")
    while gdb.selected_frame().name() != "main.parked":
        execute("up")
    result.append([execute("info locals"), execute("info frame")])
""",
            target=(core.exe, core.core),
            goids=[each["goid"] for each in parked.of("main.parked")],
        )
        values = {int(value) for text, _ in totals for value in re.findall(r"total = (\d+)", text)}
        assert values == {200, 202}, totals
        assert all("main.parked" in frame for _, frame in totals)

    def test_line_about_it(self, core: Any, parked: Parked) -> None:
        goid = parked.first["goid"]
        text = gdb(
            "set width 0",
            "echo <here>\\n",
            f"spanwalk goroutine {goid}",
            "spanwalk goroutine",
            "print $_goroutine",
            target=(core.exe, core.core),
        ).text.split("<here>\n")[1]
        line = rf"goroutine {goid} \(waiting: chan receive\), created by \S+Go at \S+park.go:24"
        assert re.match(rf"\[Switching to {line}", text)
        assert "\n#1  0x" in text and "in runtime.gopark (" in text
        assert re.search(rf"\[Current goroutine is {line[len('goroutine ') :]}", text)
        assert f"$1 = {goid}\n" in text

    def test_navigation(self, core: Any, parked: Parked) -> None:
        goid = parked.first["goid"]
        text = gdb(
            "set width 0",
            "echo <before>\\n",
            "frame",
            "backtrace",
            "echo <parked>\\n",
            f"spanwalk goroutine {goid}",
            "up",
            "up",
            "down",
            "frame function main.parked",
            "echo <off>\\n",
            "spanwalk goroutine --off",
            "echo <after>\\n",
            "frame",
            "backtrace",
            "print $_goroutine",
            target=(core.exe, core.core),
        ).text
        before = text.split("<before>\n")[1].split("<parked>")[0]
        shown = printed(text.split("<parked>\n")[1].split("<off>")[0])
        after = text.split("<after>\n")[1]
        first, second, third = names_of(parked.first)[:3]
        assert shown == [first, second, third, second, "main.parked"]
        assert after == before + "$1 = 0\n"
        assert "[Back to thread 1 (LWP " in text

    def test_what_it_does_not_have(self, core: Any, parked: Parked) -> None:
        """The thread's registers are not passed off as the goroutine's."""
        goid = parked.first["goid"]
        text = gdb(
            f"spanwalk goroutine {goid}", "info registers", target=(core.exe, core.core)
        ).text
        assert re.search(r"^r14 +<not saved>", text, re.M)
        assert re.search(rf"^rsp +{parked.first['sp']:#x} ", text, re.M)
        assert re.search(rf"^rip +{parked.first['pc']:#x} ", text, re.M)

    def test_left_at_the_prompt(self, core: Any, parked: Parked) -> None:
        goid = parked.first["goid"]
        for leaving in ("thread 2", "thread 1", "frame 0", "down"):
            text = typed(
                f"spanwalk goroutine {goid}",
                leaving,
                "print $_goroutine",
                "backtrace 1",
                target=(core.exe, core.core),
            )
            assert f"[Left goroutine {goid}]\n" in text, leaving
            assert "$1 = 0\n" in text and "#0  " in text.split("$1 = 0")[1], leaving
        text = typed(
            f"spanwalk goroutine {goid}",
            "up",
            "backtrace 1",
            "thread apply all backtrace 1",
            "frame",
            "print $_goroutine",
            target=(core.exe, core.core),
        )
        assert "[Left" not in text and f"$1 = {goid}\n" in text

    def test_g(self, core: Any, parked: Parked) -> None:
        one = parked.first
        text = gdb(
            f"print $goroutine({one['goid']})",
            f"print $goroutine({one['goid']}).goid",
            f"spanwalk goroutine {one['goid']}",
            "print $goroutine()",
            "spanwalk goroutine --off",
            "print $goroutine()",
            target=(core.exe, core.core),
        )
        assert f"$1 = (runtime.g *) {one['address']:#x}\n" in text.text
        assert f"$2 = {one['goid']}\n" in text.text
        assert f"$3 = (runtime.g *) {one['address']:#x}\n" in text.text
        # Without a selection that of the thread, when it runs one.
        thread = re.search(r"Current thread is 1 \(LWP (\d+)\)", text.text)
        assert thread
        running = [g for g in parked.all.values() if g["thread"] == int(thread[1])]
        if running:
            assert f"$4 = (runtime.g *) {running[0]['address']:#x}\n" in text.text
        else:
            assert "spanwalk: no goroutine is selected" in text.errors

    @pytest.mark.parametrize(
        ("words", "error"),
        [
            ("99999", "there is no goroutine 99999"),
            ("-3", "-3 is no number of a goroutine"),
            ("nosuch", "'nosuch' is no address"),
            ("1 2", "too many words"),
            ("--of", "no option --of"),
            ("--off", "no goroutine is selected"),
        ],
    )
    def test_errors(self, core: Any, words: str, error: str) -> None:
        output = gdb(f"spanwalk goroutine {words}", "print 6 * 7", target=(core.exe, core.core))
        assert output.errors.startswith(f"spanwalk: {error}")
        assert "Traceback" not in output.errors
        if words != "--off":
            assert "\nhint: " in output.errors
        assert "$1 = 42" in output.text


@pytest.mark.needs_go
@pytest.mark.parametrize("go", [GO_VERSIONS[0], NEWEST])
def test_stripped(go: str) -> None:
    """No symbols and no debug information: the engine's frames and names."""
    made = CORES.make("values", go, mode="stripped")
    with MODULE.open(made.core, exe=made.exe) as session:
        parked = Parked(session)
    goids = [goid for goid, each in parked.all.items() if each["status"] == "waiting"]
    assert len(goids) >= 10
    program = CALLS.replace("frame.name()", "frame.pc()")
    seen = evaluated(program, target=(made.exe, made.core), goids=goids)
    for goid in goids:
        frames = parked.all[goid]["frames"]
        assert seen[str(goid)]["calls"] == [frame["pc"] for frame in frames]
        assert printed(seen[str(goid)]["backtrace"]) == [frame["function"] for frame in frames]
    output = gdb(f"spanwalk goroutine {goids[0]}", target=(made.exe, made.core))
    assert "in runtime.gopark () at " in output.text
    output = gdb(f"print $goroutine({goids[0]})", target=(made.exe, made.core))
    assert f"$1 = {parked.all[goids[0]]['address']}\n" in output.text


def test_committed_core() -> None:
    """On a machine without Go too."""
    made = CORES.unpack("maps-go1.27.4-amd64-stripped")
    with MODULE.open(made.core, exe=made.exe) as session:
        parked = Parked(session)
    goid = next(goid for goid, each in parked.all.items() if each["wait_reason"])
    output = gdb(
        "set width 0",
        f"spanwalk goroutine {goid}",
        "echo <here>\\n",
        "backtrace",
        target=(made.exe, made.core),
    )
    assert output.errors == ""
    names = [frame["function"] for frame in parked.all[goid]["frames"]]
    assert printed(output.text.split("<here>")[1]) == names


@pytest.mark.needs_go
class TestOnThreads:
    def test_running(self) -> None:
        """Its thread is selected: GDB shows it as it is."""
        made = CORES.make("states", NEWEST, via="kernel", name=f"states-kernel-go{NEWEST}")
        with MODULE.open(made.core, exe=made.exe) as session:
            parked = Parked(session)
        running = [each for each in parked.all.values() if each["status"] == "running"]
        assert any("main.spin" in names_of(each) for each in running)
        for one in running:
            text = gdb(
                "set width 0",
                f"spanwalk goroutine {one['goid']}",
                "thread",
                "backtrace",
                "print $_goroutine",
                "print $goroutine()",
                target=(made.exe, made.core),
            ).text
            line = rf"\[Switching to thread (\d+) \(LWP {one['thread']}\), which runs goroutine "
            match = re.search(line + rf"{one['goid']} \(running\)", text)
            assert match
            assert f"[Current thread is {match[1]} (LWP {one['thread']})]" in text
            assert f" {names_of(one)[0]} (" in text and "$1 = 0\n" in text
            assert f"$2 = (runtime.g *) {one['address']:#x}\n" in text

    def test_system_call(self) -> None:
        made = CORES.make("states", NEWEST, via="kernel", name=f"states-kernel-go{NEWEST}")
        with MODULE.open(made.core, exe=made.exe) as session:
            parked = Parked(session)
        one = parked.of("main.lockedRead")[0]
        text = gdb(
            "set width 0",
            f"spanwalk goroutine {one['goid']}",
            "echo <here>\\n",
            "backtrace",
            target=(made.exe, made.core),
        ).text
        where = rf"goroutine {one['goid']} \(syscall\), .*on thread \d+ \(LWP {one['thread']}\)\]"
        assert re.search(where, text)
        assert printed(text.split("<here>")[1]) == names_of(one)

    def test_in_c(self) -> None:
        made = CORES.make("cgo", NEWEST, via="kernel", name=f"cgo-kernel-go{NEWEST}")
        with MODULE.open(made.core, exe=made.exe) as session:
            parked = Parked(session)
        inside = [
            each
            for each in parked.of("runtime.cgocall")
            if each["status"] == "syscall" and each["thread"]
        ]
        assert inside
        for one in inside[:3]:
            text = gdb(
                "set width 0",
                "set backtrace past-main on",
                f"spanwalk goroutine {one['goid']}",
                "echo <here>\\n",
                "backtrace",
                target=(made.exe, made.core),
            ).text
            assert "on thread " in text and f"(LWP {one['thread']})" in text
            assert printed(text.split("<here>")[1]) == names_of(one)


@pytest.fixture(scope="module")
def made() -> Any:
    return CORES.make("values", NEWEST)


@pytest.fixture(scope="module")
def one(made: Any) -> dict[str, Any]:
    """A goroutine that waits in main.parked."""
    with MODULE.open(made.core, exe=made.exe) as session:
        return Parked(session).first


@pytest.mark.needs_go
class TestDamage:
    """A core of which a few bytes are wrong."""

    def field(self, made: Any, one: dict[str, Any], name: str) -> int:
        text = gdb(f"print/x &$goroutine({one['goid']}).{name}", target=(made.exe, made.core)).text
        return int(re.findall(r"\$1 = (0x[0-9a-f]+)", text)[0], 16)

    @pytest.mark.parametrize("sp", [0, 8, 0x7FFF_FFFF_FFFF_FFF8, (1 << 64) - 8])
    def test_stack_pointer_outside(
        self, made: Any, one: dict[str, Any], tmp_path: Path, sp: int
    ) -> None:
        at = self.field(made, one, "sched.sp")
        core = damaged_core(made.core, tmp_path, {at: struct.pack("<Q", sp)})
        output = gdb(f"spanwalk goroutine {one['goid']}", "backtrace 1", target=(made.exe, core))
        assert "its stack pointer is not in its stack" in output.errors
        assert f"hint: its g may tell more: p *$goroutine({one['goid']})" in output.errors
        assert "#0  " in output.text

    def test_return_address(self, made: Any, one: dict[str, Any], tmp_path: Path) -> None:
        """What is above it can still be seen."""
        third = one["frames"][2]
        core = damaged_core(made.core, tmp_path, {third["cfa"] - 8: struct.pack("<Q", 0x1234)})
        output = gdb(
            "set width 0",
            f"spanwalk goroutine {one['goid']}",
            "echo <here>\\n",
            "backtrace",
            target=(made.exe, core),
        )
        assert "Traceback" not in output.errors
        assert "warning: the stack of goroutine" in output.text
        shown = printed(output.text.split("<here>")[1])
        assert shown[:3] == [frame["function"] for frame in one["frames"][:3]]

    def test_dead(self, made: Any, one: dict[str, Any], tmp_path: Path) -> None:
        at = self.field(made, one, "atomicstatus")
        core = damaged_core(made.core, tmp_path, {at: struct.pack("<I", 6)})
        output = gdb(f"spanwalk goroutine {one['goid']}", target=(made.exe, core))
        assert output.errors.startswith(f"spanwalk: there is no goroutine {one['goid']}: it has")
        assert "hint: goroutines" in output.errors


@pytest.mark.needs_go
class TestLive:
    @pytest.mark.parametrize("go", [GO_VERSIONS[0], NEWEST])
    def test_nothing_changes(self, go: str, start: Callable[..., Any]) -> None:
        """Registers of every thread, and all memory that could be written."""
        process = start("values", go)
        with MODULE.open(pid=process.pid) as session:
            parked = Parked(session)
        found = evaluated(
            """
import hashlib
def state():
    digest = hashlib.sha256()
    for line in open(f"/proc/{pid}/maps"):
        area, rights = line.split()[:2]
        if rights.startswith("rw") and "[v" not in line:
            low, high = (int(each, 16) for each in area.split("-"))
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(low)
                while low < high:
                    data = memory.read(min(high - low, 1 << 20))
                    digest.update(data)
                    low += len(data)
    return [digest.hexdigest(), execute("thread apply all -q info registers")]
before = state()
execute("set print frame-arguments all")
execute("set width 0")
for goid in goids:
    execute(f"spanwalk goroutine {goid}")
    backtrace = execute("backtrace")
    while gdb.selected_frame().name() != "main.parked":
        execute("up")
    shown = execute("info locals")
during = gdb.convenience_variable("_goroutine")
execute("spanwalk goroutine --off")
result = {"same": state() == before, "backtrace": backtrace, "locals": shown, "during": int(during)}
""",
            target=("-p", process.pid),
            pid=process.pid,
            goids=[each["goid"] for each in parked.of("main.parked")],
        )
        assert found["same"]
        last = parked.of("main.parked")[-1]
        assert printed(found["backtrace"]) == names_of(last)
        assert re.search(r"total = 20[02]\b", found["locals"])
        assert found["during"] == last["goid"]
        assert process.command("gc")["program"] == "values"  # it goes on

    def test_ends_when_the_process_goes_on(self, start: Callable[..., Any]) -> None:
        process = start("busy", NEWEST)
        output = gdb(
            "set width 0",
            "spanwalk goroutine 2",
            "print $_goroutine",
            "tbreak runtime.mallocgc",
            "continue",
            "print $_goroutine",
            "backtrace 1",
            "spanwalk goroutine 2",
            "print $_goroutine",
            "detach",
            "print $_goroutine",
            target=("-p", process.pid),
        )
        assert output.errors == ""
        assert re.findall(r"^\$\d = (\d+)$", output.text, re.M) == ["2", "0", "2", "0"]
        assert re.search(r"^#0  .*runtime.mallocgc", output.text, re.M)
        assert process.command("gc")["objects"] > 0

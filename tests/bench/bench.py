#!/usr/bin/env python3
"""What spanwalk costs, in units of what the Go collector costs: `make bench`.

For each size a program with that many objects is started. It says what a collection costs it; then
the process and its core are analysed, in the same run and on the same machine. With --write the
tables go into docs/performance.md, between its two marks; else to stdout.

    tests/bench/bench.py [--sizes 1e6,1e7,3e7] [--runs 5] [--write docs/performance.md]
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "gdb" / "spanwalk_gdb.py"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
JUDGED = ("heap", "leak-roots")
COMMANDS = (*JUDGED, "buffers")
THREADS = (1, 2)
SAMPLE_SECONDS = 0.001
IDLE_CORES = 0.1  # what others may use
LIVE = "spanwalk heap --pid"
GIB = 1 << 30

# What the figures are held against, and at which size.
JUDGED_OBJECTS = 10_000_000
LIMIT_MARK, LIMIT_HEAP, LIMIT_LEAK_ROOTS = 1.5, 3, 8  # units of CPU
LIMIT_TWO_THREADS = 0.65  # of the wall time of one
LIMIT_GROWTH = 1.3  # ns per object, the largest size to the smallest
LIMIT_MEMORY = {"heap": 8, "leak-roots": 40}  # bytes per live object
LIMIT_STOP = 0.4  # seconds per GiB resident


def load_cores() -> ModuleType:
    """cores/build as a module."""
    loader = importlib.machinery.SourceFileLoader("cores_build", str(ROOT / "cores" / "build"))
    spec = importlib.util.spec_from_loader("cores_build", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


CORES = load_cores()


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


# ---- one run of the program ----


class Stage(NamedTuple):
    wall: float  # seconds
    cpu: float


class Run(NamedTuple):
    """What one run cost, in seconds; of several: the medians."""

    wall: float
    cpu: float
    stages: dict[str, Stage]
    array_bytes: int  # most at a time in large arrays, as the program counts them

    def stage(self, *names: str) -> Stage:
        parts = [self.stages[name] for name in names if name in self.stages]
        return Stage(sum(p.wall for p in parts), sum(p.cpu for p in parts))


def parse_timing(text: str) -> tuple[dict[str, Stage], int]:
    """What --timing prints on stderr."""
    stages: dict[str, Stage] = {}
    line = r"^timing (.+?) +([\d.]+) ms wall +([\d.]+) ms cpu"
    for name, wall, cpu in re.findall(line, text, re.M):
        before = stages.get(name, Stage(0, 0))
        stages[name] = Stage(before.wall + float(wall) / 1e3, before.cpu + float(cpu) / 1e3)
    memory = re.search(r"^memory (\d+) bytes", text, re.M)
    return stages, int(memory[1]) if memory else 0


def run_once(command: Sequence[str], scratch: Path) -> Run:
    log = scratch / "stderr"
    with log.open("wb") as errors:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    if child.returncode:
        raise SystemExit(f"bench: status {child.returncode}: {' '.join(command)}\n{text}")
    stages, array_bytes = parse_timing(text)
    return Run(wall, usage.ru_utime + usage.ru_stime, stages, array_bytes)


def median_run(runs: Sequence[Run]) -> Run:
    names = runs[0].stages
    stages = {
        name: Stage(*(median(run.stages[name][i] for run in runs) for i in range(2)))
        for name in names
    }
    return Run(
        median(run.wall for run in runs),
        median(run.cpu for run in runs),
        stages,
        max(run.array_bytes for run in runs),
    )


def peak_anonymous(command: Sequence[str]) -> int:
    """Most memory of its own that a run has: not what it maps from the core."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, status_bytes(child.pid, "RssAnon"))
        time.sleep(SAMPLE_SECONDS)
    return peak


def status_field(pid: int, name: str) -> str:
    """A field of /proc/PID/status; nothing once the process is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    field = re.search(rf"^{name}:\s*(\S+)", text, re.M)
    return field[1] if field else ""


def status_bytes(pid: int, name: str) -> int:
    return int(status_field(pid, name) or 0) << 10


# ---- one size ----


class Size(NamedTuple):
    objects: int
    live_bytes: int
    unit: float  # CPU seconds of a collection
    runs: dict[tuple[str, int], Run]  # by command and threads
    peak_bytes: dict[str, int]  # by command


class Live(NamedTuple):
    """Seconds that a process was stopped, by whom."""

    resident_bytes: int
    stopped: dict[str, float]
    reported: float  # as the program says


def measure_core(program: Path, exe: Path, core: Path, runs: int) -> dict[tuple[str, int], Run]:
    """Each command with each number of threads, in turn, so that a drift of the machine's speed
    touches all of them alike; the first round is not counted."""
    taken: dict[tuple[str, int], list[Run]] = {}
    for turn in range(runs + 1):
        for command in COMMANDS:
            for threads in THREADS:
                words = core_command(program, command, exe, core, threads)
                run = run_once([*words, "--timing"], core.parent)
                if turn:
                    taken.setdefault((command, threads), []).append(run)
    return {key: median_run(all_runs) for key, all_runs in taken.items()}


def core_command(program: Path, command: str, exe: Path, core: Path, threads: int) -> list[str]:
    return [str(program), command, str(core), "--exe", str(exe), "--threads", str(threads)]


def warm_page_cache(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass


def measure_size(
    options: argparse.Namespace, objects: int, is_largest: bool
) -> tuple[Size, Live | None]:
    """Starts the program, measures it live (the largest alone), then its core."""
    scratch: Path = options.build / "bench"
    core = scratch / f"bigheap-{objects}.core"
    exe = CORES.build("bigheap", out=scratch)
    say(f"{objects:,} objects: building the heap")
    live = None
    args = ["-objects", str(objects), "-measure", "-shared-half"]
    with CORES.run(exe, args=args, timeout=600) as process:
        truth = process.truth
        if is_largest:
            say("the process, live")
            live = measure_live(options.program, process.pid, scratch, options.runs)
        process.core(core)
    try:
        warm_page_cache(core)
        say(f"its core, {core.stat().st_size / GIB:.1f} GiB")
        runs = measure_core(options.program, exe, core, options.runs)
        peaks = {
            command: peak_anonymous(core_command(options.program, command, exe, core, THREADS[-1]))
            for command in COMMANDS
        }
    finally:
        core.unlink()
    unit = truth["facts"]["gc_cpu_seconds"]
    return Size(truth["objects"], truth["heap_bytes"], unit, runs, peaks), live


# ---- a live process ----


class StopWatch(threading.Thread):
    """Samples how long a process stands still for a tracer."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.seconds = 0.0
        self.is_over = threading.Event()

    def run(self) -> None:
        since: float | None = None
        while not self.is_over.is_set():
            now = time.perf_counter()
            is_stopped = status_field(self.pid, "State") in ("t", "T")
            if is_stopped and since is None:
                since = now
            elif not is_stopped and since is not None:
                self.seconds += now - since
                since = None
            time.sleep(SAMPLE_SECONDS)
        if since is not None:
            self.seconds += time.perf_counter() - since


def stopped_seconds(pid: int, command: Sequence[str]) -> tuple[float, str]:
    """How long a process stands still for a command that attaches to it; what that prints."""
    watch = StopWatch(pid)
    watch.start()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    watch.is_over.set()
    watch.join()
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)}\n{done.stderr}")
    return watch.seconds, done.stdout


def measure_live(program: Path, pid: int, scratch: Path, runs: int) -> Live:
    resident = status_bytes(pid, "VmRSS")
    core = scratch / "gcore"
    gdb = ["gdb", "-q", "-nx", "-batch", "-iex", "set auto-load no"]
    attach = ["-p", str(pid), "-ex", "detach"]
    heap = [str(program), "heap", "--pid", str(pid), "--json"]
    ways = {
        "gcore": [*gdb, "-p", str(pid), "-ex", f"gcore {core}"],
        "gdb -p, detach": [*gdb, *attach],
        "gdb -p, detach, with spanwalk_gdb.py": [*gdb, "-iex", f"source {SCRIPT}", *attach],
    }
    taken = [stopped_seconds(pid, heap) for _ in range(runs + 1)][1:]
    stopped = {LIVE: median(seconds for seconds, _ in taken)}
    reported = [json.loads(text)["target"]["stopped_seconds"] for _, text in taken]
    for way, command in ways.items():
        turns = 1 if way == "gcore" else runs
        stopped[way] = median(stopped_seconds(pid, command)[0] for _ in range(turns))
        core.unlink(missing_ok=True)
    return Live(resident, stopped, median(reported))


# ---- tables ----


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column to the left, figures to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f}" if seconds >= 0.01 else f"{seconds * 1e3:.1f}"


class Verdict(NamedTuple):
    what: str
    figure: float
    limit: float
    form: str = "{:.2f}"

    def row(self) -> list[str]:
        shown = self.form.format(self.figure)
        verdict = "met" if self.figure <= self.limit else "**missed**"
        return [self.what, shown, f"{self.limit:g}", verdict]


def judged_size(sizes: Sequence[Size]) -> Size:
    """The limits are for 1e7 objects."""
    return min(sizes, key=lambda size: abs(size.objects - JUDGED_OBJECTS))


def verdicts(sizes: Sequence[Size], live: Live | None) -> list[Verdict]:
    judged = judged_size(sizes)
    heap, leak_roots = (judged.runs[command, 1] for command in JUDGED)
    mark = heap.stage("mark", "number")
    rows = [
        Verdict("marking, units of CPU", mark.cpu / judged.unit, LIMIT_MARK),
        Verdict("`heap` whole, units of CPU", heap.cpu / judged.unit, LIMIT_HEAP),
        Verdict("`leak-roots` whole, units of CPU", leak_roots.cpu / judged.unit, LIMIT_LEAK_ROOTS),
    ]
    rows += [
        Verdict(f"{what}, wall time of two threads to one", ratio, LIMIT_TWO_THREADS)
        for what, ratio in (
            ("marking", two_to_one(judged, "heap", lambda run: run.stage("mark", "number").wall)),
            ("`heap`", two_to_one(judged, "heap", lambda run: run.wall)),
            ("`leak-roots`", two_to_one(judged, "leak-roots", lambda run: run.wall)),
        )
    ]
    rows += [
        Verdict(
            f"`{command}`, bytes of memory beside the core per live object",
            judged.peak_bytes[command] / judged.objects,
            LIMIT_MEMORY[command],
            "{:.1f}",
        )
        for command in JUDGED
    ]
    if len(sizes) > 1:
        rows += [growth(sizes, command) for command in JUDGED]
    if live:
        stop = live.stopped[LIVE] / (live.resident_bytes / GIB)
        rows.append(Verdict("live: seconds stopped per GiB resident", stop, LIMIT_STOP))
    return rows


def two_to_one(size: Size, command: str, wall: Callable[[Run], float]) -> float:
    return wall(size.runs[command, 2]) / wall(size.runs[command, 1])


def growth(sizes: Sequence[Size], command: str) -> Verdict:
    first, last = (size.runs[command, 1].cpu / size.objects for size in (sizes[0], sizes[-1]))
    what = f"`{command}`, ns per object at {sizes[-1].objects:,} to {sizes[0].objects:,}"
    return Verdict(what, last / first, LIMIT_GROWTH)


def size_table(sizes: Sequence[Size]) -> str:
    head = ["", *(f"{size.objects:,} objects" for size in sizes)]

    def row(what: str, figure: Callable[[Size], str]) -> list[str]:
        return [what, *(figure(size) for size in sizes)]

    rows = [
        row("live heap, MiB", lambda s: f"{s.live_bytes / (1 << 20):,.0f}"),
        row("a collection (the unit), CPU ms", lambda s: milliseconds(s.unit)),
        row("a collection, ns per object", lambda s: f"{s.unit / s.objects * 1e9:.0f}"),
    ]
    for command in COMMANDS:
        rows += [[what, *figures] for what, figures in command_rows(sizes, command)]
    return table(head, rows)


def command_rows(sizes: Sequence[Size], command: str) -> Iterator[tuple[str, list[str]]]:
    """What a command costs at each size. CPU is that of one thread, as the unit's is."""
    ones = [size.runs[command, 1] for size in sizes]
    name = f"`{command}`"
    yield f"{name}, CPU ms", [milliseconds(one.cpu) for one in ones]
    yield f"{name}, units", [f"{one.cpu / s.unit:.2f}" for s, one in zip(sizes, ones)]
    per_object = [one.cpu / s.objects * 1e9 for s, one in zip(sizes, ones)]
    yield f"{name}, ns per object", [f"{ns:.0f}" for ns in per_object]
    for threads in THREADS:
        walls = [milliseconds(size.runs[command, threads].wall) for size in sizes]
        yield f"{name}, wall ms, --threads {threads}", walls
    arrays = [max(s.runs[command, t].array_bytes for t in THREADS) / s.objects for s in sizes]
    yield f"{name}, bytes per object in large arrays", [f"{n:.1f}" for n in arrays]
    peaks = [s.peak_bytes[command] / s.objects for s in sizes]
    yield f"{name}, bytes per object in anonymous memory", [f"{n:.1f}" for n in peaks]


def stage_table(sizes: Sequence[Size], judged: Size) -> str:
    """With two threads some stages run side by side and stand in a row of their own."""
    one, two = (judged.runs["leak-roots", threads].stages for threads in THREADS)
    head = ["stage", *(f"{size.objects:,}: ns per object" for size in sizes)]
    head += ["units", "wall ms", "two threads: wall ms", "ratio"]
    rows = []
    for name, stage in one.items():
        growing = [size.runs["leak-roots", 1].stage(name).cpu / size.objects for size in sizes]
        costs = [f"{seconds * 1e9:.1f}" for seconds in growing]
        costs += [f"{stage.cpu / judged.unit:.2f}", milliseconds(stage.wall)]
        rows.append([name, *costs, *(against(two[name], stage) if name in two else ("", ""))])
    apart = sum(stage.wall for name, stage in one.items() if name not in two)
    for name in two.keys() - one.keys():
        rows.append([name.replace("|", "beside"), *[""] * (len(sizes) + 1)])
        rows[-1] += [milliseconds(apart), *against(two[name], Stage(apart, 0))]
    return table(head, rows)


def against(two: Stage, one: Stage) -> tuple[str, str]:
    """A stage's wall time with two threads, and in parts of that with one."""
    return milliseconds(two.wall), f"{two.wall / one.wall:.2f}" if one.wall >= 0.005 else ""


def live_table(live: Live) -> str:
    gib = live.resident_bytes / GIB
    rows = [
        [f"`{way}`", milliseconds(seconds), f"{seconds / gib:.2f}"]
        for way, seconds in live.stopped.items()
    ]
    return table([f"a process with {gib:.2f} GiB resident", "stopped, ms", "s per GiB"], rows)


def machine() -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}; Go {CORES.DEFAULT_GO}."
    )


class Others:
    """What else ran on the machine meanwhile: it makes wall times worthless."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.before = self.now()

    @staticmethod
    def now() -> float:
        """CPU seconds of everything but this process and its children."""
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, irq, softirq, steal = map(int, words[:8])
        ticks = user + nice + system + irq + softirq + steal
        own = os.times()
        return ticks / os.sysconf("SC_CLK_TCK") - sum(own[:4])

    def text(self) -> str:
        cores = (self.now() - self.before) / (time.monotonic() - self.began)
        text = f"Other programs kept {max(cores, 0):.2f} cores busy meanwhile."
        return (
            text if cores < IDLE_CORES else f"{text} **Too much to rely on units and wall times.**"
        )


def render(sizes: Sequence[Size], live: Live | None, where: str, runs: int) -> str:
    judged = judged_size(sizes)
    parts = [
        f"Machine: {where} Medians of {runs} runs after one that is not counted.\n",
        f"### Against the limits, at {judged.objects:,} objects\n",
        table(["", "measured", "limit", ""], [v.row() for v in verdicts(sizes, live)]),
        "### By size\n",
        size_table(sizes),
        f"### `leak-roots` by stage; units and wall times at {judged.objects:,} objects\n",
        stage_table(sizes, judged),
    ]
    if live:
        parts += ["### Live: how long the process stands still\n", live_table(live)]
        parts += [
            "Sampled from outside; the program itself says "
            f"{milliseconds(live.reported)} ms for `heap --pid`.\n"
        ]
    return "\n".join(parts)


# ---- the whole ----


def write_between_marks(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    before, first, rest = path.read_text().partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise SystemExit(f"bench: {path} lacks the lines {begin} and {end}")
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def size_list(text: str) -> list[int]:
    return sorted(int(float(word)) for word in text.split(","))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--sizes", type=size_list, default=size_list("1e6,1e7"), help="objects (1e6,1e7)")
    add("--runs", type=int, default=5, help="runs of which the median counts (%(default)s)")
    add("--build", type=Path, default=ROOT / "build", help="where spanwalk was built (build)")
    add("--no-live", action="store_true", help="leave out what attaches to a process")
    add("--write", type=Path, metavar="FILE", help="put the tables between the marks of FILE")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.program = options.build / "spanwalk"
    return options


def main() -> int:
    options = arguments()
    others = Others()
    sizes: list[Size] = []
    live: Live | None = None
    try:
        for objects in options.sizes:
            is_largest = objects == options.sizes[-1] and not options.no_live
            size, measured = measure_size(options, objects, is_largest)
            sizes.append(size)
            live = measured or live
    except CORES.BuildError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    text = render(sizes, live, f"{machine()} {others.text()}", options.runs)
    if options.write:
        write_between_marks(options.write, text)
        say(f"wrote {options.write}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

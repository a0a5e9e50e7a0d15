#!/usr/bin/env python3
"""What it costs to tell what many goroutines do: `spanwalk goroutines` on a core.

Starts cores/programs/parked with that many goroutines in 64 different stacks, takes a core, and
measures the command with one thread and with two, and its peak memory with the pages of the core
that it maps.

    tests/bench/goroutines.py [--count 100000] [--runs 5] [--build build]
                              [--write docs/performance.md]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import bench
from bench import CORES, ROOT, Others, Run, Verdict, machine, milliseconds, say, table

MARKS = "<!-- goroutines: begin -->", "<!-- goroutines: end -->"
THREADS = (1, 2)
STAGES = ("runtime", "stacks")
LIMIT_SECONDS = 0.5  # the whole command on two processors
LIMIT_MIB = 300
JUDGED_COUNT = 100_000
MIB = 1 << 20


class Measured(NamedTuple):
    count: int
    core_bytes: int
    runs: dict[int, Run]  # by threads
    peak_bytes: int


def peak_resident(command: list[str]) -> int:
    """Most memory of a run, the mapped core's pages among it, in bytes."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"goroutines: status {child.returncode}: {' '.join(command)}")
    return usage.ru_maxrss << 10


def check(program: Path, core: Path, exe: Path, count: int) -> None:
    """What is quick and wrong is of no interest."""
    command = [str(program), "goroutines", str(core), "--exe", str(exe), "--json", "--limit", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"goroutines: {done.stderr}")
    parked = [
        cluster["count"]
        for cluster in json.loads(done.stdout)["tables"]["clusters"]
        if any(frame["function"] == "main.turn" for frame in cluster["frames"])
    ]
    if len(parked) != 64 or sum(parked) != count:
        raise SystemExit(f"goroutines: {sum(parked)} of {count} found, {len(parked)} stacks of 64")


def measure(options: argparse.Namespace) -> Measured:
    folder = options.build / "bench"
    exe = CORES.build("parked", out=folder)
    core = folder / "parked.core"
    program = options.build / "spanwalk"
    with CORES.run(exe, args=("-light", "-count", str(options.count))) as process:
        process.core(core)
    bench.warm_page_cache(core)
    check(program, core, exe, options.count)
    taken: dict[int, list[Run]] = {threads: [] for threads in THREADS}
    for turn in range(options.runs + 1):
        for threads in THREADS:
            words = bench.core_command(program, "goroutines", exe, core, threads)
            run = bench.run_once([*words, "--timing"], folder)
            if turn:
                taken[threads].append(run)
    runs = {threads: bench.median_run(all_runs) for threads, all_runs in taken.items()}
    peak = peak_resident(bench.core_command(program, "goroutines", exe, core, max(THREADS)))
    size = core.stat().st_size
    core.unlink()
    return Measured(options.count, size, runs, peak)


def verdicts(measured: Measured) -> list[Verdict]:
    if measured.count < JUDGED_COUNT:
        return []
    return [
        Verdict("seconds, two threads", measured.runs[2].wall, LIMIT_SECONDS),
        Verdict("peak memory, MiB", measured.peak_bytes / MIB, LIMIT_MIB, "{:.0f}"),
    ]


def render(measured: Measured, others: Others, runs: int) -> str:
    def row(what: str, *stages: str) -> list[str]:
        figures = [
            run.stage(*stages) if stages else run for _, run in sorted(measured.runs.items())
        ]
        return [
            what,
            *(milliseconds(f.wall) for f in figures),
            *(milliseconds(f.cpu) for f in figures),
        ]

    rows = [row(f"stage `{stage}`", stage) for stage in STAGES]
    head = ["ms", "wall, 1 thread", "wall, 2 threads", "CPU, 1 thread", "CPU, 2 threads"]
    parts = [
        f"Machine: {machine()} {others.text()} {measured.count:,} goroutines in 64 stacks, a core "
        f"of {measured.core_bytes / MIB:.0f} MiB. Medians of {runs} runs after one that is not "
        "counted.\n"
    ]
    if judged := verdicts(measured):
        parts.append(table(["", "measured", "limit", ""], [v.row() for v in judged]))
    parts.append(table(head, [*rows, row("`goroutines` whole")]))
    return "\n".join(parts)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--count", type=int, default=JUDGED_COUNT, help="goroutines (%(default)s)")
    add("--runs", type=int, default=5, help="runs of which the median counts (%(default)s)")
    add("--build", type=Path, default=ROOT / "build", help="where spanwalk was built (build)")
    add("--write", type=Path, metavar="FILE", help="put the tables between the marks of FILE")
    options = parser.parse_args()
    options.build = options.build.resolve()
    return options


def main() -> int:
    options = arguments()
    others = Others()
    try:
        measured = measure(options)
    except CORES.BuildError as error:
        print(f"goroutines: {error}", file=sys.stderr)
        return 1
    text = render(measured, others, options.runs)
    if options.write:
        bench.write_between_marks(options.write, text, *MARKS)
        say(f"wrote {options.write}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

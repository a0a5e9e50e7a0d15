#!/usr/bin/env python3
"""What it costs to find the runtime in a large stripped executable: `make bench-discovery`.

Builds tests/servers/big (about 100 MB without symbols) twice, with and without debug information,
takes a core of each, and measures the stages of `spanwalk heap` that come before the heap is read,
and what it costs to give the objects types.

    tests/bench/discovery.py [--runs 5] [--build build] [--write docs/performance.md]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import bench
from bench import CORES, ROOT, Others, Run, Verdict, machine, milliseconds, say, table

SOURCES = ROOT / "tests" / "servers" / "big"
MARKS = "<!-- discovery: begin -->", "<!-- discovery: end -->"
BUILDS = {"stripped": "-s -w", "with DWARF": ""}
STAGES = ("image", "runtime")  # what runs before the first span is looked at
LIMIT_SECONDS = 0.5  # of these stages, on the stripped build
MIB = 1 << 20


class Measured(NamedTuple):
    exe_bytes: int
    heap: Run
    types: Run


def build(name: str, ldflags: str, folder: Path) -> Path:
    """The executable; Go's own cache knows what is up to date."""
    exe = folder / f"{name.replace(' ', '-')}.exe"
    command = ["go", "build", "-trimpath", "-buildvcs=false", f"-ldflags={ldflags}"]
    environment = os.environ | {
        "GOTOOLCHAIN": f"go{CORES.DEFAULT_GO}",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
    }
    say(f"building {exe.name}; the first time takes minutes")
    done = subprocess.run(
        [*command, "-o", str(exe), "."],
        cwd=SOURCES,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"discovery: cannot build {exe.name}\n{done.stderr}")
    return exe


def measure(exe: Path, options: argparse.Namespace) -> Measured:
    core = exe.with_suffix(".core")
    with CORES.run(exe) as process:
        process.core(core, via="crash")
    for file in (exe, core):
        bench.warm_page_cache(file)
    check_exact(options.build, core, exe)
    heap, types = (median(name, core, exe, options) for name in ("heap", "heap-types"))
    core.unlink()
    return Measured(exe.stat().st_size, heap, types)


def check_exact(build: Path, core: Path, exe: Path) -> None:
    """What is quick and wrong is of no interest."""
    command = [str(build / "spanwalk"), "verify", str(core), "--exe", str(exe), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not json.loads(done.stdout)["summary"]["exact"]:
        raise SystemExit(f"discovery: {exe.name} is not analysed well\n{done.stdout}{done.stderr}")


def median(name: str, core: Path, exe: Path, options: argparse.Namespace) -> Run:
    command = [str(options.build / "spanwalk"), name, str(core), "--exe", str(exe), "--timing"]
    runs = [bench.run_once(command, exe.parent) for _ in range(options.runs + 1)]
    return bench.median_run(runs[1:])


def render(measured: dict[str, Measured], others: Others, runs: int) -> str:
    stripped, full = (measured[name] for name in BUILDS)
    seconds, with_dwarf = (m.heap.stage(*STAGES).wall for m in (stripped, full))
    verdict = Verdict("discovery without DWARF, seconds", seconds, LIMIT_SECONDS, "{:.3f}")

    def row(what: str, figure: Callable[[Measured], float]) -> list[str]:
        return [what, *(milliseconds(figure(m)) for m in measured.values())]

    rows = [
        ["executable, MiB", *(f"{m.exe_bytes / MIB:.0f}" for m in measured.values())],
        row("stage `image`, wall ms", lambda m: m.heap.stage("image").wall),
        row("stage `runtime`, wall ms", lambda m: m.heap.stage("runtime").wall),
        row("`heap` whole, wall ms", lambda m: m.heap.wall),
        row("stage `types`, wall ms", lambda m: m.types.stage("types").wall),
        row("`heap-types` whole, wall ms", lambda m: m.types.wall),
    ]
    return "\n".join(
        [
            f"Machine: {machine()} {others.text()} Medians of {runs} runs after one that is not "
            "counted.\n",
            table(["", "measured", "limit", ""], [verdict.row()]),
            table(["", *measured], rows),
            f"Stages {' and '.join(f'`{name}`' for name in STAGES)} together cost "
            f"{seconds / with_dwarf:.2f} of what they cost with DWARF.\n",
        ]
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--runs", type=int, default=5, help="runs of which the median counts (%(default)s)")
    add("--build", type=Path, default=ROOT / "build", help="where spanwalk was built (build)")
    add("--write", type=Path, metavar="FILE", help="put the tables between the marks of FILE")
    options = parser.parse_args()
    options.build = options.build.resolve()
    return options


def main() -> int:
    options = arguments()
    folder = options.build / "bench" / "big"
    folder.mkdir(parents=True, exist_ok=True)
    exes = {name: build(name, ldflags, folder) for name, ldflags in BUILDS.items()}
    others = Others()
    try:
        measured = {name: measure(exe, options) for name, exe in exes.items()}
    except CORES.BuildError as error:
        print(f"discovery: {error}", file=sys.stderr)
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

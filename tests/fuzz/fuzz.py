#!/usr/bin/env python3
"""Damaged cores and executables by the thousand: `make fuzz SECONDS=600`.

The work is done by the driver (fuzz.c, built with the sanitizers by `make fuzz-driver`). This
starts it on each subject: the cuts at every 64 KiB, a page zeroed at a time, the cases made by
construction, indexes, and random damages for the rest of the time. A failure prints the round it
was in; `fuzz EXE CORE seeds SEED 1` is that round again, `fuzz EXE CORE save SEED FOLDER` writes
its files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from conftest import BUILD, CORES, GO_VERSIONS, NEWEST, needs_go  # noqa: E402

DRIVER = BUILD / "sanitize" / "fuzz"
PROGRAM = BUILD / "sanitize" / "spanwalk"


class Subject(NamedTuple):
    """What is damaged."""

    name: str
    exe: Path
    core: Path
    share: float = 1  # of the rounds that there are


# Debug information that is not compressed takes damage in many places.
PLAIN = "-compressdwarf=false"


def subjects() -> list[Subject]:
    """Cores with a few of everything, by each release of Go; without Go a committed one."""
    if not needs_go():
        made = CORES.unpack("maps-go1.22.12")
        return [Subject("maps-go1.22.12", made.exe, made.core)]
    found = []
    for go in GO_VERSIONS:
        name = f"assorted-plain-go{go}"
        made = CORES.make("assorted", go, ldflags=PLAIN, name=name)
        found.append(Subject(name, made.exe, made.core))
    for go in GO_VERSIONS:
        # Goroutines that wait in every way that there is.
        name = f"parked-plain-60-go{go}"
        args = ["-few", "1", "-count", "60"]
        made = CORES.make("parked", go, ldflags=PLAIN, args=args, name=name)
        found.append(Subject(name, made.exe, made.core, 0.2))
    # Calls between Go and C.
    name = f"cgo-plain-go{NEWEST}"
    made = CORES.make("cgo", NEWEST, mode="cgo", ldflags=PLAIN, name=name)
    found.append(Subject(name, made.exe, made.core, 0.1))
    # Without debug information other things are read, and all code in each round.
    made = CORES.make("assorted", NEWEST, mode="stripped")
    return [*found, Subject(f"assorted-stripped-go{NEWEST}", made.exe, made.core, 0.15)]


# Each with structures that one command reads, and a fault of theirs.
OWNERS = (
    *("arena-chunks", "broken-cancel-chain", "database-rows", "dirty-pool", "finalizer-cycles"),
    *("idle-connections", "influx-gateway", "parser-arena", "pinned-views", "readers"),
    *("short-link", "ticker-in-loop"),
)


def owners() -> list[Subject]:
    """Cores with what the commands about owners look for."""
    if not needs_go():
        return []
    found = []
    for number, program in enumerate(OWNERS):
        go = GO_VERSIONS[number % len(GO_VERSIONS)]
        name = f"owners-{program}-plain-go{go}"
        made = CORES.make(f"owners/{program}", go, ldflags=PLAIN, name=name)
        found.append(Subject(name, made.exe, made.core, 0.05))
    return found


def build() -> None:
    """Builds the driver and the program with the sanitizers."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "-C", str(ROOT), f"BUILD={BUILD}", "fuzz-driver"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


class Job:
    """A driver at work."""

    def __init__(self, subject: Subject, *words: object) -> None:
        self.words = [str(DRIVER), str(subject.exe), str(subject.core), *map(str, words)]
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, timeout: float | None = None) -> dict[str, Any]:
        """What was done; an AssertionError with the driver's output when it found something."""
        try:
            stdout, stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, stderr = self.process.communicate()
        if self.process.returncode:
            shown = stderr if len(stderr) < 12000 else f"{stderr[:8000]}\n…\n{stderr[-4000:]}"
            raise AssertionError(
                f"{' '.join(self.words)}: status {self.process.returncode}\n{shown}"
            )
        done: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        return done


def run(subject: Subject, *words: object, timeout: float = 900) -> dict[str, Any]:
    """One mode of the driver."""
    return Job(subject, *words).finish(timeout)


def campaign(seconds: float, first: int) -> int:
    """Everything there is for about so many seconds; the number of failures."""
    failures = 0
    chosen = [*subjects(), *owners()]
    share = seconds / len(chosen)
    for subject in chosen:
        begin = time.monotonic()
        for words in (
            ["cases"],
            ["cuts", 65536, share / 6],
            ["pages", 1, share / 6],
            ["memory", 13, share / 6],
            ["index", first, 1 << 32, share / 6],
        ):
            failures += attempt(subject, words)
        left = share - (time.monotonic() - begin)
        half = 1 << 32
        jobs = [
            Job(subject, "seeds", first + n * half, half, left) for n in range(os.cpu_count() or 1)
        ]
        failures += sum(
            report(subject, ["seeds", first + n * half], job) for n, job in enumerate(jobs)
        )
    return failures


def attempt(subject: Subject, words: list[Any]) -> int:
    return report(subject, words, Job(subject, *words))


def report(subject: Subject, words: list[Any], job: Job) -> int:
    try:
        print(subject.name, *words[:2], job.finish(), flush=True)
    except AssertionError as error:
        print(subject.name, *words[:2], "FAILED", error, flush=True)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Analyse damaged cores for a while.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--first", type=int, default=int(time.time()) << 8, help="first seed (default: the time)"
    )
    options = parser.parse_args()
    build()
    failures = campaign(options.seconds, options.first)
    print(f"{failures} of the runs failed" if failures else "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

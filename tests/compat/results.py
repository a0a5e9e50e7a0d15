"""What became of each square: measured once, kept in a file of the build folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from conftest import CORES, ROOT
from judge import Verdict, judge
from matrix import ARGUMENTS, WAYS, Square


class Result(NamedTuple):
    objects: int  # of all programs together
    difference: str  # "": exact
    seconds: float
    day: str
    tool: str  # digest of the program that was asked

    @property
    def verdict(self) -> str:
        return self.difference or "exact"


Results = dict[Square, Result]


def measure(square: Square, spanwalk: Path, folder: Path) -> Result:
    """Makes the cells of a square and judges them. What was made stays when something differs."""
    began = time.monotonic()
    place = folder / str(square).replace(" ", "-")
    objects = 0
    differing: dict[str, list[str]] = {}  # programs by difference
    for program in square.programs:
        verdict = measure_cell(square, program, spanwalk, place)
        objects += verdict.objects
        if verdict.difference:
            differing.setdefault(without_addresses(verdict.difference), []).append(program)
    if not differing:
        shutil.rmtree(place)
    difference = "; ".join(f"{', '.join(them)}: {text}" for text, them in differing.items())
    seconds = round(time.monotonic() - began, 1)
    return Result(objects, difference, seconds, date.today().isoformat(), digest(spanwalk))


def without_addresses(text: str) -> str:
    """The same for every program and every run."""
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


def measure_cell(square: Square, program: str, spanwalk: Path, place: Path) -> Verdict:
    arguments, way = ARGUMENTS.get(program, []), WAYS.get(program, "kernel")
    try:
        made = CORES.make(program, **square._asdict(), args=arguments, via=way, out=place)
    except CORES.BuildError as error:
        last = (str(error).strip().splitlines() or ["?"])[-1]
        return Verdict(0, f"not made: {last.replace(f'{ROOT}/', '')}")
    verdict = judge(spanwalk, made.core, made.exe, made.truth)
    return verdict._replace(difference=verdict.difference.replace(made.exe.name, "the executable"))


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def load(file: Path, squares: Iterable[Square]) -> Results:
    """What is known of these squares."""
    known = json.loads(file.read_text()) if file.exists() else {}
    return {s: Result(*known[str(s)]) for s in squares if str(s) in known}


def save(file: Path, results: Results) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps({str(s): r for s, r in results.items()}, indent=0) + "\n")
    new.replace(file)

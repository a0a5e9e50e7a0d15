"""The matrix: releases of Go x processors x ways to build x experiments.

A square of its tables stands for the cells of cores/build, a few programs, that are built alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import NamedTuple

from conftest import CORES

USUAL = ("assorted", "stacks", "finalizers")
# Programs that have something to show only in a mode, or with an experiment.
BY_MODE = {"cgo": ("cgo", "gateway")}
BY_EXPERIMENT = {
    "arenas": ("userarenas", "assorted"),
    "noallocheaders": ("assorted", "interfaces", "finalizers"),
    "noswissmap": ("assorted", "maps"),
    "mapsplitgroup": ("assorted", "maps"),
    "goroutineleakprofile": ("assorted", "channels"),
    "runtimefreegc": ("assorted", "maps"),
}
ARGUMENTS = {"gateway": ["-requests", "300"]}
WAYS = {"stacks": "crash"}  # the others: as the kernel finds them

EXPERIMENTS = {
    "arenas": ("1.20.14", "1.22.12", "1.27.4"),
    "noallocheaders": ("1.22.12",),
    "noswissmap": ("1.24.11", "1.25.12"),
    "greenteagc": ("1.25.12",),
    "nogreenteagc": ("1.26.11", "1.27.4"),
    "goroutineleakprofile": ("1.26.11",),
    "norandomizedheapbase64": ("1.26.11", "1.27.4"),
    "runtimefreegc": ("1.26.11", "1.27.4"),
    "sizespecializedmalloc": ("1.26.11",),
    "nosizespecializedmalloc": ("1.27.4",),
    "runtimesecret": ("1.27.4",),
    "mapsplitgroup": ("1.27.4",),
}
# Of experiments and of first patch releases: what does not come from debug information differs.
TWO_MODES = ("plain", "stripped")


class Square(NamedTuple):
    """One entry of a table."""

    go: str
    arch: str
    mode: str
    experiment: str = ""

    def __str__(self) -> str:
        return " ".join([f"go{self.go}", *filter(None, self[1:])])

    @property
    def programs(self) -> Sequence[str]:
        return BY_EXPERIMENT.get(self.experiment) or BY_MODE.get(self.mode) or USUAL


def newest() -> list[Square]:
    """The newest patch release of each version, in every mode."""
    return [Square(*names) for names in product(CORES.VERSIONS, CORES.ARCHES, CORES.MODES)]


def first() -> list[Square]:
    return [Square(*names) for names in product(CORES.FIRST_PATCHES, CORES.ARCHES, TWO_MODES)]


def experiments() -> list[Square]:
    return [
        Square(go, arch, mode, name)
        for name, versions in EXPERIMENTS.items()
        for go, arch, mode in product(versions, CORES.ARCHES, TWO_MODES)
    ]


def matrix() -> list[Square]:
    return [*newest(), *first(), *experiments()]


def spread() -> Iterator[tuple[Square, str]]:
    """Squares with one program of each: every release on every processor, every mode on every
    processor, every experiment once."""
    modes = list(CORES.MODES)
    for turn, arch in enumerate(CORES.ARCHES):
        for rank, go in enumerate(CORES.VERSIONS):
            square = Square(go, arch, modes[(rank + 3 * turn) % len(modes)])
            yield square, square.programs[rank % len(square.programs)]
    for rank, (name, versions) in enumerate(EXPERIMENTS.items()):
        arch = list(CORES.ARCHES)[rank % len(CORES.ARCHES)]
        square = Square(versions[-1], arch, TWO_MODES[rank // 2 % len(TWO_MODES)], name)
        yield square, square.programs[0]


def select(squares: Iterable[Square], only: str) -> list[Square]:
    """Those that a filter like "go=1.2[67].* arch=arm64 mode=pie,cgo experiment=none" names."""
    wanted: dict[str, list[str]] = {}
    for word in only.split():
        field, equals, patterns = word.partition("=")
        if field not in Square._fields or not equals:
            raise ValueError(f"{word}: not one of {' '.join(f'{f}=…' for f in Square._fields)}")
        wanted[field] = patterns.replace("none", "").split(",")
    return [
        square
        for square in squares
        if all(
            any(fnmatchcase(getattr(square, field), pattern) for pattern in patterns)
            for field, patterns in wanted.items()
        )
    ]

"""docs/compatibility.md, from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import matrix
from conftest import CORES
from matrix import Square
from results import Results

ABOUT = """\
# Compatibility

Made by `make check-all`. Each entry stands for a few programs of `cores/programs` that were built
by this release of Go in this way, run, and dumped; `spanwalk verify` then replayed the mark phase
of the collector on each core. A number says how many live objects that were: the runtime's own last
collection had marked every one of them and no other (but for what `verify` explains, as objects
that are newer than the collection), and the program itself had counted as many objects and bytes.
Anything else is a difference, and is listed below.

Cores of arm64 come from qemu (user mode), those of amd64 from the kernel and from Go's own crash
handler (`stacks`).
"""

MODES = "Ways to build:\n\n{}\n"
PROGRAMS = "Programs: {}; with cgo {}; with an experiment those that it concerns.\n"


def render(results: Results, version: str) -> str:
    """The document; raises ValueError when a square was not measured."""
    missing = [str(square) for square in matrix.matrix() if square not in results]
    if missing:
        raise ValueError(f"{len(missing)} squares are not measured: {', '.join(missing[:5])}…")
    writer = Writer(results)
    parts = [ABOUT, measured(results, version), legend()]
    for arch in CORES.ARCHES:
        parts += [f"## {arch}\n", writer.by_mode(arch)]
    parts += [
        "## First patch releases\n",
        writer.by_columns("Go", [(go, go, "") for go in CORES.FIRST_PATCHES]),
        "## Experiments\n\nGOEXPERIMENT when program and runtime were built:\n",
        writer.by_columns(
            "GOEXPERIMENT",
            [
                (f"{name}, Go {go}", go, name)
                for name, versions in matrix.EXPERIMENTS.items()
                for go in versions
            ],
        ),
        "## Differences\n",
        writer.differences(),
    ]
    return "\n".join(parts)


def measured(results: Results, version: str) -> str:
    days = sorted({result.day for result in results.values()})
    tools = len({result.tool for result in results.values()})
    objects = sum(result.objects for result in results.values())
    exact = sum(not result.difference for result in results.values())
    text = (
        f"{version}, {' to '.join(sorted({days[0], days[-1]}))}: "
        f"{exact} of {len(results)} entries exact, {objects:,} objects.\n"
    )
    return text if tools == 1 else f"{text}\nNot every entry was measured with the same build.\n"


def legend() -> str:
    modes = "\n".join(f"- {name}: {mode.what}" for name, mode in CORES.MODES.items())
    usual, cgo = (", ".join(f"`{p}`" for p in ps) for ps in (matrix.USUAL, matrix.BY_MODE["cgo"]))
    return f"{MODES.format(modes)}\n{PROGRAMS.format(usual, cgo)}"


class Writer:
    """Tables that number their differences."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.notes: dict[str, list[Square]] = {}

    def entry(self, square: Square) -> str:
        result = self.results[square]
        if not result.difference:
            return f"{result.objects:,}"
        squares = self.notes.setdefault(result.difference, [])
        squares.append(square)
        return f"**no** [{list(self.notes).index(result.difference) + 1}]"

    def by_mode(self, arch: str) -> str:
        head = ["Go", *CORES.MODES]
        rows = [
            [go, *(self.entry(Square(go, arch, mode)) for mode in CORES.MODES)]
            for go in CORES.VERSIONS
        ]
        return table(head, rows)

    def by_columns(self, what: str, rows: Iterable[tuple[str, str, str]]) -> str:
        columns = list(product(CORES.ARCHES, matrix.TWO_MODES))
        return table(
            [what, *(f"{arch} {mode}" for arch, mode in columns)],
            [
                [name, *(self.entry(Square(go, *column, experiment)) for column in columns)]
                for name, go, experiment in rows
            ],
        )

    def differences(self) -> str:
        if not self.notes:
            return "None.\n"
        return "".join(
            f"{rank}. {text} ({len(squares)} entries, as {squares[0]})\n"
            for rank, (text, squares) in enumerate(self.notes.items(), 1)
        )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    line: Callable[[Sequence[str]], str] = lambda words: f"| {' | '.join(words)} |"  # noqa: E731
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join([line(head), line(rule), *map(line, rows)]) + "\n"

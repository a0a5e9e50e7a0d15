#!/usr/bin/env python3
"""Every cell of the matrix: made, analysed, and held against the runtime: `make check-all`.

    tests/compat/check_all.py [--only "go=1.26.* arch=arm64"] [--resume] [--jobs 2] [--list]

prints a line for each square of the matrix and fails when one is missing or inexact. Results stay
in build/compat, so that a part can be run again; docs/compatibility.md is written when every square
has been measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import document  # noqa: E402
import matrix  # noqa: E402
import results  # noqa: E402
from conftest import ROOT  # noqa: E402
from matrix import Square  # noqa: E402
from results import Result, Results  # noqa: E402

DOCUMENT = ROOT / "docs" / "compatibility.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--only", default="", metavar="FILTER", help="squares, as: go=1.26.* mode=pie,cgo")
    add("--resume", action="store_true", help="only what this build has not found exact yet")
    add("--jobs", type=int, default=2, help="squares at a time (%(default)s)")
    add("--list", action="store_true", help="print what is known, measure nothing")
    add("--build", type=Path, default=ROOT / "build", help="where spanwalk was built (build)")
    add("--write", type=Path, default=DOCUMENT, metavar="FILE", help="docs/compatibility.md")
    options = parser.parse_args()
    options.folder = options.build.resolve() / "compat"
    options.known = options.folder / "results.json"
    options.spanwalk = options.build.resolve() / "spanwalk"
    try:
        options.squares = matrix.select(matrix.matrix(), options.only)
    except ValueError as error:
        parser.error(str(error))
    if not options.squares:
        parser.error(f"no square is {options.only}")
    return options


def line(square: Square, result: Result | None) -> str:
    if result is None:
        return f"{square!s:48} not measured"
    return f"{square!s:48} {result.objects:>9,} {result.seconds:>6.1f} s  {result.verdict}"


def measure(
    squares: Sequence[Square], options: argparse.Namespace
) -> Iterator[tuple[Square, Result]]:
    """Measures squares, several at a time, and keeps each result as soon as it is there."""
    with ThreadPoolExecutor(options.jobs) as pool:
        running = {
            pool.submit(results.measure, square, options.spanwalk, options.folder): square
            for square in squares
        }
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def todo(options: argparse.Namespace, known: Results) -> list[Square]:
    if options.list:
        return []
    if not options.resume:
        return list(options.squares)
    tool = results.digest(options.spanwalk)
    return [
        square
        for square in options.squares
        if square not in known or known[square].difference or known[square].tool != tool
    ]


def write(known: Results, options: argparse.Namespace) -> None:
    version = subprocess.run(
        [options.spanwalk, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        text = document.render(known, version)
    except ValueError as error:
        print(f"{options.write.name} is not written: {error}")
    else:
        options.write.write_text(text)
        print(f"wrote {options.write.name}")


def main() -> int:
    options = arguments()
    known = results.load(options.known, matrix.matrix())
    for square, result in measure(todo(options, known), options):
        known[square] = result
        results.save(options.known, known)
        print(line(square, result), flush=True)
    if options.list:
        print(*(line(square, known.get(square)) for square in options.squares), sep="\n")
    else:
        write(known, options)
    wrong = [s for s in options.squares if s not in known or known[s].difference]
    print(f"{len(options.squares) - len(wrong)} of {len(options.squares)} exact")
    for square in wrong:
        print(line(square, known.get(square)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

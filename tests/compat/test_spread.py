"""A spread of the matrix, in minutes: every release and every mode on every processor, every
experiment. `make check-all` runs all of it."""

from __future__ import annotations

import pytest
from conftest import CORES, PROGRAM
from judge import judge
from matrix import ARGUMENTS, Square, spread

pytestmark = pytest.mark.needs_go


@pytest.mark.parametrize(
    "square, program", [pytest.param(*cell, id=str(cell[0]).replace(" ", "-")) for cell in spread()]
)
def test_exact(square: Square, program: str) -> None:
    made = CORES.make(program, **square._asdict(), args=ARGUMENTS.get(program, []))
    verdict = judge(PROGRAM, made.core, made.exe, made.truth)
    assert not verdict.difference, f"{program}: {verdict.difference}"
    assert verdict.objects > 1000

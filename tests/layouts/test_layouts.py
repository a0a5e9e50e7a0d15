"""The tables of layouts say what the debug information of each release says."""

from __future__ import annotations

import pytest
from conftest import CORES, GO_VERSIONS
from layouts import ARCHITECTURES, COLUMNS, layout, numbers, read

pytestmark = pytest.mark.needs_go

# They change what the runtime does; no struct that spanwalk reads may differ by them.
HARMLESS = {
    20: ("arenas",),
    22: ("arenas",),
    24: ("noswissmap", "nosynchashtriemap"),
    25: ("noswissmap",),
    26: ("goroutineleakprofile", "norandomizedheapbase64"),
    27: ("arenas",),
}
MINORS = sorted({numbers(go)[0] for go in GO_VERSIONS})
OF_MINORS = [column for column in COLUMNS if column.numbers[0] in MINORS]
NEWEST = {numbers(go)[0]: go for go in CORES.VERSIONS}


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("go", [NEWEST[minor] for minor in MINORS])
def test_newest_patch(arch: str, go: str) -> None:
    assert layout(arch, go) == read(go, arch)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("column", OF_MINORS, ids=lambda one: f"{one.built_by}{one.experiment}")
def test_column(arch: str, column: tuple[str, str, str]) -> None:
    """Each column is the one that is taken for the release it was read from."""
    _, go, experiment = column
    assert layout(arch, go, experiment) == read(go, arch, experiment)


@pytest.mark.parametrize("minor", [m for m in MINORS if m in HARMLESS])
def test_harmless_experiment(minor: int) -> None:
    go = NEWEST[minor]
    for name in HARMLESS[minor]:
        assert layout("amd64", go) == read(go, "amd64", name), name

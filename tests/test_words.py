"""What leak-roots and who-holds say of holders from Go's libraries."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import CORES, GO_VERSIONS, report, spanwalk

pytestmark = pytest.mark.needs_go

CELLS = [(mode, go) for go in GO_VERSIONS for mode in ("plain", "stripped")]
ENDED = "a bufio.Reader of 32.0 KiB, 0 bytes unread, of a "


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: "-".join(cell))
def gateway(request: pytest.FixtureRequest) -> Any:
    mode, go = request.param
    return CORES.make("gateway", go, mode=mode)


def of_readers(made: Any) -> dict[str, Any]:
    """The root that holds the readers of connections that are gone."""
    rows = report("leak-roots", made.core, made.exe)["tables"]["roots"]
    [row] = [row for row in rows if row["accumulation"]["type"] == "bufio.Reader"]
    assert isinstance(row, dict)
    return row


def test_leak_roots(gateway: Any) -> None:
    row = of_readers(gateway)
    what = row["what"]
    assert row["accumulation"]["objects"] == gateway.truth["facts"]["readers"]
    assert what["words"].startswith(ENDED)
    assert what["words"].endswith(" that is closed")
    assert what["objects"] == what["looked_at_objects"] == 256
    text = spanwalk("leak-roots", gateway.core, "--exe", gateway.exe).stdout
    assert f"500 bufio.Reader (256 of the 256 largest: {what['words']})" in text


def test_of_other_types_nothing_is_said(gateway: Any) -> None:
    rows = report("leak-roots", gateway.core, gateway.exe)["tables"]["roots"]
    assert [row["accumulation"]["type"] for row in rows if "what" in row] == ["bufio.Reader"]


def test_who_holds(gateway: Any) -> None:
    """A reader itself, and its array, which is held through it."""
    address = of_readers(gateway)["accumulation"]["address"]
    where = (gateway.core, "--exe", gateway.exe)
    own = spanwalk("who-holds", *where, address).stdout
    assert f"\nIt is {ENDED}" in own
    reader = spanwalk("retained", *where, address, "--json").report
    arrays = report("find", gateway.core, gateway.exe, "[]uint8", "--limit", 0)["tables"]["objects"]
    assert reader["summary"]["retained_bytes"] > 32 << 10
    through = 0
    for row in [row for row in arrays if row["size_bytes"] == 32 << 10][:3]:
        found = report("who-holds", gateway.core, gateway.exe, row["address"])
        assert f"On the way there: {ENDED}" in " ".join(found["sentences"])
        assert found["tables"]["paths"][0]["through"].startswith(ENDED)
        through += 1
    assert through == 3

"""closures against programs that count theirs, and measure what they keep.

cores/programs/owners/short-link leaves closures that keep requests, responses and writers;
owners/middleware has chains of functions, method values, timers and deferred calls. Both say in
which line a closure is made: what the compiler calls its function depends on the release.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pytest
from conftest import CORES, GO_VERSIONS, NEWEST, minor, repaired, report, spanwalk

pytestmark = pytest.mark.needs_go

Row = dict[str, Any]
# What the runtime allocates beside the program while it measures: threads.
NOISE_BYTES = 8192


class Variable(NamedTuple):
    """A captured variable."""

    type: str
    by_reference: bool = False


# By handler and name; the same order as in the closure.
CAPTURED = {
    "redirect": {"r": Variable("*http.Request"), "l": Variable("*main.link")},
    "preview": {"state": Variable("*main.tries", True), "resp": Variable("*http.Response")},
    "statistics": {"w": Variable("http.ResponseWriter"), "l": Variable("*main.link")},
    "export": {"c": Variable("*main.Context")},
    "watch": {"l": Variable("*main.link"), "limit": Variable("int")},
    "hook": {"wanted": Variable("string"), "t": Variable("*main.tenant")},
}
# The variable through which most is kept, and what it leads to.
KEPT = {
    "redirect": ("r", "http.Request"),
    "preview": ("resp", "http.Response"),
    "statistics": ("w", "main.recorder"),
    "export": ("c", "main.Context"),
    "hook": ("wanted", "string"),
}
REQUESTS = {
    "redirect": {"request"},
    "preview": {"response"},
    "statistics": set[str](),
    "export": {"request", "request context"},
    "watch": set[str](),
    "hook": set[str](),
}
HOLDERS = {
    "redirect": "main.shortener.audit[]",
    "preview": "map[string]main.retryJob value.run",
    "statistics": "main.shortener.stats[]",
    "watch": "main.shortener.watches[]",
    "hook": "main.tenant.hooks[]",
}


def has_names(go: str, mode: str) -> bool:
    """Up to Go 1.20 the program has them itself, later its debug information."""
    return minor(go) <= 20 or mode == "plain"


def sites(made: Any, *words: object) -> dict[str, Any]:
    document = report("closures", made.core, made.exe, "--limit", 0, *words)
    assert document["complete"], document["warnings"]
    return document


def at_line(document: dict[str, Any], made: Any, name: str) -> Row:
    """The one place that the program names."""
    line = made.truth["facts"][f"{name}.line"]
    function = made.truth["facts"][f"{name}.function"]
    rows = [
        row
        for row in document["tables"]["sites"]
        if row["line"] == line and (row["file"].endswith("/main.go") or row["function"] == function)
    ]
    assert len(rows) == 1, rows
    return rows[0]


def root(made: Any, name: str) -> Row:
    return next(row for row in made.truth["roots"] if row["name"] == name)


def check_retained(row: Row, made: Any, name: str) -> None:
    want = root(made, name)
    assert row["closures"] == want["count"], name
    assert row["retained_bytes"] == pytest.approx(want["retained_bytes"], abs=NOISE_BYTES), name


def check_captures(row: Row, name: str, go: str, mode: str) -> None:
    variables = [Variable(c["type"], c["is_by_reference"]) for c in row["captures"]]
    names = [capture["name"] for capture in row["captures"]]
    want = CAPTURED[name]
    assert {v.type for v in variables} == {v.type for v in want.values()}, name
    if not has_names(go, mode):
        assert set(names) == {None}
        return
    assert set(names) == set(want), name
    for captured, variable in zip(names, variables, strict=True):
        assert variable.type == want[captured].type
    if minor(go) >= 21:
        assert dict(zip(names, variables, strict=True)) == want


def check_kept(row: Row, name: str) -> None:
    """The variable that matters keeps an object for each closure, the others none."""
    if name not in KEPT:
        assert all(capture["kept_objects"] == 0 for capture in row["captures"])
        assert row["retained_bytes"] == row["closure_bytes"]
        return
    variable, target = KEPT[name]
    most = max(row["captures"], key=lambda capture: capture["retained_bytes"])
    assert most["name"] in (variable, None)
    assert most["kept_objects"] == most["objects"] == most["values"] == row["closures"]
    assert most["object_type"] == target
    assert most["typed_pointers"] == most["pointers"]
    parts = sum(capture["retained_bytes"] for capture in row["captures"])
    assert parts + row["closure_bytes"] == row["retained_bytes"]


def check_short_link(made: Any, go: str, mode: str) -> dict[str, Any]:
    document = sites(made)
    count = made.truth["facts"]["count"]
    for name in CAPTURED:
        row = at_line(document, made, name)
        check_retained(row, made, name)
        check_captures(row, name, go, mode)
        check_kept(row, name)
        assert row["kept_requests"] == dict.fromkeys(REQUESTS[name], count), name
        if name in HOLDERS:
            held = [(holder["holder"], holder["references"]) for holder in row["holders"]]
            assert held == [(HOLDERS[name], count)]
        assert row["largest"]["expression"]
    return document


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_short_link(go: str, mode: str) -> None:
    made = CORES.make("owners/short-link", go, mode=mode)
    document = check_short_link(made, go, mode)
    found = [f for f in document["findings"] if f["code"] == "closures_keep_requests"]
    assert len(found) == len(document["findings"]) == 4
    assert [f["grade"] for f in found] == ["P2"] * 4
    export = at_line(document, made, "export")
    assert found[0]["message"].startswith(
        f"400 closures of {export['function']} (main.go:{export['line']}) keep 400 *main.Context ("
    )
    assert found[0]["message"].endswith(": 400 requests, 400 request contexts live on for them")
    assert found[0]["next"] == f"who-holds {export['largest']['address']}"
    codes = {warning["code"] for warning in document["warnings"]}
    assert has_names(go, mode) or "nameless_captures" in codes


def test_short_link_arm64() -> None:
    made = CORES.make("owners/short-link", NEWEST, arch="arm64")
    check_short_link(made, NEWEST, "plain")


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_repaired(go: str) -> None:
    """With copies of what they need, the same closures are no finding."""
    for program in ("short-link", "middleware"):
        made = repaired(f"owners/{program}", go)
        document = sites(made)
        assert not document["findings"], program
        for want in made.truth["roots"]:
            if f"{want['name']}.line" in made.truth["facts"]:
                check_retained(at_line(document, made, want["name"]), made, want["name"])


def find(document: dict[str, Any], part: str) -> Row:
    rows = [row for row in document["tables"]["sites"] if part in row["function"]]
    assert len(rows) == 1, rows
    return rows[0]


# Slots of the allocator; a closure has its code and one word that it has captured.
WORD, CLOSURE, TIMER_CLOSURE = 8, 16, 48
SETTINGS, SESSION, HANDLE = 256, 128, 64


@pytest.mark.parametrize("go", GO_VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "stripped"])
def test_middleware(go: str, mode: str) -> None:
    """Closures that hold each other count once; method values, timers, deferred calls."""
    made = CORES.make("owners/middleware", go, mode=mode)
    facts = made.truth["facts"]
    count, layers = facts["count"], facts["layers"]
    document = sites(made)

    limited = at_line(document, made, "limited")
    check_retained(limited, made, "limited")
    layer, limit = CLOSURE + 2 * WORD, CLOSURE
    assert limited["retained_bytes"] == count * (layers * layer + CLOSURE + SETTINGS) + limit
    inside = next(c for c in limited["captures"] if c["type"] == "http.Handler")
    assert inside["pointers"] == count * layers
    held: Counter[str] = Counter()
    for holder in limited["holders"]:
        held[holder["kind"]] += holder["references"]
    assert held == {"field": count, "closure": count * (layers - 1)}

    endpoint = next(
        row
        for row in document["tables"]["sites"]
        if any(capture["type"] == "*main.settings" for capture in row["captures"])
    )
    assert endpoint["closures"] == count
    assert endpoint["retained_bytes"] == count * (CLOSURE + SETTINGS)

    for name, receiver, size in (
        ("expire", "*main.session", CLOSURE),
        ("close", "io.Closer", CLOSURE + WORD),
        ("exceeded", "main.quota", CLOSURE + 2 * WORD),
    ):
        row = at_line(document, made, name)
        check_retained(row, made, name)
        assert row["retained_bytes"] == count * (size + SESSION), name
        assert [(c["name"], c["type"]) for c in row["captures"]] == [("R", receiver)]
        assert row["captures"][0]["kept_objects"] == count
        assert row["captures"][0]["object_type"] == "main.session"

    flush = find(document, "flushLater")
    assert flush["closures"] == count
    assert flush["retained_bytes"] == count * (facts["received"] + SESSION + TIMER_CLOSURE)
    assert [(h["kind"], h["references"]) for h in flush["holders"]] == [("timer", count)]
    assert [f["code"] for f in document["findings"]] == ["closures_retain"]
    assert document["findings"][0]["grade"] == "P1"
    assert flush["function"] in document["findings"][0]["message"]

    deferred = find(document, "main.batch.")
    handles = facts["workers"] * facts["handles"]
    assert deferred["closures"] == handles
    assert deferred["retained_bytes"] == handles * (CLOSURE + HANDLE)
    assert "goroutine" in {holder["kind"] for holder in deferred["holders"]}


def test_all_together() -> None:
    """What all closures keep is no less than what those of each place keep, and is live."""
    made = CORES.make("owners/middleware", NEWEST)
    document = sites(made)
    summary, rows = document["summary"], document["tables"]["sites"]
    assert summary["closures"] == sum(row["closures"] for row in rows)
    assert summary["closure_bytes"] == sum(row["closure_bytes"] for row in rows)
    assert summary["sites"] == len(rows)
    assert summary["retained_bytes"] >= max(row["retained_bytes"] for row in rows)
    assert summary["retained_bytes"] < made.truth["heap_bytes"]
    # One closure retains what it dominates.
    for row in rows:
        if row["closures"] == 1:
            alone = report("retained", made.core, made.exe, row["largest"]["address"])["summary"]
            assert alone["retained_bytes"] == row["retained_bytes"], row["function"]


def test_options() -> None:
    made = CORES.make("owners/short-link", NEWEST)
    every = sites(made)
    some = sites(made, "--function", "redirect")
    assert [row["function"] for row in some["tables"]["sites"]] == [
        row["function"] for row in every["tables"]["sites"] if "redirect" in row["function"]
    ]
    assert sites(made, "--function", "*redirect.func?")["tables"] == some["tables"]
    large = sites(made, "--min-bytes", "1M")["tables"]["sites"]
    assert large == [row for row in every["tables"]["sites"] if row["retained_bytes"] >= 1 << 20]
    none = sites(made, "--function", "nobody")
    assert none["tables"]["sites"] == []
    assert none["sentences"] == ["There is no such closure on the heap."]


def test_text() -> None:
    made = CORES.make("owners/short-link", NEWEST)
    text = spanwalk("closures", made.core, "--exe", made.exe, "--limit", 3).stdout
    export = made.truth["facts"]["export.line"]
    first = text.splitlines()[0]
    assert f"(main.go:{export}) keep 400 *main.Context (" in first
    assert first.endswith(" through the captured c.")
    assert "      l *main.link, 400 values: others hold it too\n" in text
    assert "      state *main.tries, by reference, 400 values: keep 400 *main.tries, " in text
    assert "      in main.shortener.audit[] (400)\n" in text
    assert "more, --limit 0 shows all" in text


def test_any_number_of_threads() -> None:
    made = CORES.make("owners/middleware", NEWEST)
    assert sites(made, "--threads", 1) == sites(made, "--threads", 2)


@pytest.mark.parametrize("go", GO_VERSIONS)
def test_types_of_captures(go: str) -> None:
    """Every captured pointer of the program has a type but what is a type parameter, and what the
    runtime hides."""
    made = CORES.make("closures", go, name=f"closures-kernel-go{go}")
    for row in sites(made)["tables"]["sites"]:
        for capture in row["captures"]:
            assert capture["type"] != "?", row["function"]
            if "go.shape" not in capture["type"] and capture["type"] != "*iter.coro":
                assert capture["typed_pointers"] == capture["pointers"], row["function"]

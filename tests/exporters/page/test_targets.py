"""The targets: worst first, whole, bounded."""

from __future__ import annotations

import pytest

from exporters.page.targets import ADDRESSES, CHAIN, LINES, WHOLE, Ranked, source_state, tables
from rules.model.verdict import Status
from rules.watch.state import State
from tests.exporters import states
from tests.exporters.html_reader import Node, read
from tests.exporters.samples import REGIONAL

NOW = states.NOW


def shown(state: State) -> Node:
    return read(tables(state, Ranked(state.targets), NOW))


def cells(**changes: object) -> list[str]:
    """The cells of one target's row."""
    row = next(shown(states.state(states.target("x.example", 443, **changes))).all("tr", class_="row"))
    return [cell.text for cell in row.inside if isinstance(cell, Node)]


def facts(**changes: object) -> dict[str, str]:
    """The opened row of one target."""
    inside = next(shown(states.state(states.target("x.example", 443, **changes))).all("div", class_="more"))
    dl = inside.one("dl")
    return {d.text: v.text for d, v in zip(dl.all("dt"), dl.all("dd"), strict=True)}


def test_groups_come_in_the_order_in_which_they_matter() -> None:
    found = [
        states.target(f"{g}.example", group=g) for g in ("zoo", "cert-validation", "", "service", "sign-in")
    ]
    page = shown(states.state(*found))
    titles = [title.text for title in page.all("h3")]
    assert titles == ["Service", "Sign-in", "Certificate validation", "Other", "zoo"]
    captions = [next(table.all("caption")).text for table in page.all("table", class_="targets")]
    assert captions == [f"{title}: 1 target" for title in titles], "a table is called by its heading"


def test_a_healthy_group_folds_into_a_line() -> None:
    group = shown(states.state(states.target(), states.target("n.example", status=Status.NOTICE))).one(
        "div", class_="group"
    )
    fold = group.one("details", class_="healthy")
    assert next(fold.all("summary")).text == "Service 1 notice 1 ok"
    assert len(list(fold.all("tr", class_="row"))) == 2
    assert group.inside == [fold], "nothing else"


def test_of_other_groups_the_healthy_targets_fold_and_the_others_stand_open() -> None:
    bad = states.target("bad.example", status=Status.WARN, cause="tcp.timeout")
    group = shown(states.state(states.target(), states.target("b.example"), bad)).one("div", class_="group")
    assert group.one("div", class_="counts").text == "Service 1 warning 2 ok"
    fold = group.one("details", class_="healthy")
    assert next(fold.all("summary")).text == "2 more, healthy"
    assert "bad.example" not in fold.text
    captions = [next(table.all("caption")).text for table in group.all("table", class_="targets")]
    assert captions == ["Service: 1 target, worst first", "Service: 2 healthy"]


def test_the_worst_come_first() -> None:
    found = [states.target(f"{s.value}.example", status=s) for s in Status]
    found.append(states.target("optional.example", status=Status.FAIL, required=False, need="optional"))
    rows = list(shown(states.state(*found)).all("tr", class_="row"))
    assert [row.one("th").text for row in rows] == [
        "broken.example:443", "fail.example:443", "optional.example:443optional: not in Microsoft's table",
        "inconclusive.example:443", "warn.example:443", "notice.example:443", "not-applicable.example:443", "pass.example:443",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ("", "example of *.servicebus.windows.net"),
        ("eur", "example of *.servicebus.windows.net, needed by connector groups in Europe"),
    ],
)
def test_an_example_of_a_wildcard_is_called_one(region: str, told: str) -> None:
    changes = {"required": False, "need": "example", "pattern": "*.servicebus.windows.net", "region": region}
    assert cells(**changes)[0] == f"x.example:443{told}"
    assert facts(**changes)["Rule"].endswith(f", {told}")


def test_a_row_has_a_cell_for_each_column() -> None:
    assert cells(since=NOW - 3600) == [
        "x.example:443", "ok", "", "60 min", "2 ok", "dns 4, tcp 12, tls 45", "expected", "2027-01-21",
    ]  # fmt: skip


def test_a_target_that_is_not_known_well_leaves_cells_empty() -> None:
    bare: dict[str, object] = {
        "addresses": (),
        "chain": (),
        "ttl": None,
        "resolvers_agree": None,
        "issuer": "",
    }
    bare |= {
        "issuer_class": "",
        "tls_version": "",
        "expiry": None,
        "stages": (),
        "measured": None,
        "since": None,
    }
    assert cells(**bare) == ["x.example:443", "ok", "", "", "", "", "", ""]
    assert facts(**bare)["Measured"] == "not yet"
    assert facts(**bare)["Resolvers"] == "fewer than two have answered"


def test_addresses_are_counted_by_what_came_of_them() -> None:
    addresses = tuple(states.address(f"192.0.2.{i}", ok) for i, ok in enumerate((True, True, False, None)))
    assert cells(addresses=addresses)[4] == "2 ok, 1 failed, 1 not tried"
    assert cells(addresses=addresses[3:])[4] == "1 not tried"


@pytest.mark.parametrize(
    ("left", "told"), [(80.0, "2027-01-21"), (2.5, "2026-11-04 in 2 d 12 h"), (-1.0, "2026-11-01 expired")]
)
def test_a_certificate_that_ends_soon_says_so(left: float, told: str) -> None:
    assert cells(expiry=NOW + left * 86_400)[7] == told


def test_the_closed_row_says_what_is_wrong_or_where_the_name_leads() -> None:
    summary = next(shown(states.state(states.failing())).all("summary"))
    assert summary.text == "Something on the way answers in its place"
    summary = next(shown(states.state(states.target())).one("table", class_="targets").all("summary"))
    assert summary.text == "leads to prod-edge.cloudapp.example, TLSv1.2, 2 addresses"


def test_the_opened_row_tells_all() -> None:
    source = states.source("x.example")
    state = states.state(states.target("x.example", handshakes=3, intercepted=2), sources=(source,))
    inside = next(shown(state).all("div", class_="more"))
    assert inside.attributes["id"] == "x.example:443"
    for part in (
        "DNS ok", "x.examplens-x.exampleprod-edge", "smallest TTL 60 s", "agree",
        "TLSv1.2, intercepted in 2 of the last 3 handshakes", "O=Microsoft Corporation (expected)",
        "until 2027-01-21 10:14:05 UTC", f"CRL {source.url}: ok, next update in 5 d", "2026-11-02 09:14:05 UTC",
        "(10 s ago)", "entra-app-proxy/servicebus, required",
    ):  # fmt: skip
        assert part in inside.text.replace(" ns-", "ns-").replace(" prod-", "prod-")
    assert facts(resolvers_agree=False)["Resolvers"] == "differ in what they answer"


def test_each_address_has_its_state_failed_ones_first() -> None:
    addresses = (
        states.address("192.0.2.1"),
        states.address("192.0.2.2", None, tried=None),
        states.address("192.0.2.3", False),
        states.address("192.0.2.4", stale=True, current=False),
        states.address("2001:db8::5", current=False),
    )
    table = next(
        shown(states.state(states.target("x.example", addresses=addresses))).all("div", class_="more")
    )
    rows = [row.text for row in table.one("tbody").all("tr")]
    assert rows == [
        "192.0.2.3 failed tcp.timeout 10 s ago",
        "192.0.2.1 ok 10 s ago",
        "192.0.2.4 ok stale: resolution fails now, it gave this address before 10 s ago",
        "2001:db8::5 ok no longer current 10 s ago",
        "192.0.2.2 not tried never",
    ]


def test_rotating_addresses_and_endless_chains_are_bounded() -> None:
    addresses = tuple(states.address(f"10.0.{i // 250}.{i % 250}") for i in range(1000))
    chain = tuple(f"n{i}.example" for i in range(1000))
    state = states.state(states.target("x.example", addresses=addresses, chain=chain))
    inside = next(shown(state).all("div", class_="more"))
    assert len(list(inside.one("tbody").all("tr"))) == ADDRESSES
    assert f"{1000 - ADDRESSES} more are not shown" in inside.one("caption").text
    assert len(list(inside.one("ol").all("li"))) == CHAIN + 2
    assert f"{1000 - CHAIN} more" in inside.one("ol").text


def test_of_many_the_worst_are_whole_the_next_are_lines_the_rest_is_counted() -> None:
    bad = states.target("bad.example", group="sign-in", status=Status.FAIL)
    found = [states.target(f"n{i:05}.example") for i in range(WHOLE + LINES + 50)]
    page = shown(states.state(*found, bad))
    assert len(list(page.all("tr", class_="open"))) == WHOLE
    assert len(list(page.all("tr", class_="row"))) == WHOLE + LINES
    assert "51 more targets of this group, none worse than these, are in the report" in page.text
    assert next(page.all("caption")).text == f"Service: {len(found)} targets"
    assert Ranked((*found, bad)).whole[0] is bad


def test_a_name_under_two_rules_has_one_anchor() -> None:
    state = states.state(states.target(rule="a/x"), states.target(rule="b/y"))
    ids = [n.attributes["id"] for n in shown(state).all("div") if "id" in n.attributes]
    assert ids == [f"{REGIONAL[0]}:443"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"measured": False}, "not tested"),
        ({"reachable": False}, "not reachable"),
        ({"valid": False}, "reachable, but not valid"),
        ({"next_update": None}, "ok"),
        ({"next_update": NOW - 60}, "ok, next update 60 s ago"),
    ],
)
def test_a_source_is_told_in_words(changes: dict[str, object], told: str) -> None:
    assert read(source_state(states.source("x.example", "crl", **changes), NOW)).text == told

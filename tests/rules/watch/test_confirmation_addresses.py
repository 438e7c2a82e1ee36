"""How targets with several addresses, and many names at once, are confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.verdict import Status
from rules.watch.confirmation import (
    ASKED_WHOLE,
    LONGER,
    status_word,
)
from rules.watch.state import AddressState
from tests.rules.watch.confirmations import EVERY, KEY, Judgements, Names, at, of


@pytest.mark.parametrize("addresses", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_is_repaired_whole_is_never_half_broken(count: int, addresses: int) -> None:
    names = Names(count, addresses)
    every = frozenset(range(addresses))
    for broken in (every, frozenset[int]()):
        names.broken = broken
        names.changes.clear()
        names.look({}, asked=names.known.keys())
        for _ in range(4 * addresses):  # the others follow in their rotation
            names.look(names.settled.inquiries, asked=names.known.keys())
    assert names.changes == count * [("fail", "pass")]


def test_the_first_names_are_asked_whole_and_of_the_others_one_address() -> None:
    names = Names(5, 4)
    names.broken = frozenset(range(4))
    settled = names.look({}, asked=names.known.keys())
    assert [one.whole for one in settled.inquiries.values()] == ASKED_WHOLE * [True] + 3 * [False]


def test_bad_news_of_one_address_is_published_with_it() -> None:
    names = Names(1, 4)
    names.broken = frozenset({0})
    names.look({}, asked=names.known.keys())
    names.look(names.settled.inquiries)
    assert names.changes == [("pass", "warn")]


@given(st.lists(st.frozensets(st.integers(0, 3)), max_size=12), st.frozensets(st.integers(0, 3)))
def test_whatever_happened_it_ends_at_what_is_so(script: list[frozenset[int]], last: frozenset[int]) -> None:
    """Nothing waits for ever: once nothing changes any more, what is published is what is seen."""
    names = Names(4, 4)
    for broken in [*script, *4 * [last]]:
        names.broken = broken
        names.look(names.settled.inquiries, asked=names.known.keys())
    for _ in range(int(LONGER / EVERY) + 1):
        names.look(names.settled.inquiries, asked=names.known.keys())
    assert names.settled.differing == frozenset()
    expected = "pass" if not last else "fail" if len(last) == 4 else "warn"
    assert {status_word(t.status) for t in names.settled.targets} == {expected}


@pytest.mark.parametrize(
    ("addresses", "outdated"),
    [
        ((at(1, True, 20.0), at(2, False, 5.0)), {"ipv4 2"}),  # works again; the other was not tried since
        ((at(1, True, 20.0), at(2, False, 20.0)), set()),  # tried with it, and still broken
        ((at(1, True, 15.0), at(2, False, 20.0)), set()),  # the newest fails: what is old is no less true
        ((at(1, True, 20.0), at(2, None, 5.0)), set()),
        ((at(1, True, 20.0), at(2, False, None)), set()),
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6")), set()),  # IPv6 has a fault of its own
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6"), at(3, True, 8.0, "ipv6")), {"ipv6 2"}),
        (
            (at(1, True, 20.0), replace(at(2, False, 5.0), current=False)),
            set(),
        ),  # resolvers no longer return it, so the service does not try it
    ],
)
def test_failures_of_before_another_address_worked_are_forgotten_where_not_all_are_asked(
    addresses: tuple[AddressState, ...], outdated: set[str]
) -> None:
    told = Judgements()
    others = [of(at(0, False, 1.0), name=f"{n}.test") for n in range(ASKED_WHOLE)]
    failing = of(*(replace(a, ok=False) for a in addresses))
    told.judge([*others, failing])
    seen = [replace(other, status=Status.PASS) for other in others]
    settled = told.judge([*seen, replace(of(*addresses), status=Status.WARN)])
    tried = {a.address: a.tried for a in addresses}
    assert settled.outdated == {(KEY, one): tried[one] for one in outdated}
    alone = Judgements()
    alone.judge([failing])
    assert alone.judge([replace(of(*addresses), status=Status.WARN)]).outdated == {}, "asked whole"

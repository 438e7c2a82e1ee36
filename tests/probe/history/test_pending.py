"""Rows that wait: bounded, in order, harmless."""

from __future__ import annotations

import math
import sqlite3

import pytest

from probe.history.pending import FIELD, Ring, Row, rows_of
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

MANY = 10**6


def seen(value: str, first: float, last: float) -> list[Row]:
    return rows_of(ledger=[LedgerEntry("a.example", "address", value, first, last)])


def events(*numbers: int) -> list[Row]:
    return rows_of(Transition(float(n), "a", "pass", "fail", "ok", "x", str(n)) for n in numbers)


def numbers(rows: list[Row]) -> list[object]:
    return [row.values[0] for row in rows]


@pytest.mark.parametrize(
    "text",
    ["\ud800 lone", "NUL \0 here", "x" * 1_000_000, "ü" * 1_000_000, "\U0001f600" * 5000, "\x1b[2J\x9b", "\u202e", "a\nb"],
    ids=["surrogate", "nul", "long", "wide", "widest", "escape", "bidi", "line"],
)  # fmt: skip
def test_b11_hostile_texts_become_harmless_and_at_most_a_kibibyte(text: str) -> None:
    rows = rows_of(
        [Transition(1.0, text, text, text, text, text, text)],
        [Drift(1.0, text, "cname", text, text)],
        [LedgerEntry(text, "cname", text, 1.0, 1.0, text)],
        CycleRow(text, 1.0, 1.0, 1, 1, 1, 1, text, text),
    )
    connection = sqlite3.connect(":memory:")
    for row in rows:
        for value in row.values:
            assert not isinstance(value, str) or (len(value.encode()) <= FIELD and value.isprintable())
            assert connection.execute("SELECT ?", (value,)).fetchone() == (value,)
    connection.close()


def test_b11_long_texts_that_differ_at_their_end_stay_different() -> None:
    first, second = seen("ü" * 5000 + "a", 1.0, 1.0), seen("ü" * 5000 + "b", 1.0, 1.0)
    assert first[0].key != second[0].key


def test_b11_numbers_that_sqlite_cannot_hold() -> None:
    (event,) = rows_of([Transition(math.nan, "a", "", "", "", "", "")])
    assert event.values[0] == 0.0
    (cycle,) = rows_of(cycle=CycleRow("service", math.inf, -math.inf, 10**30, -(10**30), 1, 1, "yes"))
    assert (cycle.values[0], cycle.values[2], cycle.values[3], cycle.values[4]) == (
        0.0,
        0.0,
        2**63 - 1,
        1 - 2**63,
    )


def test_rows_leave_in_their_order_and_are_told_by_number() -> None:
    ring = Ring(MANY, MANY)
    assert ring.add(events(1, 2)) == 2
    assert ring.add(events(3)) == 3
    assert numbers(ring.take(2)) == [1.0, 2.0]
    assert len(ring) == 3
    assert ring.done() == 2
    assert numbers(ring.take(2)) == [3.0]
    assert ring.done() == 3
    assert (len(ring), ring.take(5), ring.done()) == (0, [], 3)


def test_rows_that_could_not_be_written_come_first_again() -> None:
    ring = Ring(MANY, MANY)
    ring.add(events(1, 2, 3))
    ring.take(2)
    ring.add(events(4))
    ring.put_back()
    assert numbers(ring.take(9)) == [1.0, 2.0, 3.0, 4.0]


def test_b3_the_oldest_go_and_are_counted() -> None:
    ring = Ring(3, MANY)
    ring.add(events(*range(10)))
    assert (len(ring), ring.dropped) == (3, 7)
    assert numbers(ring.take(9)) == [7.0, 8.0, 9.0]
    ring.add(events(10, 11))  # what is being written counts and stays
    assert (len(ring), ring.dropped) == (3, 9)
    ring.put_back()
    assert (len(ring), ring.dropped) == (3, 9)


def test_b3_twenty_megabytes_are_enough() -> None:
    ring = Ring(MANY, 20 << 20)
    text = "x" * FIELD
    (row,) = rows_of([Transition(1.0, text, text, text, text, text, text)])
    ring.add([row] * 5000)
    assert sum(row.size for row in ring.take(MANY)) <= 20 << 20
    assert ring.dropped > 1000
    ring.done()
    assert ring.add(events(1)) == 5001
    assert numbers(ring.take(9)) == [1.0]


def test_what_is_seen_again_while_it_waits_is_one_row_with_its_first_time() -> None:
    """A disk that is full for days must not have the hourly ledger push the transitions out."""
    ring = Ring(MANY, MANY)
    ring.add([*seen("x", 1.0, 1.0), *events(1), *seen("x", 5.0, 9.0)])
    assert len(ring) == 2
    (first, _) = ring.take(9)
    assert first.values[3:5] == (1.0, 9.0)
    ring.add(seen("x", 20.0, 20.0))
    ring.put_back()
    assert len(ring) == 2
    assert sorted(str(row.values[4]) for row in ring.take(9)) == ["20.0", "ok"]
    ring.done()
    ring.add(events(1))
    assert ring._bytes == events(1)[0].size  # nothing was counted twice or forgotten


def test_giving_up_counts_what_is_lost() -> None:
    ring = Ring(MANY, MANY)
    ring.add(events(1, 2, 3))
    ring.take(1)
    ring.give_up()
    assert (len(ring), ring.dropped) == (0, 3)

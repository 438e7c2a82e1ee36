"""Rows that wait: bounded, in order, harmless."""

from __future__ import annotations

import math
import sqlite3

import pytest

from probe.history.pending import FIELD, Row, RowQueue, rows_of
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
def test_hostile_texts_become_harmless_and_at_most_a_kibibyte(text: str) -> None:
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


def test_long_texts_that_differ_at_their_end_stay_different() -> None:
    first, second = seen("ü" * 5000 + "a", 1.0, 1.0), seen("ü" * 5000 + "b", 1.0, 1.0)
    assert first[0].key != second[0].key


def test_numbers_that_sqlite_cannot_hold() -> None:
    (event,) = rows_of([Transition(math.nan, "a", "", "", "", "", "")])
    assert event.values[0] == 0.0
    (cycle,) = rows_of(cycle=CycleRow("service", math.inf, -math.inf, 10**30, -(10**30), 1, 1, "yes"))
    assert (cycle.values[0], cycle.values[2], cycle.values[3], cycle.values[4]) == (
        0.0,
        0.0,
        2**63 - 1,
        1 - 2**63,
    )


def test_rows_leave_in_their_order_and_count_until_they_are_written() -> None:
    queue = RowQueue(MANY, MANY)
    queue.add(events(1, 2))
    queue.add(events(3))
    assert numbers(queue.next_batch(2)) == [1.0, 2.0]
    assert len(queue) == 3
    queue.done()
    assert len(queue) == 1
    assert numbers(queue.next_batch(2)) == [3.0]
    queue.done()
    assert (len(queue), queue.next_batch(5)) == (0, [])


def test_rows_that_could_not_be_written_come_first_again() -> None:
    queue = RowQueue(MANY, MANY)
    queue.add(events(1, 2, 3))
    queue.next_batch(2)
    queue.add(events(4))
    queue.requeue()
    assert numbers(queue.next_batch(9)) == [1.0, 2.0, 3.0, 4.0]


def test_the_oldest_rows_go_and_are_counted() -> None:
    queue = RowQueue(3, MANY)
    queue.add(events(*range(10)))
    assert (len(queue), queue.dropped) == (3, 7)
    assert numbers(queue.next_batch(9)) == [7.0, 8.0, 9.0]
    queue.add(events(10, 11))  # what is being written counts and stays
    assert (len(queue), queue.dropped) == (3, 9)
    queue.requeue()
    assert (len(queue), queue.dropped) == (3, 9)


def test_more_than_twenty_megabytes_of_rows_do_not_wait() -> None:
    queue = RowQueue(MANY, 20 << 20)
    text = "x" * FIELD
    (row,) = rows_of([Transition(1.0, text, text, text, text, text, text)])
    queue.add([row] * 5000)
    assert sum(row.size for row in queue.next_batch(MANY)) <= 20 << 20
    assert queue.dropped > 1000
    queue.done()
    queue.add(events(1))
    assert numbers(queue.next_batch(9)) == [1.0]


def test_what_is_seen_again_while_it_waits_is_one_row_with_its_first_time() -> None:
    """A disk that is full for days must not have the hourly ledger push the transitions out."""
    queue = RowQueue(MANY, MANY)
    queue.add([*seen("x", 1.0, 1.0), *events(1), *seen("x", 5.0, 9.0)])
    assert len(queue) == 2
    (first, _) = queue.next_batch(9)
    assert first.values[3:5] == (1.0, 9.0)
    queue.add(seen("x", 20.0, 20.0))
    queue.requeue()
    assert len(queue) == 2
    assert sorted(str(row.values[4]) for row in queue.next_batch(9)) == ["20.0", "ok"]
    queue.done()
    queue.add(events(1))
    assert queue._bytes == events(1)[0].size  # nothing was counted twice or forgotten


def test_giving_up_counts_what_is_lost() -> None:
    queue = RowQueue(MANY, MANY)
    queue.add(events(1, 2, 3))
    queue.next_batch(1)
    queue.give_up()
    assert (len(queue), queue.dropped) == (0, 3)

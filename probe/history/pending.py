"""The bounded queue of rows that wait for the disk.

Every text is escaped and cut before it is queued: texts of peers may have any length, and lone surrogates and NUL, which
SQLite refuses. If there are too many rows, the oldest are dropped and counted.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.text.display import display, stored
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

FIELD = 1024  #: most bytes of a stored text
_WIDE = 224  # characters of a text that is not ASCII: four bytes each, and the mark that it was cut
_OVERHEAD = 240  # bytes of a row without its texts: the tuple, the numbers, its entry in the queue
_LARGEST_INTEGER = 2**63 - 1

Table: TypeAlias = Literal["transitions", "drifts", "ledger", "cycles"]
Value: TypeAlias = str | float | int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, its values in the order of `probe.history.tables.COLUMNS`."""

    table: Table
    values: tuple[Value, ...]

    @property
    def size(self) -> int:
        """The approximate bytes of memory; a text that is not ASCII counts four bytes a character."""
        texts = (value for value in self.values if isinstance(value, str))
        return _OVERHEAD + sum(60 + len(text) * (1 if text.isascii() else 4) for text in texts)

    @property
    def key(self) -> tuple[Value, ...] | None:
        """A later row with the same key replaces this one while both wait. Ledger: endpoint, kind and value."""
        return self.values[:3] if self.table == "ledger" else None


def rows_of(
    transitions: Iterable[Transition] = (),
    drifts: Iterable[Drift] = (),
    ledger: Iterable[LedgerEntry] = (),
    cycle: CycleRow | None = None,
) -> list[Row]:
    """The values as rows with escaped and cut texts."""
    found = [
        _row("transitions", t.at, t.subject, t.before, t.after, t.cause_before, t.cause, t.summary)
        for t in transitions
    ]
    found += [_row("drifts", d.at, d.endpoint, d.kind, d.value, d.text) for d in drifts]
    found += [_row("ledger", e.endpoint, e.kind, e.value, e.first, e.last, e.mark) for e in ledger]
    if cycle is not None:
        c = cycle
        counted = (c.targets, c.failed, c.inconclusive, c.connections)
        found.append(_row("cycles", c.started, c.kind, c.duration, *counted, c.answer, c.note))
    return found


def _row(table: Table, *values: Value) -> Row:
    return Row(table, tuple(_kept(value) for value in values))


def _kept(value: Value) -> Value:
    """A value that SQLite can store: text of at most 1 KiB, numbers of 64 bits, never NaN (which would become NULL)."""
    if isinstance(value, str):
        text = stored(value)
        return text if text.isascii() or len(text.encode()) <= FIELD else display(value, _WIDE)
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    return max(-_LARGEST_INTEGER, min(value, _LARGEST_INTEGER))


class RowQueue:
    """Rows that wait for the disk, the oldest first: at most `most_rows`, together at most `most_bytes`.

    `next_batch()` returns the oldest rows to write, which still count; `done()` or `requeue()` follows.
    """

    def __init__(self, most_rows: int, most_bytes: int) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._rows: OrderedDict[tuple[Value, ...], Row] = OrderedDict()
        self._taken: dict[tuple[Value, ...], Row] = {}
        self._bytes = 0
        self._added = 0
        self.dropped = 0  # rows that were lost

    def __len__(self) -> int:
        return len(self._rows) + len(self._taken)

    def add(self, rows: Iterable[Row]) -> None:
        """Queue rows behind the others."""
        for row in rows:
            self._added += 1
            key = row.key or (self._added,)
            old = self._rows.get(key)
            if old is not None:  # the waiting row's first time and its place stay
                row = Row("ledger", (*row.values[:3], old.values[3], *row.values[4:]))
                self._bytes -= old.size
            self._rows[key] = row
            self._bytes += row.size
        self._trim()

    def next_batch(self, count: int) -> list[Row]:
        """The oldest rows, at most `count`."""
        assert not self._taken, "what was taken is done or put back first"
        while self._rows and len(self._taken) < count:
            key, row = self._rows.popitem(last=False)
            self._taken[key] = row
        return list(self._taken.values())

    def done(self) -> None:
        """The rows of the batch are on the disk."""
        self._bytes -= sum(row.size for row in self._taken.values())
        self._taken = {}

    def requeue(self) -> None:
        """The rows of the batch could not be written."""
        for key, row in reversed(self._taken.items()):
            if key in self._rows:  # seen again meanwhile
                self._bytes -= row.size
            else:
                self._rows[key] = row
                self._rows.move_to_end(key, last=False)
        self._taken = {}
        self._trim()

    def give_up(self) -> None:
        """Drop and count all rows: nothing more can be written."""
        self.dropped += len(self)
        self._rows.clear()
        self._taken = {}
        self._bytes = 0

    def _trim(self) -> None:
        while self._rows and (len(self) > self._most_rows or self._bytes > self._most_bytes):
            _, row = self._rows.popitem(last=False)
            self._bytes -= row.size
            self.dropped += 1

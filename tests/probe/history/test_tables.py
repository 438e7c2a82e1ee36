"""Tables, rows as values, errors as words."""

from __future__ import annotations

import sqlite3

import pytest

from probe.history.pending import rows_of
from probe.history.tables import (
    APPLICATION,
    COLUMNS,
    INSERT,
    LATEST,
    SCHEMA,
    SELECT,
    VERSION,
    decode_text,
    error_words,
    is_damage,
    read_drift,
    read_ledger_entry,
    read_transition,
)
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

PASSED = Transition(1.5, "a", "", "pass", "", "ok", "fine", 1)
FAILED = Transition(2.5, "a", "pass", "fail", "ok", "tcp.timeout", "silent", 2)
NEWS = Drift(3.5, "a", "cname", "b.example", "a new suffix", 3)
ENTRY = LedgerEntry("a", "issuer", "CN=A", 1.0, 2.0, "expected")


def filled() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    for number, row in enumerate(rows_of([PASSED, FAILED], [NEWS]), 1):
        connection.execute(INSERT[row.table], (number, *row.values))
    for row in rows_of(ledger=[ENTRY], cycle=CycleRow("service", 1.0, 2.0, 3, 4, 5, 6, "yes", "note")):
        connection.execute(INSERT[row.table], row.values)
    return connection


def test_every_value_comes_back_as_it_was() -> None:
    connection = filled()
    assert list(map(read_transition, connection.execute(SELECT["transitions"]))) == [PASSED, FAILED]
    assert list(map(read_transition, connection.execute(LATEST))) == [FAILED]
    assert list(map(read_drift, connection.execute(SELECT["drifts"]))) == [NEWS]
    assert list(map(read_ledger_entry, connection.execute(SELECT["ledger"]))) == [ENTRY]
    assert connection.execute(SELECT["cycles"]).fetchall() == [
        (1.0, "service", 2.0, 3, 4, 5, 6, "yes", "note")
    ]
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_an_entry_that_is_known_keeps_its_first_time() -> None:
    connection = filled()
    (row,) = rows_of(ledger=[LedgerEntry("a", "issuer", "CN=A", 9.0, 9.0, "expected")])
    connection.execute(INSERT["ledger"], row.values)
    assert connection.execute("SELECT first, last FROM ledger").fetchall() == [(1.0, 9.0)]
    connection.close()


def test_rows_have_the_columns_of_their_tables() -> None:
    rows = rows_of([PASSED], [NEWS], [ENTRY], CycleRow("service", 1.0, 2.0, 3, 4, 5, 6, "yes"))
    for row in rows:
        numbered = row.table in ("transitions", "drifts")
        assert len(row.values) + numbered == len(COLUMNS[row.table].split(", "))


def test_text_that_is_no_utf8_is_shown_as_escapes() -> None:
    assert decode_text(b"a\xffb") == "a\\xffb"


@pytest.mark.parametrize(
    ("error", "words", "damage"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full (SQLITE_FULL)", False),
        (sqlite3.SQLITE_CORRUPT, "it is damaged (SQLITE_CORRUPT)", True),
        (sqlite3.SQLITE_NOTADB, "it is damaged (SQLITE_NOTADB)", True),
        (sqlite3.SQLITE_IOERR | 3 << 8, "the disk reports an error (SQLITE_IOERR_WRITE)", False),
        (sqlite3.SQLITE_MISMATCH, "datatype mismatch (SQLITE_MISMATCH)", False),
    ],
)
def test_errors_of_sqlite_in_words(error: int, words: str, damage: bool) -> None:
    found = sqlite3.OperationalError("datatype mismatch")
    found.sqlite_errorcode = error
    found.sqlite_errorname = words.partition("(")[2].rstrip(")")
    assert (error_words(found), is_damage(found)) == (words, damage)


def test_errors_of_the_operating_system_in_words() -> None:
    assert (
        error_words(OSError(28, "No space left on device", "/a/lock")) == "/a/lock: no space left on device"
    )
    assert error_words(OSError(28, "No space left on device")) == "no space left on device"
    assert error_words(ValueError("embedded null byte")) == "embedded null byte"

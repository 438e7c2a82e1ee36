"""The history's tables, shared by the writer and the readers: SQL, rows as values, errors as texts."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from probe.history.pending import Table
from rules.watch.events import Drift, LedgerEntry, Transition

APPLICATION = 0x7761796C  #: `application_id` in the file's header: "wayl"
VERSION = 1  #: `user_version`: of the tables below
BATCH = (
    1000  #: rows that one transaction writes or deletes; a reader and a writer wait no longer than for these
)

COLUMNS: dict[Table, str] = {
    "transitions": "id, at, subject, before, after, cause_before, cause, summary",
    "drifts": "id, at, endpoint, kind, value, text",
    "ledger": "endpoint, kind, value, first, last, mark",
    "cycles": "started, kind, duration, targets, failed, inconclusive, connections, answer, note",
}
#: Transitions and drifts share one sequence of ids: it gives their order also if the clock was set back between them.
SCHEMA = f"""
CREATE TABLE transitions(id INTEGER PRIMARY KEY, at REAL NOT NULL, subject TEXT NOT NULL, before TEXT NOT NULL,
    after TEXT NOT NULL, cause_before TEXT NOT NULL, cause TEXT NOT NULL, summary TEXT NOT NULL);
CREATE INDEX transitions_by_subject ON transitions(subject, id);
CREATE INDEX transitions_by_time ON transitions(at);
CREATE TABLE drifts(id INTEGER PRIMARY KEY, at REAL NOT NULL, endpoint TEXT NOT NULL, kind TEXT NOT NULL,
    value TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX drifts_by_time ON drifts(at);
CREATE TABLE ledger(id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
    first REAL NOT NULL, last REAL NOT NULL, mark TEXT NOT NULL, UNIQUE(endpoint, kind, value));
CREATE INDEX ledger_by_time ON ledger(last);
CREATE TABLE cycles(id INTEGER PRIMARY KEY, started REAL NOT NULL, kind TEXT NOT NULL, duration REAL NOT NULL,
    targets INTEGER NOT NULL, failed INTEGER NOT NULL, inconclusive INTEGER NOT NULL, connections INTEGER NOT NULL,
    answer TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX cycles_by_time ON cycles(started);
CREATE TABLE meta(name TEXT PRIMARY KEY, value REAL NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
# Statements are built from the names above only; every value is a parameter.
INSERT: dict[Table, str] = {
    table: f"INSERT INTO {table}({names}) VALUES ({', '.join('?' * (names.count(',') + 1))})"  # noqa: S608
    for table, names in COLUMNS.items()
}
SELECT: dict[Table, str] = {table: f"SELECT {names} FROM {table}" for table, names in COLUMNS.items()}  # noqa: S608
#: The first status of a target is stored and not an event; the first answer is an event.
EVENTS = "(before <> '' OR subject = 'connector')"
LATEST = f"SELECT {COLUMNS['transitions']}, max(id) FROM transitions GROUP BY subject"  # noqa: S608
INSERT["ledger"] += " ON CONFLICT DO UPDATE SET last = excluded.last, mark = excluded.mark"
#: Deletes rows that are too old, or the oldest rows above the size limit: the least important table first. A subject's last
#: transition stays, because it is the subject's status.
OLDEST = tuple(
    f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {at} < ?{kept} ORDER BY {at} LIMIT {BATCH})"  # noqa: S608
    for table, at, kept in (
        ("cycles", "started", ""),
        ("drifts", "at", ""),
        ("transitions", "at", " AND id NOT IN (SELECT max(id) FROM transitions GROUP BY subject)"),
        ("ledger", "last", ""),
    )
)

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened, or not the files beside it",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_BUSY: "another program holds it locked",
    sqlite3.SQLITE_LOCKED: "another program holds it locked",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged",
}


def read_transition(row: Sequence[Any]) -> Transition:
    """A row of `COLUMNS["transitions"]`; further columns are ignored."""
    number, at, subject, before, after, cause_before, cause, summary = row[:8]
    return Transition(
        float(at),
        str(subject),
        str(before),
        str(after),
        str(cause_before),
        str(cause),
        str(summary),
        int(number),
    )


def read_drift(row: Sequence[Any]) -> Drift:
    """A row of `COLUMNS["drifts"]`."""
    number, at, endpoint, kind, value, text = row
    return Drift(float(at), str(endpoint), kind, str(value), str(text), int(number))


def read_ledger_entry(row: Sequence[Any]) -> LedgerEntry:
    """A row of `COLUMNS["ledger"]`."""
    endpoint, kind, value, first, last, mark = row
    return LedgerEntry(str(endpoint), kind, str(value), float(first), float(last), str(mark))


def decode_text(content: bytes) -> str:
    """A text of the file; bytes that are not UTF-8 are escaped."""
    return content.decode("utf-8", "backslashreplace")


def sqlite_code(error: Exception) -> int:
    """SQLite's primary result code of an error, 0 for none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether the file is damaged or not a database."""
    return sqlite_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def error_words(error: Exception) -> str:
    """An error of SQLite or of the operating system in words, with SQLite's name for it."""
    if isinstance(error, sqlite3.Error):
        words = _WORDS.get(sqlite_code(error), str(error))
        name = getattr(error, "sqlite_errorname", "")
        return f"{words} ({name})" if name else words
    if isinstance(error, OSError):
        words = (error.strerror or str(error)).lower()
        return f"{error.filename}: {words}" if error.filename else words
    return str(error)

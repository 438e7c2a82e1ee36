"""Histories with damaged indexes: real files, damaged as a disk damages them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.history.check import OK, first_fault, repair
from probe.history.pending import rows_of
from probe.history.reader import read_history
from tests.probe.history.test_store import store, summaries, written
from tests.probe.history_disk import changed, rows


def page_of(path: Path, name: str) -> tuple[int, int]:
    """Where the first page of an index lies, and how long it is."""
    ((number,),) = rows(path, f"SELECT rootpage FROM sqlite_master WHERE name = '{name}'")
    ((size,),) = rows(path, "PRAGMA page_size")
    return (int(str(number)) - 1) * int(str(size)), int(str(size))


def with_a_lost_write(path: Path, index: str = "transitions_by_time") -> Path:
    """Ten rows, of which the index knows two: the last write of its page never reached the disk."""
    written(path, changed(1), changed(2))
    begin, size = page_of(path, index)
    old = path.read_bytes()[begin : begin + size]
    written(path, *(changed(n) for n in range(3, 11)))
    content = bytearray(path.read_bytes())
    content[begin : begin + size] = old
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("index", ["transitions_by_time", "transitions_by_subject"])
def test_an_index_that_does_not_know_its_rows_is_made_anew(tmp_path: Path, index: str) -> None:
    path = with_a_lost_write(tmp_path / "history.sqlite", index)
    assert rows(path, "PRAGMA quick_check") == [("ok",)], "this is what was asked before"
    assert rows(path, "PRAGMA integrity_check") != [("ok",)]
    one = store(path)
    one.write(rows_of([changed(11)]))
    assert one.note.startswith("An index of the history was damaged (")
    assert index in one.note
    one.close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert summaries(path) == [f"number {n}" for n in range(1, 12)]
    assert not list(tmp_path.glob("*.damaged-*"))
    again = store(path)
    again.open()
    assert again.note == ""
    again.close()


def test_what_an_index_cannot_be_made_of_is_put_aside(tmp_path: Path) -> None:
    """Two rows that the ledger's own index would not have let in."""
    path = tmp_path / "history.sqlite"
    written(path)
    connection = sqlite3.connect(path)
    ((sql,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'ledger'").fetchall()
    own = connection.execute(
        "SELECT * FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_ledger%'"
    ).fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_master SET sql = ? WHERE name = 'ledger'",
        (sql.replace(", UNIQUE(endpoint, kind, value)", ""),),
    )
    connection.execute("DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_ledger%'")
    connection.commit()
    connection.close()
    connection = sqlite3.connect(path)
    for _ in range(2):
        connection.execute(
            "INSERT INTO ledger(endpoint, kind, value, first, last, mark) VALUES ('a', 'b', 'c', 1, 2, '')"
        )
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'ledger'", (sql,))
    connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", own)
    connection.commit()
    connection.close()
    one = store(path)
    one.open()
    assert "was damaged: it was kept as" in one.note
    one.close()
    assert summaries(path) == []


def test_a_whole_history_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    written(path)
    connection = sqlite3.connect(path)
    before = connection.total_changes
    assert repair(connection) == ("", "")
    assert connection.total_changes == before
    connection.close()


def test_a_comparison_that_takes_too_long_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    written(path, *(changed(n, summary="x" * 900) for n in range(2000)))
    connection = sqlite3.connect(path)
    assert first_fault(connection, longest=-1.0) is None
    fault, told = repair(connection, longest=-1.0)
    assert fault == ""
    assert "were not compared" in told
    assert first_fault(connection) == OK
    connection.close()


def test_nobody_is_shown_what_a_damaged_index_knows(tmp_path: Path) -> None:
    path = with_a_lost_write(tmp_path / "history.sqlite")
    with pytest.raises(CommandError, match=r"is damaged: .*transitions_by_time"):
        read_history(path)
    one = store(path)
    one.open()
    one.close()
    assert len(read_history(path).transitions) == 10

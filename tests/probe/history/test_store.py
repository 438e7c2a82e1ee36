"""The history's file: what is there when it is opened, what others do to it, what is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from probe.history import store as history_store
from probe.history.pending import Row, rows_of
from probe.history.store import DAY, MOST_ASIDE, Store, Unavailable
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition
from tests.probe.history_disk import NOW, changed, rows

MIB = 1 << 20


def store(path: Path, keep: float = 400 * DAY, max_bytes: int = 200 * MIB, log_cap: int = 48 * MIB) -> Store:
    return Store(path, keep, max_bytes, busy=0.05, log_cap=log_cap)


def written(path: Path, *transitions: Transition) -> None:
    one = store(path)
    one.write(rows_of(transitions or [changed(1)]))
    one.close()


def summaries(path: Path) -> list[object]:
    return [text for (text,) in rows(path, "SELECT summary FROM transitions ORDER BY id")]


def cycles(count: int, begin: float = NOW) -> list[Row]:
    return [
        row
        for n in range(count)
        for row in rows_of(cycle=CycleRow("service", begin + n, 1.0, 1, 0, 0, 1, "yes"))
    ]


def without_shared_memory(patch: pytest.MonkeyPatch) -> None:
    """By `unix-dotfile`, SQLite's own way to use a file system that has neither locks nor shared memory."""
    connect = sqlite3.connect
    patch.setattr(sqlite3, "connect", lambda place, **more: connect(f"{place}&vfs=unix-dotfile", **more))


def spend(one: Store, now: float | None) -> int:
    return sum(one.retention(now))


# --- the file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_file_is_for_its_group_to_read_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "state" / "history.sqlite"
    one, before = store(path), os.umask(umask)
    try:
        one.write(rows_of([changed()]))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [path.parent, *path.parent.iterdir()]}
    finally:
        os.umask(before)
        one.close()
    assert modes.pop("state") == 0o750
    assert modes.pop("history.sqlite.writer") == 0o640 & ~umask
    assert modes == dict.fromkeys(["history.sqlite", "history.sqlite-wal", "history.sqlite-shm"], 0o640)


def test_each_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite")
    one.open()
    assert one._execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert one._execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert one._execute("PRAGMA auto_vacuum").fetchone() == (2,)  # INCREMENTAL
    one.close()


def test_without_shared_memory_the_old_journal_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.sqlite"
    with monkeypatch.context() as patch:
        without_shared_memory(patch)
        one = store(path)
        one.write(rows_of([changed(1)]))
        assert one._execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert not Path(f"{path}-wal").exists()
        one.close()
    assert summaries(path) == ["number 1"]


def test_a_log_that_was_brought_along_is_folded_in_where_there_is_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a history that was not closed, on a network file system."""
    path, copy = tmp_path / "history.sqlite", tmp_path / "copy.sqlite"
    one = store(path)
    one.write(rows_of([changed(1)]))
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    one.close()
    with monkeypatch.context() as patch:
        without_shared_memory(patch)
        two = store(copy)
        two.write(rows_of([changed(2)]))
        assert two._execute("PRAGMA journal_mode").fetchone() == ("delete",)
        two.close()
    assert summaries(copy) == ["number 1", "number 2"]


def test_a_clock_that_goes_back_turns_nothing_around(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite")
    one.write(rows_of([changed(1, at=NOW)], [Drift(NOW + 1, "a", "cname", "b", "new")]))
    one.write(rows_of([changed(2, at=NOW - 1e8)]))
    found = one.load()
    one.close()
    assert [(t.id, t.summary) for t in found.transitions] == [(3, "number 2"), (1, "number 1")]
    assert found.drifts[0].id == 2
    assert found.latest[changed().subject].summary == "number 2"


def test_hostile_texts_are_stored_and_come_back_harmless(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite")
    one.write(rows_of([changed(summary="a\ud800\0b" + "x" * MIB)]))
    (found,) = one.load().transitions
    one.close()
    assert found.summary.startswith("a\\ud800\\x00bxxx")
    assert len(found.summary.encode()) <= 1024


# --- what is there already -----------------------------------------------------------------------------------------


def spoiled(path: Path, where: int, what: bytes) -> bytes:
    content = bytearray(path.read_bytes())
    content[where : where + len(what)] = what
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize(
    ("where", "what"),
    [(0, b"garbage, not SQLite"), (100, b"\xff" * 60), (4096 * 3, b"\xa5" * 8192)],
    ids=["header", "first page", "pages"],
)
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, where: int, what: bytes) -> None:
    path = tmp_path / "history.sqlite"
    written(path, *(changed(i, summary="x" * 900) for i in range(200)))
    content = spoiled(path, where, what)
    one = store(path)
    one.write(rows_of([changed(7)]))
    (aside,) = tmp_path.glob("history.sqlite.damaged-*")
    assert one.note == f"The history was damaged: it was kept as {aside}, and a new one was begun."
    one.close()
    assert aside.read_bytes() == content
    assert summaries(path) == ["number 7"]


def test_a_file_that_is_damaged_while_it_is_used_is_put_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    one = store(path)
    for begin in range(0, 2000, 500):
        one.write(rows_of(changed(begin + i, summary="x" * 900) for i in range(500)))
    one._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    one._execute("PRAGMA cache_size = 0")  # nothing of it is remembered
    spoiled(path, 4096, b"\xa5" * (path.stat().st_size - 4096))
    one.write(rows_of([changed(7)]))
    assert "was damaged" in one.note
    one.close()
    assert summaries(path) == ["number 7"]


def test_a_disk_that_damages_again_and_again_is_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    for _ in range(MOST_ASIDE):
        path.write_bytes(b"garbage" * 1000)
        written(path)
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(Unavailable, match=f"is damaged again, and {MOST_ASIDE} damaged ones lie beside it"):
        store(path).open()
    assert path.read_bytes() == b"garbage" * 1000


def test_what_another_program_or_a_newer_wayclear_wrote_is_left_alone(tmp_path: Path) -> None:
    other, newer = tmp_path / "other.sqlite", tmp_path / "newer.sqlite"
    rows(other, "CREATE TABLE t(x)")
    written(newer)
    rows(newer, "PRAGMA user_version = 2")
    for path, told in (
        (other, "is a database of another program"),
        (newer, "by a newer wayclear .version 2"),
    ):
        content = path.read_bytes()
        one = store(path)
        with pytest.raises(Unavailable, match=told):
            one.open()
        one.close()
        assert path.read_bytes() == content


def test_a_file_that_was_only_begun_is_filled(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").touch()
    written(tmp_path / "history.sqlite")
    assert summaries(tmp_path / "history.sqlite") == ["number 1"]


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/null")):
        one = (
            Store(path, DAY, MIB, busy=0.05, log_cap=MIB) if path.name == "fifo" else store(tmp_path / "null")
        )
        if path.name == "null":
            (tmp_path / "null").symlink_to(path)
        with pytest.raises(Unavailable, match="is not a regular file"):
            one.open()
        one.close()
    with pytest.raises(Unavailable, match="embedded null byte"):
        store(tmp_path / "a\0b").open()


def test_a_file_that_another_one_has_taken_the_place_of_is_left_and_does_no_harm(tmp_path: Path) -> None:
    """A backup that is put back while the daemon runs: closing the old file must not take the new one's log away."""
    path, backup = tmp_path / "history.sqlite", tmp_path / "backup"
    one = store(path)
    one.write(rows_of([changed(1)]))
    backup.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", backup / f"history.sqlite{ending}")
    one.write(rows_of([changed(2)]))
    for ending in ("-shm", "-wal", ""):
        Path(f"{path}{ending}").unlink()
    for ending in ("", "-wal"):
        shutil.move(backup / f"history.sqlite{ending}", f"{path}{ending}")
    one.write(rows_of([changed(3)]))
    one.close()
    assert summaries(path) == ["number 1", "number 3"]


# --- others who use it ---------------------------------------------------------------------------------------------


def test_a_reader_who_stays_does_not_let_the_log_grow_without_bound(tmp_path: Path) -> None:
    path, log, cap = tmp_path / "history.sqlite", tmp_path / "history.sqlite-wal", MIB
    one = store(path, log_cap=cap)
    one.write(rows_of([changed(0)]))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM transitions").fetchall()
    batch = rows_of(changed(i, summary="x" * 900) for i in range(100))
    while log.stat().st_size <= cap:
        one.write(batch)
    with pytest.raises(Unavailable, match="Another program reads the history"):
        one.write(batch)
    assert cap < log.stat().st_size < 2 * cap
    before = len(summaries(path))
    reader.execute("COMMIT")
    one.write(batch)
    assert log.stat().st_size < cap
    one.close()
    reader.close()
    assert len(summaries(path)) == before + 100


def test_a_writer_who_stays_is_told(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite")
    one.open()
    other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"another program holds it locked \(SQLITE_BUSY\)"):
        one.write(rows_of([changed(1)]))
    other.execute("ROLLBACK")
    other.close()
    one.write(rows_of([changed(2)]))
    one.close()
    assert summaries(tmp_path / "history.sqlite") == ["number 2"]


# --- what is kept --------------------------------------------------------------------------------------------------


def test_what_is_too_old_goes_and_a_subject_s_last_transition_stays(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite", keep=10 * DAY)
    old, new = NOW - 11 * DAY, NOW - 9 * DAY
    one.write(
        rows_of(
            [changed(1, at=old), changed(2, at=old, after="warn"), changed(3, at=old, subject="b"), changed(4, at=new)],
            [Drift(old, "a", "cname", "old", ""), Drift(new, "a", "cname", "new", "")],
            [LedgerEntry("a", "cname", "old", 1.0, old), LedgerEntry("a", "cname", "new", 1.0, new)],
        )
        + cycles(3, old) + cycles(2, new)
    )  # fmt: skip
    assert spend(one, NOW) == 3 + 2 + 1 + 1
    found = one.load()
    one.close()
    assert [t.summary for t in found.transitions] == ["number 4", "number 3"]
    assert found.latest["b"].summary == "number 3"
    assert [d.value for d in found.drifts] == ["new"]
    assert [e.value for e in found.ledger] == ["new"]
    assert rows(tmp_path / "history.sqlite", "SELECT count(*) FROM cycles") == [(2,)]


def test_a_clock_that_jumps_by_years_deletes_a_week_s_worth_at_most(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite", keep=10 * DAY)
    one.write(cycles(1, NOW - 9 * DAY) + cycles(1, NOW))
    assert spend(one, NOW) == 0
    assert spend(one, NOW + 5 * 365 * DAY) == 1
    assert spend(one, NOW - 5 * 365 * DAY) == 0
    assert spend(one, NOW) == 0
    one.close()


def test_a_clock_that_is_years_ahead_for_a_weekend_deletes_four_weeks_at_most(tmp_path: Path) -> None:
    """Retention runs each hour, and again whenever the process starts."""
    path = tmp_path / "history.sqlite"
    one = store(path, keep=400 * DAY)
    one.write([row for day in range(400) for row in cycles(1, NOW - (day + 0.5) * DAY)])
    assert spend(one, NOW) == 0
    wrong = NOW + 5 * 365 * DAY
    gone = spend(one, wrong)
    assert gone == 7
    for hour in range(3 * 24):
        gone += spend(one, wrong + hour * 3600)
        if hour % 8 == 0:
            one.close()
            one.open()
            gone += spend(one, wrong + hour * 3600)
    assert 7 < gone <= 4 * 7
    assert spend(one, NOW + 3 * DAY) == 0, "the clock is right again"
    assert spend(one, NOW + 3 * DAY + 60) == 0
    one.close()


def test_what_grew_too_old_while_nothing_ran_goes_within_days(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite", keep=10 * DAY)
    one.write([row for day in range(10) for row in cycles(1, NOW - (day + 0.5) * DAY)])
    spend(one, NOW)
    later = NOW + 60 * DAY
    assert sum(spend(one, later + hour * 3600) for hour in range(24)) == 10
    one.close()


def test_what_is_too_much_goes_oldest_first_in_small_batches_and_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    one = store(path, max_bytes=MIB)
    for begin in range(0, 30_000, 5000):
        one.write(cycles(5000, NOW + begin))
    one.write(rows_of([changed(i) for i in range(500)], ledger=[LedgerEntry("a", "cname", "b", NOW, NOW)]))
    assert one.too_large
    batches = list(one.retention(None))
    assert 0 < max(batches) <= 5000
    assert not one.too_large
    one._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert MIB // 2 < path.stat().st_size <= MIB
    one.close()
    assert rows(path, "SELECT max(started) FROM cycles") == [(NOW + 29_999,)]
    assert len(summaries(path)) == 500
    assert rows(path, "SELECT count(*) FROM ledger") == [(1,)]


def test_a_ledger_that_alone_is_too_much_loses_what_was_not_seen_longest(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    one = store(path, max_bytes=MIB)
    for begin in range(0, 10_000, 1000):
        entries = [
            LedgerEntry("a", "address", f"{begin + i} {'x' * 200}", NOW, NOW + begin + i) for i in range(1000)
        ]
        one.write(rows_of(ledger=entries))
    spend(one, NOW + 10_000)
    found = one.load().ledger
    one.close()
    assert 0 < len(found) < 5000
    assert found[-1].last == NOW + 9999
    assert found[0].last == NOW + 10_000 - len(found)


def test_a_start_is_given_fifty_of_each_and_the_status_of_everybody(tmp_path: Path) -> None:
    one = store(tmp_path / "history.sqlite")
    one.write(rows_of([changed(i, subject=f"host{i}") for i in range(120)]))
    found = one.load()
    one.close()
    assert [t.id for t in found.transitions] == list(range(120, 120 - history_store.LOADED, -1))
    assert len(found.latest) == 120

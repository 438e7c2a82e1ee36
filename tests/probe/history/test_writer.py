"""The history as the daemon meets it: on a disk that works, and on one that is full, gone, locked or killed."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from probe.history import writer
from probe.history.store import Store
from probe.history.writer import Bounds, History, Loaded
from rules.watch.events import Drift, LedgerEntry
from tests.probe.history_disk import (
    NOW,
    QUICK,
    X,
    arrived,
    changed,
    cycle,
    killed,
    on_small_disk,
    rows,
    using,
)

# --- on a disk that works ------------------------------------------------------------------------------------------


def test_what_was_recorded_is_there_for_the_next_daemon(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.sqlite"
    entry = LedgerEntry(X, "issuer", "CN=A [expected]", NOW, NOW, "expected")
    news = Drift(NOW, X, "issuer", "CN=B", "issuer of X now of another class")

    async def write(history: History) -> None:
        assert (history.writable, history.fault, history.waiting) == (True, "", 0)
        assert await history.record([changed(1), changed(2, after="warn")], [entry], [news], cycle())
        assert await history.record(
            ledger=[LedgerEntry(X, "issuer", "CN=A [expected]", NOW + 9, NOW + 9, "expected")]
        )
        assert history.size_bytes > 4096

    async def read(history: History) -> None:
        found = await history.load()
        assert [(t.id, t.after) for t in found.transitions] == [(2, "warn"), (1, "fail")]
        assert [(d.id, d.text) for d in found.drifts] == [(3, news.text)]
        assert found.ledger == (LedgerEntry(X, "issuer", "CN=A [expected]", NOW, NOW + 9, "expected"),)
        assert found.latest[X].after == "warn"
        assert await history.record([changed(3)])
        assert (await history.load()).transitions[0].id == 4

    using(path, write)
    assert rows(path, "SELECT kind, targets, failed, inconclusive, connections, answer FROM cycles") == [
        ("service", 30, 2, 1, 33, "degraded")
    ]
    using(path, read)


def test_nothing_is_done_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.sqlite"
    before = set(threading.enumerate())  # a thread of another test may end meanwhile

    async def body() -> None:
        history = History(path, bounds=QUICK)
        assert not path.parent.exists()
        assert set(threading.enumerate()) <= before
        assert not history.writable
        assert await history.record([changed()]) is False
        assert (await history.load()).transitions == ()
        assert await history.retain(NOW) == 0
        assert await history.open()
        assert [t.summary for t in (await history.load()).transitions] == ["number 1"]
        await history.close()
        await history.close()
        assert await history.record([changed()]) is False
        assert await history.open() is False
        assert (history.dropped, history.writable) == (1, False)

    asyncio.run(body())


def test_nothing_to_record_is_not_waited_for(tmp_path: Path) -> None:
    async def body(history: History) -> None:
        assert await history.record() is True
        assert history.writable

    using(tmp_path / "history.sqlite", body, Bounds(patience=3600))


def test_one_that_was_never_opened_can_be_closed(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    asyncio.run(history.close())
    assert list(tmp_path.iterdir()) == []


def test_closing_folds_the_log_into_the_file(tmp_path: Path) -> None:
    path, log = tmp_path / "history.sqlite", tmp_path / "history.sqlite-wal"

    async def write(history: History) -> None:
        assert await history.record([changed()])
        assert log.stat().st_size > 0

    using(path, write)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.sqlite", "history.sqlite.writer"]


def test_many_who_record_at_once_share_a_transaction_and_each_is_told(tmp_path: Path) -> None:
    async def body(history: History) -> None:
        told = await asyncio.gather(*(history.record([changed(i)]) for i in range(3000)))
        assert all(told)
        assert [t.summary for t in (await history.load()).transitions[:2]] == ["number 2999", "number 2998"]

    using(tmp_path / "history.sqlite", body)


def test_a_job_that_is_long_holds_up_no_row(tmp_path: Path) -> None:
    """Rows are written between the batches of a retention."""
    path = tmp_path / "history.sqlite"

    async def fill(history: History) -> None:
        for _ in range(5):
            assert all(await asyncio.gather(*(history.record(cycle=cycle(float(i))) for i in range(1000))))

    async def body(history: History) -> None:
        ended: list[str] = []
        retention = asyncio.create_task(history.retain(NOW))
        retention.add_done_callback(lambda _: ended.append("retention"))
        await asyncio.sleep(0)
        assert await history.record([changed()])
        ended.append("record")
        assert await retention == 5000
        assert ended == ["record", "retention"]

    using(path, fill)
    using(path, body, keep_days=1)
    assert rows(path, "SELECT count(*) FROM cycles") == [(0,)]


def test_it_shrinks_by_itself_when_it_is_too_large(tmp_path: Path) -> None:
    async def body(history: History) -> None:
        for begin in range(0, 6000, 500):
            assert await history.record([changed(begin + i, summary="x" * 1000) for i in range(500)])
        await history.record(cycle=cycle())
        found = await history.load()
        assert found.transitions[0].summary == "x" * 1000
        assert await history.retain(NOW + 6000) >= 0

    path = tmp_path / "history.sqlite"
    history = using(path, body, max_bytes=2 << 20)
    assert path.stat().st_size <= 2 << 20
    assert history.dropped == 0


# --- on a disk that does not ---------------------------------------------------------------------------------------


def test_a_full_disk_stops_nothing_and_what_waited_arrives() -> None:
    found = on_small_disk("", """
        history = History(path, bounds=QUICK)
        assert await history.open()
        assert await history.record([changed(0)])
        fill()
        begun = time.monotonic()
        told = [await history.record([changed(i)], cycle=cycle()) for i in range(1, 301)]
        spent = time.monotonic() - begun
        full = [history.writable, history.fault, told[-1], await history.retain(NOW + 1e9), history.dropped]
        loaded = (await history.load()).transitions[-1].summary
        (small / "ballast").unlink()
        await arrived(history)
        after = [history.writable, history.fault, await history.record([changed(301)]), history.dropped]
        await history.close()
        show([full, loaded, after, summaries() == [f"number {i}" for i in range(302)], spent])
    """)  # fmt: skip
    full, loaded, after, whole, spent = found
    sentence = "The history /run/small/history.sqlite cannot be written: the disk is full (SQLITE_FULL)."
    assert full == [False, sentence, False, 0, 0]
    assert loaded == "number 0"
    assert after == [True, "", True, 0]
    assert whole
    assert spent < 5


def test_what_waits_is_bounded_and_the_oldest_is_dropped_and_counted() -> None:
    found = on_small_disk("", """
        history = History(path, bounds=Bounds(rows=100, retry=0.01, retry_most=0.05))
        await history.open()
        fill()
        told = [await history.record([changed(i)]) for i in range(500)]
        waiting, dropped = history.waiting, history.dropped
        (small / "ballast").unlink()
        await arrived(history)
        await history.close()
        there = summaries()
        show([told[-1], waiting, dropped == 500 - 100 - sum(told), there[-100:] == [f"number {i}" for i in range(400, 500)],
              len(there) + dropped])
    """)  # fmt: skip
    assert found == [False, 100, True, True, 500]


def test_what_cannot_be_written_to_the_end_is_counted_too() -> None:
    found = on_small_disk("", """
        history = History(path, bounds=QUICK)
        await history.open()
        fill()
        told = [await history.record([changed(i)]) for i in range(100)]
        await history.close()
        show([history.dropped + sum(told), history.waiting])
    """)  # fmt: skip
    assert found == [100, 0]


def test_closing_tries_once_more_without_waiting_for_the_next_attempt() -> None:
    found = on_small_disk("", """
        history = History(path, bounds=Bounds(retry=3600, retry_most=3600))
        await history.open()
        fill()
        told = [await history.record([changed(i)]) for i in range(100)]
        (small / "ballast").unlink()
        await history.close()
        show([told[-1], history.dropped, len(summaries())])
    """)  # fmt: skip
    assert found == [False, 0, 100]


def test_errors_now_and_then_lose_nothing_and_acknowledge_nothing_that_is_not_there() -> None:
    """A limit on the size of files makes writes fail as a broken disk does; it is set for 2 % of the records."""
    found = on_small_disk("mount -o remount,size=64m /run/small", """
        import random, resource
        chance, none = random.Random(4), resource.RLIM_INFINITY
        history = History(path, bounds=QUICK)
        await history.open()
        failed, troubles = [], set()
        for i in range(3000):
            spoil = chance.random() < 0.02
            if spoil:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, none))
            if not await history.record([changed(i)]):
                failed.append(i)
                troubles.add(history.fault.rpartition(": ")[2])
            if spoil:
                resource.setrlimit(resource.RLIMIT_FSIZE, (none, none))
                await arrived(history)
        await history.close()
        show([len(failed), sorted(troubles), summaries() == [f"number {i}" for i in range(3000)], history.dropped])
    """)  # fmt: skip
    failed, troubles, whole, dropped = found
    assert 30 <= failed <= 90
    assert troubles == ["the disk reports an error (SQLITE_IOERR_WRITE)."]
    assert (whole, dropped) == (True, 0)


@pytest.mark.parametrize(
    ("spoil", "mend", "told"),
    [
        ("mount -o remount,ro /run/small", "mount -o remount,rw /run/small", "read-only file system"),
        ("mount -o remount,nr_inodes=2 /run/small", "mount -o remount,nr_inodes=0 /run/small", "no space left on device"),
        ("mount -o remount,nr_inodes=3 /run/small", "mount -o remount,nr_inodes=0 /run/small", "(SQLITE_CANTOPEN)"),
        ("touch /run/small/state", "rm /run/small/state", ": /run/small/state: file exists."),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_at_the_start(spoil: str, mend: str, told: str) -> None:
    found = on_small_disk(spoil, f"""
        history = History({"small / 'state' / 'history.sqlite'" if "touch" in spoil else "path"}, bounds=QUICK)
        opened = await history.open()
        kept = await history.record([changed(1)])
        trouble = history.fault
        subprocess.run({mend!r}.split(), check=True)
        await arrived(history)
        loaded = [t.summary for t in (await history.load()).transitions]
        await history.close()
        show([opened, kept, trouble, loaded, history.fault])
    """)  # fmt: skip
    opened, kept, trouble, loaded, after = found
    assert (opened, kept, loaded, after) == (False, False, ["number 1"], "")
    assert told in trouble


def test_a_directory_that_is_cleaned_away_is_made_anew(tmp_path: Path) -> None:
    """Rows would go on into a file without a name, and each be called safe."""
    path = tmp_path / "state" / "history.sqlite"

    async def body(history: History) -> None:
        assert await history.record([changed(1)])
        shutil.rmtree(path.parent)
        assert await history.record([changed(2)])

    using(path, body)
    assert rows(path, "SELECT summary FROM transitions") == [("number 2",)]


def test_a_second_daemon_says_so_and_takes_over_when_the_first_ends(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"

    async def both() -> None:
        first, second = History(path, bounds=QUICK), History(path, bounds=QUICK)
        assert await first.open()
        assert not await second.open()
        assert second.fault == (
            f"The history {path} is written by process {os.getpid()}: end it, or name another path."
        )
        assert await second.record([changed(2)]) is False
        assert await first.record([changed(1)])
        await first.close()
        await arrived(second)
        await second.close()

    asyncio.run(both())
    assert rows(path, "SELECT summary FROM transitions ORDER BY id") == [("number 1",), ("number 2",)]


def test_nobody_waits_for_a_disk_that_hangs(tmp_path: Path) -> None:
    """Another program holds the file locked for longer than anybody's patience."""
    path = tmp_path / "history.sqlite"

    async def body(history: History) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await history.record([changed(1)]) is False
        assert history.fault.endswith("the disk does not answer.")
        assert await history.record([changed(2)]) is False
        other.execute("COMMIT")
        other.close()
        await arrived(history)
        assert (await history.record([changed(3)]), history.fault) == (True, "")

    using(path, body, Bounds(busy=30, patience=0.05))
    assert rows(path, "SELECT count(*) FROM transitions") == [(3,)]


def test_the_end_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    async def body() -> None:
        history = History(tmp_path / "history.sqlite", bounds=Bounds(patience=0.05))
        await history.open()
        monkeypatch.setattr(writer, "CLOSING", 0.05)
        monkeypatch.setattr(Store, "write", lambda *_: answers.wait(60))
        assert await history.record([changed(1)]) is False
        assert history.fault.endswith("the disk does not answer.")
        assert await history.record([changed(2)], cycle=cycle()) is False
        assert await history.load() == Loaded()
        assert (history.waiting, history.dropped) == (3, 0)
        await history.close()
        assert (history.waiting, history.dropped, history.writable) == (0, 3, False)

    try:
        begun = time.monotonic()
        asyncio.run(body())
        assert time.monotonic() - begun < 5
    finally:
        answers.set()


def test_a_bug_in_the_thread_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(history: History) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", lambda *_: 1 / 0)
            patch.setattr(Store, "load", lambda *_: 1 / 0)
            patch.setattr(Store, "retention", lambda *_: iter(lambda: 1 / 0, None))
            assert await history.record([changed(1)]) is False
            assert "This is a bug: ZeroDivisionError" in history.fault
            assert await history.load() == Loaded()
            assert await history.retain(NOW) == 0
        await arrived(history)

    using(tmp_path / "history.sqlite", body)


# --- killed --------------------------------------------------------------------------------------------------------


def test_twenty_kills_lose_no_acknowledged_row(tmp_path: Path) -> None:
    killed(tmp_path / "history.sqlite", 20, random.Random(20))


@pytest.mark.proof
def test_two_hundred_kills_lose_no_acknowledged_row(tmp_path: Path) -> None:
    killed(tmp_path / "history.sqlite", 200, random.Random(200))

"""The history as the daemon meets it: on a disk that works, and on one that is full, gone, locked or killed."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from probe.history import Bounds, History, default_path
from rules.trend import CycleRow, Drift, LedgerEntry, Transition
from tests.probe.isolated import ROOT, isolated

NOW = 1_795_000_000.0
QUICK = Bounds(busy=0.1, retry=0.01, retry_most=0.05)
X = "login.windows.net:443"


def changed(number: int = 1, **changes: object) -> Transition:
    values: dict[str, object] = {
        "at": NOW + number, "subject": X, "before": "pass", "after": "fail", "cause_before": "ok",
        "cause": "tcp.timeout", "summary": f"number {number}",
    }  # fmt: skip
    return Transition(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def cycle(started: float = NOW) -> CycleRow:
    return CycleRow("service", started, 1.5, 30, 2, 1, 33, "degraded")


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def using(
    path: Path, body: Callable[[History], Awaitable[None]], bounds: Bounds = QUICK, **more: float
) -> History:
    """Run `body` with a history that is opened before and closed afterwards."""
    history = History(path, bounds=bounds, **more)  # type: ignore[arg-type]  # keep_days and max_bytes

    async def whole() -> None:
        await history.open()
        try:
            await body(history)
        finally:
            await history.close()

    asyncio.run(whole())
    return history


async def arrived(history: History) -> None:
    """Until nothing waits in memory: recovery is tried in the background."""
    async with asyncio.timeout(20):
        while history.waiting or not history.writable:
            await asyncio.sleep(0.005)


# --- on a disk that works ------------------------------------------------------------------------------------------


def test_what_was_recorded_is_there_for_the_next_daemon(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.sqlite"
    entry = LedgerEntry(X, "issuer", "CN=A [expected]", NOW, NOW, "expected")
    news = Drift(NOW, X, "issuer", "CN=B", "issuer of X now of another class")

    async def write(history: History) -> None:
        assert (history.writable, history.trouble, history.waiting) == (True, "", 0)
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
    before = threading.active_count()

    async def body() -> None:
        history = History(path, bounds=QUICK)
        assert not path.parent.exists()
        assert threading.active_count() == before
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


def test_one_that_was_never_opened_can_be_closed(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    asyncio.run(history.close())
    assert list(tmp_path.iterdir()) == []


def test_closing_folds_the_log_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"

    async def write(history: History) -> None:
        assert await history.record([changed()])
        assert Path(f"{path}-wal").stat().st_size > 0

    using(path, write)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.sqlite", "history.sqlite.lock"]


def test_many_who_record_at_once_share_a_transaction_and_each_is_told(tmp_path: Path) -> None:
    async def body(history: History) -> None:
        told = await asyncio.gather(*(history.record([changed(i)]) for i in range(3000)))
        assert all(told)
        assert [t.summary for t in (await history.load()).transitions[:2]] == ["number 2999", "number 2998"]

    using(tmp_path / "history.sqlite", body)


def test_a_job_that_is_long_holds_up_no_row(tmp_path: Path) -> None:
    """B8: rows are written between the batches of a retention."""
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


# --- killed --------------------------------------------------------------------------------------------------------


def copied(path: Path) -> Path:
    """A copy with its log, to look at: what was left behind is for the next writer to recover."""
    copy = path.with_name("copy.sqlite")
    for ending in ("", "-wal", "-shm"):
        Path(f"{copy}{ending}").unlink(missing_ok=True)
        if ending != "-shm" and Path(f"{path}{ending}").exists():
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    return copy


def killed(path: Path, times: int, chance: random.Random) -> None:
    """Kill a writer `times` times; every row that it said to be on the disk is there, and the file is sound."""
    number, most = 1, 0
    for _ in range(times):
        # -1: while it opens, 0: just opened; else after so many acknowledged rows, at whatever it is doing then.
        wait = chance.choice((-1, 0, *range(1, 60)))
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.probe.history_writer", str(path), str(number)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        said = [] if wait < 0 else [child.stdout.readline() for _ in range(wait + 1)]
        child.kill()
        said += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        acknowledged = [int(line) for line in said if line.strip().isdigit()]
        assert wait <= 0 or len(acknowledged) >= wait, said
        most = max([most, *acknowledged])
        if not acknowledged:
            continue
        copy = copied(path)
        assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
        wanted = set(acknowledged)
        for statement in (
            "SELECT at FROM transitions", "SELECT at FROM drifts", "SELECT last FROM ledger", "SELECT started FROM cycles"
        ):  # fmt: skip
            assert wanted <= {int(str(at).partition(".")[0]) for (at,) in rows(copy, statement)}
        number = most + 2  # one more may be on the disk without having been said
    assert most > 0


def test_b1_twenty_kills_lose_no_acknowledged_row(tmp_path: Path) -> None:
    killed(tmp_path / "history.sqlite", 20, random.Random(20))


@pytest.mark.proof
def test_b1_two_hundred_kills_lose_no_acknowledged_row(tmp_path: Path) -> None:
    killed(tmp_path / "history.sqlite", 200, random.Random(200))

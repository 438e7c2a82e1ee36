"""Histories on disks that fail, and under writers that are killed: what the tests of the history share."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from probe.history.pending import rows_of
from probe.history.store import DAY, Store
from probe.history.writer import Bounds, History
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition
from tests.probe.isolated import ROOT, isolated

NOW = 1_795_000_000.0
QUICK = Bounds(busy=0.1, retry=0.01, retry_most=0.05)
X = "login.windows.net:443"
HOST = X.partition(":")[0]


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
        while history.waiting or not history.writable:  # noqa: ASYNC110 - its own attempts are what is waited for
            await asyncio.sleep(0.005)


#: For a process of its own, in namespaces where `/run/small` is a file system of 1 MiB.
SMALL = "mkdir /run/small; mount -t tmpfs -o size=1m small /run/small"
PRELUDE = """
import errno, os, shutil, sqlite3, subprocess
from pathlib import Path
from probe.history.pending import rows_of
from probe.history.store import DAY, Store
from probe.history.writer import Bounds, History
from tests.probe.history_disk import NOW, QUICK, arrived, changed, cycle, rows

small = Path("/run/small")
path = small / "history.sqlite"

def fill():
    with (small / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC

def summaries():
    return [text for (text,) in rows(path, "SELECT summary FROM transitions ORDER BY id")]

"""


def on_small_disk(setup: str, body: str) -> list[Any]:
    """Run the lines of a coroutine on a file system of their own; what they show last."""
    main = "async def main():\n" + textwrap.indent(textwrap.dedent(body), "    ")
    shown = isolated(f"{SMALL}\n{setup}", f"{PRELUDE}{main}\nasyncio.run(main())\n")
    assert isinstance(shown, list)
    return shown


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
        time.sleep(chance.random() * 0.005)  # so that it is anywhere in what it does
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


def filled(path: Path) -> Path:
    """A closed history with a few rows of each kind."""
    one = Store(path, 400 * DAY, 1 << 30, busy=0.1, log_cap=1 << 30)
    one.write(
        rows_of(
            [changed(1), changed(2, subject="connector", before="yes", after="no"), changed(3, subject=f"{HOST}:80")],
            [Drift(NOW + 4, HOST, "cname", "b.example", "a new suffix"), Drift(NOW + 5, X, "issuer", "CN=B", "a class")],
            [
                LedgerEntry(HOST, "cname", "b.example", NOW, NOW + 4),
                LedgerEntry(X, "issuer", "CN=B", NOW, NOW + 5),
                LedgerEntry("other.example", "cname", "c.example", NOW, NOW),
            ],
        )
    )  # fmt: skip
    one.close()
    return path

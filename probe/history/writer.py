"""The appliance's memory: transitions, drift, ledgers and a row for each cycle, in SQLite.

The daemon's loop talks to a thread that alone touches the disk. What is to be kept goes into a bounded queue first; the
thread writes the queue in order and says so. While the disk is full, read-only or gone, rows wait there, probing and
metrics go on, and nobody is told that a row is safe which is not.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from probe.history.pending import Ring, rows_of
from probe.history.store import DAY, Loaded, Store, Unavailable
from probe.history.tables import BATCH
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

__all__ = ["Bounds", "History", "Loaded", "default_path"]

MIB = 1024 * 1024
_CLOSING = 3.0  # seconds that ending may take: the whole daemon has five
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the history: rows and bytes that wait in memory, times in seconds.

    `log`: bytes of SQLite's write-ahead log above which nothing is written while a reader keeps it from being cut back
    (a batch may come on top: with it the log stays under 64 MiB). `patience`: how long somebody waits for the disk.
    `retry`: the first pause after a failure; it doubles up to `retry_most`.
    """

    rows: int = 10_000
    bytes: int = 20 * MIB
    log: int = 48 * MIB
    busy: float = 5.0
    patience: float = 10.0
    retry: float = 1.0
    retry_most: float = 60.0


def default_path(environ: Mapping[str, str], platform: str = sys.platform, root: bool | None = None) -> str:
    """Where the history lies: of the machine as root and on Windows, where systemd says so, else of the user (XDG)."""
    if platform == "win32":
        return (environ.get("ProgramData") or r"C:\ProgramData") + r"\wayclear\history.sqlite"
    given = environ.get("STATE_DIRECTORY", "").partition(":")[
        0
    ]  # systemd.exec(5): several are separated by colons
    if given:
        return f"{given}/history.sqlite"
    if root is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        return "/var/lib/wayclear/history.sqlite"
    home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '~'}/.local/state"
    return f"{home}/wayclear/history.sqlite"


class _Waiter(Generic[T]):
    """Somebody on a loop who waits for the thread, but not for ever."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T] = self._loop.create_future()

    def tell(self, value: T) -> None:
        """From the thread."""
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(self._set, value)

    def _set(self, value: T) -> None:
        if not self._future.done():
            self._future.set_result(value)

    async def told(self, otherwise: T, patience: float | None) -> tuple[T, bool]:
        """What was told, and True; `otherwise` and False where nothing was told in time."""
        done, _ = await asyncio.wait({self._future}, timeout=patience)
        return (self._future.result(), True) if done else (otherwise, False)


class History:
    """See the module. Does nothing until `open()`. Methods never raise for disk trouble and never block the loop."""

    def __init__(
        self,
        path: str | Path,
        keep_days: float = 400,
        max_bytes: int = 200 * MIB,
        bounds: Bounds | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._store = Store(
            Path(path), keep_days * DAY, max_bytes, busy=self._bounds.busy, log_cap=self._bounds.log
        )
        # Everything below is shared with the thread and touched under this lock, or is a plain value that one side sets.
        self._wake = threading.Condition()
        self._ring = Ring(self._bounds.rows, self._bounds.bytes)
        self._jobs: deque[Callable[[], None]] = deque()
        self._waiting: deque[tuple[int, int, _Waiter[bool]]] = deque()  # last row, rows dropped before, who
        self._thread: threading.Thread | None = None
        self._writable = False
        self._fault = ""
        self._closed = False
        # The thread's own.
        self._pause = self._bounds.retry
        self._next_try = 0.0  # monotonic
        self._retaining = False

    # --- for metrics and the status page ---------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether the last thing that was tried on the disk went well."""
        return self._writable

    @property
    def dropped(self) -> int:
        """Rows that were lost since the start, because too many waited or the disk was away to the end."""
        return self._ring.dropped

    @property
    def waiting(self) -> int:
        """Rows in memory that are not on the disk yet."""
        return len(self._ring)

    @property
    def size_bytes(self) -> int:
        """Of the file and its log, when it was last written."""
        return self._store.size

    @property
    def border(self) -> float:
        """Unix time; what was seen last before is kept no more. 0 before the first retention."""
        return self._store.border

    @property
    def trouble(self) -> str:
        """A sentence about what is wrong, or what was found at the start; "" when there is nothing to say."""
        return self._fault or self._store.note

    # --- for the daemon --------------------------------------------------------------------------------------------

    async def open(self) -> bool:
        """Start the thread and open the file; whether it can be written. If not, it is tried again in the background."""
        if self._closed:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="history", daemon=True)
            self._thread.start()
        return await self._ask(self._opened, False, self._bounds.patience)

    async def record(
        self,
        transitions: Iterable[Transition] = (),
        ledger: Iterable[LedgerEntry] = (),
        drifts: Iterable[Drift] = (),
        cycle: CycleRow | None = None,
    ) -> bool:
        """Keep these: True when they are on the disk, False when they wait in memory until the disk works again."""
        rows = rows_of(transitions, drifts, ledger, cycle)
        if not rows:
            return self._writable
        with self._wake:
            before = self._ring.dropped
            last = self._ring.add(rows)
            if self._closed:
                self._ring.give_up()
            if not self._writable:
                self._wake.notify()
                return False
            waiter: _Waiter[bool] = _Waiter()
            self._waiting.append((last, before, waiter))
            self._wake.notify()
        kept, answered = await waiter.told(False, self._bounds.patience)
        if not answered:  # from now on nobody waits for it, until it comes back
            self._writable = False
            self._fault = f"The history {self._store.path} cannot be written: the disk does not answer."
        return kept

    async def load(self) -> Loaded:
        """What the daemon needs at its start; empty while the file cannot be read."""
        return await self._ask(self._loaded, Loaded(), self._bounds.patience)

    async def retain(self, now: float) -> int:
        """Delete what is older than `keep_days` at `now` (Unix time) or too much; the number of rows that went."""
        return await self._ask(partial(self._retain, now), 0, None)

    async def close(self) -> None:
        """Write what waits, fold the log into the file, end the thread. What cannot be written now counts as dropped."""
        if self._thread is not None and not self._closed:
            await self._ask(self._shut, None, _CLOSING)
        with self._wake:
            self._closed = True
            self._writable = False
            self._ring.give_up()

    async def _ask(
        self, job: Callable[[Callable[[T], None]], None], otherwise: T, patience: float | None
    ) -> T:
        """Let the thread do `job`, which is given a function to tell its result by."""
        waiter: _Waiter[T] = _Waiter()
        with self._wake:
            if self._thread is None or self._closed:
                return otherwise
            self._jobs.append(partial(job, waiter.tell))
            self._wake.notify()
        return (await waiter.told(otherwise, patience))[0]

    # --- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Jobs and the queue by turns, so that a long retention holds up no row."""
        while True:
            with self._wake:
                while not self._jobs and not self._due():
                    self._wake.wait(self._idle())
                job = self._jobs.popleft() if self._jobs else None
                ended = job is None and self._closed
            if ended:
                return
            if job is not None:
                job()
            if not self._closed and self._due():
                self._flush()

    def _due(self) -> bool:
        wanted = len(self._ring) > 0 or not self._store.is_open
        return self._closed or (wanted and time.monotonic() >= self._next_try)

    def _idle(self) -> float | None:
        """Seconds to wait at most."""
        wanted = len(self._ring) > 0 or not self._store.is_open
        return max(0.0, self._next_try - time.monotonic()) if wanted else None

    def _flush(self) -> None:
        """Write the oldest rows of the queue, and tell those whose rows are on the disk."""
        with self._wake:
            rows = self._ring.take(BATCH)
        try:
            if not self._store.is_open:
                self._store.open()
            if rows:
                self._store.write(rows)
        except Exception as error:  # noqa: BLE001 - also a bug of ours must not end the thread: rows would wait unseen
            with self._wake:
                self._ring.put_back()
            self._failed(error)
            return
        with self._wake:
            written = self._ring.done()
            told = []
            while self._waiting and self._waiting[0][0] <= written:
                told.append(self._waiting.popleft())
            lost = self._ring.dropped
            self._writable = True
        self._fault, self._pause, self._next_try = "", self._bounds.retry, 0.0
        for _, before, waiter in told:
            waiter.tell(lost == before)  # where any row was lost meanwhile it may have been one of these
        if self._store.too_large and not self._retaining:
            self._retain(None, lambda _: None)

    def _failed(self, error: Exception) -> None:
        """Nobody waits any more; try again later, and later still."""
        self._fault = str(error) if isinstance(error, Unavailable) else f"This is a bug: {error!r}"
        with self._wake:
            self._writable = False
            told, self._waiting = self._waiting, deque()
        for _, _, waiter in told:
            waiter.tell(False)
        self._next_try = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, self._bounds.retry_most)

    def _opened(self, tell: Callable[[bool], None]) -> None:
        self._flush()
        tell(self._writable)

    def _loaded(self, tell: Callable[[Loaded], None]) -> None:
        found = Loaded()
        try:
            if self._store.is_open:
                found = self._store.load()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
        tell(found)

    def _retain(self, now: float | None, tell: Callable[[int], None]) -> None:
        if not self._store.is_open or self._closed:
            tell(0)
            return
        if self._retaining:  # behind the one that runs
            with self._wake:
                self._jobs.append(partial(self._retain, now, tell))
            return
        self._retaining = True
        self._retain_more(self._store.retention(now), 0, tell)

    def _retain_more(self, batches: Iterator[int], deleted: int, tell: Callable[[int], None]) -> None:
        """One batch; the next one when the queue has had its turn."""
        try:
            more = None if self._closed else next(batches, None)
        except Exception as error:  # noqa: BLE001 - as above; and somebody waits for the end of this
            self._failed(error)
            more = None
        if more is None:
            self._retaining = False
            tell(deleted)
            return
        with self._wake:
            self._jobs.append(partial(self._retain_more, batches, deleted + more, tell))

    def _shut(self, tell: Callable[[None], None]) -> None:
        """One more try for what waits, whatever the pause; then the end."""
        left = len(self._ring) + 1
        while 0 < len(self._ring) < left:
            left = len(self._ring)
            self._flush()
        self._store.close()
        self._closed = True
        tell(None)

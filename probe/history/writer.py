"""The history of the service: transitions, drift, ledgers and a row for each cycle, in SQLite.

An executor with one thread owns the file, so the event loop never waits for the disk. Rows go into a bounded queue, and
one task writes the queue in order. `record()` acknowledges rows after their commit. While the disk is full, read-only
or gone, rows wait in the queue, and measurements and metrics continue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from probe.history.pending import RowQueue, rows_of
from probe.history.store import DAY, Loaded, Store, Unavailable
from probe.history.tables import BATCH
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

__all__ = ["Bounds", "History", "Loaded"]

MIB = 1024 * 1024
CLOSING = 3.0  #: seconds that `close()` may take: the whole daemon has five
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the history: rows and bytes that wait in memory, times in seconds.

    `log`: bytes of SQLite's write-ahead log. If the log is larger and a reader prevents its truncation, the writer
    writes nothing (one more batch may be added: even then the log stays under 64
    MiB). `patience`: how long a caller waits for the disk.
    `retry`: the first pause after a failure; it doubles up to `retry_most`.
    """

    rows: int = 10_000
    bytes: int = 20 * MIB
    log: int = 48 * MIB
    busy: float = 5.0
    patience: float = 10.0
    retry: float = 1.0
    retry_most: float = 60.0


class History:
    """The writer of the history. Does nothing until `open()`. Methods never raise for disk errors and never block the
    loop."""

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
        self._disk = ThreadPoolExecutor(1, "history")  # only this thread calls the store's methods
        # Everything below belongs to the event loop.
        self._queue = RowQueue(self._bounds.rows, self._bounds.bytes)
        # The number of rows dropped before, and a future that is set when the queue is written or has failed.
        self._acknowledgements: list[tuple[int, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._shrinking: asyncio.Task[int] | None = None
        self._retaining = asyncio.Lock()
        self._wake = asyncio.Event()
        self._closing = False
        self._writable = False
        self._fault = ""
        self._pause = self._bounds.retry
        self._next_try = 0.0  # time of the loop

    # --- for metrics and the status page ---------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether the last write to the disk succeeded."""
        return self._writable

    @property
    def dropped(self) -> int:
        """Rows lost since the start: too many waited, or the disk did not work until the end."""
        return self._queue.dropped

    @property
    def waiting(self) -> int:
        """Rows in memory that are not on the disk yet."""
        return len(self._queue)

    @property
    def size_bytes(self) -> int:
        """Bytes of the file and its log after the last write."""
        return self._store.size

    @property
    def border(self) -> float:
        """Unix time: older rows were deleted. 0 before the first retention."""
        return self._store.border

    @property
    def fault(self) -> str:
        """A sentence about the present fault, or about a fault found at the start; else ""."""
        return self._fault or self._store.note

    # --- for the daemon --------------------------------------------------------------------------------------------

    async def open(self) -> bool:
        """Open the file. Returns True if it can be written; if False, a task tries again until `close()`."""
        if self._closing:
            return False
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_until_closed())
        return await self._acknowledged(self._queue.dropped)

    async def record(
        self,
        transitions: Iterable[Transition] = (),
        ledger: Iterable[LedgerEntry] = (),
        drifts: Iterable[Drift] = (),
        cycle: CycleRow | None = None,
    ) -> bool:
        """Write these rows. Returns True if they are on the disk; if False, they wait in memory until the disk works
        again."""
        rows = rows_of(transitions, drifts, ledger, cycle)
        if not rows:
            return self._writable
        if self._closing:
            self._queue.dropped += len(rows)
            return False
        dropped = self._queue.dropped
        self._queue.add(rows)
        self._wake.set()
        return await self._acknowledged(dropped) if self._writable else False

    async def load(self) -> Loaded:
        """The rows that the daemon needs at its start; none while the file cannot be read."""
        if self._writer is None or self._closing:
            return Loaded()
        try:
            async with asyncio.timeout(self._bounds.patience):
                return await self._on_disk(lambda: self._store.load() if self._store.is_open else Loaded())
        except TimeoutError:  # the disk does not answer
            pass
        except Exception as error:  # noqa: BLE001 - also a bug of ours must not end the service
            self._failed(error)
        return Loaded()

    async def retain(self, now: float | None) -> int:
        """Delete rows older than `keep_days` at `now` (Unix time; None: check only the size) and rows above the size
        limit.

        Returns the number of deleted rows. The writer writes new rows between the transactions of this deletion.
        """
        deleted = 0
        async with self._retaining:
            batches = self._store.retention(now)
            try:
                while self._store.is_open and not self._closing:
                    batch = await self._on_disk(lambda: next(batches, None))
                    if batch is None:
                        break
                    deleted += batch
            except Exception as error:  # noqa: BLE001 - as above
                self._failed(error)
        return deleted

    async def close(self) -> None:
        """Write the waiting rows, merge the log into the file, end the thread.

        Rows that cannot be written now count as dropped.
        """
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=CLOSING)
        self._writable = False
        self._queue.give_up()
        self._disk.shutdown(wait=False)

    async def _acknowledged(self, dropped: int) -> bool:
        """Wait until all rows of the queue are written, or have failed, or the disk does not answer.

        Returns False also if more than `dropped` rows are lost now: they may be the caller's.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._acknowledgements.append((dropped, future))
        self._wake.set()
        done, _ = await asyncio.wait({future}, timeout=self._bounds.patience)
        if done:
            return future.result()
        self._writable = False  # from now on no caller waits for the disk, until it answers
        self._fault = f"The history {self._store.path} cannot be written: the disk does not answer."
        return False

    # --- writing ---------------------------------------------------------------------------------------------------

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _write_until_closed(self) -> None:
        while not self._closing:
            self._wake.clear()
            wanted = self._acknowledgements or len(self._queue) or not self._store.is_open
            pause = self._next_try - asyncio.get_running_loop().time() if wanted else None
            if pause is not None and pause <= 0:
                await self._write()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
        if self._acknowledgements or len(self._queue):  # once more, without the pause
            await self._write()
        await self._on_disk(self._store.close)

    async def _write(self) -> None:
        """Write the rows that wait now, and acknowledge them."""
        asked, self._acknowledgements = self._acknowledgements, []
        try:
            for _ in range(0, max(1, len(self._queue)), BATCH):
                await self._on_disk(partial(self._store.write, self._queue.next_batch(BATCH)))
                self._queue.done()
        except Exception as error:  # noqa: BLE001 - also a bug of ours must not end the task: rows would wait unseen
            self._queue.requeue()
            self._acknowledgements += asked
            self._failed(error)
            return
        self._writable, self._fault = True, ""
        self._pause, self._next_try = self._bounds.retry, 0.0
        for dropped, future in asked:
            future.set_result(self._queue.dropped == dropped)
        if self._store.too_large and not self._retaining.locked():
            self._shrinking = asyncio.create_task(self.retain(None))

    def _failed(self, error: Exception) -> None:
        """Release all waiting callers, and try again after a pause that doubles with each failure."""
        self._fault = str(error) if isinstance(error, Unavailable) else f"This is a bug: {error!r}"
        self._writable = False
        self._next_try = asyncio.get_running_loop().time() + self._pause
        self._pause = min(self._pause * 2, self._bounds.retry_most)
        for _, future in self._acknowledgements:
            future.set_result(False)
        self._acknowledgements = []
        self._wake.set()

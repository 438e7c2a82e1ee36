"""Measures the lag of our own event loop. A timeout is evidence about the network only if the loop was on time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

INTERVAL = 0.1  # seconds between two readings
_WORTH_KEEPING = 0.05  # seconds; less is the noise of a busy machine
_KEPT = 1000


class LagMeter:
    """A timer that records how late it runs, while anything is measured. Times are the loop's, in seconds.

    While nothing is measured it is off, so that the processor can sleep. `report` is called with the lag of every reading.
    """

    def __init__(self, interval: float = INTERVAL, report: Callable[[float], None] | None = None) -> None:
        self._interval = interval
        self._report = report
        self._late: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._measured = 0

    @property
    def running(self) -> bool:
        return self._timer is not None

    def begin(self) -> None:
        """A measurement starts on the running loop; several may run at once."""
        self._measured += 1
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._arm()

    def end(self) -> None:
        """A measurement has ended. Call `worst` before this."""
        self._measured -= 1

    def worst(self, since: float) -> float:
        """The longest lag from `since` (loop time) to now, in seconds, including an overdue reading."""
        if self._loop is None or self._timer is None:
            return 0.0
        overdue = max(0.0, self._loop.time() - max(self._due, since))
        return max(overdue, *(lag for at, lag in self._late if at >= since), 0.0)

    def stop(self) -> None:
        """Stop the timer at once; stopping twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        assert self._loop is not None
        self._due = self._loop.time() + self._interval
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        if self._report is not None:
            self._report(now - self._due)
        if now - self._due > _WORTH_KEEPING:
            self._late.append((now, now - self._due))
        if self._measured:
            self._arm()
        else:
            self._timer = None

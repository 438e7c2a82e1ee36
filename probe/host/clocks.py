"""Compares the wall clock with the monotonic clock to find steps of the clock and suspends of the host.

CLOCK_MONOTONIC does not count while a host is suspended, CLOCK_BOOTTIME does (clock_gettime(2)): the difference is the
time of the suspend. Without CLOCK_BOOTTIME a suspend looks like a step forward.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

#: Smaller differences, in seconds, come from NTP, which corrects the clock slowly.
TOLERANCE = 2.0


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The change between two readings, in seconds: `stepped`, the wall clock was set; `asleep`, the host was suspended."""

    stepped: float = 0.0
    asleep: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.stepped or self.asleep)


@dataclass(frozen=True, slots=True)
class ClockTimes:
    """The clocks at one moment, in seconds."""

    wall: float
    monotonic: float
    boot: float

    @classmethod
    def now(cls) -> ClockTimes:
        """The present readings."""
        monotonic = time.monotonic()
        boot = monotonic
        if sys.platform != "win32":
            clock = getattr(time, "CLOCK_BOOTTIME", None)  # only Linux has it
            boot = time.clock_gettime(clock) if clock is not None else monotonic
        return cls(time.time(), monotonic, boot)


def clock_change(before: ClockTimes, after: ClockTimes) -> ClockChange:
    """The change between two readings."""
    ran = after.monotonic - before.monotonic
    asleep = (after.boot - before.boot) - ran
    asleep = asleep if asleep > TOLERANCE else 0.0
    stepped = (after.wall - before.wall) - ran - asleep
    return ClockChange(stepped if abs(stepped) > TOLERANCE else 0.0, asleep)


class Clocks:
    """Remembers the last readings of the clocks."""

    def __init__(self) -> None:
        self._before = ClockTimes.now()

    def compare(self) -> ClockChange:
        """The change since the last call."""
        before, self._before = self._before, ClockTimes.now()
        return clock_change(before, self._before)

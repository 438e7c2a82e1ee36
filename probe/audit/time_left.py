"""How long an audit will still take, from what it has done so far.

Only connections are counted: they have a rate, and most of the time is theirs. The estimate is None where nothing tells:
before a connection has ended, and when the last answers take longer than any answer before them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TimeLeft:
    """Counts the connections of one audit. Times are seconds on the monotonic clock; `rate` is a second, 0 for no limit."""

    rate: float
    ended: int = 0
    _begun: float | None = None
    _longest: float = 0.0
    _running: dict[object, float] = field(default_factory=dict)  # since when

    def start(self, one: object, now: float) -> None:
        """A connection begins. `one` tells it from the others."""
        self._begun = now if self._begun is None else self._begun
        self._running[one] = now

    def end(self, one: object, now: float) -> None:
        """It has ended, whatever came of it."""
        self.ended += 1
        self._longest = max(self._longest, now - self._running.pop(one, now))

    def left(self, waiting: int, now: float) -> float | None:
        """Seconds until all have ended, if `waiting` are still to be started. None: not known."""
        if waiting > 0:
            elapsed = 0.0 if self._begun is None else now - self._begun
            measured = self.ended / elapsed if self.ended and elapsed > 0 else 0.0
            speeds = [speed for speed in (self.rate, measured) if speed > 0]
            return waiting / min(speeds) + self._longest if speeds else None
        if not self._running:
            return None
        return self._rest(now)

    def _rest(self, now: float) -> float | None:
        """Seconds until the running ones have ended, if none takes longer than the longest so far."""
        rest = self._longest - (now - max(self._running.values()))
        return rest if rest > 0 else None

"""A rate limit with a burst."""

from __future__ import annotations

import math


class TokenBucket:
    """Admits `burst` at once, then `rate` a second (0: no limit). The caller gives the time of a monotonic clock."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until the next one may start; 0 for now."""
        if not self._rate:
            return 0.0
        self._fill(now)
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        """One starts now."""
        if self._rate:
            self._fill(now)
            self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        if self._at > -math.inf:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

"""How fast an audit may go: in-flight limits and a token bucket for new connections."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits of one pace. `rate` is new connections a second (0: unlimited), `burst` what may come at once.

    The polite figures stay below the sweep detection of the firewalls that are audited (Juniper SRX 10 addresses in
    5 ms, PAN-OS 30 attempts in 10 s, Zeek 25 failed hosts in 5 min).
    """

    name: str
    rate: float
    burst: int
    per_address: int
    connections: int
    questions: int
    lookups: int = 4


POLITE = Pace("polite", rate=2.0, burst=5, per_address=2, connections=16, questions=8)
FAST = Pace("fast", rate=0.0, burst=0, per_address=100, connections=100, questions=200, lookups=64)
PACES = {"polite": POLITE, "fast": FAST}


class TokenBucket:
    """Admits `burst` at once and `rate` a second after that. Time is the caller's monotonic clock."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until one more may start; 0 when it may start now."""
        if not self._rate:
            return 0.0
        self._fill(now)
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        """One more starts now."""
        if self._rate:
            self._fill(now)
            self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        if self._at > -math.inf:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

"""The pace of an audit: limits of concurrent requests, and the rate of new connections."""

from __future__ import annotations

from dataclasses import dataclass

#: Descriptors that stay free for everything else.
RESERVED_DESCRIPTORS = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits of one pace. `rate`: new connections a second (0: unlimited); `burst`: most at once.

    The polite figures stay below the sweep detection of common firewalls (Juniper SRX 10 addresses in 5 ms, PAN-OS 30
    attempts in 10 s, Zeek 25 failed hosts in 5 min).
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

"""The paces of an audit."""

from __future__ import annotations

from probe.audit.pace import FAST, POLITE
from probe.host.token_bucket import TokenBucket


def test_the_polite_pace_stays_below_sweep_detection() -> None:
    assert POLITE.burst + POLITE.rate * 10 < 30  # PAN-OS: 30 attempts in 10 s
    assert (POLITE.rate, POLITE.burst, POLITE.per_address) == (2.0, 5, 2)


def test_the_fast_pace_never_waits() -> None:
    bucket = TokenBucket(FAST.rate, FAST.burst)
    for _ in range(100):
        assert bucket.wait(0.0) == 0.0
        bucket.take(0.0)

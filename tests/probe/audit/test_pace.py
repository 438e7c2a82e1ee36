"""The token bucket that keeps an audit polite."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.audit.pace import FAST, POLITE, TokenBucket


def test_the_polite_pace_stays_below_sweep_detection() -> None:
    assert POLITE.burst + POLITE.rate * 10 < 30  # PAN-OS: 30 attempts in 10 s
    assert (POLITE.rate, POLITE.burst, POLITE.per_address) == (2.0, 5, 2)


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(2.0, 5)
    started: list[float] = []
    now = 0.0
    while len(started) < 12:
        wait = bucket.wait(now)
        if wait:
            now += wait
            continue
        bucket.take(now)
        started.append(now)
    assert started[:5] == [0.0] * 5
    assert started[-1] >= (12 - 5) / 2.0 - 1e-9


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60))
def test_no_window_ever_holds_more_than_burst_and_rate_allow(gaps: list[float]) -> None:
    bucket = TokenBucket(2.0, 5)
    now = 0.0
    started: list[float] = []
    for gap in gaps:
        now += gap
        if bucket.wait(now) == 0.0:
            bucket.take(now)
            started.append(now)
    for index, begin in enumerate(started):
        for count, end in enumerate(started[index:], 1):
            assert count <= 5 + 2.0 * (end - begin) + 1e-6


def test_the_fast_pace_never_waits() -> None:
    bucket = TokenBucket(FAST.rate, FAST.burst)
    for _ in range(100):
        assert bucket.wait(0.0) == 0.0
        bucket.take(0.0)

"""A rate limit: so many at once, then the rate, in no window more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.host.token_bucket import TokenBucket


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


def test_it_fills_at_its_rate_and_no_higher() -> None:
    bucket = TokenBucket(0.5, 2)

    def take(now: float) -> float:
        wait = bucket.wait(now)
        if not wait:
            bucket.take(now)
        return wait

    assert [take(100.0) for _ in range(3)] == [0, 0, 2.0]
    assert take(101.0) == 1.0
    assert take(102.0) == 0
    assert [take(1000.0) for _ in range(3)] == [0, 0, 2.0]

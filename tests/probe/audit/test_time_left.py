"""The time that is left, by what was done: no guess where nothing tells."""

from __future__ import annotations

import pytest

from probe.audit.time_left import TimeLeft


def after(rate: float, ended: int, each: float, running: int = 0, since: float = 0.0) -> TimeLeft:
    """`ended` connections one after the other from 0 on, `each` so long, and `running` that began `since` then."""
    made = TimeLeft(rate)
    for one in range(ended):
        made.start(one, one * each)
        made.end(one, (one + 1) * each)
    for one in range(running):
        made.start(("running", one), ended * each + since)
    return made


def test_before_a_connection_has_ended_only_the_rate_tells() -> None:
    assert after(0.0, 0, 1.0).left(40, 0.0) is None
    assert after(0.0, 0, 1.0, running=10).left(40, 5.0) is None
    assert after(2.0, 0, 1.0).left(40, 0.0) == 20.0


def test_afterwards_what_was_done_tells() -> None:
    """10 in 5 s: 30 more take 15 s, and the last one as long as the longest."""
    assert after(0.0, 10, 0.5).left(30, 5.0) == pytest.approx(15.5)


def test_what_is_slower_counts_the_rate_or_the_network() -> None:
    assert after(1.0, 10, 0.5).left(30, 5.0) == pytest.approx(30.5)
    assert after(100.0, 10, 0.5).left(30, 5.0) == pytest.approx(15.5)


def test_a_network_that_becomes_silent_makes_it_longer() -> None:
    made = after(0.0, 10, 0.5, running=20)
    found = [made.left(30, 5.0 + waited) for waited in (0.0, 5.0, 10.0)]
    assert found == pytest.approx([15.5, 30.5, 45.5])


def test_the_last_ones_take_as_long_as_the_longest_before_and_then_nobody_knows() -> None:
    made = after(2.0, 4, 2.0, running=3)
    found = [made.left(0, 8.0 + waited) for waited in (0.0, 0.5, 1.5, 2.0, 7.0)]
    assert found == [2.0, 1.5, 0.5, None, None]
    assert after(2.0, 4, 2.0).left(0, 8.0) is None, "no connection is known to be left, and other work may be"

"""Steps of the wall clock and sleep of the host, told apart by three clocks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.host.clocks import TOLERANCE, Clocks, ClockTimes, clock_change

YEAR = 365 * 86_400.0
BEFORE = ClockTimes(1.8e9, 5000.0, 6000.0)


def after(wall: float = 0.0, monotonic: float = 5.0, boot: float = 0.0) -> ClockTimes:
    """Five seconds later; `wall` and `boot` are what those clocks went ahead of the monotonic one."""
    return ClockTimes(
        BEFORE.wall + monotonic + wall, BEFORE.monotonic + monotonic, BEFORE.boot + monotonic + boot
    )


def test_an_ordinary_stretch() -> None:
    assert not clock_change(BEFORE, after())
    assert not clock_change(BEFORE, after(wall=0.9)), "somebody disciplines the clock"


@pytest.mark.parametrize("step", [30 * 86_400.0, -5 * YEAR, 5 * YEAR, 3600.0, -3600.0, 2.1, -2.1])
def test_a_step_of_the_wall_clock(step: float) -> None:
    found = clock_change(BEFORE, after(wall=step))
    assert found.stepped == pytest.approx(step, abs=1e-3)
    assert found.asleep == 0.0


def test_a_sleep_of_eight_hours() -> None:
    found = clock_change(BEFORE, after(wall=8 * 3600.0, boot=8 * 3600.0))
    assert found.stepped == 0.0
    assert found.asleep == pytest.approx(8 * 3600.0)


def test_a_sleep_after_which_the_clock_was_set() -> None:
    found = clock_change(BEFORE, after(wall=60.0 - 3600.0, boot=60.0))
    assert found.asleep == pytest.approx(60.0)
    assert found.stepped == pytest.approx(-3600.0)


def test_a_stopped_process_neither_slept_nor_stepped() -> None:
    assert not clock_change(BEFORE, after(monotonic=3600.0)), "SIGSTOP: every clock has gone on"


def test_where_there_is_no_boot_clock_a_sleep_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    now = ClockTimes.now()
    assert now.boot == now.monotonic
    later = ClockTimes(now.wall + 3605.0, now.monotonic + 5.0, now.boot + 5.0)
    assert clock_change(now, later).stepped == pytest.approx(3600.0)
    assert clock_change(now, later).asleep == 0.0


def test_now_is_now() -> None:
    begun = time.monotonic()
    assert begun <= ClockTimes.now().monotonic <= time.monotonic()
    assert abs(ClockTimes.now().wall - time.time()) < 1
    assert ClockTimes.now().boot >= begun
    assert not clock_change(ClockTimes.now(), ClockTimes.now())


@given(st.floats(-20 * YEAR, 20 * YEAR), st.floats(0, YEAR), st.floats(0, 3600))
def test_nothing_is_off_by_more_than_the_tolerance(step: float, asleep: float, ran: float) -> None:
    found = clock_change(BEFORE, after(wall=step + asleep, monotonic=ran, boot=asleep))
    assert abs(found.asleep - asleep) <= TOLERANCE + 1e-3
    assert abs(found.stepped - step) <= 2 * TOLERANCE + 1e-3, "a short sleep that passes for a step among it"


def test_a_leap_second_is_no_step() -> None:
    assert TOLERANCE > 1
    assert not clock_change(BEFORE, after(wall=-1.0))


def test_each_change_is_seen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, boot = time.time, time.clock_gettime
    ahead = {"wall": 0.0, "boot": 0.0}
    monkeypatch.setattr(time, "time", lambda: wall() + ahead["wall"])
    monkeypatch.setattr(time, "clock_gettime", lambda clock: boot(clock) + ahead["boot"])
    clocks = Clocks()
    assert not clocks.compare()
    ahead |= {"wall": 8 * 3600.0, "boot": 8 * 3600.0}  # a night's sleep
    found = clocks.compare()
    assert (round(found.stepped), round(found.asleep)) == (0, 28_800)
    assert not clocks.compare()
    ahead["wall"] -= 5 * YEAR
    found = clocks.compare()
    assert (round(found.stepped), round(found.asleep)) == (-round(5 * YEAR), 0)
    assert not clocks.compare()

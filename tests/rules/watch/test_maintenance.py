"""Maintenance windows: by the week, over midnight, over a change of the clocks, once."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.watch.maintenance import DAYS, Window, open_window

DUBLIN = zoneinfo.ZoneInfo("Europe/Dublin")
HOUR = 3600


def at(text: str, zone: datetime.tzinfo = datetime.UTC, fold: int = 0) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def weekly(
    day: str, begins: float, ends: float, zone: datetime.tzinfo = datetime.UTC, pause: bool = False
) -> Window:
    return Window(
        "patches",
        days=(DAYS.index(day),),
        begins=int(begins * HOUR),
        ends=int(ends * HOUR),
        zone=zone,
        pause=pause,
    )


def opened(window: Window, since: float, until: float, step: int = 60) -> list[float]:
    """The moments of a stretch, a minute apart, at which it is open."""
    return [now for n in range(int((until - since) // step)) if window.open(now := since + n * step)]


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-11-28T21:59:59", False),
        ("2026-11-28T22:00:00", True),
        ("2026-11-28T23:59:59", True),
        ("2026-11-29T00:00:00", True),
        ("2026-11-29T01:59:59", True),
        ("2026-11-29T02:00:00", False),
        ("2026-11-28T01:00:00", False),
        ("2026-11-29T22:30:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_that_it_begins_on(moment: str, inside: bool) -> None:
    assert weekly("sat", 22, 2).open(at(moment)) is inside


def test_from_sunday_into_monday() -> None:
    window = weekly("sun", 23, 1)
    assert window.open(at("2026-11-30T00:30:00"))
    assert not window.open(at("2026-11-29T00:30:00"))


@pytest.mark.parametrize(
    ("moment", "inside"), [("02:59:59", False), ("03:00:00", True), ("03:59:59", True), ("04:00:00", False)]
)
def test_a_window_within_a_day_holds_its_beginning_and_not_its_end(moment: str, inside: bool) -> None:
    assert weekly("sat", 3, 4).open(at(f"2026-11-28T{moment}")) is inside


def test_one_that_ends_when_it_begins_lasts_a_day() -> None:
    window = weekly("sat", 6, 6)
    assert len(opened(window, at("2026-11-23T00:00:00"), at("2026-11-30T00:00:00"))) == 24 * 60
    assert window.open(at("2026-11-29T05:59:59"))
    assert not window.open(at("2026-11-28T05:59:59"))


def test_times_are_those_of_its_zone() -> None:
    window = weekly("sat", 22, 23, DUBLIN)
    assert window.open(at("2026-07-04T21:30:00"))
    assert not window.open(at("2026-07-04T22:30:00"))
    assert window.open(at("2026-11-28T22:30:00"))


def test_the_hour_that_is_left_out_in_spring_shortens_a_window() -> None:
    """Dublin, 2026-03-29: 01:00 becomes 02:00."""
    day = (at("2026-03-28T12:00:00"), at("2026-03-29T12:00:00"))
    assert len(opened(weekly("sat", 22, 4, DUBLIN), *day)) == 5 * 60
    assert opened(weekly("sun", 1.25, 1.75, DUBLIN), *day) == []
    assert len(opened(weekly("sun", 0.5, 2.5, DUBLIN), *day)) == 60


def test_the_hour_that_comes_twice_in_autumn_lengthens_a_window() -> None:
    """Dublin, 2026-10-25: 02:00 becomes 01:00 again."""
    day = (at("2026-10-24T12:00:00"), at("2026-10-25T12:00:00"))
    assert len(opened(weekly("sat", 22, 4, DUBLIN), *day)) == 7 * 60
    twice = weekly("sun", 1.25, 1.75, DUBLIN)
    assert len(opened(twice, *day)) == 60
    assert twice.open(at("2026-10-25T01:30:00", DUBLIN, fold=0))
    assert twice.open(at("2026-10-25T01:30:00", DUBLIN, fold=1))


def test_a_window_that_is_open_once() -> None:
    window = Window("move", at("2026-12-01T04:00:00"), at("2026-12-01T06:00:00"))
    assert not window.open(at("2026-12-01T03:59:59"))
    assert window.open(at("2026-12-01T04:00:00"))
    assert not window.open(at("2026-12-01T06:00:00"))
    assert not window.open(at("2027-12-01T05:00:00"))


@given(
    st.sampled_from(DAYS),
    st.integers(0, 24 * 4 - 1),
    st.integers(0, 24 * 4 - 1),
    st.integers(0, 51),
    st.sampled_from([datetime.UTC, DUBLIN]),
)
def test_a_week_holds_it_once_and_whole(
    day: str, begins: int, ends: int, week: int, zone: datetime.tzinfo
) -> None:
    window = weekly(day, begins / 4, ends / 4, zone)
    monday = datetime.datetime(2026, 1, 5, 12, tzinfo=zone) + datetime.timedelta(weeks=week)
    since, until = monday.timestamp(), (monday + datetime.timedelta(weeks=1)).timestamp()
    minutes = (ends - begins) % 96 * 15 or 24 * 60
    found = len(opened(window, since, until, 900)) * 15
    changed = int(until - since) != 7 * 24 * HOUR
    assert found == minutes or (changed and abs(found - minutes) <= 60)


def test_one_that_pauses_goes_before_others() -> None:
    mute, pause = weekly("sat", 0, 12), weekly("sat", 6, 12, pause=True)
    now = at("2026-11-28T07:00:00")
    assert open_window((mute, pause), now) is pause
    assert open_window((pause, mute), now) is pause
    assert open_window((mute, pause), at("2026-11-28T05:00:00")) is mute
    assert open_window((mute, pause), at("2026-11-27T05:00:00")) is None
    assert open_window((), now) is None


@given(st.floats(-2e9, 7e9))
def test_no_time_is_too_odd(now: float) -> None:
    """A clock that was set: a clock may say 1906 or 2191."""
    assert isinstance(weekly("sat", 22, 2, DUBLIN).open(now), bool)

"""How old a connector's word may be: relative to the interval of its rounds, and not in a maintenance window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.blocks import BLOCKS, MEANINGS
from tests.dashboards.cases import fleet, of
from tests.dashboards.fleet import Connector, Values, change, clock, flap, frozen, hold, holes
from tests.dashboards.promtool import Firing, expect

GROUP: Firing = ("WayclearGroupRedundancyLost", {"connector_group": "vienna"})
STALE: Firing = ("WayclearProberStale", of(1))
ENDED, INTERVAL = "wayclear_last_cycle_timestamp_seconds", "wayclear_cycle_interval_seconds"


def every(minutes: int) -> Values:
    """The end of a round that takes so many minutes."""
    return lambda minute: str(minute // minutes * minutes * 60 + 1)


def seldom(kind: str = "service", interval: float = 1800) -> list[Connector]:
    """Two that are told to ask every half an hour, and do."""
    found = fleet(2)
    for connector in found:
        connector.without(ENDED)
        connector.put(ENDED, every(30), kind=kind)
        connector.put(INTERVAL, hold(interval), kind=kind)
    return found


def test_every_block_is_told_and_stands_behind_what_it_uses() -> None:
    assert list(MEANINGS) == list(BLOCKS)
    for place, body in enumerate(BLOCKS.values()):
        assert not [name for name in list(BLOCKS)[place:] if name in body]


# --- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [False, True], ids=["recorded", "written out"])
def test_long_intervals_are_no_delay(alone: bool, tmp_path: Path) -> None:
    expect(tmp_path, seldom(), {29: [], 59: [], 200: []}, alone=alone)


def test_what_is_later_than_three_long_intervals_is(tmp_path: Path) -> None:
    found = seldom()
    found[0].put(ENDED, frozen(10), kind="service")
    expect(tmp_path, found, {103: [], 110: [GROUP, STALE]})


def test_short_intervals_leave_the_limits_as_they_are(tmp_path: Path) -> None:
    found = seldom(interval=1)
    for connector in found:
        connector.put(ENDED, clock(-20), kind="service")
    found[0].put(ENDED, frozen(10), kind="service")
    expect(tmp_path, found, {20: [], 23: [STALE], 32: [GROUP, STALE]})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.put(ENDED, flap(1, 7200), kind="service"),
        lambda c: c.put(INTERVAL, holes(hold(1800), 2), kind="service"),
        lambda c: c.put(INTERVAL, flap(1800, 1500), kind="service"),
    ],
    ids=["late and not", "lost scrapes", "stretched and not"],
)
def test_what_flaps_is_not_told(spoil: Callable[[Connector], None], tmp_path: Path) -> None:
    found = seldom()
    spoil(found[0])
    expect(tmp_path, found, {25: [], 59: [], 119: []})


def test_one_that_vanished_is_not_excused_by_the_interval_that_it_had(tmp_path: Path) -> None:
    found = seldom()
    found[0].vanish(10)
    expect(tmp_path, found, {14: [], 18: [GROUP], 23: [GROUP, STALE]})


# --- without service names --------------------------------------------------------------------------------------------


def test_a_prober_without_service_names_is_judged_by_those_that_it_has(tmp_path: Path) -> None:
    found = seldom("sign-in", 900)
    found[0].put(ENDED, frozen(10), kind="sign-in")
    expect(tmp_path, found, {59: [], 65: [GROUP, STALE]})


def test_one_that_lost_its_service_names_by_a_reload_is_not_stale(tmp_path: Path) -> None:
    found = seldom("sign-in", 900)
    for connector in found:
        connector.put(ENDED, frozen(5), kind="service")
        connector.put(INTERVAL, lambda minute: "60" if minute < 5 else "stale", kind="service")
        connector.put("wayclear_config_last_reload_success_timestamp_seconds", hold(300))
    expect(tmp_path, found, {20: [], 60: [], 100: []})


def test_sign_in_names_do_not_speak_for_service_names_that_are_late(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].put(ENDED, frozen(2), kind="service")
    found[0].put(ENDED, clock(), kind="sign-in")
    for kind, interval in (("service", 60), ("sign-in", 900)):
        found[0].put(INTERVAL, hold(interval), kind=kind)
    expect(tmp_path, found, {12: [], 15: [STALE]})


# --- a start ------------------------------------------------------------------------------------------------------------


def test_a_restart_has_time_for_its_first_look(tmp_path: Path) -> None:
    """The last round of the process before was half an hour ago, and the interval is not known until the look has ended."""
    found = seldom()
    for connector in found:
        connector.put(
            ENDED, lambda m: "stale" if 28 <= m < 40 else str(1 if m < 40 else 2400), kind="service"
        )
        connector.put(INTERVAL, lambda m: "stale" if 28 <= m < 38 else "1800", kind="service")
        connector.put("wayclear_config_last_reload_success_timestamp_seconds", change(28, 0, 28 * 60))
    expect(tmp_path, found, {27: [], 34: [], 37: [], 41: [], 60: []})


def test_one_that_ends_no_round_after_its_start_does_not_count_for_ever(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].without(ENDED)
    found[0].put("wayclear_config_last_reload_success_timestamp_seconds", hold(0))
    expect(tmp_path, found, {20: [], 23: [STALE], 32: [GROUP, STALE]})


# --- a window in which nothing is asked ---------------------------------------------------------------------------------


def paused(back: int) -> list[Connector]:
    """A window with `pause` from minute 10 to 70; the next round ends at minute `back`."""
    found = fleet(2)
    for connector in found:
        connector.put(ENDED, lambda m: str(60 * (m if m <= 10 or m >= back else 10)), kind="service")
        connector.put(INTERVAL, hold(60), kind="service")
    for connector in found:
        connector.put("wayclear_maintenance", lambda m: "1" if 10 <= m < 70 else "0")
    return found


@pytest.mark.parametrize("alone", [False, True], ids=["recorded", "written out"])
def test_after_a_window_there_is_time_for_a_round(alone: bool, tmp_path: Path) -> None:
    expect(tmp_path, paused(74), {40: [], 69: [], 71: [], 73: [], 75: [], 90: []}, alone=alone)


def test_who_ends_no_round_after_its_window_is_told(tmp_path: Path) -> None:
    both = [("WayclearProberStale", of(n)) for n in (1, 2)]
    expect(tmp_path, paused(1000), {80: [], 83: both, 84: both, 92: [GROUP, *both]})


def test_after_a_window_a_long_interval_has_its_time(tmp_path: Path) -> None:
    """Half an hour, three hours of pause: the first round ends half an hour after it."""
    found = fleet(2)
    for connector in found:
        connector.put(ENDED, change(210, 1, 12_600), kind="service")
        connector.put(INTERVAL, hold(1800), kind="service")
        connector.put("wayclear_maintenance", change(180, 1, 0))
    expect(tmp_path, found, {100: [], 181: [], 186: [], 209: [], 240: []})

"""A service name that is down by itself, an answer that is not proven, and what explains either."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.cases import at_target, fleet, instead, of
from tests.dashboards.fleet import SERVICE, Connector, Values, change, flap, hold, holes
from tests.dashboards.promtool import Firing, bare_rules, expect, unit_test

NAME: Firing = ("WayclearServiceNameDown", of(1, **at_target(SERVICE)))
OPEN: Firing = ("WayclearAnswerNotProven", of(1))
DOWN: Firing = ("WayclearConnectorDown", of(1))
CAUGHT: Firing = ("WayclearServiceIntercepted", of(1, **at_target(SERVICE)))
NEVER = hold(0)
OTHER = "b.servicebus.windows.net"


def name_fails(success: Values = NEVER) -> list[Connector]:
    found = fleet(3)
    found[0].fail(SERVICE, success)
    return found


# --- a service name ---------------------------------------------------------------------------------------------------


def test_a_name_that_works_again_is_told_no_longer_after_ten_minutes(tmp_path: Path) -> None:
    expect(tmp_path, name_fails(change(30, 0, 1)), {14: [], 17: [NAME], 35: [NAME], 48: []})


def test_a_failure_of_ten_minutes_is_no_ticket(tmp_path: Path) -> None:
    expect(tmp_path, name_fails(change(10, 0, 1)), {at: [] for at in (9, 14, 17, 25)})


def test_one_success_in_between_starts_the_wait_anew(tmp_path: Path) -> None:
    found = name_fails(lambda minute: "1" if minute % 10 == 9 else "0")
    expect(tmp_path, found, {at: [] for at in (17, 30, 60)})


def test_an_inconclusive_probe_or_a_lost_scrape_in_between_does_not(tmp_path: Path) -> None:
    found = name_fails()
    found[0].check(SERVICE, "tls", hold(0), measured=flap(1, 0))
    expect(tmp_path, found, {20: [NAME]})
    found[0].every(lambda values: holes(values, 5))
    expect(tmp_path, found, {22: [NAME]})


def test_a_name_that_could_not_be_tested_is_not_down(tmp_path: Path) -> None:
    found = name_fails()
    found[0].check(SERVICE, "tls", hold(0), measured=hold(0))
    expect(tmp_path, found, {60: []})


def test_where_the_connector_cannot_live_the_connector_is_told_and_not_the_name(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    expect(tmp_path, found, {17: [DOWN], 60: [DOWN]})


def test_an_interception_is_told_and_neither_the_name_nor_the_connector(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    found[0].on(SERVICE, "wayclear_interception_ratio", hold(1))
    expect(tmp_path, found, {8: [], 13: [CAUGHT], 60: [CAUGHT]})


def test_another_name_that_fails_besides_an_interception_is_told_as_well(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    found[0].on(SERVICE, "wayclear_interception_ratio", hold(1))
    for metric, value in (("success", 0), ("measured", 1)):
        found[0].put(
            f"wayclear_check_{metric}", hold(value),
            target=OTHER, port="443", rule_group="service", via="direct", check="tls",
        )  # fmt: skip
    expect(tmp_path, found, {9: [DOWN], 13: [DOWN, CAUGHT]})


def test_a_name_in_maintenance_is_silent(tmp_path: Path) -> None:
    found = name_fails()
    found[0].put("wayclear_maintenance", hold(1))
    expect(tmp_path, found, {60: []})


# --- not proven -------------------------------------------------------------------------------------------------------


def open_since(begins: Values, since: Values) -> list[Connector]:
    """Not proven where `begins` gives 1; `since`: since when the answer has been the same."""
    found = fleet(3)
    found[0].answers("not-proven", begins, "yes")
    found[0].put("wayclear_connector_can_live", instead(begins, 1, 0))
    found[0].put("wayclear_connector_answer_since_timestamp_seconds", since)
    return found


def test_an_answer_that_was_known_is_missed_after_a_quarter_of_an_hour(tmp_path: Path) -> None:
    found = open_since(change(30, 0, 1), change(30, 0, 1800))
    expect(tmp_path, found, {44: [], 47: [OPEN], 300: [OPEN]})


@pytest.mark.parametrize("before", ["degraded", "no"])
def test_also_one_that_was_not_yes(before: str, tmp_path: Path) -> None:
    found = open_since(change(30, 0, 1), change(30, 0, 1800))
    found[0].answers("not-proven", change(30, 0, 1), before)
    expect(tmp_path, found, {44: [], 47: [OPEN]})


def test_an_answer_that_is_known_again_is_no_ticket(tmp_path: Path) -> None:
    found = open_since(lambda minute: str(int(30 <= minute < 40)), hold(0))
    expect(tmp_path, found, {at: [] for at in (35, 45, 47, 60)})


def test_an_answer_that_comes_and_goes_is_no_ticket(tmp_path: Path) -> None:
    expect(tmp_path, open_since(flap(0, 1), hold(0)), {at: [] for at in (17, 30, 120)})


def test_lost_scrapes_do_not_start_it_anew(tmp_path: Path) -> None:
    found = open_since(change(30, 0, 1), change(30, 0, 1800))
    found[0].every(lambda values: holes(values, 5))
    expect(tmp_path, found, {49: [OPEN]})


def test_an_answer_that_nobody_ever_had_is_a_ticket_after_a_day(tmp_path: Path) -> None:
    found = open_since(hold(1), hold(-1200 * 60))  # for 20 hours already
    expect(tmp_path, found, {60: [], 254: [], 258: [OPEN], 400: [OPEN]})


def test_a_window_silences_it(tmp_path: Path) -> None:
    found = open_since(change(30, 0, 1), change(30, 0, 1800))
    found[0].put("wayclear_maintenance", hold(1))
    expect(tmp_path, found, {60: []})


# --- silent -----------------------------------------------------------------------------------------------------------


def test_a_prober_in_the_inventory_that_vanishes_is_told_once(tmp_path: Path) -> None:
    """By the inventory, and not as a stale prober as well."""
    found = fleet(4)
    found[1].inventory("c1", "c2")
    found[0].vanish(10)
    expect(
        tmp_path,
        found,
        {17: [], 24: [], 27: [("WayclearConnectorSilent", of(1))], 120: [("WayclearConnectorSilent", of(1))]},
    )


def test_a_member_that_moved_to_another_site_within_a_day_is_one_member(tmp_path: Path) -> None:
    moved = Connector("c1", site="Linz")
    moved.vanish(20)
    found = [*fleet(3), moved]
    found[0].vanish(10)
    found[1].inventory("c1", "c2")
    told: Firing = ("WayclearConnectorSilent", of(1) | {"site": "Linz"})
    for _ in range(5):  # a tie would be broken another way each time, and the alert would begin anew
        assert unit_test(bare_rules(tmp_path), found, {40: [told]}).returncode == 0, "where it was heard last"

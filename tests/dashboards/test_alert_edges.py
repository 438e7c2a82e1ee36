"""What an on-call person would be angry about: a page for nothing, and no page when it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.cases import at_target, fleet, of
from tests.dashboards.fleet import (
    CRL,
    DAY,
    SERVICE,
    SIGN_IN,
    Connector,
    change,
    clock,
    flap,
    frozen,
    hold,
    holes,
    rising,
)
from tests.dashboards.promtool import Firing, expect

GROUP: Firing = ("WayclearGroupRedundancyLost", {"connector_group": "vienna"})
TELLS: Firing = ("WayclearGroupTellsOfName", at_target(SERVICE))


def down(*connectors: int) -> list[Firing]:
    return [("WayclearConnectorDown", of(number)) for number in connectors]


def stale(*connectors: int) -> list[Firing]:
    return [("WayclearProberStale", of(number)) for number in connectors]


# --- who counts as living ---------------------------------------------------------------------------------------------


def test_a_connector_that_vanishes_does_not_count(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].vanish(10)
    expect(tmp_path, found, {14: [], 17: [GROUP], 22: [GROUP, *stale(1)]})


def test_a_group_that_vanishes_as_a_whole_is_not_forgotten(tmp_path: Path) -> None:
    found = [*fleet(2), Connector("other1", "graz", "Graz"), Connector("other2", "graz", "Graz")]
    found[0].vanish(10)
    found[1].vanish(10)
    expect(tmp_path, found, {14: [], 17: [GROUP], 22: [GROUP, *stale(1, 2)], 180: [GROUP]})


def test_a_group_of_one_pages_unless_one_is_enough(tmp_path: Path) -> None:
    expect(tmp_path, fleet(1), {7: [GROUP]})
    found = fleet(1)
    found[0].put("wayclear_group_min_connectors", hold(1))
    expect(tmp_path, found, {7: [], 60: []})
    found[0].die(change(60, 1, 0))
    expect(tmp_path, found, {60: [], 69: [GROUP, TELLS, *down(1)]})


def test_the_minimum_is_the_largest_that_a_member_says_now_and_two_if_none_does(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].put("wayclear_group_min_connectors", change(30, 3, 2))
    expect(tmp_path, found, {7: [GROUP], 29: [GROUP], 70: []})
    for connector in found:
        connector.without("wayclear_group_min_connectors")
    expect(tmp_path, found, {7: []})
    expect(tmp_path, found[:1], {7: [GROUP]})


def test_a_group_that_needs_none_never_pages(tmp_path: Path) -> None:
    found = fleet(1)
    found[0].put("wayclear_group_min_connectors", hold(0))
    found[0].die()
    expect(tmp_path, found, {15: down(1)})


def test_connectors_without_a_group_are_a_group(tmp_path: Path) -> None:
    found = [Connector("c1", "", "", ""), Connector("c2", "", "", "")]
    expect(tmp_path, found, {7: []})
    expect(tmp_path, found[:1], {7: [("WayclearGroupRedundancyLost", {})]})


def test_not_proven_for_ever_pages_nobody(tmp_path: Path) -> None:
    found = fleet(2)
    for connector in found:
        connector.put("wayclear_connector_can_live", hold(0))
        connector.put("wayclear_connector_not_proven", hold(1))
    expect(tmp_path, found, {60: []})


def test_not_proven_because_of_the_host_does_not_count(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].put("wayclear_connector_can_live", hold(0))
    found[0].put("wayclear_connector_not_proven", hold(1))
    found[0].put("wayclear_connector_host_fault", hold(1))
    expect(tmp_path, found, {7: [GROUP, *down(1), ("WayclearHostFault", of(1))]})


def test_the_last_file_of_a_dead_daemon_is_no_life(tmp_path: Path) -> None:
    """A textfile collector shows it for ever, with `can_live` 1."""
    found = fleet(2)
    found[0].put("wayclear_last_cycle_timestamp_seconds", frozen(10), kind="service")
    expect(tmp_path, found, {15: [], 20: [], 23: stale(1), 28: stale(1), 32: [GROUP, *stale(1)]})


def test_a_textfile_lacks_the_probers_own_metrics_and_counts_all_the_same(tmp_path: Path) -> None:
    found = fleet(2)
    for connector, ended in zip(found, (clock(-40), frozen(10)), strict=True):
        connector.without("wayclear_build_info", "wayclear_last_cycle_timestamp_seconds")
        connector.put("wayclear_last_cycle_timestamp_seconds", ended, kind="audit")
        connector.inventory("c1", "c2")
    expect(tmp_path, found, {15: [], 20: [], 23: stale(2), 32: [GROUP, *stale(2)]})


def test_a_daemon_that_has_ended_no_round_yet_is_not_old(tmp_path: Path) -> None:
    found = fleet(2)
    for connector in found:
        connector.put("wayclear_last_cycle_timestamp_seconds", hold(0), kind="service")
    expect(tmp_path, found, {30: []})


def test_a_daemon_whose_first_look_never_ends_is_told_after_21_minutes(tmp_path: Path) -> None:
    """It has nothing yet but the prober's own metrics; ten minutes of patience, and the eleven of every prober."""
    found = fleet(3)
    found[0].series.clear()
    found[0].put("wayclear_build_info", hold(1), version="0.1.0", python="3.11", openssl="3.5")
    found[0].put("wayclear_config_last_reload_success_timestamp_seconds", hold(0))
    expect(tmp_path, found, {20: [], 23: stale(1), 90: stale(1)})


def test_an_old_configuration_makes_nobody_stale_who_ends_rounds(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].put("wayclear_config_last_reload_success_timestamp_seconds", hold(0))
    expect(tmp_path, found, {60: []})


def test_rounds_of_another_kind_do_not_make_a_prober_fresh_or_stale(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].put("wayclear_last_cycle_timestamp_seconds", clock(-3000), kind="sign-in")
    found[1].put("wayclear_last_cycle_timestamp_seconds", frozen(2), kind="service")
    found[1].put("wayclear_last_cycle_timestamp_seconds", clock(), kind="sign-in")
    expect(tmp_path, found, {12: [], 15: stale(2)})


def test_two_scrapes_of_one_connector_are_one_connector(tmp_path: Path) -> None:
    """A second Prometheus, or a restart under another port: the group still has one that lives."""
    found = [Connector("c1"), Connector("c1")]
    for index, connector in enumerate(found):
        connector.scraped_as(job="wayclear", instance=f"10.0.0.1:{19115 + index}")
    expect(tmp_path, found, {7: [GROUP]})


# --- maintenance ------------------------------------------------------------------------------------------------------


def test_maintenance_of_one_is_planned(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].die()
    found[0].fail(SIGN_IN)
    found[0].put("wayclear_connector_host_fault", hold(1))
    found[0].put("wayclear_maintenance", hold(1))
    expect(tmp_path, found, {90: []})


def test_a_host_that_is_switched_off_for_its_maintenance_stays_excused_for_two_hours(tmp_path: Path) -> None:
    found = fleet(2)
    found[1].inventory("c1", "c2")
    found[0].put("wayclear_maintenance", hold(1))
    found[0].vanish(10)
    silent: Firing = ("WayclearConnectorSilent", of(1))
    expect(tmp_path, found, {60: [], 120: [], 150: [GROUP, silent]})


def test_the_other_one_dying_meanwhile_still_pages(tmp_path: Path) -> None:
    found = fleet(2)
    found[0].put("wayclear_maintenance", hold(1))
    found[0].die()
    found[1].die()
    expect(tmp_path, found, {9: [GROUP, TELLS, *down(2)]})


def test_the_end_of_the_window_ends_the_silence(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    found[0].put("wayclear_maintenance", change(10, 1, 0))
    expect(tmp_path, found, {14: [], 17: down(1)})


# --- inconclusive, lost scrapes, flapping -----------------------------------------------------------------------------


def test_inconclusive_is_no_failure(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        for target in (SERVICE, SIGN_IN):
            connector.check(target, "tls", hold(0), measured=hold(0))
        for name in ("reachable", "valid", "measured"):
            connector.put(f"wayclear_revocation_source_{name}", hold(0), target=CRL, kind="crl")
    expect(tmp_path, found, {400: []})


def test_an_inconclusive_probe_in_between_does_not_start_the_hour_anew(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].check(SIGN_IN, "tls", hold(0), measured=flap(1, 0))
    expect(tmp_path, found, {70: [("WayclearSignInDown", of(1, **at_target(SIGN_IN)))]})


def test_a_failure_that_wanders_between_dns_and_tls_is_one_failure(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        connector.check(SIGN_IN, "dns", flap(0, 1))
        connector.check(SIGN_IN, "tls", hold(0), measured=flap(0, 1))
    login = at_target(SIGN_IN)
    down_everywhere: list[Firing] = [("WayclearSignInDown", of(n, **login)) for n in (1, 2, 3)]
    expect(
        tmp_path,
        found,
        {7: [("WayclearLikelyMicrosoft", login)], 70: [("WayclearLikelyMicrosoft", login), *down_everywhere]},
    )


@pytest.mark.parametrize("every", [2, 5])
def test_lost_scrapes_do_not_start_anything_anew(every: int, tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    found[0].fail(SIGN_IN)
    for state, count in (("ok", 1), ("failed", 3)):
        found[0].put("wayclear_addresses", hold(count), rule_group="service", family="ipv4", state=state)
    found[0].every(lambda values: holes(values, every))
    expect(
        tmp_path, found,
        {
            8: down(1),
            70: [
                *down(1),
                ("WayclearServiceAddressesFailing", of(1)),
                ("WayclearSignInDown", of(1, **at_target(SIGN_IN))),
            ],
        },
    )  # fmt: skip


def test_it_goes_on_firing_for_a_while_and_then_ends(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die(change(20, 0, 1))
    expect(tmp_path, found, {19: down(1), 25: down(1), 35: []})


def test_a_quarter_of_the_addresses_is_not_more_than_a_quarter(tmp_path: Path) -> None:
    found = fleet(3)
    for state, count in (("ok", 6), ("failed", 2)):
        found[0].put("wayclear_addresses", hold(count), rule_group="service", family="ipv4", state=state)
    expect(tmp_path, found, {60: []})


# --- whose certificate ------------------------------------------------------------------------------------------------


def test_what_an_inspecting_device_serves_may_expire_as_it_likes(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        connector.on(SERVICE, "wayclear_tls_earliest_cert_expiry_timestamp_seconds", hold(DAY))
        connector.info(SERVICE, "ok", hold("stale"))
        connector.info(SERVICE, "tls.intercepted", hold(1), issuer="intercepted")
    expect(tmp_path, found, {120: []})


def test_an_expired_leaf_still_fires(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].on(SERVICE, "wayclear_tls_earliest_cert_expiry_timestamp_seconds", hold(60))
    expect(tmp_path, found, {120: [("WayclearLeafExpiring", at_target(SERVICE))]})


# --- sites ------------------------------------------------------------------------------------------------------------


def test_interception_at_three_sites_is_not_microsofts(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        connector.fail(SIGN_IN)
        connector.on(SIGN_IN, "wayclear_interception_ratio", hold(1))
    expect(tmp_path, found, {30: []})


def test_three_connectors_of_two_sites_are_two_sites(tmp_path: Path) -> None:
    found = [Connector("c1", site="Vienna"), Connector("c2", site="Vienna"), Connector("c3", site="Graz")]
    for connector in found:
        connector.fail(SIGN_IN)
    expect(tmp_path, found, {30: []})


def test_connectors_without_a_site_are_at_no_site(tmp_path: Path) -> None:
    found = [Connector(f"c{n}", site="") for n in range(4)]
    for connector in found:
        connector.fail(SIGN_IN)
    expect(tmp_path, found, {30: []})
    for connector in found[:2]:
        connector.die()
    silent = [("WayclearConnectorDown", {"connector": c.name, "connector_group": "vienna", "region": "eu"})
              for c in found[:2]]  # fmt: skip
    expect(tmp_path, found, {30: silent})


def test_faulty_hosts_at_three_sites_prove_nothing_about_a_target(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        connector.fail(SIGN_IN)
        connector.put("wayclear_connector_host_fault", hold(1))
    expect(tmp_path, found, {30: [("WayclearHostFault", of(n)) for n in (1, 2, 3)]})


def test_a_site_whose_failure_three_sites_share_is_no_site_of_its_own(tmp_path: Path) -> None:
    found = [*fleet(3), Connector("c4", site="Vienna")]
    for connector in found:
        connector.die()
    at_vienna = of(4) | {"site": "Vienna"}
    shared = [
        ("WayclearConnectorSharesFailure", labels | at_target(SERVICE))
        for labels in (*map(of, (1, 2, 3)), at_vienna)
    ]
    expect(
        tmp_path, found,
        {
            8: [
                GROUP, TELLS, *down(1, 2, 3), ("WayclearConnectorDown", at_vienna), *shared,
                ("WayclearLikelyMicrosoft", at_target(SERVICE)),
            ]
        },
    )  # fmt: skip


# --- never ------------------------------------------------------------------------------------------------------------


def test_drift_new_addresses_new_issuers_and_resolvers_that_differ_fire_nothing(
    tmp_path: Path,
) -> None:
    found = fleet(3)
    for connector in found:
        connector.put("wayclear_drift_events_total", rising())
        connector.put("wayclear_transitions_total", rising())
        connector.put("wayclear_resolver_disagreements", rising(5), rule_group="service")
        connector.put("wayclear_dns_chain_length_max", rising(90), rule_group="service")
        connector.put("wayclear_addresses", rising(10), rule_group="service", family="ipv4", state="ok")
        connector.on(SERVICE, "wayclear_target_addresses", rising(10), state="ok")
        connector.on(SERVICE, "wayclear_tls_earliest_cert_expiry_timestamp_seconds", flap(90 * DAY, 30 * DAY))
        connector.info(SERVICE, "ok", flap(1, "stale"))
        connector.info(SERVICE, "tls.issuer-unexpected", flap("stale", 1), issuer="public")
        for state, count in (("up", 1), ("down", 1)):
            connector.put("wayclear_resolvers", hold(count), state=state)
    expect(tmp_path, found, {at: [] for at in (60, 240, 480)})

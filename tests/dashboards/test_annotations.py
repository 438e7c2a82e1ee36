"""What an alert tells, as Prometheus renders it: with everything that it looks up, and with nothing of it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboards.alerts import ALERTS, BY_NAME
from dashboards.annotations import LOOKUPS, bare, looked_up
from tests.dashboards.cases import RECIPES, Recipe, fleet, made
from tests.dashboards.fleet import CRL, SERVICE, SIGN_IN, Connector, hold, holes
from tests.dashboards.promtool import told

by_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.alert)
BROKEN = re.compile(r"no value|error|\{\{|%!|\$|<[a-z ]+>|  |\.\.| \.")


def explained(found: tuple[Connector, ...]) -> tuple[Connector, ...]:
    """The same fleet with everything that a text looks up, scraped at an address each."""
    for number, connector in enumerate(found, 1):
        connector.put("wayclear_page_info", hold(1), scheme="https")
        connector.put("wayclear_connector_answer_since_timestamp_seconds", hold(120))
        connector.because("tcp.timeout", "Firewall team")
        for target in (SERVICE, SIGN_IN, CRL):
            connector.info(target, "ok", hold("stale"))
            connector.on(
                target, "wayclear_target_info", hold(1),
                check="tls", cause="tls.reset", owner="DNS team", issuer_class="expected", tls_version="",
            )  # fmt: skip
            connector.on(target, "wayclear_target_since_timestamp_seconds", hold(60))
        connector.scraped_as(instance=f"10.0.0.{number}:19115")
    return found


SUMMARIES = {
    "WayclearGroupRedundancyLost": "Connector group vienna: 1 working connectors too few. "
    "c1 (tcp.timeout, who acts: Firewall team, since 1970-01-01 00:02 UTC). "
    "c2 (tcp.timeout, who acts: Firewall team, since 1970-01-01 00:02 UTC).",
    "WayclearServiceIntercepted": "c1: TLS to a.servicebus.windows.net:443 is intercepted since 1970-01-01 00:01 UTC. "
    "Cause: tls.reset. Who acts: DNS team.",
    "WayclearConnectorDown": "c1: the connector does not work since 1970-01-01 00:02 UTC. Cause: tcp.timeout. "
    "Who acts: Firewall team.",
    "WayclearServiceNameDown": "c1: a.servicebus.windows.net:443 (service) is down since 1970-01-01 00:01 UTC. "
    "Cause: tls.reset. Who acts: DNS team.",
    "WayclearAnswerNotProven": "c1: not proven since 1970-01-01 00:02 UTC, so it is not known whether the connector works. "
    "Cause: tcp.timeout. Who acts: Firewall team.",
    "WayclearServiceAddressesFailing": "c1: 37.5% of the service's addresses fail since 1970-01-01 00:00 UTC. "
    "Cause: tls.reset. Who acts: DNS team.",
    "WayclearSignInDown": "c1: login.microsoftonline.com:443 (sign-in) fails since 1970-01-01 00:01 UTC. "
    "Cause: tls.reset. Who acts: DNS team.",
    "WayclearCrlUnreachable": "c1: a CRL of crl3.digicert.com cannot be downloaded since 1970-01-01 00:00 UTC. "
    "Cause: tls.reset. Who acts: DNS team.",
    "WayclearCrlExpiring": "c1: a CRL of crl3.digicert.com must be renewed within a day. Cause: tls.reset. "
    "Who acts: DNS team.",
    "WayclearProberStale": "c1: the prober's last round is overdue. It ended 1970-01-01 00:00 UTC. "
    "Who acts: the administrator of this host.",
    "WayclearConnectorSilent": "c4 is in the inventory and reports nothing. Who acts: the administrator of this host.",
    "WayclearRuleSetOld": "entra (rules) was reviewed more than 180 days ago. Who acts: the operator of wayclear.",
    "WayclearLeafExpiring": "a.servicebus.windows.net:443: Microsoft's certificate expires within three days. "
    "Who acts: Microsoft.",
    "WayclearHostFault": "c1: this host itself is at fault since 1970-01-01 00:00 UTC. "
    "Who acts: Administrator of this host.",
    "WayclearSiteDown": "Site Vienna: 2 connectors do not work. "
    "c1 (tcp.timeout, who acts: Firewall team, since 1970-01-01 00:02 UTC). "
    "c2 (tcp.timeout, who acts: Firewall team, since 1970-01-01 00:02 UTC).",
    "WayclearLikelyMicrosoft": "login.microsoftonline.com:443 fails from 3 sites since 1970-01-01 00:01 UTC: likely "
    "Microsoft's side. Who acts: Microsoft, if its service health agrees.",
    "WayclearConnectorSharesFailure": "c1 is down over a.servicebus.windows.net:443, as are connectors of two more sites",
    "WayclearGroupTellsOfName": "a.servicebus.windows.net:443 fails at a connector of a group that is paged",
}


@by_recipe
def test_a_summary_stands_alone_and_its_links_are_absolute(recipe: Recipe, tmp_path: Path) -> None:
    found = told(tmp_path, explained(made(recipe, hold(0))), recipe.at, recipe.alert)
    texts = found[min(found)]
    assert texts["summary"] == SUMMARIES[recipe.alert]
    for text in (one[part] for one in found.values() for part in ("summary", "description")):
        assert not BROKEN.search(text), text
    runbook = urlsplit(texts["runbook_url"])
    assert (runbook.scheme, runbook.path, runbook.fragment) == ("https", "/runbook", recipe.alert.lower())
    assert re.fullmatch(r"10\.0\.0\.\d:19115", runbook.netloc)
    if BY_NAME[recipe.alert].about and recipe.alert != "WayclearConnectorSilent":
        details = urlsplit(texts["details_url"])
        assert (details.scheme, details.path) == ("https", "/")
        assert details.netloc in ("10.0.0.1:19115", "10.0.0.2:19115"), "the page of one that is down"
        assert details.fragment in ("", f"{SERVICE}:443", f"{SIGN_IN}:443")


@by_recipe
def test_a_summary_is_whole_where_nothing_can_be_looked_up(recipe: Recipe, tmp_path: Path) -> None:
    found = made(recipe, hold(0))
    for connector in found:
        connector.without("wayclear_connector_cause_info", "wayclear_target_info")
        if recipe.alert == "WayclearLeafExpiring":
            connector.info(SERVICE, "ok", hold(1))  # it asks for it
    seen = told(tmp_path, found, recipe.at, recipe.alert)
    assert seen, "it fires all the same"
    for texts in seen.values():
        assert texts["runbook_url"] == f"docs/alerts.md#{recipe.alert.lower()}"
        assert texts.get("details_url", "") == ""
        assert texts["summary"]
        assert not BROKEN.search(texts["summary"] + texts["description"]), texts


def group_of_two(absent: str) -> tuple[Connector, ...]:
    found = fleet(2)
    found[1].die()
    both = explained(tuple(found))
    both[1].without(absent)
    return both


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        ("wayclear_connector_cause_info", "c2 (no recent report, since 1970-01-01 00:02 UTC)."),
        ("wayclear_connector_answer_since_timestamp_seconds", "c2 (tcp.timeout, who acts: Firewall team)."),
        ("wayclear_page_info", "c2 (tcp.timeout, who acts: Firewall team, since 1970-01-01 00:02 UTC)."),
    ],
)
def test_what_is_absent_is_left_out_and_the_rest_is_told(absent: str, named: str, tmp_path: Path) -> None:
    (texts,) = told(tmp_path, group_of_two(absent), 7, "WayclearGroupRedundancyLost").values()
    assert texts["summary"] == f"Connector group vienna: 1 working connectors too few. {named}"
    page = "10.0.0.1" if absent == "wayclear_page_info" else "10.0.0.2"
    assert texts["details_url"] == f"https://{page}:19115/", "of one that is down, if it has a page"


def test_a_lost_scrape_costs_no_text(tmp_path: Path) -> None:
    found = fleet(3)
    found[0].die()
    for connector in explained(tuple(found)):
        connector.every(lambda values: holes(values, 10))  # minute 9 is lost
    (texts,) = told(tmp_path, found, 9, "WayclearConnectorDown").values()
    assert texts["summary"] == SUMMARIES["WayclearConnectorDown"]
    assert texts["details_url"] == "https://10.0.0.1:19115/"


def test_a_connector_that_vanished_is_named_without_a_report(tmp_path: Path) -> None:
    found = explained(tuple(fleet(2)))
    found[1].vanish(10)
    (texts,) = told(tmp_path, found, 17, "WayclearGroupRedundancyLost").values()
    assert texts["summary"].endswith("too few. c2 (no recent report).")


def test_a_page_for_names_that_fail_everywhere_says_that_it_is_likely_microsoft(tmp_path: Path) -> None:
    found = fleet(3)
    for connector in found:
        connector.die()
    (texts,) = told(tmp_path, found, 9, "WayclearGroupRedundancyLost").values()
    assert (
        f"{SERVICE} fails from three sites or more, so it is likely Microsoft's side" in texts["description"]
    )


def test_addresses_that_all_fail_are_not_said_to_get_through(tmp_path: Path) -> None:
    found = fleet(3)
    for state, count in (("ok", 0), ("failed", 8)):
        found[0].put("wayclear_addresses", hold(count), rule_group="service", family="ipv4", state=state)
    (texts,) = told(tmp_path, found, 32, "WayclearServiceAddressesFailing").values()
    assert texts["summary"].startswith("c1: 100% of the service's addresses fail")
    assert texts["description"] == "No address of the service answers."


def test_odd_labels_break_no_text(tmp_path: Path) -> None:
    odd = "group 'a' {b} %d"
    found = [Connector("c1", odd, "Vienna")]
    (texts,) = told(tmp_path, explained(tuple(found)), 7, "WayclearGroupRedundancyLost").values()
    assert texts["summary"] == f"Connector group {odd}: 1 working connectors too few."


def test_every_word_is_looked_up_and_every_lookup_is_used() -> None:
    texts = "".join(alert.summary + alert.description for alert in ALERTS)
    assert {word for word in LOOKUPS if word in texts} == set(LOOKUPS)
    with pytest.raises(KeyError):
        looked_up("a <word> that nobody knows")
    assert bare("c1 is down<since>.<cause>") == "c1 is down."


def test_every_lookup_is_guarded() -> None:
    """`first` of nothing is an error that takes the place of the whole text."""
    for text in LOOKUPS.values():
        assert text.count("| first") == text.count("{{ with . | first }}")

"""Every alert, run by Prometheus' own engine: it fires, it stays quiet, its cause flaps, it flaps itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboards.alert import Alert
from dashboards.alerts import ALERTS, BY_NAME, PAGES
from dashboards.blocks import BLOCKS
from dashboards.inhibitions import INHIBITIONS, Inhibition
from dashboards.promql import seconds, written_out
from tests.dashboards import promtool
from tests.dashboards.cases import CASES, KINDS, RECIPES, Case, Recipe, made
from tests.dashboards.fleet import hold

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@each_alert
def test_every_alert_has_its_cases(alert: Alert) -> None:
    kinds = [case.kind for case in CASES if case.alert == alert.name]
    assert sorted(kinds) == sorted(KINDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.kind}")
def test_it_fires_when_it_should_and_nothing_else_does(case: Case, tmp_path: Path) -> None:
    promtool.expect(tmp_path, case.connectors, dict(case.fires))


@pytest.mark.parametrize("case", [c for c in CASES if c.kind == "fires"], ids=lambda case: str(case.alert))
def test_it_fires_as_well_with_its_blocks_written_out_as_grafana_asks(case: Case, tmp_path: Path) -> None:
    promtool.expect(tmp_path, case.connectors, dict(case.fires), alone=True)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.alert)
def test_its_text_is_whole(recipe: Recipe, tmp_path: Path) -> None:
    """promtool prints what it got where something else was expected: the annotations as Prometheus renders them."""
    rules = promtool.bare_rules(tmp_path, annotations=True)
    firing = [(recipe.alert, where) for where in recipe.where]
    printed = promtool.unit_test(rules, made(recipe, hold(0)), {recipe.at: firing}).stderr
    of_this = printed.partition(f"alertname: {recipe.alert},")[2].partition("alertname:")[0]
    told = re.findall(r"Annotations:\{(.*)\}", of_this.partition("got:")[2])
    assert len(told) == len(firing)
    for text, where in zip(told, recipe.where, strict=True):
        assert f'runbook_url="docs/alerts.md#{recipe.alert.lower()}"' in text
        assert not re.search(r"no value|error|\{\{|%!|\$", text), text
        named = re.findall(r"\$labels\.(\w+)", BY_NAME[recipe.alert].summary)
        assert all(where[label] in text for label in named)


# --- what no rule may do --------------------------------------------------------------------------------------------

NEVER = re.compile(
    r"drift|transitions_total|resolver_disagreements|dns_|chain|wayclear_resolvers|target_addresses|cause|\bchanges\(|\bdelta\("
)


@each_alert
def test_drift_new_addresses_new_issuers_and_resolvers_that_differ_fire_nothing(alert: Alert) -> None:
    expr = written_out(alert.expr, BLOCKS)
    assert NEVER.findall(expr) == []
    # The class of an issuer may say whose certificate it is, and then only joined.
    infos = re.findall(r"(\w+ \([^()]*\)) last_over_time\(wayclear_target_info(\{[^}]*\})", expr)
    assert expr.count("_info{") == len(infos)
    assert all(join.startswith("on (") and chosen == '{issuer_class="expected"}' for join, chosen in infos)


def test_the_rule_itself_complains() -> None:
    assert NEVER.search("increase(wayclear_drift_events_total[1h]) > 0")
    assert NEVER.search('wayclear_target_info{cause="tcp.timeout"}')
    assert NEVER.search("changes(wayclear_addresses[1h])")


def test_only_the_two_pages_of_the_issue_wake_somebody() -> None:
    assert [a.name for a in ALERTS if a.severity == "page"] == [a.name for a in PAGES]
    assert {a.name for a in PAGES} == {"WayclearGroupRedundancyLost", "WayclearServiceIntercepted"}


# --- inhibitions, as far as they are data -----------------------------------------------------------------------------


@pytest.mark.parametrize("inhibition", INHIBITIONS, ids=lambda i: i.source)
def test_a_source_fires_before_what_it_holds_back_and_ends_after_it(inhibition: Inhibition) -> None:
    source = BY_NAME[inhibition.source]
    for target in (BY_NAME[name] for name in inhibition.targets):
        assert seconds(source.pending) + 60 <= seconds(target.pending), target.name
        assert seconds(source.keep) >= seconds(target.keep) + 300, target.name


def test_a_group_without_redundancy_is_never_held_back() -> None:
    assert all("WayclearGroupRedundancyLost" not in i.targets for i in INHIBITIONS)


def test_an_alert_that_tells_nobody_holds_something_back() -> None:
    silent = {a.name for a in ALERTS if a.severity == "none"}
    assert silent <= {i.source for i in INHIBITIONS}

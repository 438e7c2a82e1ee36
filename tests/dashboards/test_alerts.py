"""Every alert, run by Prometheus' own engine: it fires, it stays quiet, its cause flaps, it flaps itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.alerts import ALERTS, INHIBITIONS, BY_NAME
from dashboards.promql import seconds
from tests.dashboards import promtool
from tests.dashboards.cases import CASES, KINDS, RECIPES, Case, made
from tests.dashboards.fleet import hold


def as_test(name: str, case: Case) -> dict[str, object]:
    series = [entry for c in case.connectors for entry in c.input_series(case.at)]
    return {
        "name": name,
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": promtool.expectations(case.at, case.fires),
    }


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a.name)
def test_every_alert_has_its_cases(alert) -> None:
    kinds = [case.kind for case in CASES if case.alert == alert.name]
    assert sorted(kinds) == sorted(KINDS)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.alert}: {c.kind}")
def test_case(case: Case, tmp_path: Path) -> None:
    done = promtool.unit_test(promtool.bare_rules(tmp_path), [as_test(case.kind, case)])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr

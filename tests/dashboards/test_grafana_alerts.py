"""The alerts as Grafana's file provisioning takes them. Grafana itself is not to be had here: structure only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.alerts import ALERTS, BY_NAME
from dashboards.build import HERE
from dashboards.grafana_alerts import DATASOURCE
from dashboards.panel_queries import boards
from tests.dashboards import promtool
from tests.dashboards.cases import fleet, of
from tests.dashboards.fleet import hold

FILE = yaml.safe_load((HERE / "grafana/alerting/wayclear-alerts.yml").read_text("utf-8"))
(GROUP,) = FILE["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])


def test_it_is_provisioning_of_version_1_with_every_alert_that_tells_somebody() -> None:
    assert FILE["apiVersion"] == 1
    assert {"orgId", "name", "folder", "interval"} <= set(GROUP)
    assert [rule["title"] for rule in RULES] == [a.name for a in ALERTS if a.severity != "none"]


def test_uids_are_stable_unique_and_short() -> None:
    uids = [rule["uid"] for rule in RULES]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 for uid in uids)
    assert uids[0] == "wayclear-group-redundancy-lost"


@each_rule
def test_the_same_waiting_and_the_same_threshold_as_the_definition(rule: dict[str, Any]) -> None:
    alert = BY_NAME[rule["title"]]
    assert (rule["for"], rule["keepFiringFor"]) == (alert.pending, alert.keep)
    assert rule["condition"] == "C"
    query, threshold = rule["data"]
    assert (query["refId"], threshold["refId"]) == ("A", "C")
    (condition,) = threshold["model"]["conditions"]
    words = {"<": "lt", ">": "gt"}
    assert condition["evaluator"] == {"type": words[alert.comparison], "params": [alert.threshold]}
    assert threshold["model"]["expression"] == "A"


@each_rule
def test_no_data_is_fine_but_for_a_stale_prober_and_an_error_changes_nothing(rule: dict[str, Any]) -> None:
    assert rule["noDataState"] == ("Alerting" if rule["title"] == "WayclearProberStale" else "OK")
    assert rule["execErrState"] == "KeepLast"


@each_rule
def test_it_stands_alone_without_recorded_series(rule: dict[str, Any]) -> None:
    query = rule["data"][0]
    assert ":wayclear_" not in query["model"]["expr"]
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"] == DATASOURCE
    assert query["model"]["instant"] is True


@each_rule
def test_labels_hold_no_dollar_which_grafana_would_replace(rule: dict[str, Any]) -> None:
    assert "$" not in "".join(rule["labels"].values())
    for text in rule["annotations"].values():
        assert "${" not in text, "this form is replaced in annotations as well"
        assert "$value " not in text.replace("$values.A.Value", ""), "in Grafana $value is a sentence"


@each_rule
def test_its_panel_exists(rule: dict[str, Any]) -> None:
    panels = {
        (board["uid"], panel["id"]): panel["title"]
        for board in boards()
        for panel in board["panels"]
        if panel["type"] != "row"
    }
    assert panels[rule["dashboardUid"], rule["panelId"]] == BY_NAME[rule["title"]].panel[1]


def test_a_fleet_in_maintenance_is_not_no_data_to_the_stale_prober(tmp_path: Path) -> None:
    connector = fleet(1)[0]
    connector.put("wayclear_maintenance", hold(1))
    (rule,) = [rule for rule in RULES if rule["title"] == "WayclearProberStale"]
    labels = ", ".join(f'{name}="{value}"' for name, value in of(1).items())
    test = {
        "interval": "1m",
        "input_series": connector.input_series(10),
        "promql_expr_test": [
            {
                "expr": rule["data"][0]["model"]["expr"],
                "eval_time": "10m",
                "exp_samples": [{"labels": f"{{{labels}}}", "value": 0}],
            }
        ],
    }
    path = tmp_path / "tests.yml"
    path.write_text(json.dumps({"rule_files": [], "tests": [test]}), "utf-8")
    done = promtool.run("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr

"""Every query of alerts, recorded series, panels, variables and annotations, held to the catalogue and to Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dashboards import annotation_queries, queries, rules, variable_queries
from dashboards.blocks import BLOCKS
from dashboards.build import HERE
from dashboards.panel_queries import filled
from exporters.metrics.catalogue import CATALOGUE, CONSTANT
from tests.dashboards import promtool

METRICS = {name: metric for metric in CATALOGUE for name in metric.series}
#: What Prometheus adds: where a series was scraped, and the alerts that it evaluates.
SCRAPED = {"instance", "job"}
OF_PROMETHEUS = {"ALERTS": {"alertname", "alertstate", "severity"}}
#: Labels that a query makes.
MADE = {"le", "member", "endpoint", "state"}
BOARDS = ("fleet", "connector", "endpoint", "tls", "prober")
WORDS = frozenset(
    {
        "max", "min", "sum", "count", "group", "topk", "rate", "increase", "changes", "time", "vector", "clamp_max",
        "last_over_time", "max_over_time", "timestamp", "histogram_quantile", "label_join", "label_replace",
        "by", "on", "group_left", "and", "or", "unless",
    }
)  # fmt: skip


def grafana_alert_queries() -> Iterator[tuple[str, str, str]]:
    content = yaml.safe_load((HERE / "grafana/alerting/wayclear-alerts.yml").read_text("utf-8"))
    for rule in content["groups"][0]["rules"]:
        yield "grafana", rule["title"], rule["data"][0]["model"]["expr"]


def everything() -> list[tuple[str, str, str]]:
    """Where, what and the expression, of every query that is shipped."""
    of_rules = [("rules", r.get("alert") or r["record"], r["expr"]) for r in rules()["groups"][0]["rules"]]
    of_variables = [(board, name, selector) for board, name, selector, _ in variable_queries()]
    return [*of_rules, *grafana_alert_queries(), *queries(), *of_variables, *annotation_queries()]


ALL = everything()


def without_text(expr: str) -> str:
    return re.sub(r'"[^"]*"', '""', expr)


def selectors(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Each name that is a series in the expression, with the labels that it is selected by."""
    bare = without_text(expr)
    bare = re.sub(r"\b(by|on|group_left)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    for match in re.finditer(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?", bare):
        if match[1] not in WORDS:
            yield match[1], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", match[2] or ""))


def grouped(expr: str) -> set[str]:
    """Labels that the expression groups or joins by."""
    found = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", without_text(expr))
    return {label for labels in found for label in re.findall(r"\w+", labels)}


def complaints(expr: str) -> list[str]:
    """Names and labels that nobody exports."""
    known: set[str] = set(MADE) | SCRAPED
    found = []
    for name, labels in selectors(expr):
        if name in BLOCKS:
            known |= set(CONSTANT) | {"target", "port", "rule_group"}
            continue
        if name in OF_PROMETHEUS:
            allowed = OF_PROMETHEUS[name] | set(CONSTANT)
        elif name in METRICS:
            allowed = {label.name for label in METRICS[name].labels} | set(CONSTANT) | SCRAPED
        else:
            found.append(f"{name} is no metric")
            continue
        known |= allowed
        found += [f"{name} has no label {label}" for label in sorted(labels - allowed)]
    return found + [f"nothing here has a label {label}" for label in sorted(grouped(expr) - known)]


def test_there_is_something_to_test() -> None:
    assert len(ALL) > 120
    assert {where for where, _, _ in ALL} == {"rules", "grafana", *(f"wayclear-{b}" for b in BOARDS)}


@pytest.mark.parametrize(("where", "what", "expr"), ALL, ids=[f"{where}: {what}" for where, what, _ in ALL])
def test_every_metric_and_every_label_exists(where: str, what: str, expr: str) -> None:
    assert list(selectors(expr)), "a query that asks for nothing"
    assert complaints(expr) == []


def test_variables_list_labels_that_their_metrics_have() -> None:
    found = list(variable_queries())
    assert len(found) == 4 * 5 + 1
    for _, name, selector, label in found:
        metric = METRICS[selector.partition("{")[0]]
        assert label in {*CONSTANT, *(known.name for known in metric.labels)}
        assert label == name


def test_prometheus_parses_every_query(tmp_path: Path) -> None:
    unique = {expr for _, _, expr in ALL}
    recorded = [{"record": f"q{index}", "expr": expr} for index, expr in enumerate(sorted(unique))]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}), "utf-8")
    done = promtool.run("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(unique)} rules found" in done.stdout


def test_every_metric_is_shown_somewhere() -> None:
    shown = {name for _, _, expr in queries() for name, _ in selectors(expr)}
    unseen = [metric.name for metric in CATALOGUE if not shown & set(metric.series)]
    assert unseen == []


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("wayclear_nothing", "wayclear_nothing is no metric"),
        ('wayclear_maintenance{target="x"}', "wayclear_maintenance has no label target"),
        ("max by (cause) (wayclear_maintenance)", "nothing here has a label cause"),
        ("rate(wayclear_schedule_lag_seconds[5m])", "wayclear_schedule_lag_seconds is no metric"),
        ("wayclear_maintenance and on (port) wayclear_build_info", "nothing here has a label port"),
    ],
)
def test_the_rule_itself_complains(expr: str, complaint: str) -> None:
    assert complaints(expr) == [complaint]


def test_grafanas_variables_are_filled_in() -> None:
    expr = 'rate(a{connector=~"$connector", site=~"${site}"}[$__rate_interval])'
    assert filled(expr, "30s") == 'rate(a{connector=~".*", site=~".*"}[30s])'
    assert (
        filled('label_replace(a, "b", "x: $1", "c", "(.+)")') == 'label_replace(a, "b", "x: $1", "c", "(.+)")'
    )

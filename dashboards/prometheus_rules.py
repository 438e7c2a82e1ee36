"""The alerts as Prometheus rules, with the blocks that they use as recorded series."""

from __future__ import annotations

from typing import Any

from dashboards.alert import Alert
from dashboards.alerts import ALERTS
from dashboards.annotations import links, looked_up
from dashboards.blocks import BLOCKS, MEANINGS
from dashboards.promql import rendered, scaled
from dashboards.yaml_text import document

INTERVAL = "30s"

HEAD = (
    "wayclear's alerts for Prometheus, with the series that they record.",
    "Made by `python -m dashboards.build` from dashboards/alerts.py: change that, not this.",
    "",
    "Enable this file OR grafana/alerting/wayclear-alerts.yml, never both: they are the same alerts, and everybody",
    "would be told twice. Only this form has inhibitions (alertmanager/alertmanager.yml). Needs Prometheus 2.42.",
)


def told_by(alert: Alert, scale: float = 1.0, docs: str = "") -> dict[str, str]:
    """What an alert tells, as templates of Prometheus. `docs`: see `links`."""
    told = {"summary": looked_up(alert.summary), "description": looked_up(alert.description)} | links(
        alert, docs
    )
    return {name: rendered(text, scale) for name, text in told.items()}


def _alert(alert: Alert, scale: float, docs: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": rendered(alert.expr, scale),
        "for": scaled(alert.pending, scale),
        "keep_firing_for": scaled(alert.keep, scale),
        "labels": {"severity": alert.severity},
        "annotations": told_by(alert, scale, docs),
    }


def rules(scale: float = 1.0, docs: str = "") -> dict[str, Any]:
    """The content of a rules file.

    `scale` shortens everything that waits (`for`, `keep_firing_for`, ranges, ages, the interval): a test with `1/60`
    runs the same definition in seconds. What is a fact about a certificate, a list or a rule set stays.
    The shortest range is three minutes, so scrape at least five times in three minutes times `scale`.

    One group: its rules are evaluated in their order, so an alert sees the blocks of the same moment.
    """
    recorded = [{"record": name, "expr": rendered(expr, scale)} for name, expr in BLOCKS.items()]
    alerts = [_alert(alert, scale, docs) for alert in ALERTS]
    group = {"name": "wayclear", "interval": scaled(INTERVAL, scale), "rules": [*recorded, *alerts]}
    return {"groups": [group]}


def rules_file(scale: float = 1.0, docs: str = "") -> str:
    """The rules file as text."""
    told = [f"{name}: {meaning}" for name, meaning in MEANINGS.items()]
    return document(rules(scale, docs), *HEAD, "", *told)

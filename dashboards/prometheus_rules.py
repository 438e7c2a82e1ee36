"""The alerts as Prometheus rules, with the blocks that they use as recorded series."""

from __future__ import annotations

from typing import Any

from dashboards.alerts import ALERTS, Alert
from dashboards.blocks import BLOCKS, MEANINGS
from dashboards.promql import rendered, scaled
from dashboards.yaml_text import document

#: Where the runbooks are; `dashboards/build.py --docs` puts the address of your copy in its place.
DOCS = "docs/alerts.md"
INTERVAL = "30s"

HEAD = (
    "wayclear's alerts for Prometheus, with the series that they record.",
    "Made by `python -m dashboards.build` from dashboards/alerts.py: change that, not this.",
    "",
    "Enable this file OR grafana/alerting/wayclear-alerts.yml, never both: they are the same alerts, and everybody",
    "would be told twice. Only this form has inhibitions (alertmanager/alertmanager.yml). Needs Prometheus 2.42.",
)


def _dashboard(alert: Alert) -> str:
    """The dashboard that shows it, with the connector and the target that it is about."""
    uid = alert.panel[0]
    if uid == "wayclear-fleet":
        return f"/d/{uid}"  # for one connector alone it would be empty
    named = [label for label in ("connector", "target") if f"$labels.{label} " in alert.summary]
    if uid != "wayclear-endpoint":
        named = [label for label in named if label != "target"]
    query = "&".join(f"var-{label}={{{{ $labels.{label} }}}}" for label in named)
    return f"/d/{uid}?{query}" if query else f"/d/{uid}"


def told_by(alert: Alert, docs: str = DOCS) -> dict[str, str]:
    """What an alert tells, as templates of Prometheus."""
    return {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{docs}#{alert.anchor}",
        "dashboard": _dashboard(alert),
    }


def _alert(alert: Alert, scale: float, docs: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": rendered(alert.expr, scale),
        "for": scaled(alert.pending, scale),
        "keep_firing_for": scaled(alert.keep, scale),
        "labels": {"severity": alert.severity},
        "annotations": told_by(alert, docs),
    }


def rules(scale: float = 1.0, docs: str = DOCS) -> dict[str, Any]:
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


def rules_file(scale: float = 1.0, docs: str = DOCS) -> str:
    """The rules file as text."""
    told = [f"{name}: {meaning}" for name, meaning in MEANINGS.items()]
    return document(rules(scale, docs), *HEAD, "", *told)

"""The alerts as Grafana-managed rules, for file provisioning (apiVersion 1).

Alerts that only inhibit are left out: Grafana's own Alertmanager knows no inhibition, and would tell them. Annotations
and queries are taken as they stand; labels would lose what follows a dollar sign, so none has one.
"""

from __future__ import annotations

import re
from typing import Any

from dashboards.alert import Alert
from dashboards.alerts import ALERTS
from dashboards.annotations import DOCS, bare
from dashboards.blocks import BLOCKS
from dashboards.promql import rendered, written_out
from dashboards.yaml_text import document

DATASOURCE = "wayclear-prometheus"  #: uid, as in grafana/provisioning/datasources
FOLDER = "wayclear"
INTERVAL = "1m"
LOOKBACK = 600  #: seconds; the queries are instant ones, Grafana wants a range all the same

HEAD = (
    "wayclear's alerts for Grafana (file provisioning, /etc/grafana/provisioning/alerting).",
    "Made by `python -m dashboards.build` from dashboards/alerts.py: change that, not this.",
    "",
    "Enable this file OR prometheus/wayclear.rules.yml, never both: they are the same alerts, and everybody would be",
    "told twice. This form has no inhibitions, and `keepFiringFor` needs a Grafana that knows it (12; older ones do",
    f"without). Needs a Prometheus data source with the uid {DATASOURCE}.",
)


def uid(alert: Alert) -> str:
    """`WayclearCrlUnreachable` -> `wayclear-crl-unreachable`: stable, and short enough for Grafana (40)."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.name).lower()


def _annotations(alert: Alert, docs: str, panel: int) -> dict[str, str]:
    # In Grafana $value is a sentence about all queries; the number is $values.A.Value.
    texts = {"summary": bare(alert.summary), "description": bare(alert.description)}
    told = {k: v.replace("$value", "$values.A.Value") for k, v in texts.items()}
    told["runbook_url"] = f"{docs or DOCS}#{alert.anchor}"
    return told | {"__dashboardUid__": alert.panel[0], "__panelId__": str(panel)}


def _query(expr: str) -> dict[str, Any]:
    model = {
        "refId": "A",
        "datasource": {"type": "prometheus", "uid": DATASOURCE},
        "expr": expr,
        "instant": True,
        "range": False,
        "intervalMs": 1000,
        "maxDataPoints": 43_200,
    }
    span = {"from": LOOKBACK, "to": 0}
    return {"refId": "A", "relativeTimeRange": span, "datasourceUid": DATASOURCE, "model": model}


def _threshold(alert: Alert) -> dict[str, Any]:
    evaluator = {"type": {"<": "lt", ">": "gt"}[alert.comparison], "params": [alert.threshold]}
    model = {
        "refId": "C",
        "type": "threshold",
        "datasource": {"type": "__expr__", "uid": "__expr__"},
        "expression": "A",
        "conditions": [{"type": "query", "evaluator": evaluator}],
    }
    return {
        "refId": "C",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": model,
    }


def _rule(alert: Alert, docs: str, panel: int) -> dict[str, Any]:
    return {
        "uid": uid(alert),
        "title": alert.name,
        "condition": "C",
        "data": [_query(rendered(written_out(alert.query, BLOCKS))), _threshold(alert)],
        "dashboardUid": alert.panel[0],
        "panelId": panel,
        "noDataState": "Alerting" if alert.silence_is_trouble else "OK",
        "execErrState": "KeepLast",
        "for": alert.pending,
        "keepFiringFor": alert.keep,
        "annotations": _annotations(alert, docs, panel),
        "labels": {"severity": alert.severity},
        "isPaused": False,
    }


def told() -> tuple[Alert, ...]:
    """The alerts of this form: all that tell somebody."""
    return tuple(alert for alert in ALERTS if alert.severity != "none")


def provisioning_file(panels: dict[tuple[str, str], int], docs: str = "") -> str:
    """The provisioning file as text. `panels`: id of a panel by the uid of its dashboard and its title."""
    rules = [_rule(alert, docs, panels[alert.panel]) for alert in told()]
    group = {"orgId": 1, "name": "wayclear", "folder": FOLDER, "interval": INTERVAL, "rules": rules}
    return document({"apiVersion": 1, "groups": [group]}, *HEAD)

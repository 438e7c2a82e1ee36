"""`python -m dashboards.rehearsal_alerts`: the alerts as `wayclear rehearse` needs them: name, severity, how long they wait.

The installed program has no `dashboards/`, so the file is a part of `rules/`. It is committed, and a test makes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.alert import Alert
from dashboards.alerts import ALERTS
from dashboards.promql import seconds

FILE = Path(__file__).resolve().parent.parent / "rules" / "rehearse" / "alerts.json"


def text() -> str:
    """The content of the file, an alert a line."""
    rows = [json.dumps(_row(alert)) for alert in ALERTS if alert.severity != "none"]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _row(alert: Alert) -> dict[str, object]:
    return {
        "name": alert.name,
        "severity": alert.severity,
        "pending": seconds(alert.pending),
        "spares_interception": "wayclear_intercepted" in alert.query,
    }


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8", newline="\n")

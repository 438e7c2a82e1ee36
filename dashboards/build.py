"""`python -m dashboards.build`: makes every file of this directory that Prometheus, Alertmanager or Grafana reads.

The files are committed and a test makes them anew. `--docs URL` puts the address of your copy of the runbooks into the
alerts, `--out DIR` writes elsewhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dashboards.alertmanager_config import configuration_file
from dashboards.boards import connector, endpoint, fleet, prober, tls
from dashboards.grafana_alerts import DATASOURCE, FOLDER, provisioning_file
from dashboards.prometheus_rules import rules_file
from dashboards.yaml_text import document

HERE = Path(__file__).resolve().parent
BOARDS = (fleet, connector, endpoint, tls, prober)
HEAD = "Made by `python -m dashboards.build`: change dashboards/build.py, not this."


def datasources() -> str:
    """Grafana's data source, for the compose file."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": "http://prometheus:9090",
        "isDefault": True,
        "jsonData": {"httpMethod": "POST", "timeInterval": "30s"},
    }
    return document({"apiVersion": 1, "datasources": [source]}, HEAD)


def providers() -> str:
    """Where Grafana finds the dashboards, for the compose file."""
    provider = {
        "name": "wayclear",
        "orgId": 1,
        "folder": FOLDER,
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": "/var/lib/grafana/dashboards/wayclear"},
    }
    return document({"apiVersion": 1, "providers": [provider]}, HEAD)


def panel_ids(boards: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Ids of panels by the uid of their dashboard and their title."""
    return {(b["uid"], p["title"]): p["id"] for b in boards for p in b["panels"] if p["type"] != "row"}


def files(docs: str = "") -> dict[str, str]:
    """Every file that is made, by its path below this directory."""
    boards = [module.dashboard() for module in BOARDS]
    made = {
        "prometheus/wayclear.rules.yml": rules_file(docs=docs),
        "alertmanager/alertmanager.yml": configuration_file(),
        "grafana/alerting/wayclear-alerts.yml": provisioning_file(panel_ids(boards), docs),
        "grafana/provisioning/datasources/wayclear.yml": datasources(),
        "grafana/provisioning/dashboards/wayclear.yml": providers(),
    }
    for board in boards:
        text = json.dumps(board, indent=2, ensure_ascii=False)
        made[f"grafana/dashboards/{board['uid']}.json"] = text + "\n"
    return made


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument(
        "--docs",
        default="",
        help="address of a copy of alerts.md; without it, runbooks are on each connector's own page",
    )
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to (default: this one)")
    options = parser.parse_args()
    for name, text in files(options.docs).items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()

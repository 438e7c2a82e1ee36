"""Debian's promtool, run on the rules of this tree."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dashboards.alerts import ALERTS, BY_NAME
from dashboards.blocks import BLOCKS
from dashboards.prometheus_rules import rules
from dashboards.promql import rendered, written_out
from tests.dashboards.fleet import Connector

PROMTOOL = "promtool"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """promtool with these arguments; its exit code is the caller's."""
    command = [PROMTOOL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def bare_rules(directory: Path, annotations: bool = False, alone: bool = False) -> Path:
    """A rules file without annotations, which promtool would compare as well.

    `alone`: with every block written out, as Grafana asks.
    """
    content = rules()
    if alone:
        found = content["groups"][0]["rules"]
        content["groups"][0]["rules"] = [
            r | {"expr": rendered(written_out(r["expr"], BLOCKS))} for r in found if "alert" in r
        ]
    for rule in content["groups"][0]["rules"]:
        if not annotations:
            rule.pop("annotations", None)
    path = directory / "rules.yml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


Firing = tuple[str, dict[str, str]]
"""Name of an alert and its labels, but for the severity."""


def expectations(at: int, fires: Sequence[Firing]) -> list[dict[str, Any]]:
    """Exactly these alerts at that minute, and none of all the others."""
    assert {name for name, _ in fires} <= set(BY_NAME)
    return [
        {
            "eval_time": f"{at}m",
            "alertname": alert.name,
            "exp_alerts": [
                {"exp_labels": labels | {"severity": alert.severity}}
                for name, labels in fires
                if name == alert.name
            ],
        }
        for alert in ALERTS
    ]


def unit_test(
    rule_file: Path, connectors: Sequence[Connector], fires: Mapping[int, Sequence[Firing]]
) -> subprocess.CompletedProcess[str]:
    """`promtool test rules`: exactly these alerts fire at these minutes."""
    series = [entry for connector in connectors for entry in connector.input_series(max(fires))]
    test = {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [entry for at, found in fires.items() for entry in expectations(at, found)],
    }
    path = rule_file.with_name("tests.yml")
    content = {"rule_files": [str(rule_file)], "evaluation_interval": "30s", "tests": [test]}
    path.write_text(json.dumps(content), "utf-8")  # JSON is YAML, and quicker to write
    return run("test", "rules", path)


def told(
    directory: Path, connectors: Sequence[Connector], at: int, alert: str
) -> dict[tuple[tuple[str, str], ...], dict[str, str]]:
    """The annotations of each firing `alert` at that minute, by its labels, as Prometheus renders them.

    promtool prints what it got where something else was expected.
    """
    other = [(alert, {"what": "nothing has this label"})]
    printed = unit_test(bare_rules(directory, annotations=True), connectors, {at: other}).stderr
    got = printed.partition(f"alertname: {alert},")[2].partition("got:")[2].partition("alertname:")[0]
    pairs = r'(\w+)=("(?:[^"\\]|\\.)*")'
    found = {}
    for labels, texts in re.findall(r"Labels:\{(.*)\}\n\s*Annotations:\{(.*)\}", f"{alert}{got}"):
        read = {name: json.loads(text) for name, text in re.findall(pairs, labels)}
        own = tuple(sorted((k, v) for k, v in read.items() if k not in ("alertname", "severity")))
        found[own] = {name: json.loads(text) for name, text in re.findall(pairs, texts)}
    return found


def expect(
    directory: Path,
    connectors: Sequence[Connector],
    fires: Mapping[int, Sequence[Firing]],
    alone: bool = False,
) -> None:
    """Fails where anything else fires."""
    done = unit_test(bare_rules(directory, alone=alone), connectors, fires)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr

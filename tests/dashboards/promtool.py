"""Debian's promtool, run on the rules of this tree."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dashboards.alerts import ALERTS
from dashboards.prometheus_rules import rules

PROMTOOL = "promtool"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """promtool with these arguments; its exit code is the caller's."""
    command = [PROMTOOL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def bare_rules(directory: Path, annotations: bool = False) -> Path:
    """A rules file without annotations, which promtool would compare as well."""
    content = rules()
    for rule in content["groups"][0]["rules"]:
        if not annotations:
            rule.pop("annotations", None)
    path = directory / "rules.yml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def expectations(at: int, fires: Sequence[tuple[str, dict[str, str]]]) -> list[dict[str, Any]]:
    """Exactly these alerts at that minute, and none of all the others."""
    severity = {alert.name: alert.severity for alert in ALERTS}
    return [
        {
            "eval_time": f"{at}m",
            "alertname": name,
            "exp_alerts": [
                {"exp_labels": labels | {"severity": severity[name]}} for found, labels in fires if found == name
            ],
        }
        for name in severity
    ]


def unit_test(rule_file: Path, tests: Sequence[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """`promtool test rules` with tests of its format."""
    path = rule_file.with_name("tests.yml")
    content = {"rule_files": [str(rule_file)], "evaluation_interval": "30s", "tests": list(tests)}
    path.write_text(yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)), "utf-8")
    return run("test", "rules", path)

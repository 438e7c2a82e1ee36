"""Runs the program's command line inside a lab and keeps its reports."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import recordings
from tests.lab.lab import Finished, Lab

PROGRAM = (sys.executable, "-m", "probe")
KEPT_FILES = ("lab-cas.toml", "public-roots.pem", "system-store.pem", "wayclear.toml")


@dataclass(frozen=True, slots=True)
class Audit:
    """One run: the output of the process, and its report (None without one)."""

    finished: Finished
    report: dict[str, Any] | None
    path: Path


def audit(lab: Lab, *arguments: str, pace: str = "fast", timeout: float = 150.0) -> Audit:
    """`wayclear audit` as the connector, with the lab's configuration, into a JSON report."""
    path = lab.directory / "report.json"
    files = ["--config", f"{lab.directory}/wayclear.toml", "--format", "json", "--output", str(path)]
    argv = [*PROGRAM, "audit", *files, "--pace", pace, *lab.plan.arguments, *arguments]
    if lab.plan.descriptors:
        argv = ["sh", "-c", f'ulimit -n {lab.plan.descriptors}; exec "$@"', "sh", *argv]
    finished = lab.run(argv, timeout=timeout)
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return Audit(finished, report, path)


def replay(lab: Lab, report: Path, config: Path | None = None) -> tuple[Finished, dict[str, Any] | None]:
    """`wayclear replay` of a report, with the configuration it was recorded under, outside of any network."""
    out = lab.directory / "replayed.json"
    out.unlink(missing_ok=True)
    config = config or lab.directory / "wayclear.toml"
    argv = [
        *PROGRAM,
        "replay",
        str(report),
        "--config",
        str(config),
        "--format",
        "json",
        "--output",
        str(out),
    ]
    finished = lab.run(argv, timeout=60)
    return finished, json.loads(out.read_text(encoding="utf-8")) if out.exists() else None


def record_golden(lab: Lab, name: str, report: Path) -> None:
    """Keep a run's report as the recording of a scenario, without facts about the machine that made it."""
    text = report.read_text(encoding="utf-8")
    system = json.dumps(json.loads(text)["vantage"]["os"])
    recordings.keep(name, json.loads(text.replace(str(lab.directory), "/lab").replace(system, '"Linux"')))

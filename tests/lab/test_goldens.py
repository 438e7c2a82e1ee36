"""Every scenario's recorded run, judged again by today's rules: no network, no namespaces.

Recorded with `pytest tests/lab/test_scenarios.py --record-goldens`, each kept only after its live run was as expected.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.__main__ import main
from rules.files import report_json
from tests import recordings
from tests.lab import audit_files
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, check
from tests.lab.scenarios import SCENARIOS
from tests.rules import goldens


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration that goldens are judged with: the lab's CA set, whose keys are the same on every machine."""
    directory = tmp_path_factory.mktemp("goldens")
    audit_files.write(directory, Plan())
    return directory / "wayclear.toml"


def test_every_scenario_has_its_golden_and_no_golden_is_an_orphan() -> None:
    assert set(recordings.names()) == {s.name for s in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_golden(scenario: Scenario) -> None:
    report = goldens.golden(scenario.name)
    assert check(scenario, json.loads(report_json.dumps(report)), report.exit_code).faults == ()


@pytest.mark.parametrize("scenario", SCENARIOS[::10], ids=lambda s: s.name)
def test_the_command_judges_alike(scenario: Scenario, tmp_path: Path, config: Path) -> None:
    """The tests under Wine replay all of them by the command."""
    recorded, judged = tmp_path / "report.json", tmp_path / "judged.json"
    recorded.write_text(recordings.whole(scenario.name), "utf-8")
    options = ["--config", str(config), "--format", "json", "--output", str(judged)]
    code = main(["replay", str(recorded), *options])
    report = goldens.golden(scenario.name)
    assert code == report.exit_code
    assert report_json.loads(judged.read_text("utf-8")).verdicts == report.verdicts

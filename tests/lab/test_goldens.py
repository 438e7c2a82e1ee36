"""Every scenario's recorded run, judged again by today's rules: no network, no namespaces.

Recorded with `pytest tests/lab/test_scenarios.py --record-goldens`, each kept only after its live run was as expected.
"""

from __future__ import annotations

import json

import pytest

from rules.files import report_json
from tests import recordings
from tests.lab.scenario import Scenario, check
from tests.lab.scenarios import SCENARIOS
from tests.rules import goldens


def test_every_scenario_has_its_golden_and_no_golden_is_an_orphan() -> None:
    assert set(recordings.names()) == {s.name for s in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_golden(scenario: Scenario) -> None:
    report = goldens.golden(scenario.name)
    assert check(scenario, json.loads(report_json.dumps(report)), report.exit_code).faults == ()

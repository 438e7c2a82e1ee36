"""Every scenario end to end: bring its network up, run the command line in it, hold the report against expectations.

`make test` brings up the scenarios of `live.py`, `make proof` the others: `-m ""` takes both. `-k NAME` chooses scenarios, and
`--record-goldens` keeps the reports as golden replays.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab.auditing import audit, record_golden, replay
from tests.lab.lab import Lab
from tests.lab.live import LIVE
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, check, essence
from tests.lab.scenarios import SCENARIOS

pytestmark = pytest.mark.lab


def test_names_are_unique_and_there_are_enough() -> None:
    assert max(Counter(s.name for s in SCENARIOS).values()) == 1
    assert len(SCENARIOS) >= 32


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(s, marks=() if s.name in LIVE else pytest.mark.proof) for s in SCENARIOS],
    ids=lambda s: s.name,
)
def test_scenario(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    plan = Plan()
    scenario.spoil(plan)
    with Lab(plan) as lab:
        if scenario.during is not None:
            scenario.during(lab)
        run = audit(lab)
        assert run.report is not None, f"no report: {run.finished.text}"
        faults = list(check(scenario, run.report, run.finished.code).faults)
        if run.finished.elapsed > scenario.seconds:
            faults.append(f"took {run.finished.elapsed:.1f} s, more than {scenario.seconds} s")
        assert not faults, "\n".join([*faults, run.finished.stderr])
        again, replayed = replay(lab, run.path)
        assert replayed is not None, f"no replay: {again.text}"
        assert essence(replayed) == essence(run.report)
        assert again.code == run.finished.code
        if request.config.getoption("--record-goldens"):
            record_golden(lab, scenario.name, run.path)

"""Long counts: run by `make proof`, not by `make test`."""

from __future__ import annotations

import pytest

from tests.lab.auditing import audit
from tests.lab.lab import Lab
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, check
from tests.lab.scenarios import SCENARIOS

pytestmark = [pytest.mark.lab, pytest.mark.proof]
HEALTHY = tuple(s for s in SCENARIOS if s.answer == "yes" and s.exit_code == 0)
TIMES = 20


@pytest.mark.parametrize("run", range(TIMES))
def test_a_healthy_network_raises_no_alarm(run: int) -> None:
    healthy = next(s for s in SCENARIOS if s.name == "healthy")
    with Lab() as lab:
        made = audit(lab)
    assert made.report is not None, f"run {run}: {made.finished.text}"
    assert check(healthy, made.report, made.finished.code).faults == ()


@pytest.mark.parametrize("run", range(3))
@pytest.mark.parametrize("scenario", HEALTHY, ids=lambda s: s.name)
def test_odd_but_healthy_networks_raise_no_alarm(scenario: Scenario, run: int) -> None:
    plan = Plan()
    scenario.spoil(plan)
    with Lab(plan) as lab:
        made = audit(lab)
    assert made.report is not None, f"run {run}: {made.finished.text}"
    assert check(scenario, made.report, made.finished.code).faults == ()


def test_the_polite_pace_ends_in_the_same_answer() -> None:
    healthy = next(s for s in SCENARIOS if s.name == "healthy")
    with Lab() as lab:
        made = audit(lab, pace="polite", timeout=400)
    assert made.report is not None, made.finished.text
    assert check(healthy, made.report, made.finished.code).faults == ()

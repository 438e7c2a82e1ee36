"""The pace of an audit, measured on the firewall's wire and not by the program."""

from __future__ import annotations

import pytest

from tests.lab.auditing import audit
from tests.lab.lab import Lab
from tests.lab.plan import Plan
from tests.lab.scenarios.names import BOOTSTRAP
from tests.lab.watching import connections, most_within, start_watching
from tests.lab.world import CANARY

pytestmark = pytest.mark.lab
RATE, BURST = 2.0, 5  # new connections a second, and at once
BUDGET = 20
MOST_ADDRESSES = 4  # of one name and family
SLACK = 1  # a connection that was due just before the stretch and left just after its beginning


def test_the_polite_pace_keeps_to_its_rate() -> None:
    plan = Plan()
    many = [f"20.50.0.{n}" for n in range(11, 18)]
    plan.world.hosts[BOOTSTRAP].v4 = many
    with Lab(plan) as lab:
        start_watching(lab)
        run = audit(lab, "--budget", str(BUDGET), pace="polite")
        seen = connections(lab)
    assert run.report is not None, run.finished.text
    assert len(seen) > RATE * BUDGET / 2, "an audit that asks nothing is polite and useless"
    for stretch in (1.0, 2.5, 5.0, 10.0):
        assert most_within(seen, stretch) <= BURST + RATE * stretch + SLACK, f"within {stretch} s"
    assert 1 <= len({c.address for c in seen} & set(many)) <= MOST_ADDRESSES
    assert run.finished.elapsed < BUDGET + 10
    left = {v["cause"] for v in run.report["verdicts"] if v["status"] == "inconclusive"}
    assert "audit.not-reached" in left, "what the budget cut off is told"


def test_a_fast_audit_goes_only_where_it_should() -> None:
    """Nothing but the world's addresses is connected to, each canary once, and the report knows every connection."""
    with Lab() as lab:
        start_watching(lab)
        run = audit(lab)
        seen = connections(lab)
        known = {a for h in lab.plan.world.hosts.values() for a in h.addresses}
    assert run.report is not None, run.finished.text
    canary = CANARY.rpartition(":")[0]
    assert {c.address for c in seen} <= known | {canary}
    assert sum(c.address == canary for c in seen) == 1
    local = [tuple(o["local"]) for o in run.report["observations"] if o["local"] is not None]
    assert {(c.source, c.source_port) for c in seen if c.address != canary} <= set(local)
    assert {c.port for c in seen} == {80, 443}

"""Every recording verified in the network that it was made in, and the broken ones in the healthy network of the lab."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.failure import Code, Failure, Stage
from rules.model.observation import Observation, Step
from rules.model.verdict import Answer, FlowState, Report
from rules.verify.again import address_of
from rules.verify.rounds import MOST, Progress, Verification
from tests.lab.live import sampled
from tests.rules import goldens

_ROUNDS = 12  #: enough for every address of the lab to get two turns


def rounds(verification: Verification, network: Report, begun: float) -> tuple[Report, Progress, int]:
    """Rounds in a network that answers as it did in the recording, until each address had its turn. Also how often a
    question had no recorded answer."""
    known = {seen.step: seen for seen in network.observations}
    missing: set[Step] = set()

    def answer(step: Step, now: float) -> Observation:
        if step in known:
            return replace(known[step], started=now)
        missing.add(step)
        return Observation(step, now, 0.0, Failure(Stage.LOCAL, Code.NOT_REACHED))

    made: list[tuple[Report, Progress]] = []
    for number in range(1, _ROUNDS + 1):
        now = begun + 15 * number
        for step in verification.questions():
            verification.answered(answer(step, now))
        audit, addresses = verification.begin(), set()
        while ready := [item.step for item in audit.ready() if audit.wanted(item.step)]:
            for step in ready:
                addresses.add(address_of(step))
                audit.record(answer(step, now))
        assert len(addresses - {None}) <= MOST
        made.append(verification.end(audit, now, now + 1, "0"))
        if made[-1][1].done:
            break
    return *made[-1], len(missing)


@sampled(goldens.STEADY)
def test_nothing_is_repaired_in_a_network_that_did_not_change(name: str) -> None:
    recorded = goldens.recorded(name)
    verification = Verification(goldens.rules(), recorded, "", recorded.finished)
    if not verification.flows:
        assert goldens.golden(name).answer not in (Answer.NO, Answer.DEGRADED)
        return
    report, progress, _ = rounds(verification, recorded, recorded.finished)
    assert {flow: one for flow, one in progress.standings.items() if one.state is not FlowState.FAILS} == {}
    assert report.answer == goldens.golden(name).answer


@pytest.mark.parametrize(
    "name",
    [
        "service-dropped",
        "all-443-dropped",
        "one-of-three-dropped",
        "port-80-dropped",
        "intercepted-by-squid",
        "intercepted-sign-in-only",
        "resolver-dead",
        "zone-servfail",
        "no-network",
        "revoked",
        "captive-portal-on-80",
    ],
)
def test_everything_is_repaired_in_the_healthy_network(name: str) -> None:
    recorded, healthy = goldens.recorded(name), goldens.recorded("healthy")
    verification = Verification(goldens.rules(), recorded, "", recorded.finished)
    assert verification.flows
    report, progress, _ = rounds(verification, healthy, recorded.finished)
    assert {flow: one for flow, one in progress.standings.items() if one.state is not FlowState.PASSES} == {}
    assert report.answer == goldens.golden("healthy").answer


@pytest.mark.parametrize(
    ("name", "cause"),
    [("undated-certificate", "tls.unverified"), ("issuer-not-at-its-address", "tls.incomplete-chain"),
     ("proxy-set-direct-fails", "proxy.not-tested")],
)  # fmt: skip
def test_what_could_not_be_tested_is_neither_repaired_nor_failing_until_it_can_be(
    name: str, cause: str
) -> None:
    recorded = goldens.recorded(name)
    assert Verification(goldens.rules(), recorded, "", recorded.finished).flows == ()
    same = Verification(goldens.rules(), recorded, "1", recorded.finished)
    assert same.askable
    _, progress, _ = rounds(same, recorded, recorded.finished)
    assert {(one.state, one.cause) for one in progress.standings.values()} == {(FlowState.WAITS, cause)}


def test_what_could_not_be_tested_passes_in_the_healthy_network() -> None:
    recorded, healthy = goldens.recorded("undated-certificate"), goldens.recorded("healthy")
    _, progress, _ = rounds(
        Verification(goldens.rules(), recorded, "1", recorded.finished), healthy, recorded.finished
    )
    assert progress.done


def test_a_finding_without_a_question_cannot_be_asked_again() -> None:
    recorded = goldens.recorded("no-tenant")
    assert not Verification(goldens.rules(), recorded, "1", recorded.finished).askable
    assert Verification(goldens.rules(), goldens.recorded("no-network"), "", recorded.finished).askable

"""The rows of the table in `rules/verify/flows.py`: how a flow stands by the verdicts about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.verdict import CauseGroup, FlowState, Report, Status, Verdict
from rules.verify.flows import Flow, causes_of, chosen, failed, standings, untested
from tests.exporters import samples

HOST, ONE, TWO = "a.example", "203.0.113.1", "203.0.113.2"
FLOW = Flow(HOST, 443, ONE)
ASKED = {ONE: 50.0, TWO: 50.0, HOST: 50.0, "": 40.0}


def said(status: Status, cause: Cause = causes.OK, address: str = ONE) -> Verdict:
    made = samples.verdict(HOST, "tls", status, cause.word, address=address, summary=f"{cause.word} here")
    return replace(made, cause=cause)


def by(*verdicts: Verdict, groups: tuple[CauseGroup, ...] = ()) -> Report:
    return samples.report(verdicts=verdicts, causes=groups)


PASSES, FAIL, OPEN = said(Status.PASS), Status.FAIL, Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdicts", "asked", "state", "cause"),
    [
        # one stopped by this host, whatever was asked
        ((PASSES, said(OPEN, causes.LOCAL_NO_ROUTE, TWO)), {"": 40.0}, FlowState.FAILS, "local.no-route"),
        # its turn has not come
        ((said(FAIL, causes.TCP_TIMEOUT),), {"": 40.0}, FlowState.WAITS, ""),
        ((said(OPEN, causes.LOCAL_NO_ROUTE),), {}, FlowState.WAITS, ""),
        # one fails
        ((said(Status.WARN, causes.TLS_UNVERIFIED), said(FAIL, causes.TCP_TIMEOUT)), ASKED, FlowState.FAILS, "tcp.timeout"),
        ((said(FAIL, causes.TCP_TIMEOUT), said(OPEN, causes.AUDIT_NOT_REACHED)), ASKED, FlowState.FAILS, "tcp.timeout"),
        # one could not be tested because of DNS or this host
        ((said(OPEN, causes.DNS_NXDOMAIN),), ASKED, FlowState.FAILS, "dns.nxdomain"),
        ((said(OPEN, causes.LOCAL_DENIED),), ASKED, FlowState.FAILS, "local.denied"),
        # because it was not asked
        ((PASSES, said(OPEN, causes.AUDIT_NOT_REACHED)), ASKED, FlowState.WAITS, ""),
        ((PASSES, said(OPEN, causes.AUDIT_NOT_RECORDED)), ASKED, FlowState.WAITS, ""),
        # for another reason
        ((PASSES, said(OPEN, causes.TLS_UNVERIFIED)), ASKED, FlowState.WAITS, "tls.unverified"),
        ((said(OPEN, causes.LOCAL_STARVED),), ASKED, FlowState.WAITS, "local.starved"),
        # all others, or none
        ((PASSES, said(Status.NOTICE, causes.HTTP_SAME_PAGE)), ASKED, FlowState.PASSES, ""),
        ((), ASKED, FlowState.PASSES, ""),
        # another address of the name says nothing about this one
        ((PASSES, said(FAIL, causes.TCP_TIMEOUT, TWO)), ASKED, FlowState.PASSES, ""),
        ((PASSES, said(OPEN, causes.LOCAL_DENIED, TWO)), ASKED, FlowState.PASSES, ""),
    ],
)  # fmt: skip
def test_a_flow_stands_as_its_verdicts_say(
    verdicts: tuple[Verdict, ...], asked: dict[str, float], state: FlowState, cause: str
) -> None:
    (one,) = standings([FLOW], by(*verdicts), asked, ()).values()
    assert (one.state, one.cause) == (state, cause)
    assert one.summary == (f"{cause} here" if cause else "")


def group(cause: Cause, status: Status, number: str = "1", because: tuple[str, ...] = ()) -> CauseGroup:
    return CauseGroup(
        cause, status, f"{cause.word} here", "", "host", "proven", (), id=number, because=because
    )


@pytest.mark.parametrize(
    ("groups", "state", "cause"),
    [
        ((group(causes.LOCAL_CLOCK_SKEW, Status.WARN),), FlowState.FAILS, "local.clock-skew"),
        ((), FlowState.PASSES, ""),
        ((group(causes.LOCAL_CLOCK_SKEW, Status.NOTICE),), FlowState.PASSES, ""),
    ],
)
def test_a_finding_of_the_host_stands_as_the_newer_report_has_it(
    groups: tuple[CauseGroup, ...], state: FlowState, cause: str
) -> None:
    (one,) = standings([Flow("", 0, cause="local.clock-skew")], by(groups=groups), {"": 40.0}, ()).values()
    assert (one.state, one.cause) == (state, cause)


def test_a_finding_of_the_network_that_could_not_be_tested_does_not_pass() -> None:
    """No tenant was given: nothing failed, and no round can change it."""
    found = (group(causes.AUDIT_NO_TENANT, Status.INCONCLUSIVE),)
    (one,) = standings([Flow("", 0, cause="audit.no-tenant")], by(groups=found), {"": 40.0}, ()).values()
    assert (one.state, one.cause) == (FlowState.WAITS, "audit.no-tenant")


def test_the_number_of_a_remark_chooses_nothing_and_what_only_remarks_is_left_out() -> None:
    found = (
        group(causes.TCP_TIMEOUT, Status.FAIL, "1"),
        group(causes.TLS_INCOMPLETE_CHAIN, Status.INCONCLUSIVE, "1.1", ("1",)),
        group(causes.TCP_TIMEOUT, Status.NOTICE, "1.2", ("1",)),
        group(causes.AUDIT_NOT_ON_LIST, Status.NOTICE, "2"),
        group(causes.TLS_UNVERIFIED, Status.INCONCLUSIVE, "3"),
    )
    assert [one.id for one in chosen(found, "")] == ["1"]
    assert [one.id for one in chosen(found, "1")] == ["1", "1.1"]
    assert chosen(found, "2") == ()
    (third,) = chosen(found, "3")
    assert untested(third)
    assert not failed(third)


def test_a_flow_of_two_findings_has_the_causes_of_both() -> None:
    at_one = samples.INTERCEPTED.endpoints[0]
    first = replace(samples.INTERCEPTED, endpoints=(at_one,))
    second = replace(first, cause=causes.TLS_TIMEOUT)
    flow = Flow(at_one.host, at_one.port, at_one.address or "")
    assert causes_of([first, second]) == {flow: frozenset({"tls.intercepted", "tls.timeout"})}
    assert causes_of([first]) == {flow: frozenset({"tls.intercepted"})}

"""The audit as a machine: what it asks, what it never asks, and that the order of the answers does not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import Phase as Hypothesis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.audit.machine import Audit
from rules.audit.phases import Phase, step_for
from rules.judge.report import make_report
from rules.model.failure import Failure
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup
from rules.model.observation import Observation, Step
from rules.model.verdict import Answer, Plan, Report, Status
from rules.text.address import AddressClass, classify, never_connect
from tests.rules.chaos import Chaos, chaos
from tests.rules.script import (
    ALL,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CONTROL,
    CORPORATE,
    CRL_HOST,
    CUT,
    HOST,
    NO_ANSWER,
    OCSP_HOST,
    PLAN,
    QUIET,
    RESOLVERS,
    RETIRED,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    START,
    ZONE,
    World,
    by,
    healthy,
    judged,
    only,
    rows,
    rules_of,
    run,
    shown,
)
from tests.rules.script import page as page_of

# Seeds do not shrink: a smaller number is another network.
SLOW = settings(max_examples=60, deadline=None, phases=(Hypothesis.explicit, Hypothesis.generate))
ORDERS = st.integers(0, 2**32)
NAMES = (LocalHost, DnsQuestion, OsLookup, TrustLookup)  #: kinds that say where to go


def asked(audit: Audit, kind: type[Step], **fields: object) -> list[Step]:
    """Steps of a kind that were answered."""
    return [
        s for s in audit.seen if isinstance(s, kind) and all(getattr(s, k) == v for k, v in fields.items())
    ]


def told(report: Report, audit: Audit) -> set[tuple[object, ...]]:
    """What was decided, and on what evidence. Texts list names, and numbers count observations, in order of arrival."""
    steps = {f"o{n}": seen.step for n, seen in enumerate(report.observations, 1)}
    return {
        (v.rule, v.endpoint, v.check, v.status, v.cause, v.remedy, frozenset(steps[e] for e in v.evidence))
        for v in report.verdicts
    }


def drive(network: World | Chaos, order: int | None = None, plan: Plan = PLAN) -> tuple[Audit, list[Step]]:
    """An audit in an order that the number `order` stands for, and every step that `ready` gave."""
    audit = Audit(RULES, plan)
    given_out = [item.step for item in audit.ready()]
    waiting = list(given_out)
    rnd = Random(order) if order is not None else None
    while waiting:
        step = waiting.pop(rnd.randrange(len(waiting)) if rnd is not None else 0)
        if audit.wanted(step):
            audit.record(network.answer(step))
        fresh = [item.step for item in audit.ready()]
        given_out += fresh
        waiting += fresh
    return audit, given_out


def finish(audit: Audit) -> Report:
    return make_report(audit, START, START + 60, "0.0")


# --- the order ---------------------------------------------------------------------------------------------------


@SLOW
@example(Chaos(6390, 0.5, NAMES), 1_580_913_331)  # GET and POST fail in two ways at an OCSP responder
@given(chaos(calm=0.5, steady=NAMES), ORDERS)
def test_any_order_of_the_answers_gives_the_same_verdicts(network: Chaos, order: int) -> None:
    """But for the extra observations, which go to the addresses that answer first."""
    first, _ = drive(network, plan=QUIET)
    second, _ = drive(network, order, QUIET)
    if first.stopped or second.stopped or first.guard.sweep or second.guard.sweep:
        return  # how far an audit came before it had to stop does depend on the order
    mine, theirs = finish(first), finish(second)
    assert told(mine, first) == told(theirs, second)
    assert (mine.answer, mine.exit_code) == (theirs.answer, theirs.exit_code)


@SLOW
@given(chaos(), ORDERS)
def test_a_step_is_given_out_once_whatever_happens(network: Chaos, order: int) -> None:
    _, given_out = drive(network, order)
    assert [step for step, count in Counter(given_out).items() if count > 1] == []


# --- what is always true -----------------------------------------------------------------------------------------


@SLOW
@given(chaos(), ORDERS)
def test_every_target_has_a_verdict_whatever_fails(network: Chaos, order: int) -> None:
    audit, _ = drive(network, order)
    report = finish(audit)
    judged_ones = {(v.rule, v.endpoint.host, v.endpoint.port) for v in report.verdicts if v.endpoint}
    for target in audit.targets:
        assert (target.id, target.shown, target.port) in judged_ones


@SLOW
@given(chaos(), ORDERS)
def test_nothing_is_called_wrong_without_evidence(network: Chaos, order: int) -> None:
    audit, _ = drive(network, order)
    report = finish(audit)
    known = {f"o{n}" for n in range(1, len(report.observations) + 1)}
    for verdict in report.verdicts:
        assert set(verdict.evidence) <= known
        if verdict.status is Status.FAIL:
            assert verdict.evidence, verdict


@SLOW
@given(st.sets(st.integers(0, 90), max_size=40))
@example(set(range(90)))
def test_what_was_not_answered_never_passes(numbers: set[int]) -> None:
    """Any subset of a healthy network's answers may be missing: no address without one is green."""
    order: list[Step] = []

    def lost(step: Step) -> bool:
        order.append(step)
        return len(order) - 1 in numbers and not isinstance(step, LocalHost)

    audit = run(healthy(), lost=lost)
    report = finish(audit)
    for verdict in report.verdicts:
        if verdict.status is Status.PASS:
            assert verdict.evidence, verdict
            where = verdict.endpoint
            assert where is not None
            if where.address is not None:
                assert any(
                    getattr(s, "address", "") == where.address and getattr(s, "port", 0) == where.port
                    for s in audit.seen
                )
    if report.answer is Answer.YES:
        assert any(v.status is Status.PASS and v.check == "tls" for v in rows(report, BOOTSTRAP))


@SLOW
@given(chaos(), ORDERS)
def test_no_packet_goes_where_none_may_go(network: Chaos, order: int) -> None:
    _, given_out = drive(network, order)
    for step in given_out:
        if isinstance(step, TlsHandshake | HttpFetch):
            assert not never_connect(classify(step.address))
            assert step.address not in HOST.addresses
            assert ":" not in step.address, "there is no IPv6 route"
        if isinstance(step, HttpFetch) and step.purpose != "reach" and step.host not in ZONE:
            assert classify(step.address, PLAN.public_networks) is AddressClass.PUBLIC


# --- the plan ----------------------------------------------------------------------------------------------------


def test_an_audit_begins_with_this_host_and_sends_nothing_before() -> None:
    audit = Audit(RULES, PLAN)
    assert [(item.phase, item.step) for item in audit.ready()] == [(Phase.LOCAL, LocalHost())]
    assert audit.ready() == []


def test_every_resolver_and_the_operating_system_are_asked_for_both_families() -> None:
    audit = run(healthy(), rules_of(SIGN_IN_RULE))
    for resolver in RESOLVERS:
        for rtype in ("A", "AAAA"):
            assert asked(audit, DnsQuestion, resolver=resolver, name=SIGN_IN, rtype=rtype)
    assert asked(audit, OsLookup, name=SIGN_IN)


def test_no_more_addresses_of_a_name_are_tried_than_the_plan_allows() -> None:
    many = tuple(f"203.0.113.{n}" for n in range(100, 120))
    audit = run(healthy(zone=ZONE | {SIGN_IN: many}), plan=QUIET)
    assert (
        len({s.address for s in audit.seen if isinstance(s, TlsHandshake) and s.server_name == SIGN_IN}) == 4
    )


def test_two_rules_that_ask_the_same_thing_cost_one_connection() -> None:
    twice = rules_of(SIGN_IN_RULE, replace(SIGN_IN_RULE, id="again"))
    assert (
        run(healthy(), twice, QUIET).connections == run(healthy(), rules_of(SIGN_IN_RULE), QUIET).connections
    )
    assert {v.rule for v in judged(healthy(), twice).verdicts} == {"app/sign-in", "app/again"}


@pytest.mark.parametrize("failure", [SILENCE, CUT])
def test_a_doubtful_answer_is_repeated_once_whole(failure: Failure) -> None:
    world = healthy().when(TlsHandshake, failure, server_name=BOOTSTRAP)
    attempts = asked(run(world, plan=QUIET), TlsHandshake, address="203.0.113.1", hello="connector")
    assert attempts == [TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/", attempt=n) for n in (1, 2)]


def test_a_handshake_that_was_cut_is_also_tried_with_tls_1_3() -> None:
    world = healthy().when(TlsHandshake, CUT, server_name=SIGN_IN, hello="connector")
    audit = run(world, plan=QUIET)
    assert TlsHandshake("203.0.113.21", 443, SIGN_IN, hello="tls13") in audit.seen


def test_at_an_intercepted_address_a_name_of_nobody_s_is_asked_for_comparison() -> None:
    audit = run(healthy().when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP), plan=QUIET)
    assert TlsHandshake("203.0.113.1", 443, CONTROL) in audit.seen
    assert not asked(run(healthy(), plan=QUIET), TlsHandshake, server_name=CONTROL)


def test_revocation_is_fetched_only_for_certificates_that_were_judged_genuine() -> None:
    on_rule = rules_of(BOOTSTRAP_RULE)
    zone = {BOOTSTRAP: ZONE[BOOTSTRAP], CRL_HOST: ZONE[CRL_HOST]}
    assert asked(run(healthy(zone=zone), on_rule, QUIET), HttpFetch, host=CRL_HOST, purpose="crl")
    forged = healthy(zone=zone).when(TlsHandshake, by(CORPORATE))
    assert asked(run(forged, on_rule, QUIET), HttpFetch) == []


def test_a_revocation_host_at_a_private_address_is_not_fetched_from() -> None:
    world = healthy(zone={BOOTSTRAP: ZONE[BOOTSTRAP], CRL_HOST: ("10.0.0.9",)})
    assert asked(run(world, rules_of(BOOTSTRAP_RULE), QUIET), HttpFetch) == []


def test_the_address_canary_goes_only_after_something_succeeded_and_once() -> None:
    plan = replace(PLAN, canary_address="192.0.2.77:443")
    audit = run(healthy().when(TcpConnect, TcpFacts(0.01)), plan=plan)
    assert asked(audit, TcpConnect) == [TcpConnect("192.0.2.77", 443)]
    blocked = healthy().when((TlsHandshake, HttpFetch), SILENCE)
    assert asked(run(blocked, plan=plan), TcpConnect) == []


def test_a_page_is_asked_of_the_address_canary_once_it_opened_or_a_page_was_met() -> None:
    plan = replace(PLAN, canary_address="[2001:db8::77]:443")
    page = HttpFetch("2001:db8::77", 80, f"wayclear-{PLAN.nonce}.example.com", "/")
    opened = healthy().when(TcpConnect, TcpFacts(0.01))
    for answer in (SILENCE, page_of(200, b"<html>"), page_of(407), page_of(302, location="http://x.test/")):
        audit = run(opened.when(HttpFetch, answer, address=page.address), plan=plan)
        assert asked(audit, HttpFetch, address=page.address) == [page]
        assert page.address not in audit.guard.silent
    assert asked(run(healthy().when(TcpConnect, SILENCE), plan=plan), HttpFetch, address=page.address) == []
    welcome = healthy().when(HttpFetch, page_of(200, b"<html>"), host=OCSP_HOST, purpose="reach")
    assert asked(run(welcome, plan=plan), HttpFetch, address=page.address) == [page]
    assert asked(run(welcome, plan=replace(plan, extras=False)), HttpFetch, address=page.address) == []
    assert run(healthy()).canary_page() is None


def test_links_of_a_chain_are_asked_for_by_themselves() -> None:
    world = healthy(aliases={SIGN_IN: "www.tm.example"}, zone=ZONE | {"www.tm.example": ZONE[SIGN_IN]})
    assert asked(run(world), DnsQuestion, name="www.tm.example", resolver=RESOLVERS[0])


# --- stopping ----------------------------------------------------------------------------------------------------


def test_without_a_route_nothing_is_asked_at_all() -> None:
    audit = run(healthy(facts=replace(HOST, route_v4=False)))
    assert list(audit.seen) == [LocalHost()]
    assert audit.stopped == "no-route"


def test_dead_resolvers_cost_a_few_questions_and_not_sixty() -> None:
    dead = healthy().when(DnsQuestion, NO_ANSWER).when(OsLookup, NO_ANSWER)
    audit = run(dead)
    assert audit.stopped == "no-resolver"
    assert len(audit.seen) < 15
    assert all(audit.candidates(host) == () for host in ZONE)


def test_nothing_begins_after_the_budget_has_ended() -> None:
    audit = Audit(RULES, PLAN)
    audit.record(healthy().answer(LocalHost()))
    audit.stop("budget")
    audit.stop("sweep")
    assert audit.stopped == "budget"
    connection = TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/")
    assert not audit.wanted(connection)
    report = finish(audit)
    assert report.answer is Answer.NOT_PROVEN
    assert {v.status for v in report.verdicts} == {Status.INCONCLUSIVE}


def test_twenty_silent_hosts_stop_a_polite_audit_and_not_a_fast_one() -> None:
    many = {f"h{n}.example": (f"203.0.113.{n}",) for n in range(1, 31)}
    rows_of_rules = rules_of(*(replace(SIGN_IN_RULE, id=f"r{n}", host=name) for n, name in enumerate(many)))
    silent = healthy(zone=many).when(TlsHandshake, SILENCE)
    polite, fast = run(silent, rows_of_rules, QUIET), run(silent, rows_of_rules, replace(QUIET, pace="fast"))
    assert polite.stopped == "sweep"
    assert len({s.address for s in polite.seen if isinstance(s, TlsHandshake)}) == 20
    assert fast.stopped == ""
    assert len({s.address for s in fast.seen if isinstance(s, TlsHandshake)}) == 30


# --- robust ------------------------------------------------------------------------------------------------------


def strangers() -> Iterator[Observation]:
    yield Observation(
        TlsHandshake("203.0.113.250", 443, "stranger.example"), START, 0.1, None, shown((b"\x30\x00",))
    )
    yield Observation(DnsQuestion("192.0.2.53", "stranger.example", "A"), START, 0.1, NO_ANSWER)
    yield Observation(HttpFetch("203.0.113.250", 80, "stranger.example", "/x"), START, 0.1, SILENCE)


def test_an_answer_to_a_question_that_was_never_asked_changes_no_verdict() -> None:
    audit = run(healthy(), plan=QUIET)
    before = told(finish(audit), audit)
    for seen in strangers():
        if not isinstance(seen.step, DnsQuestion):
            audit.record(seen)
    assert told(finish(audit), audit) == before


def test_what_is_known_already_is_not_asked_again() -> None:
    live = run(healthy())
    audit = Audit(RULES, PLAN, dict(live.seen))
    assert audit.ready() == []
    assert audit.seen == live.seen
    assert told(finish(audit), audit) == told(finish(live), live)


def test_a_second_answer_to_the_same_step_is_ignored() -> None:
    audit = run(healthy(), plan=QUIET)
    step = TlsHandshake("203.0.113.21", 443, SIGN_IN)
    audit.record(Observation(step, START, 0.1, SILENCE))
    assert audit.seen[step].failure is None


def test_only_what_the_glob_names_is_asked_for() -> None:
    audit = run(healthy(), plan=replace(QUIET, only="login.*"))
    assert {s.server_name for s in audit.seen if isinstance(s, TlsHandshake)} == {SIGN_IN}


def test_the_tenant_of_the_connector_s_own_files_is_used_when_none_is_given() -> None:
    world = healthy(facts=replace(HOST, tenant=PLAN.tenant))
    assert (
        only(judged(world, plan=replace(QUIET, tenant=None)), BOOTSTRAP, "tls", "203.0.113.1").status
        is Status.PASS
    )


def test_a_document_of_another_address_opens_no_connection() -> None:
    """Evidence that stands in is used, and says nothing about the way to the address that it stands for."""
    list_ = next(s for s in run(healthy()).seen if isinstance(s, HttpFetch) and s.purpose == "crl")
    known = {step: replace(seen, stale=step == list_) for step, seen in run(healthy()).seen.items()}
    audit = Audit(RULES, PLAN, known)
    assert audit.fetches.settled == run(healthy()).fetches.settled
    assert list_.address not in audit.guard.opened
    assert step_for(next(t for t in audit.targets if t.host == CRL_HOST), list_.address) == list_


def test_the_whole_rule_set_is_covered_by_this_file_s_networks() -> None:
    assert {t.rule for t in run(healthy()).targets} == set(ALL)
    assert RETIRED in ZONE

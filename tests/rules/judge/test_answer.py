"""From rows to an answer: each rule of the page "From rows to an answer", driven through a whole audit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.targets import Target, targets
from rules.judge.answer import NameState, answer, answer_text, exit_code, passes, roll_up
from rules.model import causes
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import LocalHost, ProxySetting
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.ruleset import Group
from rules.model.verdict import Answer, Check, Endpoint, Report, Status, Verdict
from tests.rules.script import (
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CORPORATE,
    CRL_HOST,
    HOST,
    NO_ANSWER,
    NO_PROBE_RULE,
    OCSP_HOST,
    PUBLIC,
    QUIET,
    RELAY_RULE,
    RELAYS,
    RESOLVERS,
    RETIRED,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    TENANT,
    World,
    by,
    healthy,
    judged,
    rows,
    rules_of,
    without,
)


def silent(**where: object) -> World:
    return healthy().when(TlsHandshake, SILENCE, **where)


def outcome(report: Report) -> tuple[Answer, int]:
    return report.answer, report.exit_code


# --- yes ---------------------------------------------------------------------------------------------------------


def test_yes_when_every_required_name_gets_through() -> None:
    assert outcome(judged(healthy())) == (Answer.YES, 0)


def test_yes_with_any_warning_exits_1() -> None:
    report = judged(healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[0]))
    assert outcome(report) == (Answer.YES, 1)
    assert report.summary["warn"] == 1


def test_a_wildcard_without_a_name_to_try_never_feeds_the_answer() -> None:
    alone = judged(healthy(), rules_of(BOOTSTRAP_RULE, replace(NO_PROBE_RULE, group=Group.SERVICE)))
    assert outcome(alone) == (Answer.YES, 0)
    assert rows(alone, cause="audit.no-probe-name")[0].status is Status.INCONCLUSIVE
    assert "1 required wildcard has no name to try: whether it is open is not known." in alone.answer_text
    (found,) = [one for one in alone.causes if one.cause == causes.AUDIT_NO_PROBE_NAME]
    assert [one.need for one in found.tested] == ["untried"]


@pytest.mark.parametrize("world", [without(RETIRED), silent(server_name=RETIRED)])
def test_a_retired_row_never_feeds_the_answer(world: World) -> None:
    report = judged(world)
    assert outcome(report) == (Answer.YES, 0)
    assert {v.status for v in rows(report, RETIRED)} <= {Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE}


def test_a_sample_that_no_resolver_knows_does_not_feed_the_answer() -> None:
    assert outcome(judged(without(RELAYS[2]))) == (Answer.YES, 0)


# --- degraded ----------------------------------------------------------------------------------------------------


def test_degraded_when_a_name_gets_through_at_some_addresses_only() -> None:
    report = judged(silent(address="203.0.113.2"))
    assert outcome(report) == (Answer.DEGRADED, 1)
    assert {v.status for v in rows(report, BOOTSTRAP, address="203.0.113.2")} == {Status.WARN}
    assert "fewer ways" in report.answer_text


def test_degraded_when_some_samples_of_a_wildcard_fail() -> None:
    report = judged(silent(server_name=RELAYS[1]))
    assert outcome(report) == (Answer.DEGRADED, 1)
    assert rows(report, RELAYS[1], "tcp")[0].status is Status.WARN


def test_degraded_when_sign_in_fails() -> None:
    report = judged(silent(server_name=SIGN_IN))
    assert outcome(report) == (Answer.DEGRADED, 1)
    assert "cannot be installed or renewed" in report.answer_text


def test_degraded_when_certificates_cannot_be_validated() -> None:
    report = judged(healthy().when(HttpFetch, SILENCE))
    assert outcome(report) == (Answer.DEGRADED, 1)
    assert "revocation" in report.answer_text


def test_degraded_when_a_service_name_has_an_unexpected_issuer() -> None:
    report = judged(healthy().when(TlsHandshake, by(PUBLIC), server_name=BOOTSTRAP))
    assert outcome(report) == (Answer.DEGRADED, 1)
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"tls.issuer-unexpected"}


def test_a_public_ca_on_a_sign_in_name_is_fine() -> None:
    assert outcome(judged(healthy().when(TlsHandshake, by(PUBLIC), server_name=SIGN_IN))) == (Answer.YES, 0)


# --- no ----------------------------------------------------------------------------------------------------------


def test_no_when_a_required_service_name_gets_through_nowhere() -> None:
    report = judged(silent(server_name=BOOTSTRAP))
    assert outcome(report) == (Answer.NO, 2)
    assert {v.status for v in rows(report, BOOTSTRAP, "tcp")} == {Status.FAIL}


def test_no_when_a_required_service_name_does_not_resolve() -> None:
    assert outcome(judged(without(BOOTSTRAP))) == (Answer.NO, 2)


def test_no_when_a_whole_service_wildcard_gets_through_nowhere() -> None:
    world = healthy()
    for name in RELAYS:
        world.when(TlsHandshake, SILENCE, server_name=name)
    assert outcome(judged(world)) == (Answer.NO, 2)


def test_no_when_a_service_name_is_intercepted_at_one_address_only() -> None:
    system = (*healthy().system, *by_root())
    report = judged(healthy(system=system).when(TlsHandshake, by(CORPORATE), address="203.0.113.2"))
    assert outcome(report) == (Answer.NO, 2)
    assert rows(report, BOOTSTRAP, "tls", "203.0.113.2")[0].status is Status.FAIL


def by_root() -> tuple[bytes, ...]:
    from tests import pki

    return (pki.der(CORPORATE.certificate),)


def test_no_beats_not_proven_because_a_real_block_was_seen() -> None:
    world = healthy()
    for name in RELAYS:
        world.when(TlsHandshake, SILENCE, server_name=name)
    assert outcome(judged(world, plan=replace(QUIET, tenant=None))) == (Answer.NO, 2)


# --- not proven --------------------------------------------------------------------------------------------------


def test_not_proven_without_the_tenant_whatever_else_passes() -> None:
    report = judged(healthy(), plan=replace(QUIET, tenant=None))
    assert outcome(report) == (Answer.NOT_PROVEN, 3)
    assert "--tenant" in report.answer_text


def test_not_proven_when_a_proxy_is_set_and_the_direct_way_fails() -> None:
    proxied = replace(HOST, proxies=(ProxySetting("environment HTTPS_PROXY", "http://proxy:8080"),))
    report = judged(healthy(facts=proxied).when(TlsHandshake, SILENCE))
    assert outcome(report) == (Answer.NOT_PROVEN, 3)
    assert "proxy" in report.answer_text


def test_not_proven_when_the_budget_ran_out_before_the_tenant_s_names() -> None:
    late = healthy()
    report = judged(late, lost=lambda step: isinstance(step, TlsHandshake))
    assert outcome(report) == (Answer.NOT_PROVEN, 3)


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (healthy(facts=replace(HOST, route_v4=False)), "no route"),
        (healthy(zone={}), "no working DNS resolver"),
        (healthy().when(LocalHost, SILENCE), ""),
    ],
)
def test_not_proven_on_a_machine_without_a_network(world: World, why: str) -> None:
    report = judged(world)
    assert outcome(report) == (Answer.NOT_PROVEN, 3)
    assert why in report.answer_text
    assert len(report.causes) == 1


def test_not_proven_when_a_service_wildcard_could_not_be_tried_at_all() -> None:
    report = judged(without(*RELAYS))
    assert outcome(report) == (Answer.NOT_PROVEN, 3)
    assert len(rows(report, cause="dns.nxdomain")) >= 1


# --- the parts ---------------------------------------------------------------------------------------------------

STATES = st.builds(
    NameState,
    st.sampled_from(targets(RULES, TENANT)),
    *(st.booleans() for _ in range(5)),
)


@given(st.lists(STATES), st.sampled_from(["", "budget", "sweep", "no-route", "no-resolver"]))
def test_yes_needs_every_required_name_and_no_failure_of_the_service(
    states: list[NameState], stopped: str
) -> None:
    found = answer(states, (), stopped)
    service = [s for s in states if s.target.rule.group is Group.SERVICE]
    if found is Answer.YES:
        assert stopped in ("", "budget", "sweep")
        assert service
        assert all(s.passed for s in service if s.target.required)
        assert not any(s.some_failed for s in service)
    if any(s.target.required and s.intercepted for s in service):
        assert found is Answer.NO


@given(st.lists(STATES))
def test_a_warning_or_a_failure_elsewhere_never_makes_an_answer_better(states: list[NameState]) -> None:
    order = [Answer.YES, Answer.DEGRADED, Answer.NOT_PROVEN, Answer.NO]
    failing = Verdict("r", "t", None, "tls", Status.FAIL, causes.TLS_EXPIRED, "s")
    assert order.index(answer(states, (failing,), "")) >= order.index(answer(states, (), ""))


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (Answer.YES, Status.PASS, 0),
        (Answer.YES, Status.NOTICE, 0),
        (Answer.YES, Status.INCONCLUSIVE, 0),
        (Answer.YES, Status.WARN, 1),
        (Answer.DEGRADED, Status.FAIL, 1),
        (Answer.NO, Status.PASS, 2),
        (Answer.NOT_PROVEN, Status.FAIL, 3),
    ],
)
def test_the_exit_code_comes_from_the_answer_only(found: Answer, status: Status, code: int) -> None:
    assert exit_code(found, [Verdict("r", "t", None, "tls", status, causes.OK, "s")]) == code


def verdict(
    status: Status, check: Check = "tls", address: str | None = "203.0.113.1", cause: str = "x"
) -> Verdict:
    return Verdict("r", "t", Endpoint("h", 443, address), check, status, causes.from_word(cause), "s")


def test_a_name_passes_when_an_address_passes_all_its_checks() -> None:
    target = Target("app", SIGN_IN_RULE, 443, SIGN_IN)
    good, bad = verdict(Status.PASS), verdict(Status.FAIL, address="203.0.113.2")
    state = roll_up(target, [verdict(Status.PASS, "dns", None), good, bad])
    assert (state.passed, state.some_failed, state.resolved, state.open) == (True, True, True, False)
    assert not roll_up(target, [good, verdict(Status.FAIL, "http")]).passed
    assert not roll_up(target, [verdict(Status.FAIL, "dns", None), good]).passed


def test_a_name_without_any_verdict_is_open_and_not_fine() -> None:
    state = roll_up(Target("app", RELAY_RULE, 443, RELAYS[0]), [])
    assert (state.passed, state.open) == (False, True)


@pytest.mark.parametrize("found", [[], [verdict(Status.NOT_APPLICABLE)], [verdict(Status.INCONCLUSIVE)]])
def test_nothing_made_is_nothing_passed(found: list[Verdict]) -> None:
    assert not passes(found)


def test_the_text_gives_every_reason_that_holds_an_answer_open() -> None:
    seen = [verdict(Status.INCONCLUSIVE, cause=c) for c in ("audit.no-tenant", "audit.not-reached")]
    text = answer_text(Answer.NOT_PROVEN, (), seen, "budget")
    assert "--tenant" in text
    assert "ended before every name" in text


def test_hosts_of_the_validation_group_are_in_these_networks() -> None:
    assert {CRL_HOST, OCSP_HOST} <= {t.host for t in targets(RULES, TENANT)}

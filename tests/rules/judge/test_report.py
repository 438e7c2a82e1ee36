"""The report: rows weighed, lowered and grouped."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings

from rules.audit.machine import Audit
from rules.judge.report import make_report
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, ProxySetting
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.ruleset import Severity
from rules.model.verdict import Answer, Report, Status
from tests.rules import goldens
from tests.rules.chaos import Chaos, chaos
from tests.rules.script import (
    ALL,
    BLOCKED,
    BOOTSTRAP,
    CRL_HOST,
    CUT,
    DAY,
    HOST,
    ISSUING,
    NO_ANSWER,
    PLAN,
    QUIET,
    RELAYS,
    RETIRED,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    START,
    TENANT,
    World,
    crl,
    healthy,
    judged,
    only,
    page,
    rows,
    rules_of,
    run,
    without,
)

RANDOM = settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
PROXY = ProxySetting("environment ALL_PROXY", "http://proxy.corp.example:8080", "localhost,.intranet.example")
PROXIED = replace(HOST, proxies=(PROXY,))
LIGHT = (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE)


class Through(World):
    """A world that answers as a random network does."""

    def __init__(self, network: Chaos, facts: HostFacts = HOST) -> None:
        super().__init__(facts)
        network.world.facts = facts
        self.answer = network.answer  # type: ignore[method-assign]


# --- never above notice ------------------------------------------------------------------------------------------


@RANDOM
@given(chaos())
def test_retired_rows_never_weigh_more_than_a_notice(network: Chaos) -> None:
    report = judged(Through(network))
    own = [v for v in report.verdicts if v.rule == "app/retired" and v.cause.word != "audit.bug"]
    if report.causes and report.causes[0].cause.word.startswith("local."):
        return  # an audit that could not begin says so of every row
    assert {v.status for v in own} <= set(LIGHT)


@pytest.mark.parametrize("severity", [Severity.RETIRED, Severity.OPTIONAL])
@pytest.mark.parametrize("world", [without(SIGN_IN), healthy().when(TlsHandshake, CUT, server_name=SIGN_IN)])
def test_optional_and_retired_rows_say_what_they_saw_without_asking_for_anything(
    world: World, severity: Severity
) -> None:
    row = replace(SIGN_IN_RULE, severity=severity)
    found = rows(judged(world, rules_of(*(row if r is SIGN_IN_RULE else r for r in ALL))), SIGN_IN)
    assert Status.NOTICE in {v.status for v in found}
    assert {v.remedy for v in found if v.status is Status.NOTICE} == {""}


def test_a_name_without_ipv6_addresses_is_fine() -> None:
    assert only(judged(healthy(), plan=QUIET), SIGN_IN, "dns").status is Status.PASS


def test_ipv6_addresses_without_a_route_are_not_applicable_and_not_blocked() -> None:
    zone = healthy().zone | {SIGN_IN: ("203.0.113.21", "2001:db8::21")}
    report = judged(healthy(zone=zone))
    assert rows(report, SIGN_IN, address="2001:db8::21") == []
    assert report.answer is Answer.YES
    alone = judged(healthy(zone=healthy().zone | {SIGN_IN: ("2001:db8::21",)}))
    nothing = only(alone, SIGN_IN, "tcp")
    assert (nothing.status, "no IPv6 route" in nothing.summary) == (Status.NOT_APPLICABLE, True)


def test_any_http_status_inside_a_genuine_session_is_fine() -> None:
    assert only(judged(healthy()), BOOTSTRAP, "http", "203.0.113.1").status is Status.PASS


def test_a_certificate_without_ocsp_is_no_finding() -> None:
    report = judged(healthy(), rules_of(SIGN_IN_RULE))
    assert rows(report, check="ocsp") == []


def test_resolvers_that_differ_in_addresses_only_are_no_finding() -> None:
    from rules.model.kinds.dns_chain import DnsAnswer, Record

    other = DnsAnswer("NOERROR", (Record(SIGN_IN, "A", 60, "203.0.113.23"),))
    world = healthy().when(DnsQuestion, other, name=SIGN_IN, rtype="A", resolver="198.51.100.54")
    assert only(judged(world), SIGN_IN, "dns").status is Status.PASS


def test_an_ocsp_host_without_a_document_that_answers_http_passes() -> None:
    verdict = only(judged(healthy()), "ocsp.digicert.com", "http")
    assert (verdict.status, verdict.summary) == (Status.PASS, "ocsp.digicert.com answers HTTP 404")


# --- samples -----------------------------------------------------------------------------------------------------


def test_a_sample_that_no_resolver_knows_is_not_applicable() -> None:
    report = judged(without(RELAYS[2]))
    assert {v.status for v in rows(report, RELAYS[2])} == {Status.NOT_APPLICABLE}
    assert "no longer in use" in only(report, RELAYS[2], "dns").summary


def test_a_zone_that_resolves_nowhere_is_inconclusive_and_said_once() -> None:
    report = judged(without(*RELAYS))
    told = [v for v in rows(report, cause="dns.nxdomain") if v.status is Status.INCONCLUSIVE]
    assert len(told) == 1
    assert "none of 3 sample names" in told[0].summary


def test_a_wildcard_fails_only_when_every_sample_that_resolves_fails() -> None:
    some = healthy().when(TlsHandshake, SILENCE, server_name=RELAYS[0])
    assert only(judged(some), RELAYS[0], "tcp").status is Status.WARN
    both = without(RELAYS[2]).when(TlsHandshake, SILENCE)
    assert {rows(judged(both), name, "tcp")[0].status for name in RELAYS[:2]} == {Status.FAIL}


# --- addresses ---------------------------------------------------------------------------------------------------


def test_a_failing_address_is_a_warning_while_the_name_passes_elsewhere() -> None:
    report = judged(healthy().when(TlsHandshake, SILENCE, address="203.0.113.22"))
    assert only(report, SIGN_IN, "tcp", "203.0.113.22").status is Status.WARN
    assert only(report, SIGN_IN, "tcp", "203.0.113.21").status is Status.PASS


def test_a_hosts_file_that_pins_a_name_to_a_dead_address_is_found() -> None:
    world = healthy().when(OsLookup, OsAnswer(("203.0.113.66",)), name=SIGN_IN)
    report = judged(world.when(TlsHandshake, SILENCE, address="203.0.113.66"))
    name = only(report, SIGN_IN, "dns")
    assert (name.status, name.cause.word) == (Status.FAIL, "dns.os-differs")
    assert "hosts file" in name.remedy
    assert report.answer is Answer.DEGRADED, "programs on this host use that address, whatever the others do"
    silent = [c for c in report.causes if c.cause.word == "tcp.timeout"]
    assert [c.owner for c in silent] == ["host"], (
        "no firewall need be opened for an address that no resolver gives"
    )


# --- proxies -----------------------------------------------------------------------------------------------------


@RANDOM
@given(chaos())
def test_a_proxy_that_is_set_never_leaves_a_request_to_open_the_firewall(network: Chaos) -> None:
    report = judged(Through(network, PROXIED), plan=QUIET)
    for verdict in report.verdicts:
        if verdict.rule:
            assert verdict.status not in (Status.FAIL, Status.WARN), verdict
            assert not (
                verdict.remedy.startswith("Allow") and verdict.cause.word.partition(".")[0] in LAYERS
            ), verdict


LAYERS = {"tcp", "tls", "http", "crl", "ocsp", "dns"}


def test_behind_a_proxy_what_fails_is_not_tested_and_what_works_passes() -> None:
    report = judged(healthy(facts=PROXIED).when(TlsHandshake, SILENCE, server_name=BOOTSTRAP))
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tcp")} == {"proxy.not-tested"}
    assert "Nothing has to be opened" in rows(report, BOOTSTRAP, "tcp")[0].remedy
    assert only(report, SIGN_IN, "tls", "203.0.113.21").status is Status.PASS
    assert next(c.cause.word for c in report.causes if c.status is not Status.NOTICE) == "proxy.not-tested"


@pytest.mark.parametrize(
    "bypass", ["*", SIGN_IN, ".microsoftonline.com", "*.microsoftonline.com", "a.b; microsoftonline.com"]
)
def test_a_name_that_goes_round_the_proxy_is_judged_as_if_there_were_none(bypass: str) -> None:
    facts = replace(HOST, proxies=(replace(PROXY, bypass=bypass),))
    report = judged(healthy(facts=facts).when(TlsHandshake, SILENCE, server_name=SIGN_IN))
    assert {v.cause.word for v in rows(report, SIGN_IN, "tcp")} == {"tcp.timeout"}


@pytest.mark.parametrize("bypass", ["", "localhost", "online.com.example", "oftonline.com", "login"])
def test_a_bypass_list_that_names_others_changes_nothing(bypass: str) -> None:
    facts = replace(HOST, proxies=(replace(PROXY, bypass=bypass),))
    report = judged(healthy(facts=facts).when(TlsHandshake, SILENCE, server_name=SIGN_IN))
    assert {v.cause.word for v in rows(report, SIGN_IN, "tcp")} == {"proxy.not-tested"}


# --- what it carries ---------------------------------------------------------------------------------------------


def test_a_set_that_nobody_reviewed_for_180_days_says_so() -> None:
    old = judged(healthy(), rules_of(SIGN_IN_RULE, reviewed=DAY - datetime.timedelta(days=181)))
    assert old.notes[0].startswith("My list is old: the rule set app was not reviewed for 181 days")
    assert old.rulesets[0].note == "not reviewed for 181 days"
    fresh = judged(healthy(), rules_of(SIGN_IN_RULE, reviewed=DAY - datetime.timedelta(days=180)))
    assert (fresh.notes, fresh.rulesets[0].note) == ((), "")


def test_a_cloud_without_a_published_list_is_told_and_not_proven() -> None:
    china = replace(
        RULES, rulesets=(replace(RULES.rulesets[0], name="china", rules=(), unpublished="no published list"),)
    )
    report = judged(healthy(), china)
    assert report.answer is Answer.NOT_PROVEN
    assert report.notes == ("china: no published list",)


def test_an_audit_that_ran_out_of_time_says_which_option_gives_more() -> None:
    audit = Audit(RULES, PLAN)
    audit.stop("budget")
    assert "--budget" in make_report(audit, START, START, "0").notes[0]


def test_the_place_it_was_tested_from_is_told() -> None:
    vantage = judged(healthy()).vantage
    assert (vantage.user, vantage.sources, vantage.resolvers) == (HOST.user, HOST.sources, HOST.resolvers)
    assert (vantage.tenant, vantage.tenant_source) == (TENANT, "--tenant")
    found = judged(healthy(facts=replace(HOST, tenant=TENANT)), plan=replace(PLAN, tenant=None)).vantage
    assert (found.tenant, found.tenant_source) == (TENANT, "connector")


def test_small_documents_are_kept_whole_and_large_ones_as_facts() -> None:
    small = kept(judged(healthy()))
    assert small.body == crl().body
    many = page(200, crl(ISSUING, tuple(range(1, 4000))).body or b"", content_type="application/pkix-crl")
    large = kept(judged(healthy().when(HttpFetch, many, host=CRL_HOST)))
    assert large.body is None
    assert large.digest is not None
    assert large.digest.signer is not None
    assert large.size > 65_536


def kept(report: Report) -> HttpExchange:
    found = next(
        s.evidence for s in report.observations if isinstance(s.step, HttpFetch) and s.step.host == CRL_HOST
    )
    assert isinstance(found, HttpExchange)
    return found


def test_a_large_revoked_list_is_judged_alike_from_its_facts() -> None:
    from rules.judge.report import replay

    revoked = tuple(range(1, 4000))
    report = judged(healthy().when(HttpFetch, crl(ISSUING, revoked), host=CRL_HOST, target="/issuing.crl"))
    again = replay(report, RULES)
    assert [(v.endpoint, v.status, v.cause) for v in again.verdicts] == [
        (v.endpoint, v.status, v.cause) for v in report.verdicts
    ]


@RANDOM
@given(chaos())
def test_causes_tell_of_every_row_that_is_not_fine(network: Chaos) -> None:
    report = judged(Through(network))
    told = {c.cause for c in report.causes}
    for verdict in report.verdicts:
        if verdict.status not in (Status.PASS, Status.NOT_APPLICABLE) and verdict.cause.word != "ok":
            assert verdict.cause in told
    assert sum(report.summary.values()) == len(report.verdicts)


def test_a_block_page_on_port_80_is_one_cause_with_its_product() -> None:
    report = judged(healthy().when(HttpFetch, BLOCKED), plan=QUIET)
    causes = [c for c in report.causes if c.cause.word == "http.block-page"]
    assert len(causes) == 1
    assert ("product", "Fortinet") in causes[0].details


def test_one_report_of_one_audit_is_always_the_same() -> None:
    audit = run(healthy().when(DnsQuestion, NO_ANSWER, resolver="198.51.100.53").when(TlsHandshake, CUT))
    first = make_report(audit, START, START + 60, "0")
    assert make_report(audit, START, START + 60, "0") == first
    assert RETIRED in {v.endpoint.host for v in first.verdicts if v.endpoint}


def test_a_list_that_another_address_served_is_judged_and_no_connection_is_claimed() -> None:
    audit = goldens.scripted(goldens.moved("203.0.113.99"))
    report = make_report(audit, START, START, "0")
    found = rows(report, CRL_HOST, address="203.0.113.99")
    assert [(v.check, v.status, v.cause.word) for v in found] == [("crl", Status.PASS, "ok")]
    assert report.answer is Answer.YES
    assert "203.0.113.99" not in audit.guard.opened

"""Revocation sources that could not be asked have the cause of their host; a live audit never blames a recording."""

from __future__ import annotations

import pytest

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Status
from tests.rules.script import (
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CRL_HOST,
    NO_ANSWER,
    OCSP_HOST,
    PLAN,
    QUIET,
    REFUSED,
    RULES,
    SILENCE,
    ZONE,
    World,
    healthy,
    judged,
    rows,
    rules_of,
    without,
)


def answered(host: str, answer: DnsAnswer | Failure, os: str) -> World:
    return healthy().when(DnsQuestion, answer, name=host).when(OsLookup, OsAnswer((), os), name=host)


def mid_chain(host: str) -> World:
    """The second name of the host's chain does not exist."""
    return healthy(zone={n: a for n, a in ZONE.items() if n != host}, aliases={host: "edge.example"})


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        (without(OCSP_HOST), "dns.nxdomain"),
        (mid_chain(OCSP_HOST), "dns.chain-broken"),
        (answered(OCSP_HOST, DnsAnswer("SERVFAIL"), "EAI_FAIL"), "dns.servfail"),
        (answered(OCSP_HOST, DnsAnswer("REFUSED"), "EAI_FAIL"), "dns.refused"),
        (healthy(zone={**ZONE, OCSP_HOST: ("0.0.0.0",)}), "dns.sinkholed"),
    ],
)
def test_a_responder_whose_host_does_not_resolve(world: World, cause: str) -> None:
    for known in (RULES, rules_of(BOOTSTRAP_RULE)):
        report = judged(world, known, QUIET)
        (found,) = rows(report, OCSP_HOST, "ocsp")
        assert (found.cause.word, found.status) == (cause, Status.WARN)
        assert "was not fetched" in found.summary


def test_a_list_whose_host_does_not_resolve_is_a_failure_where_no_other_address_has_it() -> None:
    (found,) = rows(judged(without(CRL_HOST), plan=QUIET), CRL_HOST, "crl")
    assert (found.cause.word, found.status) == ("dns.nxdomain", Status.FAIL)
    assert found.evidence, "the questions that failed"


def test_a_host_at_an_address_of_this_network_is_no_failure() -> None:
    report = judged(healthy(zone={**ZONE, OCSP_HOST: ("10.0.0.9",)}), plan=QUIET)
    (found,) = rows(report, OCSP_HOST, "ocsp")
    assert (found.cause.word, found.status) == ("ocsp.unreachable", Status.NOTICE)


#: Networks of every kind, each audited to its end.
NETWORKS = {
    "healthy": healthy(),
    "no list": without(CRL_HOST),
    "no responder": without(OCSP_HOST),
    "neither": without(CRL_HOST, OCSP_HOST),
    "list broken in mid-chain": mid_chain(CRL_HOST),
    "responder broken in mid-chain": mid_chain(OCSP_HOST),
    "service broken in mid-chain": mid_chain(BOOTSTRAP),
    "responder without an answer": healthy().when(DnsQuestion, NO_ANSWER, name=OCSP_HOST),
    "no DNS at all": healthy().when((DnsQuestion, OsLookup), NO_ANSWER),
    "port 80 dropped": healthy().when(HttpFetch, SILENCE),
    "port 80 refused": healthy().when(HttpFetch, REFUSED),
    "port 80 cut": healthy().when(HttpFetch, Failure(Stage.HTTP, Code.RESET)),
    "port 443 dropped": healthy().when(TlsHandshake, SILENCE),
    "six and four": healthy(zone={**ZONE, OCSP_HOST: ("2001:db8::42", *ZONE[OCSP_HOST])}),
    "six alone": healthy(zone={**ZONE, OCSP_HOST: ("2001:db8::42",), CRL_HOST: ("2001:db8::41",)}),
    "private": healthy(zone={**ZONE, OCSP_HOST: ("10.0.0.9",), CRL_HOST: ("10.0.0.8",)}),
    "sinkholed": healthy(zone={**ZONE, OCSP_HOST: ("127.0.0.1",), CRL_HOST: ("0.0.0.0",)}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_live_audit_never_says_that_a_recording_lacks_something(name: str) -> None:
    for plan in (PLAN, QUIET):
        report = judged(NETWORKS[name], plan=plan)
        assert [v for v in report.verdicts if v.cause.word == "audit.not-recorded"] == []

"""Verdicts on resolution: resolvers against each other, against the operating system, and what their answers are."""

from __future__ import annotations

import pytest

from rules.judge.dns_views import resolver_views
from rules.judge.evidence import Context
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Status, Verdict
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    NO_ANSWER,
    NOBODY,
    PLAN,
    RESOLVERS,
    SIGN_IN,
    START,
    TENANT,
    ZONE,
    Answer,
    World,
    by,
    healthy,
    judged,
    only,
    rows,
    run,
    without,
)


def addresses(*found: str, name: str = SIGN_IN) -> DnsAnswer:
    return DnsAnswer("NOERROR", tuple(Record(name, "A", 60, a) for a in found))


def everywhere(dns: Answer, os: OsAnswer | None = None) -> World:
    """All resolvers answer A questions for the sign-in name so, and AAAA with nothing; the system as they do."""
    told = os or OsAnswer((), "EAI_NONAME")
    world = healthy().when(DnsQuestion, dns, name=SIGN_IN)
    if isinstance(dns, DnsAnswer) and dns.rcode == "NOERROR":
        world.when(DnsQuestion, DnsAnswer("NOERROR"), name=SIGN_IN, rtype="AAAA")
    return world.when(OsLookup, told, name=SIGN_IN)


def name_of(world: World) -> Verdict:
    return only(judged(world), SIGN_IN, "dns")


def decided(verdict: Verdict) -> tuple[str, Status]:
    return verdict.cause.word, verdict.status


# --- all agree ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "cause"),
    [
        (DnsAnswer("NXDOMAIN"), "EAI_NONAME", "dns.nxdomain"),
        (DnsAnswer("SERVFAIL"), "EAI_FAIL", "dns.servfail"),
        (DnsAnswer("NOERROR"), "EAI_NODATA", "dns.no-address"),
        (Failure(Stage.DNS, Code.MALFORMED), "EAI_FAIL", "dns.malformed"),
    ],
)
def test_a_name_that_does_not_resolve(answer: Answer, error: str, cause: str) -> None:
    verdict = name_of(everywhere(answer, OsAnswer((), error)))
    assert verdict.status is Status.FAIL
    assert cause == verdict.cause.word or verdict.cause.word == "dns.servfail"
    assert verdict.remedy
    assert verdict.evidence


def test_a_later_name_of_the_chain_that_fails_is_named() -> None:
    broken = DnsAnswer("NXDOMAIN", (Record(SIGN_IN, "CNAME", 60, "gone.example"),))
    verdict = name_of(everywhere(broken))
    assert verdict.cause.word == "dns.chain-broken"
    assert "gone.example" in verdict.summary


def test_a_chain_in_a_circle() -> None:
    loop = (Record(SIGN_IN, "CNAME", 60, "a.example"), Record("a.example", "CNAME", 60, SIGN_IN))
    assert name_of(everywhere(DnsAnswer("NOERROR", loop))).cause.word == "dns.chain-loop"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "169.254.169.254"])
def test_a_dead_end_address_is_a_sinkhole_and_never_connected_to(address: str) -> None:
    world = everywhere(addresses(address), OsAnswer((address,)))
    assert decided(name_of(world)) == ("dns.sinkholed", Status.FAIL)
    assert not [s for s in run(world).seen if isinstance(s, TlsHandshake) and s.address == address]


@pytest.mark.parametrize(("address", "cause"), [("10.9.8.7", "private-address"), ("100.64.3.2", "synthetic")])
def test_private_and_made_up_addresses_are_judged_by_the_certificate_there(address: str, cause: str) -> None:
    genuine = everywhere(addresses(address), OsAnswer((address,)))
    assert decided(name_of(genuine)) == (f"dns.{cause}", Status.NOTICE)
    other = everywhere(addresses(address), OsAnswer((address,))).when(
        TlsHandshake, by(NOBODY), address=address
    )
    assert decided(name_of(other)) == (f"dns.{cause}", Status.FAIL)


def test_an_answer_that_was_cut_short_with_tcp_53_closed() -> None:
    cut = DnsAnswer("NOERROR", addresses("203.0.113.21").records, truncated=True, tcp_failure="refused")
    assert decided(name_of(everywhere(cut, OsAnswer(("203.0.113.21",))))) == ("dns.tcp-blocked", Status.WARN)
    empty = DnsAnswer("NOERROR", (), truncated=True, tcp_failure="refused")
    verdict = name_of(everywhere(empty, OsAnswer((), "EAI_FAIL")))
    assert verdict.status is Status.FAIL


def test_a_link_that_does_not_resolve_by_itself_is_a_warning() -> None:
    world = healthy(aliases={SIGN_IN: "www.tm.example"}, zone=ZONE | {"www.tm.example": ZONE[SIGN_IN]})
    world.when(DnsQuestion, DnsAnswer("REFUSED"), name="www.tm.example")
    verdict = name_of(world)
    assert decided(verdict) == ("dns.chain-broken", Status.WARN)
    assert "when asked for by itself" in verdict.summary


# --- they differ -------------------------------------------------------------------------------------------------


def test_resolvers_of_which_one_fails_disagree() -> None:
    verdict = name_of(healthy().when(DnsQuestion, DnsAnswer("NXDOMAIN"), name=SIGN_IN, resolver=RESOLVERS[1]))
    assert decided(verdict) == ("dns.resolvers-disagree", Status.WARN)
    assert RESOLVERS[1] in verdict.summary


def test_other_addresses_are_no_disagreement_and_another_zone_is_a_notice() -> None:
    world = healthy().when(
        DnsQuestion, addresses("203.0.113.99"), name=SIGN_IN, rtype="A", resolver=RESOLVERS[1]
    )
    assert name_of(world).status is Status.PASS
    chain = DnsAnswer("NOERROR", (Record(SIGN_IN, "CNAME", 60, "x.cdn.example"),
                                  Record("x.cdn.example", "A", 60, "203.0.113.21")))  # fmt: skip
    both = ZONE | {"x.cdn.example": ("203.0.113.21",)}
    other = healthy(zone=both).when(DnsQuestion, chain, name=SIGN_IN, rtype="A", resolver=RESOLVERS[1])
    assert decided(name_of(other)) == ("dns.resolvers-disagree", Status.NOTICE)


def test_a_hosts_file_pin_that_works_is_a_notice_and_one_that_does_not_a_failure() -> None:
    pinned = healthy().when(OsLookup, OsAnswer(("203.0.113.66",)), name=SIGN_IN)
    assert decided(name_of(pinned)) == ("dns.os-differs", Status.NOTICE)
    assert TlsHandshake("203.0.113.66", 443, SIGN_IN) in run(pinned).seen
    system = healthy(system=(*healthy().system, *by_corporate()))
    wrong = system.when(OsLookup, OsAnswer(("203.0.113.66",)), name=SIGN_IN)
    wrong.when(TlsHandshake, by(CORPORATE), address="203.0.113.66")
    assert decided(name_of(wrong)) == ("dns.os-differs", Status.FAIL)


def by_corporate() -> tuple[bytes, ...]:
    from tests import pki

    return (pki.der(CORPORATE.certificate),)


def test_a_name_that_only_the_operating_system_cannot_resolve() -> None:
    verdict = name_of(healthy().when(OsLookup, OsAnswer((), "EAI_NONAME"), name=SIGN_IN))
    assert decided(verdict) == ("dns.os-differs", Status.FAIL)


def test_a_name_that_only_the_operating_system_resolves_is_a_warning() -> None:
    verdict = name_of(healthy().when(DnsQuestion, DnsAnswer("NXDOMAIN"), name=SIGN_IN))
    assert decided(verdict) == ("dns.os-differs", Status.WARN)


def test_a_dead_resolver_has_no_say() -> None:
    world = healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[0])
    found = resolver_views(Context(run(world), START), SIGN_IN)
    assert [view.resolver for view in found] == [RESOLVERS[1], "os"]
    assert name_of(world).status is Status.PASS


def test_a_resolver_that_answers_every_name_with_one_address() -> None:
    page = "203.0.113.200"
    world = healthy().when(DnsQuestion, lambda step: addresses(page, name=step.name), rtype="A")  # type: ignore[union-attr]
    world.when(OsLookup, OsAnswer((page,)))
    verdict = name_of(world.when(TlsHandshake, by(NOBODY)))
    assert verdict.cause.word in ("dns.wildcarded", "dns.os-differs", "dns.resolvers-disagree")
    view = resolver_views(Context(run(world), START), SIGN_IN)[0]
    assert (view.word, view.addresses) == ("wildcarded", (page,))


# --- what is told ------------------------------------------------------------------------------------------------


def test_a_tenant_s_name_that_does_not_exist_asks_for_the_tenant_id_first() -> None:
    verdict = only(judged(without(BOOTSTRAP)), BOOTSTRAP, "dns")
    assert decided(verdict) == ("dns.nxdomain", Status.FAIL)
    assert TENANT in verdict.remedy


def test_what_was_never_resolved_is_open() -> None:
    report = judged(healthy(), lost=lambda step: isinstance(step, DnsQuestion | OsLookup))
    assert {v.status for v in rows(report, check="dns")} == {Status.INCONCLUSIVE}


def test_the_canary_is_a_name_of_this_run() -> None:
    assert any(
        isinstance(s, DnsQuestion) and s.name == f"wayclear-{PLAN.nonce}.example.com"
        for s in run(healthy()).seen
    )

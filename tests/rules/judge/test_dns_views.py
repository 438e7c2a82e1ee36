"""What a resolver makes of a name, and what its answer says of the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.judge.dns_views import ResolverView, resolver_views, view_text
from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Status, Verdict
from tests.rules.script import (
    BOOTSTRAP,
    HOST,
    NO_ANSWER,
    NOBODY,
    RELAYS,
    RESOLVERS,
    SIGN_IN,
    START,
    TENANT,
    World,
    by,
    healthy,
    judged,
    only,
    rows,
    run,
)

ALIAS = "login.privatelink.example"
ZONE = "privatelink.example"


def unresolved(answer: DnsAnswer | Failure, name: str = SIGN_IN, error: str = "EAI_NONAME") -> World:
    """All resolvers give this answer for a name, the operating system none."""
    return healthy().when(DnsQuestion, answer, name=name).when(OsLookup, OsAnswer((), error), name=name)


def view_of(world: World, name: str = SIGN_IN) -> ResolverView:
    return resolver_views(Context(run(world), START), name)[0]


def name_of(world: World, name: str = SIGN_IN) -> Verdict:
    return only(judged(world), name, "dns")


def aliased(rcode: str, soa: str = "", name: str = SIGN_IN, target: str = ALIAS) -> DnsAnswer:
    return DnsAnswer(rcode, (Record(name, "CNAME", 60, target),), negative=bool(soa), soa=soa)


# --- the resolver's own word ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR", "SERVFAIL", "REFUSED"])
@pytest.mark.parametrize("code", [4, 15, 16, 17])
def test_a_name_that_the_resolver_says_it_blocks(rcode: str, code: int) -> None:
    said = f"{code} Name: by the policy"
    world = unresolved(DnsAnswer(rcode, ede=said, ede_codes=(code,)))
    verdict = name_of(world)
    assert (verdict.cause.word, verdict.status, verdict.circumstance) == (
        "dns.sinkholed",
        Status.FAIL,
        "own-word",
    )
    assert f'by the resolver\'s own word ("{said}")' in verdict.summary
    assert ("the resolver says", said) in verdict.details
    group = next(g for g in judged(world).causes if g.cause.word == "dns.sinkholed")
    assert (group.owner, group.confidence) == ("dns", "likely")
    assert not [s for s in run(world).seen if isinstance(s, DnsQuestion) and (s.attempt > 1 or s.walk)]


def test_a_host_that_the_resolver_says_it_does_not_serve() -> None:
    verdict = name_of(unresolved(DnsAnswer("REFUSED", ede="18 Prohibited", ede_codes=(18,))))
    assert (verdict.cause.word, verdict.circumstance) == ("dns.refused", "own-word")
    assert "access list" in verdict.remedy


def test_a_tenant_s_name_that_is_blocked_asks_for_no_tenant_id() -> None:
    verdict = name_of(
        unresolved(DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,)), BOOTSTRAP), BOOTSTRAP
    )
    assert verdict.cause.word == "dns.sinkholed"
    assert TENANT not in verdict.remedy


def test_blocked_samples_fail_and_are_not_called_old() -> None:
    world = healthy()
    for relay in RELAYS:
        world.when(DnsQuestion, DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,)), name=relay)
        world.when(OsLookup, OsAnswer((), "EAI_NONAME"), name=relay)
    report = judged(world)
    assert {(v.cause.word, v.status) for relay in RELAYS for v in rows(report, relay)} == {
        ("dns.sinkholed", Status.FAIL)
    }
    assert report.answer is Answer.NO
    assert "out of date" not in " ".join(v.summary for v in report.verdicts)
    group = next(g for g in report.causes if g.cause.word == "dns.sinkholed")
    assert group.summary == "3 names are blocked, by the resolver's own word"


def test_one_blocked_sample_beside_others_that_resolve_is_a_warning() -> None:
    world = unresolved(DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,)), RELAYS[0])
    assert name_of(world, RELAYS[0]).status is Status.WARN


@pytest.mark.parametrize("code", [3, 22, 49_152])
def test_a_remark_on_an_answer_that_resolves_is_no_fault(code: int) -> None:
    fine = DnsAnswer("NOERROR", (Record(SIGN_IN, "A", 60, "203.0.113.21"),), ede=f"{code}", ede_codes=(code,))
    world = healthy().when(DnsQuestion, fine, name=SIGN_IN, rtype="A")
    assert name_of(world).status is Status.PASS
    assert name_of(world).details == ()


@pytest.mark.parametrize("genuine", [True, False])
def test_an_address_that_the_resolver_calls_forged_is_judged_by_what_is_there(genuine: bool) -> None:
    """A sign never overrules a proof about the same name and address."""
    forged = DnsAnswer(
        "NOERROR", (Record(SIGN_IN, "A", 60, "203.0.113.66"),), ede="4 Forged answer", ede_codes=(4,)
    )
    world = healthy().when(DnsQuestion, forged, name=SIGN_IN, rtype="A")
    world.when(OsLookup, OsAnswer(("203.0.113.66",)), name=SIGN_IN)
    if not genuine:
        world.when(TlsHandshake, by(NOBODY), address="203.0.113.66")
    verdict = name_of(world)
    assert (verdict.cause.word, verdict.status) == (
        "dns.sinkholed",
        Status.NOTICE if genuine else Status.FAIL,
    )
    others = [v for v in rows(judged(world), SIGN_IN, address="203.0.113.66") if v.status is Status.FAIL]
    assert {v.cause.word for v in others} <= {"tls.intercepted"}


def test_an_address_that_only_one_resolver_calls_forged() -> None:
    forged = DnsAnswer(
        "NOERROR", (Record(SIGN_IN, "A", 60, "203.0.113.66"),), ede="17 Filtered", ede_codes=(17,)
    )
    world = healthy().when(DnsQuestion, forged, name=SIGN_IN, rtype="A", resolver=RESOLVERS[1])
    assert (name_of(world).cause.word, name_of(world).status) == ("dns.resolvers-disagree", Status.WARN)


@pytest.mark.parametrize(
    ("answer", "cause", "circumstance"),
    [
        (DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,)), "dns.sinkholed", "own-word"),
        (DnsAnswer("REFUSED", ede="18 Prohibited", ede_codes=(18,)), "dns.refused", "own-word"),
        (Failure(Stage.DNS, Code.MALFORMED, "x", sign="no-question"), "dns.malformed", "no-question"),
        (Failure(Stage.DNS, Code.WRONG_SOURCE, "answered from 192.0.2.9"), "dns.wrong-source", ""),
    ],
)
def test_where_every_answer_says_what_is_wrong_each_name_fails_of_it(
    answer: DnsAnswer | Failure, cause: str, circumstance: str
) -> None:
    world = healthy().when(DnsQuestion, answer).when(OsLookup, OsAnswer((), "EAI_NONAME"))
    report = judged(world)
    assert report.answer is Answer.NO
    found = {(v.cause.word, v.circumstance) for v in rows(report, check="dns") if v.status is Status.FAIL}
    assert found == {(cause, circumstance)}
    assert not rows(report, cause="local.no-resolver")


def test_a_resolver_that_refuses_every_name_without_a_word() -> None:
    report = judged(
        healthy().when(DnsQuestion, DnsAnswer("REFUSED")).when(OsLookup, OsAnswer((), "EAI_AGAIN"))
    )
    stop = rows(report, check="host")[0]
    assert (stop.cause.word, stop.circumstance) == ("local.no-resolver", "refuses-every-name")
    assert "refuses every name" in stop.summary


# --- a private zone that lacks the record ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rcode", "cause"), [("NXDOMAIN", "dns.chain-broken"), ("NOERROR", "dns.no-address")]
)
def test_a_private_zone_that_lacks_the_record(rcode: str, cause: str) -> None:
    verdict = name_of(unresolved(aliased(rcode, ZONE)))
    assert (verdict.cause.word, verdict.circumstance) == (cause, "private-zone")
    assert ZONE in verdict.remedy
    assert "NxDomainRedirect" in verdict.remedy
    assert f"the private zone {ZONE}, which lacks {ALIAS}" in verdict.summary


@pytest.mark.parametrize(
    ("soa", "target"),
    [
        ("example", ALIAS),  # the public zone above it speaks
        ("", ALIAS),  # nobody says whose zone it is
        ("privatelink.other.example", ALIAS),  # a private zone, and not one of this name
        ("privatelinks.example", "login.privatelinks.example"),
        ("example", "login.example"),
    ],
)
def test_only_the_private_zone_s_own_word_counts(soa: str, target: str) -> None:
    verdict = name_of(unresolved(aliased("NXDOMAIN", soa, target=target)))
    assert (verdict.cause.word, verdict.circumstance) == ("dns.chain-broken", "nxdomain")


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
def test_samples_that_a_private_zone_lacks_are_no_old_samples(rcode: str) -> None:
    world = healthy()
    for relay in RELAYS:
        world.when(DnsQuestion, aliased(rcode, ZONE, relay), name=relay)
        world.when(OsLookup, OsAnswer((), "EAI_NONAME"), name=relay)
    report = judged(world)
    assert {v.status for relay in RELAYS for v in rows(report, relay)} == {Status.FAIL}
    assert report.answer is Answer.NO


# --- the link that fails ---------------------------------------------------------------------------------------------


def chained(answer: DnsAnswer | Failure, whole: DnsAnswer | Failure | None = None) -> World:
    """SIGN_IN -> one.example -> two.example, which is answered so; the whole chain fails."""
    aliases = {SIGN_IN: "one.example", "one.example": "two.example"}
    world = healthy(aliases=aliases, zone=healthy().zone | {"two.example": ("203.0.113.21",)})
    whole = whole or answer
    for rtype in ("A", "AAAA"):
        world.when(DnsQuestion, whole, name=SIGN_IN, rtype=rtype)
        world.when(DnsQuestion, whole, name="one.example", rtype=rtype)
    world.when(DnsQuestion, answer, name="two.example")
    return world.when(OsLookup, OsAnswer((), "EAI_FAIL"), name=SIGN_IN)


@pytest.mark.parametrize(
    ("answer", "circumstance", "words"),
    [
        (DnsAnswer("REFUSED"), "refused", "two.example is refused"),
        (DnsAnswer("SERVFAIL"), "servfail", "two.example cannot be resolved (SERVFAIL)"),
        (DnsAnswer("NXDOMAIN"), "nxdomain", "two.example does not exist"),
        (NO_ANSWER, "timeout", "two.example gets no answer"),
    ],
)
def test_the_link_that_fails_is_named(answer: DnsAnswer | Failure, circumstance: str, words: str) -> None:
    verdict = name_of(chained(answer))
    assert (verdict.cause.word, verdict.circumstance) == ("dns.chain-broken", circumstance)
    assert f"resolves as far as one.example; {words} (at {RESOLVERS[0]})" in verdict.summary
    assert verdict.remedy == remedy(causes.DNS_CHAIN_BROKEN, circumstance)
    assert ("the link that fails", words) in verdict.details
    audit = run(chained(answer))
    walked = [s for s in audit.seen if isinstance(s, DnsQuestion) and s.walk]
    context = Context(audit, START)
    assert set(context.evidence(*(audit.seen[s] for s in walked if s.resolver == RESOLVERS[0]))) <= set(
        verdict.evidence
    )


def test_a_link_that_is_blocked_by_the_resolver_s_own_word() -> None:
    blocked = DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,))
    verdict = name_of(chained(blocked, DnsAnswer("SERVFAIL")))
    assert (verdict.cause.word, verdict.circumstance) == ("dns.sinkholed", "own-word")


def test_a_circle_behind_a_resolver() -> None:
    world = unresolved(DnsAnswer("SERVFAIL"), error="EAI_FAIL")
    world.when(
        DnsQuestion,
        DnsAnswer("NOERROR", (Record(SIGN_IN, "CNAME", 60, "x.example"),)),
        name=SIGN_IN,
        rtype="CNAME",
    )
    world.when(
        DnsQuestion, DnsAnswer("NOERROR", (Record("x.example", "CNAME", 60, SIGN_IN),)), name="x.example"
    )
    assert name_of(world).cause.word == "dns.chain-loop"


def test_a_chain_whose_links_all_resolve_says_so() -> None:
    found = DnsAnswer("NOERROR", (Record("two.example", "A", 60, "203.0.113.21"),))
    world = chained(DnsAnswer("SERVFAIL")).when(
        DnsQuestion, DnsAnswer("NOERROR"), name="two.example", rtype="CNAME"
    )
    verdict = name_of(world.when(DnsQuestion, found, name="two.example", rtype="A"))
    assert verdict.cause.word == "dns.servfail"
    assert "each name of its chain resolves by itself" in verdict.summary


def test_a_name_that_a_living_resolver_is_silent_about_opens_no_port() -> None:
    verdict = name_of(unresolved(NO_ANSWER, error="EAI_AGAIN"))
    assert (verdict.cause.word, verdict.circumstance) == ("dns.timeout", "others-pass")
    assert "port 53" not in verdict.remedy


# --- who sends the answers ---------------------------------------------------------------------------------------------


def test_answers_without_a_question_and_from_elsewhere_name_the_sender_and_no_port() -> None:
    without = name_of(
        unresolved(Failure(Stage.DNS, Code.MALFORMED, "a response", sign="no-question"), error="EAI_AGAIN")
    )
    assert (without.cause.word, without.circumstance) == ("dns.malformed", "no-question")
    assert RESOLVERS[0] in without.remedy
    stray = Failure(Stage.DNS, Code.WRONG_SOURCE, "answered from 192.0.2.9 port 5353")
    elsewhere = name_of(unresolved(stray, error="EAI_AGAIN"))
    assert elsewhere.cause.word == "dns.wrong-source"
    assert "is answered from 192.0.2.9 port 5353, an address that was not asked" in elsewhere.summary
    for verdict in (without, elsewhere):
        assert "Allow" not in verdict.remedy
    broken = name_of(unresolved(Failure(Stage.DNS, Code.MALFORMED, "a name"), error="EAI_AGAIN"))
    assert (broken.cause.word, broken.circumstance) == ("dns.malformed", "")


def test_a_view_is_told_in_its_own_words_or_in_those_of_its_cause() -> None:
    assert view_text(ResolverView("r", "refused")) == "is refused"
    assert (
        view_text(ResolverView("r", "refused", said="is refused to this host")) == "is refused to this host"
    )
    assert view_text(ResolverView("r", "ok")) == "resolves"
    assert view_text(ResolverView("r", "of-tomorrow")) == "of-tomorrow"


# --- a resolver of several ---------------------------------------------------------------------------------------------

SYSTEMS = {
    "Debian GNU/Linux 12": (
        "ask it first and wait for it (5 s",
        "ask it only when those before it do not answer",
    ),
    "Windows Server 2022": ("asks it first and waits a second", "only when one before it has not answered"),
    "Alpine Linux 3.20": ("not known", "not known"),
}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("place", [0, 1])
def test_a_dead_resolver_is_told_by_what_this_host_s_lookups_do_with_it(system: str, place: int) -> None:
    world = healthy(facts=replace(HOST, os=system)).when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[place])
    dead = next(v for v in judged(world).verdicts if not v.rule and v.cause.word == "dns.timeout")
    assert SYSTEMS[system][place] in dead.remedy
    assert dead.circumstance == ("resolver-first", "resolver-later")[place]
    assert "waits for it first" not in dead.remedy

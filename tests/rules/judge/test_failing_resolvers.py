"""Resolvers that resolve nothing beside another that does."""

from __future__ import annotations

import pytest

from rules.audit.names import Names
from rules.judge.failing_resolvers import MIN_ZONES, FailingResolver, failing_resolvers
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.observation import Evidence, Observation
from rules.model.verdict import Endpoint, Status
from tests.rules.script import NO_ANSWER, RESOLVERS, SIGN_IN, ZONE, healthy, judged, of_host, rows

GOOD, BAD = "10.0.0.53", "10.0.0.54"
HOSTS = tuple(f"www.zone{n}.example" for n in range(MIN_ZONES))
REFUSED = DnsAnswer("REFUSED")


def resolved(
    answers: dict[str, DnsAnswer | Failure], hosts: tuple[str, ...] = HOSTS, good: bool = True
) -> dict[str, FailingResolver]:
    """What the second resolver makes of these names: REFUSED where nothing else is said. The first resolves them all."""
    names = Names((GOOD, BAD))
    todo = [step for host in hosts for step in names.ask(host).ask]
    while todo:
        step = todo.pop(0)
        if not isinstance(step, DnsQuestion):
            continue
        said: Evidence | Failure = DnsAnswer("NOERROR", (Record(step.name, "A", 60, "203.0.113.1"),))
        if step.resolver == BAD or not good:
            said = answers.get(step.name, REFUSED)
        outcome = (said, None) if isinstance(said, Failure) else (None, said)
        todo += names.record(Observation(step, 0.0, 0.1, *outcome)).ask
    return failing_resolvers(names)


def test_it_counts_how_many_names_were_tried_and_shows_some_answers() -> None:
    assert set(resolved({})) == {BAD}
    one = resolved({})[BAD]
    assert (one.cause.word, one.circumstance, one.names) == ("dns.refused", "refuses-every-name", len(HOSTS))
    assert one.seen


def test_a_few_names_of_few_zones_are_no_evidence() -> None:
    assert resolved({}, HOSTS[:-1]) == {}
    assert resolved({}, ("a.zone.example", "b.zone.example", "c.zone.example", "d.zone.example")) == {}


def test_nothing_is_said_where_no_other_resolver_resolves_a_name() -> None:
    assert resolved({}, good=False) == {}


@pytest.mark.parametrize(
    "answer",
    [
        DnsAnswer("NOERROR", (Record(HOSTS[0], "A", 60, "203.0.113.9"),)),
        DnsAnswer("NOERROR", (Record(HOSTS[0], "A", 60, "0.0.0.0"),)),
        DnsAnswer("NXDOMAIN", (Record(HOSTS[0], "CNAME", 60, "gone.example"),)),
        DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,)),
        Failure(Stage.DNS, Code.MALFORMED),
        Failure(Stage.DNS, Code.TIMEOUT),
    ],
)
def test_one_name_that_ends_otherwise_makes_it_a_matter_of_names(answer: DnsAnswer | Failure) -> None:
    assert resolved({HOSTS[0]: answer}) == {}


def test_a_fault_of_this_host_says_nothing_of_the_resolver() -> None:
    local = Failure(Stage.LOCAL, Code.STARVED)
    assert resolved({HOSTS[0]: local}, (*HOSTS, "www.more.example"))[BAD].names == len(HOSTS)


def test_different_refusals_are_a_resolver_that_resolves_no_name() -> None:
    assert resolved({HOSTS[0]: DnsAnswer("SERVFAIL")})[BAD].how == "answers, but resolves no name"
    told = resolved({host: DnsAnswer("NXDOMAIN") for host in HOSTS})[BAD]
    assert (told.cause.word, told.circumstance) == ("dns.nxdomain", "knows-no-public-name")


# --- in a report ---------------------------------------------------------------------------------------------------


PROHIBITED = DnsAnswer("REFUSED", ede="18 Prohibited", ede_codes=(18,))


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (DnsAnswer("REFUSED"), "dns.refused", "refuses every name"),
        (PROHIBITED, "dns.refused", "refuses every name"),
        (DnsAnswer("NXDOMAIN"), "dns.nxdomain", "answers, but knows no public name"),
        (
            DnsAnswer("NOERROR"),
            "dns.nxdomain",
            "answers, but knows no public name",
        ),  # a referral, recursion is off
        (DnsAnswer("SERVFAIL"), "dns.servfail", "answers, but resolves no name"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_resolver_that_resolves_nothing_is_one_warning_and_no_disagreement_of_each_name(
    answer: DnsAnswer, cause: str, words: str, place: int
) -> None:
    report = judged(healthy().when(DnsQuestion, answer, resolver=RESOLVERS[place]))
    (finding,) = of_host(report)
    assert (finding.status, finding.cause.word, finding.endpoint) == (
        Status.WARN,
        cause,
        Endpoint(RESOLVERS[place], 53),
    )
    assert f"Resolver {RESOLVERS[place]} {words} (" in finding.summary
    assert RESOLVERS[place] in finding.remedy
    assert "public names" in finding.remedy
    assert finding.evidence
    assert {v.status for v in rows(report, check="dns") if v.rule} == {Status.PASS, Status.INCONCLUSIVE}
    assert (report.answer.value, report.exit_code) == ("yes", 1)


def test_a_resolver_that_resolves_one_name_disagrees_about_the_others() -> None:
    world = healthy().when(DnsQuestion, DnsAnswer("REFUSED"), resolver=RESOLVERS[1])
    known = DnsAnswer("NOERROR", (Record(SIGN_IN, "A", 60, ZONE[SIGN_IN][0]),))
    world.when(DnsQuestion, known, resolver=RESOLVERS[1], name=SIGN_IN)
    report = judged(world)
    assert of_host(report) == []
    disagreed = {
        v.endpoint.host for v in report.verdicts if v.cause.word == "dns.resolvers-disagree" and v.endpoint
    }
    assert SIGN_IN not in disagreed
    assert len(disagreed) > 2


def test_a_resolver_that_says_that_it_blocks_names_is_no_resolver_that_knows_none() -> None:
    blocked = DnsAnswer("NXDOMAIN", ede="15 Blocked", ede_codes=(15,))
    report = judged(healthy().when(DnsQuestion, blocked, resolver=RESOLVERS[1]))
    assert of_host(report) == []
    assert "dns.resolvers-disagree" in {v.cause.word for v in report.verdicts}


def test_two_resolvers_that_resolve_nothing_are_not_told_apart() -> None:
    """The operating system resolves by another way: nothing shows that a resolver of this host is the good one."""
    report = judged(healthy().when(DnsQuestion, DnsAnswer("REFUSED")))
    assert of_host(report) == []
    assert "dns.os-differs" in {v.cause.word for v in report.verdicts}


def test_a_dead_resolver_beside_one_that_refuses_every_name_is_judged_as_before() -> None:
    world = healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[0])
    report = judged(world.when(DnsQuestion, DnsAnswer("REFUSED"), resolver=RESOLVERS[1]))
    assert [v.cause.word for v in of_host(report)] == ["dns.timeout"]

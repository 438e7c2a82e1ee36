"""Resolvers that resolve nothing beside another that does."""

from __future__ import annotations

import pytest

from rules.barren import MIN_ZONES, Barren, barren
from rules.failure import Code, Failure, Stage
from rules.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.names import Names
from rules.observation import Evidence, Observation

GOOD, BAD = "10.0.0.53", "10.0.0.54"
HOSTS = tuple(f"www.zone{n}.example" for n in range(MIN_ZONES))
REFUSED = DnsAnswer("REFUSED")


def resolved(
    answers: dict[str, DnsAnswer | Failure], hosts: tuple[str, ...] = HOSTS, good: bool = True
) -> dict[str, Barren]:
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
        failure = said if isinstance(said, Failure) else None
        seen = Observation(step, 0.0, 0.1, failure, None if failure else said)  # type: ignore[arg-type]  # see `failure`
        todo += names.record(seen).ask
    return barren(names)


def test_it_counts_how_many_names_were_tried_and_shows_some_answers() -> None:
    assert set(resolved({})) == {BAD}
    one = resolved({})[BAD]
    assert (one.cause, one.circumstance, one.names) == ("dns.refused", "refuses-every-name", len(HOSTS))
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
    assert (told.cause, told.circumstance) == ("dns.nxdomain", "knows-no-public-name")

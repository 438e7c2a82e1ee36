"""What is told of breaks and repairs at the shipped schedule: once, and no more than is so."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter

import pytest

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step
from rules.model.ruleset import Rule
from rules.model.verdict import Answer
from rules.watch.confirmation import PATIENCE
from tests.rules.script import (
    ALL,
    BOOTSTRAP,
    CRL_HOST,
    CRL_RULE,
    CUT,
    ISSUING,
    OCSP_RULE,
    RESOLVERS,
    SILENCE,
    ZONE,
    World,
    crl,
    healthy,
    rules_of,
)
from tests.virtual.hours import SLOW, Clock, Hours, going, run
from tests.virtual.networks import listed

REFUSED = Failure(Stage.TCP, Code.REFUSED)
HOUR = 3600.0


def is_bootstrap(step: Step) -> bool:
    return isinstance(step, TlsHandshake) and step.server_name == BOOTSTRAP and step.hello == "connector"


def is_list(step: Step) -> bool:
    return isinstance(step, HttpFetch) and step.purpose == "crl"


# --- breaks and repairs ------------------------------------------------------------------------------------------------------


#: Offsets come from a connector's name, and a judgement takes longer on a slow machine: neither may decide what is told.
ELSEWHERE = [
    pytest.param(addresses, rate, f"connector {n}", judging, marks=pytest.mark.proof)
    for n in range(20)
    for judging in (0.0, 0.03, 0.4)
    for addresses, rate in ((1, 0.5), (2, 0.5), (4, 0.5), (2, 0.0))
]


@pytest.mark.parametrize(
    ("addresses", "rate", "connector", "judging"),
    [(1, 0.5, "c", 0.0), (2, 0.5, "c", 0.4), (4, 0.5, "h12", 0.03), (2, 0.0, "c", 0.0), *ELSEWHERE],
)
def test_a_repair_of_everything_is_told_as_one(
    addresses: int, rate: float, connector: str, judging: float
) -> None:
    """No name is half broken on its way, and the connector not degraded; nobody waits longer than is said."""

    async def story(clock: Clock) -> None:
        world, rules = listed(addresses)
        async with going(clock, world, rules, rate, connector=connector) as here:
            await here.settle()
            broken = clock.mono
            world.when((TlsHandshake, HttpFetch), SILENCE)
            await asyncio.sleep(HOUR)
            assert here.judged[-1].settled.answer is Answer.NO
            met = broken + here.asked(broken, lambda step: isinstance(step, TlsHandshake))[0] + SLOW
            assert met - broken < 60 + SLOW, "each service name has its turn within a minute"
            assert here.told[0][0] - met < PATIENCE + here.appliance.schedule.retry, (
                "then the next answer tells it"
            )
            assert here.changes() <= {("pass", "warn"), ("warn", "fail"), ("pass", "fail")}
            here.told.clear()
            world.script.clear()
            repaired = clock.mono
            await asyncio.sleep(HOUR)
            assert here.changes() == {("fail", "pass")}
            assert here.answers() == [("no", "yes")]
            assert here.told[-1][0] - repaired < 900

    run(story, judging)


@pytest.mark.parametrize(
    ("purpose", "sources"),
    [("ocsp", (CRL_RULE, OCSP_RULE)), ("crl", (CRL_RULE, OCSP_RULE)), ("crl", (OCSP_RULE,))],
)
def test_a_list_that_failed_as_an_outage_began_is_asked_for_before_the_repair_is_told(
    purpose: str, sources: tuple[Rule, ...]
) -> None:
    """No certificate names it while none is seen, so it is not asked for meanwhile; its next turn may be hours away."""
    broken = False

    def breaks(step: Step) -> Failure:
        nonlocal broken
        broken = True
        return SILENCE

    async def story(clock: Clock) -> None:
        world, rules = listed(1, sources=sources)
        async with going(clock, world, rules) as here:
            await here.settle()
            world.when(HttpFetch, breaks, purpose=purpose)
            await here.until(lambda: broken)
            world.when((TlsHandshake, HttpFetch), SILENCE)
            await asyncio.sleep(HOUR)
            assert here.judged[-1].settled.answer is Answer.NO
            here.told.clear()
            world.script.clear()
            await asyncio.sleep(8 * HOUR)
            assert here.changes() == {("fail", "pass")}
            assert here.answers() == [("no", "yes")]

    run(story)


def test_one_address_of_four_is_told_and_no_more() -> None:
    async def story(clock: Clock) -> None:
        world, rules = listed(4)
        async with going(clock, world, rules) as here:
            await here.settle()
            world.when(TlsHandshake, SILENCE, address=world.zone[BOOTSTRAP][1])
            await asyncio.sleep(HOUR)
            world.script.clear()
            await asyncio.sleep(HOUR)
            named = [(before, after) for _, _, before, after in here.told]
            assert named == [("pass", "warn"), ("yes", "degraded"), ("warn", "pass"), ("degraded", "yes")]

    run(story)


@pytest.mark.parametrize(("given", "ttl"), [(1, 10), (2, 30)])
def test_a_name_whose_addresses_rotate_is_repaired_once(given: int, ttl: int) -> None:
    """Addresses that failed during the outage come back in its answers for a day."""
    pool, dice = [f"203.0.113.{n}" for n in range(100, 130)], random.Random(1)

    async def story(clock: Clock) -> None:
        turns: dict[int, tuple[str, ...]] = {}

        def now() -> tuple[str, ...]:
            return turns.setdefault(int(clock.mono // ttl), tuple(dice.sample(pool, given)))

        def answer(step: Step) -> DnsAnswer:
            assert isinstance(step, DnsQuestion)
            found = now() if step.rtype == "A" else ()
            return DnsAnswer("NOERROR", tuple(Record(BOOTSTRAP, "A", ttl, a) for a in found))

        world = healthy()
        world.when(OsLookup, lambda _: OsAnswer(now(), ""), name=BOOTSTRAP)
        world.when(DnsQuestion, answer, name=BOOTSTRAP)
        async with going(clock, world) as here:
            await here.settle()
            world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
            await asyncio.sleep(HOUR / 2)
            assert here.answers() == [("yes", "no")]
            here.told.clear()
            world.script.pop()
            await asyncio.sleep(2 * HOUR)
            assert here.answers() == [("no", "yes")]

    run(story)


def test_what_fails_for_days_holds_up_neither_the_service_nor_its_repair() -> None:
    """The answer does not wait for it, and the service keeps its rounds."""

    async def story(clock: Clock) -> None:
        world, rules = listed(1, sign_in=60)
        async with going(clock, world, rules) as here:
            await here.settle()
            for name in world.zone:
                if name.endswith("microsoftonline.com"):
                    world.when(TlsHandshake, REFUSED, server_name=name)
            await asyncio.sleep(2 * HOUR)
            assert here.answers() == [("yes", "degraded")]
            world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
            await asyncio.sleep(HOUR / 2)
            here.told.clear()
            world.script.pop()
            repaired = clock.mono
            await asyncio.sleep(HOUR / 2)
            assert here.answers() == [("no", "degraded")]
            assert here.told[-1][0] - repaired < 120
            turns = [0.0, *here.asked(repaired, is_bootstrap)]
            assert max(b - a for a, b in itertools.pairwise(turns)) < 70

    run(story)


def test_what_the_answer_waits_for_does_not_stand_before_the_service() -> None:
    """After an outage of everything, sixty names stay broken: asked all at once they would keep it waiting for minutes."""

    async def story(clock: Clock) -> None:
        world, rules = listed(1, sign_in=60)
        async with going(clock, world, rules) as here:
            await here.settle()
            world.when((TlsHandshake, HttpFetch), SILENCE)
            await asyncio.sleep(2 * HOUR)
            world.script.clear()
            for name in world.zone:
                if name.endswith("microsoftonline.com"):
                    world.when(TlsHandshake, REFUSED, server_name=name)
            here.told.clear()
            repaired = clock.mono
            await asyncio.sleep(HOUR / 2)
            assert here.answers() == [("no", "degraded")]
            turns = [0.0, *here.asked(repaired, is_bootstrap)]
            assert (
                max(b - a for a, b in itertools.pairwise(turns)) < 110
            )  # 90 with eight at a time, 136 with all

    run(story)


# --- names ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["system", "second resolver"])
def test_one_wrong_answer_about_a_name_is_none(way: str) -> None:
    """Handshakes that go well meanwhile are no second look at the name, and it has one before the next hour."""

    async def story(clock: Clock) -> None:
        world, rules = listed(1)
        wrong = {"system": OsLookup, "second resolver": DnsQuestion}[way]

        def is_wrong(step: Step) -> bool:
            if isinstance(step, DnsQuestion):
                return wrong is DnsQuestion and (step.name, step.resolver) == (BOOTSTRAP, RESOLVERS[1])
            return isinstance(step, OsLookup) and wrong is OsLookup and step.name == BOOTSTRAP

        async with going(clock, world, rules) as here:
            await here.settle()
            begun, before = clock.mono, len(here.judged)
            if way == "system":
                world.when(OsLookup, OsAnswer((), "EAI_NONAME"), name=BOOTSTRAP)
            else:
                world.when(DnsQuestion, DnsAnswer("NXDOMAIN", ()), name=BOOTSTRAP, resolver=RESOLVERS[1])
            await here.until(lambda: bool(here.asked(begun, is_wrong)))
            await asyncio.sleep(2.0)
            world.script.clear()
            await asyncio.sleep(HOUR / 2)
            assert any(made.settled.differing for made in here.judged[before:]), "it was seen"
            assert here.told == []

    run(story)


# --- lists ---------------------------------------------------------------------------------------------------------------------


def lists_at(addresses: int) -> World:
    return healthy(zone={**ZONE, CRL_HOST: tuple(f"203.0.113.{100 + n}" for n in range(addresses))})


async def fetched(here: Hours, hours: float) -> list[float]:
    begun = here.clock.mono
    await asyncio.sleep(hours * HOUR)
    return here.asked(begun, is_list)


@pytest.mark.parametrize("connector", ["c", "x0"])
def test_an_old_list_at_one_of_two_addresses_is_not_fetched_all_day(connector: str) -> None:
    """A list is megabytes."""

    async def story(clock: Clock) -> None:
        world = lists_at(2)
        world.when(HttpFetch, lambda step: crl(ISSUING, (), 30) if is_list(step) else world._normal(step),
                   address=world.zone[CRL_HOST][1])  # fmt: skip
        async with going(clock, world, rules_of(*ALL), connector=connector) as here:
            await here.settle()
            assert 4 <= len(await fetched(here, 24)) <= 24

    run(story)


@pytest.mark.parametrize("connector", ["c", "host2", "host3", "n4"])
def test_a_resolver_that_fails_now_and_then_for_a_list_s_host_costs_no_fetch(connector: str) -> None:
    async def story(clock: Clock) -> None:
        world = healthy()

        def flapping(step: Step) -> DnsAnswer:
            assert isinstance(step, DnsQuestion)
            bad = (clock.mono // 60) % 20 == 0
            return DnsAnswer("SERVFAIL", ()) if bad else world._resolve(step.name, step.rtype)

        world.when(DnsQuestion, flapping, name=CRL_HOST, resolver=RESOLVERS[0])
        async with going(clock, world, rules_of(*ALL), connector=connector) as here:
            await here.settle()
            before = len(here.judged)
            assert len(await fetched(here, 6)) <= 2
            assert any(made.settled.misnamed for made in here.judged[before:]), "it was seen"

    run(story)


@pytest.mark.parametrize("failure", [SILENCE, CUT])
def test_a_list_that_was_long_not_to_be_had_is_soon_seen_to_be_there_again(failure: Failure) -> None:
    async def story(clock: Clock) -> None:
        world = lists_at(1)
        async with going(clock, world, rules_of(*ALL)) as here:
            await here.settle()
            world.when(HttpFetch, failure, host=CRL_HOST)
            turns = await fetched(here, 9)
            assert max(Counter(int(at // HOUR) for at in turns[20:]).values()) <= 8, "second tries among them"
            here.told.clear()
            world.script.clear()
            await fetched(here, 0.5)
            assert here.answers()[-1][1] == "yes"

    run(story)

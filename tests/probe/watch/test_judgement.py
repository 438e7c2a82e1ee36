"""What a judgement wants: second looks at once, documents by their life, extra observations, resolvers' heartbeats."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import pytest

from probe.config.service import Intervals
from probe.watch import judgement
from rules.audit.targets import targets
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from rules.pki.revocation import digest_crl
from rules.watch.confirmation import Confirmation, Moment, status_word
from rules.watch.memory import ROUND, Memory
from rules.watch.targets import TargetRecords
from tests import pki
from tests.probe.internet import CRL_PATH, LISTS, RELAY, RESOLVERS, SIGN_IN, ZONE, Internet, Name
from tests.probe.looped import (
    KEEN,
    QUICK,
    STILL,
    House,
    entry,
    extras,
    going,
    house,
    looping,
    since,
    until,
)
from tests.rules import goldens
from tests.rules.script import (
    ALL,
    BOOTSTRAP,
    CRL_HOST,
    CRL_RULE,
    HOST,
    ISSUING,
    PLAN,
    RELAYS,
    RULES,
    SILENCE,
    START,
    healthy,
    page,
    rules_of,
)
from tests.rules.script import ZONE as SCRIPTED


def chained(tmp_path: Path) -> Internet:
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], aliases=("one.edge.example",))
    return net


@pytest.mark.parametrize("what", ["nothing", "forged", "reset", "chain"])
@looping
async def test_extra_observations_come_on_change_and_on_failure_else_by_the_hour(
    tmp_path: Path, what: str
) -> None:
    """TLS 1.3 and the large hello with the handshake of their name; links one by one with its chain."""
    net = chained(tmp_path)
    async with house(net, KEEN) as here, going(here):
        await until(
            lambda: extras(here, 0.0) >= {("tls13", RELAY), ("large", RELAY), ("link", "one.edge.example")},
            5,
        )
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        if what == "chain":
            net.zone[RELAY] = Name(ZONE[RELAY], aliases=("one.edge.example", "two.edge.example"))
            await until(lambda: ("link", "one.edge.example") in extras(here, begun))
            return
        if what != "nothing":
            for address in ZONE[RELAY]:
                net.places[address] = what  # type: ignore[assignment]  # one of the parameters
            await until(lambda: {("tls13", RELAY), ("large", RELAY)} <= extras(here, begun))
        await asyncio.sleep(1.0)
        found = extras(here, begun)
        links = {
            one for one in found if one[0] == "link"
        }  # a target that differs is asked in every way: its chain's links too
        assert {name for _, name in found - links} == (set() if what == "nothing" else {RELAY})
        assert what != "nothing" or not found


@looping
async def test_a_list_is_fetched_by_its_life_wherever_a_rule_names_it(tmp_path: Path) -> None:
    """A list is megabytes: that its host is looked at every quarter of an hour brings no fetch."""
    key = ("document", ("crl", LISTS, 80, CRL_PATH, None))
    net = Internet(tmp_path, life=datetime.timedelta(days=1, seconds=8000))
    async with house(net, replace(STILL, sign_in=0.25, revocation=6 * 3600)) as here, going(here):
        found = entry(here, key)
        assert found.kind == "revocation"
        assert found.interval == pytest.approx(2000, abs=20)
        begun = time.monotonic()
        await until(lambda: len(since(net, begun, SIGN_IN)) >= 4)
        assert not since(net, begun, LISTS)
        assert [q for q in net.asked if q.at > begun and q.name == LISTS], "but its name is resolved"
        here.appliance.schedule.advance(key, time.monotonic())
        await until(
            lambda: any(hit.path for hit in since(net, begun, LISTS))
        )  # the request, not the connection
        assert [hit.path for hit in since(net, begun, LISTS)] == [CRL_PATH]


@pytest.mark.parametrize(
    ("life", "longest", "expected"),
    [
        (7 * 86_400, 21_600, 21_600),
        (86_400 + 8000, 21_600, 2000),
        (86_400 + 100, 21_600, judgement.SHORTEST_LIFE),
    ],
)
@looping
async def test_a_quarter_of_what_is_left_and_neither_too_often_nor_too_rarely(
    tmp_path: Path, life: int, longest: float, expected: float
) -> None:
    net = Internet(tmp_path, life=datetime.timedelta(seconds=life))  # issued a day ago
    async with house(net, replace(STILL, revocation=longest)) as here:
        found = entry(here, ("document", ("crl", LISTS, 80, CRL_PATH, None)))
        assert found.interval == pytest.approx(expected, abs=20)


@looping
async def test_a_list_that_cannot_be_had_is_tried_again_sooner_and_at_another_address(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.zone[LISTS] = Name(("20.50.4.1", "20.50.4.2"))
    async with house(net, replace(STILL, retry=0.2)) as here, going(here):
        begun = time.monotonic()
        net.places["20.50.4.1"] = net.places["20.50.4.2"] = "reset"
        here.appliance.schedule.advance(("document", ("crl", LISTS, 80, CRL_PATH, None)), begun)
        await until(lambda: {hit.address for hit in since(net, begun, LISTS)} == {"20.50.4.1", "20.50.4.2"})


@looping
async def test_a_list_whose_change_waits_is_fetched_again_before_its_life_is_over(tmp_path: Path) -> None:
    """That its host's name still resolves confirms nothing, and its next regular turn is hours away."""
    key = ("document", ("crl", LISTS, 80, CRL_PATH, None))
    net = Internet(tmp_path)
    async with house(net, replace(STILL, retry=0.2)) as here, going(here):
        (address,) = ZONE[LISTS]
        for place, after in (("reset", "fail"), ("genuine", "pass")):
            net.places[address] = place  # type: ignore[assignment]  # one of its ways
            here.appliance.schedule.advance(key, time.monotonic())
            await until(lambda after=after: told_of(here, LISTS) == after, 5)  # type: ignore[misc]  # binds this turn's
        begun = time.monotonic()
        await asyncio.sleep(1.0)
        assert not since(net, begun, LISTS), "and then it has its life again"


def told_of(here: House, host: str) -> str:
    (target,) = [t for t in here.judged[-1].settled.targets if t.host == host]
    return status_word(target.status)


# --- resolvers ------------------------------------------------------------------------------------------------------------


def resolving(tmp_path: Path) -> Internet:
    """Names whose TTLs are longer than any test."""
    net = Internet(tmp_path)
    for name in net.zone.values():
        name.ttl = 3600
    return net


@looping
async def test_a_resolver_that_dies_is_noticed_by_its_heartbeat_and_by_second_opinions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judgement.HEARTBEAT == 30
    monkeypatch.setattr(judgement, "HEARTBEAT", 0.5)
    net = resolving(tmp_path)
    async with house(net, replace(STILL, retry=0.2)) as here, going(here):
        net.dead.add(RESOLVERS[0])
        died = time.monotonic()
        await until(lambda: (RESOLVERS[0], False) in here.judged[-1].ways.resolvers, 15)
        asked = {q.name for q in net.asked if q.at > died and q.resolver == RESOLVERS[0]}
        assert len(asked) >= 4, "one name's fault would not be the resolver's"
        assert not since(net, died, RELAY), "the path was not asked for it"
        assert here.judged[-1].ways.resolvers[1] == (RESOLVERS[1], True)
        net.dead.clear()
        await until(lambda: (RESOLVERS[0], True) in here.judged[-1].ways.resolvers, 15)
        await until(
            lambda: not [v for v in here.judged[-1].report.verdicts if v.cause.word == "dns.timeout"], 15
        )


@looping
async def test_when_every_resolver_is_down_the_addresses_of_before_are_asked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two findings: the resolver is down, and the path to what was last good is not."""
    monkeypatch.setattr(judgement, "HEARTBEAT", 0.5)
    net = Internet(tmp_path)
    async with house(net, replace(QUICK, retry=0.2)) as here, going(here):
        net.dead |= set(RESOLVERS)
        await until(lambda: not any(alive for _, alive in here.judged[-1].ways.resolvers), 15)
        begun = time.monotonic()
        await until(lambda: since(net, begun, RELAY))
        states = {a.address: a for a in here.appliance.tracks.record_of((RELAY, 443)).addresses.values()}
        assert set(states) == set(ZONE[RELAY])
        assert all(state.stale and state.ok for state in states.values())


# --- second looks ---------------------------------------------------------------------------------------------------------


@looping
async def test_new_names_are_asked_for_at_once_and_one_address_of_theirs(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, STILL) as here:
        fresh = tuple(f"20.50.2.{n}" for n in range(11, 15))
        net.zone[RELAY] = Name(fresh)
        await here.appliance.prepare(here.appliance.watched[(RELAY, 443)])
        memory = here.appliance.memory.copy()
        made = judgement.judge(
            here.rules, here.appliance.memory.plan(here.plan, (RELAY,)), memory, here.appliance.tracks,
            here.appliance._confirmation, STILL, Moment(time.time(), time.monotonic(), time.monotonic()), {},
        )  # fmt: skip
        wanted = [s for s in made.urgent if isinstance(s, TlsHandshake) and s.server_name == RELAY]
        assert len(wanted) == 1
        assert wanted[0].address in fresh
        assert set(made.ways.candidates[RELAY]) == set(fresh)
        assert made.ways.seconds > 0


# --- judgements by themselves, of scripted networks and of recordings -----------------------------------------------------


def moment(now: float) -> Moment:
    return Moment(now, now - START, now - START)


def by_itself(
    memory: Memory, known: Rules = RULES, plan: Plan = PLAN, now: float = START
) -> judgement.Judgement:
    hosts = tuple(dict.fromkeys(t.host for t in targets(known, plan.tenant, plan.only) if t.host))
    planned = memory.plan(plan, hosts)
    return judgement.judge(
        known, planned, memory, TargetRecords(), Confirmation(), Intervals(), moment(now), {}
    )


def probes(made: judgement.Judgement) -> dict[Hashable, judgement.ScheduledProbe]:
    return {probe.key: probe for probe in made.probes}


@pytest.mark.parametrize("name", goldens.NAMES[::9])
def test_a_recording_is_judged_and_leaves_nothing_urgent_but_second_looks(name: str) -> None:
    report = goldens.recorded(name)
    made = by_itself(goldens.memory_of(report.observations), goldens.rules(), report.plan, report.started)
    assert made.report.answer is made.settled.answer
    assert goldens.decided(made.report) == goldens.decided(goldens.usual(name))
    assert not [step for step in made.urgent if step.attempt == 1], (
        "an audit has asked for everything already"
    )
    assert all(wish.interval > 0 for wish in made.probes)
    assert len(probes(made)) == len(made.probes)


def test_a_healthy_network_leaves_nothing_urgent() -> None:
    made = by_itself(goldens.of_world(healthy()))
    assert made.urgent == made.void == ()
    assert {t.name for t in made.settled.targets} >= {f"{BOOTSTRAP}:443", f"{CRL_HOST}:80"}
    assert made.ways.candidates[BOOTSTRAP] == SCRIPTED[BOOTSTRAP]
    assert {q.rtype for q in made.ways.questions[BOOTSTRAP]} == {"A", "AAAA"}
    assert made.host == HOST


def test_a_list_that_comes_to_be_known_is_fetched_although_its_host_serves_others() -> None:
    """A service that is closed at the start shows its certificates, and so its lists, when it is opened."""
    memory = goldens.of_world(healthy())
    other = replace(CRL_RULE.documents[0], path="/other.crl")
    known = rules_of(*ALL, replace(CRL_RULE, id="other", documents=(other,)))
    assert by_itself(memory).urgent == ()
    (step,) = by_itself(memory, known).urgent
    assert isinstance(step, HttpFetch)
    assert (step.host, step.target, step.address) == (CRL_HOST, "/other.crl", SCRIPTED[CRL_HOST][0])


def test_a_doubtful_answer_makes_its_second_look_urgent_and_holds_the_target() -> None:
    memory = goldens.of_world(healthy())
    confirmation, tracks = Confirmation(), TargetRecords()
    plan = memory.plan(PLAN, tuple(SCRIPTED))
    judgement.judge(RULES, plan, memory, tracks, confirmation, Intervals(), moment(START), {})
    step = next(s for s in memory.known if isinstance(s, TlsHandshake) and s.server_name == RELAYS[0])
    memory.record(Observation(step, START + 60, 5.0, SILENCE))
    made = judgement.judge(RULES, plan, memory, tracks, confirmation, Intervals(), moment(START + 61), {})
    assert replace(step, attempt=2) in made.urgent
    assert made.settled.differing == {(RELAYS[0], 443)}
    assert made.settled.transitions == ()


@pytest.mark.parametrize(("route", "every"), [(True, judgement.HOST_EVERY), (False, judgement.HOST_SOON)])
def test_a_host_without_a_way_out_is_looked_at_more_often(route: bool, every: float) -> None:
    """Nothing but the host itself tells that the route is back."""
    made = by_itself(goldens.of_world(healthy(facts=replace(HOST, route_v4=route))))
    assert probes(made)[("host",)].interval == every
    assert {t.host for t in made.settled.targets} >= {BOOTSTRAP}, "no target is forgotten for it"


def test_the_page_of_the_address_where_nothing_is_is_asked_for_again_by_the_hour() -> None:
    world = healthy().when(HttpFetch, page(200, b"<html>Welcome</html>"), purpose="reach")
    memory = goldens.of_world(world)
    for opened in (False, True):
        made = by_itself(memory, plan=replace(PLAN, canary_address="192.0.2.77:443"))
        found = [w for w in made.probes if isinstance(w.step, HttpFetch) and w.step.address == "192.0.2.77"]
        assert [(w.kind, w.interval) for w in found] == [("extra", Intervals().extras)]
        assert made.urgent == ()
        assert (found[0].step in memory.known) is opened
        memory.record(Observation(found[0].step, START, 5.0, SILENCE))


def test_every_resolver_has_a_heartbeat() -> None:
    made = probes(by_itself(goldens.of_world(healthy())))
    beats = {
        key[1]: wish.step for key, wish in made.items() if isinstance(key, tuple) and key[0] == "heartbeat"
    }
    assert set(beats) == {*HOST.resolvers, "os"}
    assert all(wish.kind == "extra" for wish in made.values() if wish.key[0] == "heartbeat")


def test_a_list_of_which_the_facts_do_not_suffice_is_fetched_again() -> None:
    """Only facts of large lists are kept; a certificate that was not there then has a serial that they lack."""
    memory = goldens.of_world(healthy())
    lists = [s for s in memory.known if isinstance(s, HttpFetch) and s.purpose == "crl"]
    for step in lists:
        seen = memory.known[step]
        assert isinstance(seen.evidence, HttpExchange)
        assert seen.evidence.body is not None
        digest = digest_crl(seen.evidence.body, (pki.der(ISSUING.certificate),), ())
        memory.record(replace(seen, evidence=replace(seen.evidence, body=None, digest=digest)))
    made = by_itself(memory)
    assert set(made.void) == set(lists)
    assert by_itself(goldens.of_world(healthy())).void == ()


def test_an_old_list_is_fetched_again_before_the_new_one_of_another_address_is_void() -> None:
    assert judgement.SHORTEST_LIFE < ROUND


def test_a_walk_goes_on_from_judgement_to_judgement_holds_its_target_and_is_repeated_by_the_hour() -> None:
    aliases = {BOOTSTRAP: "one.example", "one.example": "two.example"}
    zone = SCRIPTED | {"two.example": SCRIPTED[BOOTSTRAP]}
    world = healthy(aliases=aliases, zone=zone)
    memory, now = goldens.of_world(healthy(aliases=aliases, zone=zone)), START + 60
    for rtype in ("A", "AAAA"):
        world.when(DnsQuestion, DnsAnswer("SERVFAIL"), name=BOOTSTRAP, rtype=rtype)
    world.when(DnsQuestion, DnsAnswer("REFUSED"), name="two.example")
    world.when(OsLookup, OsAnswer((), "EAI_FAIL"), name=BOOTSTRAP)
    plan, tracks, confirmation = memory.plan(PLAN, tuple(SCRIPTED)), TargetRecords(), Confirmation()
    judgement.judge(RULES, plan, memory, tracks, confirmation, Intervals(), moment(START), {})
    changed = [s for s in memory.known if getattr(s, "name", "") == BOOTSTRAP]
    for step in changed:
        memory.record(replace(world.answer(step), started=now))
    asked: list[DnsQuestion] = []
    while True:
        plan = memory.plan(PLAN, tuple(SCRIPTED))
        made = judgement.judge(RULES, plan, memory, tracks, confirmation, Intervals(), moment(now), {})
        if not made.urgent:
            break
        assert len(asked) <= 8
        walks = [s for s in made.urgent if isinstance(s, DnsQuestion) and s.walk]
        assert len(walks) <= len(plan.resolvers or HOST.resolvers), "one question at each resolver"
        assert not walks or (BOOTSTRAP, 443) in made.settled.differing
        asked += walks
        for step in made.urgent:
            memory.record(replace(world.answer(step), started=now))
    assert {(q.name, q.rtype) for q in asked} == {
        (BOOTSTRAP, "CNAME"),
        ("one.example", "CNAME"),
        ("two.example", "CNAME"),
        ("two.example", "A"),
    }
    verdict = next(
        v for v in made.report.verdicts if v.check == "dns" and v.endpoint and v.endpoint.host == BOOTSTRAP
    )
    assert verdict.cause.word == "dns.chain-broken"
    repeated = [w for w in made.probes if isinstance(w.step, DnsQuestion) and w.step.walk]
    assert {w.step for w in repeated} == set(asked)
    assert {(w.host, w.interval) for w in repeated} == {(BOOTSTRAP, Intervals().extras)}

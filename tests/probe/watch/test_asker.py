"""When packets leave, and what happens with answers: real resolvers and TLS servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from probe.audit.pace import FAST, POLITE
from probe.config.service import Intervals
from probe.watch import asker as asking
from probe.watch.asker import BURST, SECOND_OPINIONS, TOGETHER, Way, as_kept, caps_of, groups
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Plan
from tests.probe.internet import BOOT, CRL_PATH, LISTS, RELAY, RESOLVERS, ZONE, Internet, Name
from tests.probe.looped import Desk, desk, looping, until

FIRST, SECOND = RESOLVERS
KEY = (RELAY, 443)
SLACK = 0.1  # seconds by which a busy machine may delay one connection against the next


def shake(address: str = ZONE[RELAY][0], name: str = RELAY, path: str | None = None) -> TlsHandshake:
    return TlsHandshake(address, 443, name, "connector", path)


def ways(name: str = RELAY) -> list[Way]:
    """As an appliance with two resolvers gives them."""
    return [
        DnsQuestion(FIRST, name, "A"),
        DnsQuestion(SECOND, name, "A"),
        OsLookup(name),
        DnsQuestion(FIRST, name, "AAAA"),
        DnsQuestion(SECOND, name, "AAAA"),
    ]


def test_targets_begin_together_only_where_they_are_many_and_no_rate_is_asked_for() -> None:
    assert groups(0.5, 2000) == groups(100.0, 2000) == 0
    assert groups(0.0, 1) == groups(0.0, 2 * TOGETHER) == 0
    assert groups(0.0, 2000) == -(-2000 // TOGETHER)


# --- the rate and the caps ----------------------------------------------------------------------------------------------


@looping
async def test_the_rate_is_kept_however_many_ask_at_once(tmp_path: Path) -> None:
    rate, count = 20.0, 30
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=rate)) as here:
        steps = [shake(ZONE[RELAY][n % 3]) for n in range(count)]
        await asyncio.gather(*(here.asker.ask(step, KEY) for step in steps))
        began = [hit.at for hit in net.hits]
        assert len(began) == count
        for first in range(count):
            for last in range(first, count):
                most = BURST + rate * (began[last] - began[first] + SLACK)
                assert last - first + 1 <= most
        assert began[-1] - began[0] >= (count - BURST) / rate - SLACK
        assert here.value("wayclear_connections_opened_total") == count == here.prober.connections


@looping
async def test_after_a_pause_no_more_than_the_burst_comes_at_once(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=5.0)) as here:
        await here.asker.ask(shake(), KEY)
        await asyncio.sleep(1.0)  # five tokens' worth
        begun = time.monotonic()
        await asyncio.gather(*(here.asker.ask(shake(), KEY) for _ in range(4)))
        assert len([hit for hit in net.hits if begun <= hit.at < begun + 0.15]) == BURST


@looping
async def test_questions_do_not_wait_for_the_rate_of_connections(tmp_path: Path) -> None:
    async with desk(Internet(tmp_path), Intervals(rate=0.01)) as here:
        for _ in range(BURST):
            await here.asker.ask(shake(), KEY)
        waiting = asyncio.create_task(here.asker.ask(shake(), KEY))
        async with asyncio.timeout(60):
            await here.asker.resolve(KEY, ways())
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@looping
async def test_who_gives_up_waiting_takes_no_turn_and_holds_nobody_up(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0.5)) as here:
        for _ in range(BURST):
            await here.asker.ask(shake(), KEY)
        begun = time.monotonic()
        crowd = [asyncio.create_task(here.asker.ask(shake(), KEY)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        await here.asker.ask(shake(), KEY)
        assert time.monotonic() - begun < 30.0, "forty seconds, had they kept their turns"
        assert len(net.hits) == BURST + 1 == here.value("wayclear_connections_opened_total")


@pytest.mark.parametrize("rate", [0.5, 1000.0, 0.0])
@looping
async def test_the_caps_are_those_of_the_pace(tmp_path: Path, rate: float) -> None:
    pace = FAST if not rate else POLITE
    net = Internet(tmp_path, dead={FIRST})
    for address in ZONE[RELAY]:
        net.places[address] = "silent"
    async with desk(net, Intervals(rate=rate or 0.0)) as here:
        if rate != 0.5:
            crowd = [asyncio.create_task(here.asker.ask(shake(), KEY)) for _ in range(pace.connections + 10)]
            await until(lambda: len(net.hits) == pace.connections)
            assert here.asker.in_flight == pace.connections
            await asyncio.gather(*crowd)
            assert here.asker.in_flight == 0
        names = [DnsQuestion(FIRST, f"n{n}.example", "A") for n in range(pace.questions + 10)]
        more = [asyncio.create_task(here.asker.ask(name, None)) for name in names]
        in_flight: list[int] = []

        def all_asked() -> bool:
            in_flight.append(here.asker.in_flight)
            return len(net.asked) >= pace.questions

        await until(all_asked)
        assert max(in_flight) == pace.questions, (
            "at any time, as a busy machine may see the first ones run out"
        )
        for task in more:
            task.cancel()
        await asyncio.gather(*more, return_exceptions=True)
        assert here.asker.in_flight == 0


def test_a_rate_has_the_polite_caps_and_none_the_fast_ones() -> None:
    assert (caps_of(Intervals()), caps_of(Intervals(rate=0))) == (POLITE, FAST)


# --- nobody delays another ----------------------------------------------------------------------------------------------


@looping
async def test_silent_targets_delay_no_other(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    for address in (ZONE[RELAY][0], ZONE[RELAY][1]):
        net.places[address] = "silent"
    async with desk(net, Intervals(rate=1000.0)) as here:
        hanging = [asyncio.create_task(here.asker.ask(shake(ZONE[RELAY][n % 2]), KEY)) for n in range(10)]
        await until(lambda: len(net.hits) == 10)
        seen, _ = await here.asker.ask(shake(ZONE[BOOT][0], BOOT), (BOOT, 443))
        assert seen.failure is None
        assert not any(task.done() for task in hanging)
        await asyncio.gather(*hanging)


@looping
async def test_a_dead_resolver_delays_no_question_to_the_living_one(tmp_path: Path) -> None:
    net = Internet(tmp_path, dead={FIRST})
    async with desk(net, Intervals()) as here:
        names = [f"n{n}.example" for n in range(3 * POLITE.questions)]
        hanging = [asyncio.create_task(here.asker.ask(DnsQuestion(FIRST, n, "A"), None)) for n in names]
        await until(lambda: len(net.asked) >= POLITE.questions)
        seen, _ = await here.asker.ask(DnsQuestion(SECOND, RELAY, "A"), KEY)
        assert seen.failure is None
        assert not all(task.done() for task in hanging), "it came before the dead one was given up"
        await asyncio.gather(*hanging)


# --- ways of asking for a name ------------------------------------------------------------------------------------------


async def asked(here: Desk, net: Internet, name: str = RELAY) -> list[tuple[str, str]]:
    """Who is asked for what in one more look at a name: resolver ("os" for the system's) and type."""
    before = len(here.prober.begun)
    await here.asker.resolve((name, 443), ways(name))
    steps = [step for _, step in here.prober.begun[before:]]
    return [(s.resolver, s.rtype) if isinstance(s, DnsQuestion) else ("os", "") for s in steps]


@looping
async def test_a_ttl_is_respected(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], ttl=1)
    async with desk(net, Intervals(rate=0)) as here:
        assert len(await asked(here, net)) == 5, "the first time everything differs from nothing"
        for _ in range(5):
            assert await asked(here, net) == []
        await asyncio.sleep(1.0)
        assert await asked(here, net) == [(FIRST, "A")]


@looping
async def test_of_several_ttls_the_smallest_counts(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], aliases=("edge.example",), ttl=0)
    async with desk(net, Intervals(rate=0)) as here:
        await asked(here, net)
        assert await asked(here, net) == [(FIRST, "A")]


@looping
async def test_a_long_ttl_only_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking.LONGEST_TTL == 300
    monkeypatch.setattr(asking, "LONGEST_TTL", 0.3)
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], ttl=86_400)
    async with desk(net, Intervals(rate=0)) as here:
        await asked(here, net)
        assert await asked(here, net) == []
        await asyncio.sleep(0.3)
        assert await asked(here, net) == [(FIRST, "A")]


@looping
async def test_the_other_ways_take_turns_the_one_asked_longest_ago_first(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], ttl=3600)
    async with desk(net, Intervals(rate=0, rotation=0.2)) as here:
        await asked(here, net)
        assert await asked(here, net) == [], "all of them were asked just now"
        await asyncio.sleep(0.2)
        turns = [await asked(here, net) for _ in range(4)]
        assert [len(turn) for turn in turns] == [1, 1, 1, 1]
        assert {turn[0] for turn in turns} == {
            (SECOND, "A"),
            ("os", ""),
            (FIRST, "AAAA"),
            (SECOND, "AAAA"),
        }
        assert await asked(here, net) == []


@looping
async def test_a_clock_that_was_set_asks_each_way_at_most_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Internet(tmp_path)
    net.zone[RELAY] = Name(ZONE[RELAY], ttl=3600)
    async with desk(net, Intervals(rate=0)) as here:
        await asked(here, net)
        true = time.time
        for years in (5, -5):
            monkeypatch.setattr(time, "time", lambda by=years: true() + by * 365 * 86_400)
            more = [way for _ in range(12) for way in await asked(here, net)]
            assert sorted(more) == sorted(set(more))


@pytest.mark.parametrize("what", ["differs", "fails", "is gone"])
@looping
async def test_when_an_answer_differs_or_fails_it_is_asked_in_every_way(tmp_path: Path, what: str) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0)) as here:
        await asked(here, net)
        assert await asked(here, net) == [(FIRST, "A")]
        if what == "differs":
            net.zone[RELAY] = Name(("20.50.2.9",))
        elif what == "fails":
            net.dead.add(FIRST)
        else:
            net.zone[RELAY].rcode = "NXDOMAIN"
        found = await asked(here, net)
        assert found[0] == (FIRST, "A")
        assert sorted(found) == sorted(
            [(FIRST, "A"), (SECOND, "A"), ("os", ""), (FIRST, "AAAA"), (SECOND, "AAAA")]
        )
        if what != "fails":
            assert await asked(here, net) == [(FIRST, "A")], "it is told once"


@looping
async def test_whether_every_answer_came(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0)) as here:
        assert await here.asker.resolve(KEY, ways())
        net.dead.add(FIRST)
        assert not await here.asker.resolve(KEY, ways())
        assert await here.asker.resolve(KEY, [])


@looping
async def test_a_resolver_that_begins_to_be_silent_is_told_of_with_the_first_few_names(
    tmp_path: Path,
) -> None:
    net = Internet(tmp_path, dead={FIRST})
    async with desk(net, Intervals(rate=0)) as here:
        names = [f"n{n}.example" for n in range(SECOND_OPINIONS + 3)]
        await asyncio.gather(*(here.asker.ask(DnsQuestion(FIRST, name, "A"), None) for name in names))
        assert len(here.silent) == SECOND_OPINIONS
        assert set(here.silent) <= {(FIRST, name) for name in names}
        net.dead.clear()
        await here.asker.ask(DnsQuestion(FIRST, names[0], "A"), None)
        net.dead.add(FIRST)
        await here.asker.ask(DnsQuestion(FIRST, names[1], "A"), None)
        assert here.silent[SECOND_OPINIONS:] == [(FIRST, names[1])], "it is silent anew"


# --- what happens with an answer ----------------------------------------------------------------------------------------


@looping
async def test_an_answer_of_a_target_is_counted_and_told_once_when_it_differs(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0)) as here:
        here.asker.groups = {KEY: "service"}
        for expected in (True, False, False):
            assert (await here.asker.ask(shake(), KEY))[1] is expected
        assert here.differs == 1
        assert here.asker.changed == {KEY}
        assert (
            here.value('wayclear_stage_duration_seconds_count{connector="connector01",rule_group="service"')
            == 6
        )
        net.places[ZONE[RELAY][0]] = "reset"
        assert (await here.asker.ask(shake(), KEY))[1]
        assert here.value('wayclear_probe_failures_total{connector="connector01",rule_group="service"') == 1
        assert here.differs == 2


@looping
async def test_an_answer_of_nobody_s_target_is_kept_and_counted_nowhere(tmp_path: Path) -> None:
    async with desk(Internet(tmp_path), Intervals(rate=0)) as here:
        await here.asker.ask(shake(), ("gone.example", 443))
        assert len(here.memory) == 1
        assert here.asker.changed == set()


@pytest.mark.parametrize("rate", [1000.0, 0.0])
@looping
async def test_after_twenty_silent_addresses_no_new_one_is_tried(tmp_path: Path, rate: float) -> None:
    plan, failure = Plan("q7x2"), Failure(Stage.TCP, Code.TIMEOUT)
    assert plan.sweep_limit == 20
    async with desk(Internet(tmp_path), Intervals(rate=rate), plan) as here:
        here.asker.record(await here.prober.measure(shake()), KEY)
        for number in range(plan.sweep_limit):
            here.asker.record(Observation(shake(f"20.50.9.{number}"), 0.0, 5.0, failure), None)
        assert here.asker.allows(shake("20.50.10.1")) is (rate == 0), "who sets no rate has asked for it"
        assert here.asker.allows(HttpFetch("20.50.10.1", 80, LISTS, CRL_PATH, "crl")) is (rate == 0)
        assert here.asker.allows(shake()), "it has answered"
        assert here.asker.allows(shake("20.50.9.3"))
        assert here.asker.allows(DnsQuestion(FIRST, RELAY, "A"))


def test_a_document_that_did_not_come_whole_is_kept_by_its_beginning() -> None:
    step = HttpFetch("20.50.4.1", 80, LISTS, CRL_PATH, "crl")
    body = HttpExchange(0.01, 0.02, 200, "", (), b"x" * 100_000, 100_000, "78")
    cut = Observation(step, 0.0, 1.0, Failure(Stage.HTTP, Code.TIMEOUT), body)
    assert isinstance(as_kept(cut).evidence, HttpExchange)
    assert as_kept(cut) == replace(cut, evidence=replace(body, body=b"x" * 4096))
    whole = replace(cut, failure=None)
    assert as_kept(whole) is whole


@looping
async def test_a_cancelled_measurement_leaves_nothing_behind(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.places[ZONE[RELAY][0]] = "silent"
    async with desk(net, Intervals(rate=0)) as here:
        task = asyncio.create_task(here.asker.ask(shake(), KEY))
        await until(lambda: net.hits)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert here.asker.in_flight == 0
        assert len(here.memory) == 0


@looping
async def test_a_reload_that_changes_no_limit_forgets_neither_the_rate_nor_who_is_silent(
    tmp_path: Path,
) -> None:
    intervals, plan = Intervals(rate=1.0), Plan("q7x2")
    async with desk(Internet(tmp_path), intervals, plan) as here:
        failure = Failure(Stage.TCP, Code.TIMEOUT)
        for number in range(plan.sweep_limit):
            here.asker.record(Observation(shake(f"20.50.9.{number}"), 0.0, 5.0, failure), None)
        await asyncio.gather(*(here.asker.ask(shake(), KEY) for _ in range(BURST)))
        here.asker.limit(replace(intervals, service=120.0), replace(plan, nonce="other"))
        assert not here.asker.allows(shake("20.50.10.1"))
        begun = time.monotonic()
        await here.asker.ask(shake(), KEY)
        assert time.monotonic() - begun > 0.5, "the burst was spent"
        here.asker.limit(replace(intervals, rate=0.01), replace(plan, sweep_limit=plan.sweep_limit + 1))
        assert here.asker.allows(shake("20.50.10.1"))
        async with asyncio.timeout(30):
            await asyncio.gather(
                *(here.asker.ask(shake(), KEY) for _ in range(BURST))
            )  # another rate begins anew

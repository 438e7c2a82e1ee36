"""The appliance's loop on a small internet with real sockets: who is asked when, and what a judgement begets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from probe.config.service import Intervals
from probe.config.settings import load_rules
from probe.watch import judgement
from probe.watch.asker import Way, interval_factor
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, kind_of
from rules.model.verdict import Answer
from rules.watch.state import Key
from tests.exporters.scrape import values
from tests.probe.internet import BOOT, LISTS, RELAY, RESOLVERS, SIGN_IN, ZONE, Internet, Name
from tests.probe.looped import (
    KEEN,
    QUICK,
    STILL,
    entry,
    going,
    house,
    looping,
    shortest,
    since,
    steps,
    turns,
    until,
)

FRESH = "fresh.svc.example"


# --- the first look -----------------------------------------------------------------------------------------------------


@looping
async def test_the_first_look_asks_for_everything_once_and_is_judged_once(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, STILL) as here:
        (made,) = here.judged
        assert made.settled.answer is Answer.YES
        assert {hit.address for hit in net.hits} == {a for found in ZONE.values() for a in found}
        assert set(here.appliance.watched) == {(BOOT, 443), (RELAY, 443), (SIGN_IN, 443), (LISTS, 80)}
        assert here.appliance.asker.changed == set(here.appliance.watched)
        asked = [step for _, step in here.prober.begun]
        assert len(asked) == len(set(asked)), "nothing twice"
        counted = [
            line for line in here.meters.render().decode().splitlines() if "connections_opened_total{" in line
        ]
        connections = len([step for step in asked if kind_of(step).connects])
        assert float(counted[0].split()[-1]) == connections == len(net.hits)
        track = here.appliance.tracks.record_of((RELAY, 443))
        assert set(track.addresses) == set(ZONE[RELAY])
        assert {"dns", "tcp", "tls"} <= set(dict(track.stages))


@looping
async def test_kinds_and_intervals_are_those_of_the_rule_groups(tmp_path: Path) -> None:
    intervals = Intervals(rate=0)
    async with house(Internet(tmp_path), intervals) as here:
        kinds = {entry.key: (entry.kind, entry.interval) for entry in here.appliance.schedule.entries()}
        assert kinds[(RELAY, 443)] == ("service", 60)
        assert kinds[(SIGN_IN, 443)] == kinds[(LISTS, 80)] == ("sign-in", 900)
        extras = [k for k, e in kinds.items() if isinstance(k, tuple) and k[0] == "extra"]
        assert extras
        assert {kinds[key] for key in extras} == {("extra", 3600)}
        assert kinds[("heartbeat", RESOLVERS[0])] == ("extra", judgement.HEARTBEAT)
        assert kinds[("host",)] == ("extra", judgement.HOST_EVERY)


@looping
async def test_offsets_are_this_host_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts without a name in the configuration share one file: they must not beat in time."""

    async def dues(name: str) -> list[float]:
        monkeypatch.setattr("platform.node", lambda: name)
        async with house(Internet(tmp_path), STILL) as here:
            begun = time.monotonic()
            targets = [entry(here, key) for key in here.appliance.watched]
            return [round((e.due - begun) / e.interval, 1) for e in targets]

    one, other, again = await dues("one"), await dues("other"), await dues("one")
    assert one == again != other


# --- rotation -----------------------------------------------------------------------------------------------------------


@looping
async def test_every_address_of_a_name_has_its_turn_one_a_round(tmp_path: Path) -> None:
    """At the defaults: one a minute, ten in ten minutes, and no name has more than eight that are tried."""
    assert Intervals().service * 8 <= Intervals().rotation == 600
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        begun = time.monotonic()
        await until(lambda: len(turns(here, begun)) >= 9)
        found = turns(here, begun)[:9]
        addresses = [address for _, address in found]
        assert addresses[:3] == addresses[3:6] == addresses[6:9]
        assert set(addresses) == set(ZONE[RELAY])
        assert shortest(found) > 0.12, "one address a round"
        assert not since(net, begun, SIGN_IN), "another kind has another interval"


@looping
async def test_new_addresses_wait_for_their_turn(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    fresh = tuple(f"20.50.2.{n}" for n in range(11, 15))
    async with house(net, QUICK) as here, going(here):
        begun = time.monotonic()
        await until(lambda: turns(here, begun))
        net.zone[RELAY] = Name(fresh)
        changed = time.monotonic()
        await until(lambda: {address for _, address in turns(here, changed)} >= set(fresh))
        found = [(at, address) for at, address in turns(here, changed) if address in fresh]
        # the first one at once, because nothing is known any more
        assert shortest(found[1:]) > 0.12, "and the others one after the other"
        assert here.judged[-1].settled.answer is Answer.YES


@pytest.mark.parametrize("years", [5, -5])
@looping
async def test_a_clock_that_is_set_disturbs_no_turn_and_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        true, by = time.time, years * 365 * 86_400.0
        known = len(here.appliance.memory)
        monkeypatch.setattr(time, "time", lambda: true() + by)
        here.appliance.clock_was_set(by)
        begun = time.monotonic()
        assert here.appliance.memory.forget(time.time()) == 0
        assert len(here.appliance.memory) == known
        await until(lambda: len(turns(here, begun)) >= 6)
        found = [address for _, address in turns(here, begun)][:6]
        assert set(found[:3]) == set(found[3:]) == set(ZONE[RELAY])
        assert not since(net, begun, SIGN_IN)


# --- what a judgement wants, what is asked besides ------------------------------------------------------------------------


@looping
async def test_a_second_look_is_asked_at_once(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        net.places[ZONE[RELAY][0]] = "reset"
        await until(
            lambda: TlsHandshake(ZONE[RELAY][0], 443, RELAY, attempt=2) in here.appliance.memory.known, 5
        )
        (at,) = (at for at, s in here.prober.begun if isinstance(s, TlsHandshake) and s.attempt == 2)
        failed = next(hit for hit in net.hits if hit.address == ZONE[RELAY][0] and not hit.name)
        assert at - failed.at < 1.0


@looping
async def test_a_change_is_held_until_it_was_measured_again_and_then_told(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, KEEN) as here, going(here):
        for address in ZONE[RELAY]:
            net.places[address] = "forged"
        await until(lambda: here.judged[-1].settled.answer is Answer.NO)
        told = [t for made in here.judged for t in made.settled.transitions]
        assert [(t.before, t.after, t.cause) for t in told if t.subject == f"{RELAY}:443"][-1][1:] == (
            "fail",
            "tls.intercepted",
        )
        held = [made for made in here.judged if (RELAY, 443) in made.settled.differing]
        assert held, "it was not told at the first sight"
        net.places.clear()
        await until(lambda: here.judged[-1].settled.answer is Answer.YES)
        assert here.appliance.tracks.record_of((RELAY, 443)).handshakes


@looping
async def test_an_answer_that_differs_all_the_time_brings_no_stream_of_extras(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, replace(KEEN, service=0.5)) as here, going(here):
        begun = time.monotonic()
        for turn in range(6):
            for address in ZONE[RELAY]:
                net.places[address] = "genuine" if turn % 2 else "reset"
            await asyncio.sleep(0.35)  # no part of the interval, or each turn would see the same
        large = [
            s for s in steps(here, TlsHandshake, begun) if isinstance(s, TlsHandshake) and s.hello == "large"
        ]
        assert 1 <= len(large) <= 2 / 0.5 + 2


# --- failures, rates ------------------------------------------------------------------------------------------------------


@looping
async def test_a_target_that_fails_is_asked_sooner_and_then_less_and_less(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    for address in ZONE[RELAY]:
        net.places[address] = "reset"
    async with house(net, replace(STILL, service=1.6, retry=0.2)) as here, going(here):
        begun = time.monotonic()
        await until(lambda: len(turns(here, begun)) >= 6)
        gaps = [b - a for (a, _), (b, _) in pairwise(turns(here, begun))]
        assert min(gaps) < 1.2, "sooner than its interval"
        assert gaps[-1] > 2 * min(gaps), "then less and less"


@looping
async def test_a_silent_target_delays_no_other(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    for address in (*ZONE[RELAY], *ZONE[LISTS]):
        net.places[address] = "silent"
    async with house(net, replace(QUICK, retry=0.05)) as here, going(here):
        begun = time.monotonic()
        await until(lambda: len(turns(here, begun, BOOT)) >= 6)
        gaps = [b - a for (a, _), (b, _) in pairwise(turns(here, begun, BOOT))]
        assert max(gaps) < 0.45, "its interval is a quarter of a second"
        assert since(net, begun, RELAY)


@looping
async def test_a_list_too_long_for_the_rate_is_asked_less_often(tmp_path: Path) -> None:
    async with house(Internet(tmp_path), STILL) as here:
        assert here.appliance.stretch == 1
        serve = replace(here.config.serve, schedule=replace(STILL, service=0.5, sign_in=0.5, rate=4.0))
        here.appliance.reconfigure(replace(here.config, serve=serve), here.rules, here.plan)
        async with going(here):
            await until(lambda: here.appliance.stretch > 1)
        found, lists = here.appliance, {(LISTS, 80)}
        assert (interval := entry(here, (RELAY, 443)).interval) == pytest.approx(0.5 * found.stretch)
        told = values(here.meters.render(), "wayclear_cycle_interval_seconds", "kind")
        assert told == {("service",): interval, ("sign-in",): interval}, "alerts are relative to it"
        wanted = sum(
            1 / e.interval for e in found.schedule.entries() if e.key in found.watched.keys() - lists
        )
        assert wanted < 4.0


def test_the_shipped_rules_need_no_stretch_at_the_defaults() -> None:
    """What the rate is for the shipped list: service names every minute, sign-in every quarter of an hour."""
    rules = load_rules()
    groups = [(rule.group, probe) for one in rules.rulesets for rule in one.rules for probe in rule.probes]
    assert len(groups) > 20
    wanted = sum(1 / (60 if group == "service" else 900) for group, _ in groups)
    assert interval_factor(Intervals().rate, wanted, 0.05) == 1.0


@looping
async def test_after_twenty_silent_addresses_nothing_new_is_tried(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, replace(QUICK, rate=500.0)) as here, going(here):
        assert here.plan.sweep_limit == 20
        for number in range(20):
            step = TlsHandshake(f"20.50.9.{number}", 443, "gone.example")
            here.appliance.asker.record(
                Observation(step, time.time(), 5.0, Failure(Stage.TCP, Code.TIMEOUT)), None
            )
        net.zone[BOOT] = Name(("20.50.1.77",))
        await until(lambda: "20.50.1.77" in here.judged[-1].ways.candidates[BOOT])
        begun = time.monotonic()
        await until(lambda: len(turns(here, begun)) >= 3)
        assert turns(here, begun, BOOT) == [], "a new address"
        assert {address for _, address in turns(here, begun)} == set(ZONE[RELAY]), "those that were met go on"


# --- windows, reloads, the end --------------------------------------------------------------------------------------------


@looping
async def test_while_it_is_paused_nothing_is_asked_and_no_round_ends(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, KEEN) as here, going(here):
        await until(lambda: here.closed)
        here.appliance.paused = True
        await asyncio.sleep(0.1)  # what was under way
        asked, hits, closed = len(net.asked), len(net.hits), len(here.closed)
        for address in ZONE[RELAY]:
            net.places[address] = "reset"
        await asyncio.sleep(1.0)
        assert (len(net.asked), len(net.hits), len(here.closed)) == (asked, hits, closed)
        net.places.clear()
        here.appliance.paused = False
        await until(lambda: len(here.closed) > closed, 2)
        assert here.judged[-1].settled.answer is Answer.YES


@looping
async def test_a_reload_keeps_what_is_known_and_asks_for_what_is_new(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, STILL) as here, going(here):
        known, begun = len(here.appliance.memory), time.monotonic()
        (only,) = here.rules.rulesets
        relay = next(rule for rule in only.rules if rule.host == RELAY)
        fresh = replace(relay, id="fresh", host=FRESH, probes=(replace(relay.probes[0], host=FRESH),))
        net.zone[FRESH] = Name(("20.50.8.1", "20.50.8.2"))
        kept = tuple(rule for rule in only.rules if rule.host != SIGN_IN)
        rules = replace(here.rules, rulesets=(replace(only, rules=(*kept, fresh)),))
        serve = replace(here.config.serve, schedule=replace(STILL, service=0.5))
        here.appliance.reconfigure(replace(here.config, serve=serve), rules, here.plan)
        await until(lambda: {address for _, address in turns(here, begun, FRESH)} == set(net.zone[FRESH].v4))
        assert (SIGN_IN, 443) not in here.appliance.schedule
        assert (SIGN_IN, 443) not in here.appliance.watched
        assert entry(here, (RELAY, 443)).interval == 0.5
        assert len(here.appliance.memory) >= known
        assert not since(net, begun, SIGN_IN)
        assert [t.name for t in here.judged[-1].settled.targets][-1] == f"{FRESH}:443"
        await until(lambda: here.judged[-1].settled.answer is Answer.YES)


@looping
async def test_it_ends_while_everything_hangs_and_tells_nothing_of_what_was_given_up(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, KEEN) as here:
        async with going(here):
            for found in ZONE.values():
                net.places |= dict.fromkeys(found, "silent")
            net.dead |= set(RESOLVERS)
            await until(lambda: here.appliance.asker.in_flight >= 2)
        closed, begun = len(here.closed), time.monotonic()
        await here.appliance.close()
        assert time.monotonic() - begun < 60, "nothing that hangs is waited for"
        assert here.appliance.asker.in_flight == 0
        await asyncio.sleep(0.3)
        assert len(here.closed) == closed


@looping
async def test_a_bug_in_one_measurement_costs_one_round_of_one_target(tmp_path: Path) -> None:
    """The round counts as failed, the others end as usual, and it is asked again."""
    caught: list[dict[str, object]] = []
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        asyncio.get_running_loop().set_exception_handler(lambda _, told: caught.append(told))
        true, broken = here.appliance.asker.resolve, asyncio.Event()

        async def resolve(key: Key | None, ways: list[Way], *, whole: bool = False) -> bool:
            if key == (RELAY, 443) and not broken.is_set():
                broken.set()
                raise ZeroDivisionError
            return await true(key, ways, whole=whole)

        here.appliance.asker.resolve = resolve  # type: ignore[method-assign]  # a bug is put in
        await broken.wait()
        closed, begun = len(here.closed), time.monotonic()
        await until(lambda: len(here.closed) >= closed + 2)
        assert turns(here, begun), "it goes on"
        assert [one.failed for one in here.closed if one.failed] == [1]
    assert [type(told["exception"]) for told in caught] == [ZeroDivisionError]


@looping
async def test_rounds_are_told_with_what_failed_in_them(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        await until(lambda: here.closed)
        assert (here.closed[0].kind, here.closed[0].targets, here.closed[0].failed) == ("service", 2, 0)
        for address in ZONE[RELAY]:
            net.places[address] = "reset"
        await until(lambda: here.closed[-1].failed == 1)
        text = here.meters.render().decode()
        assert 'wayclear_cycle_duration_seconds{connector="connector01",kind="service"}' in text


@looping
async def test_after_a_long_stop_each_is_asked_once_and_the_rounds_in_between_are_counted(
    tmp_path: Path,
) -> None:
    net = Internet(tmp_path)
    async with house(net, QUICK) as here, going(here):
        await until(lambda: here.closed)
        time.sleep(1.3)  # noqa: ASYNC251  # the loop stands still, as under SIGSTOP
        woken = time.monotonic()
        await asyncio.sleep(0.2)
        assert len(turns(here, woken)) <= 2
        missed = [n for n in here.meters.render().decode().splitlines() if "cycles_missed_total{" in n]
        assert sum(float(line.split()[-1]) for line in missed if 'kind="service"' in line) >= 6


@looping
async def test_what_is_asked_next_is_prepared_for_who_asks_by_hand(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, STILL) as here:
        begun = time.monotonic()
        assert await here.appliance.prepare(here.appliance.watched[(SIGN_IN, 443)]) == ZONE[SIGN_IN][0]
        assert [q.name for q in net.asked if q.at > begun] == [SIGN_IN]

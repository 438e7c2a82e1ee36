"""The daemon in the lab's networks: it says what the audit says, it tells changes once and in order, it keeps its rate."""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from rules.files.report_json import dumps
from tests.lab import day, soak
from tests.lab.appliance import QUICK, Daemon, serve, settles_at, until
from tests.lab.lab import Lab
from tests.lab.plan import Plan, drop
from tests.lab.scenario import essence
from tests.lab.scenarios import SCENARIOS
from tests.lab.scenarios.names import BOOTSTRAP, RELAY
from tests.rules import goldens

pytestmark = pytest.mark.lab

NETWORKS = (
    "healthy",
    "client-certificate-required",
    "no-ipv6",
    "ttl-zero",
    "resolver-dead",
    "sinkholed",
    "service-dropped",
    "one-of-three-dropped",
    "sign-in-dropped",
    "port-80-dropped",
    "accepts-everything",
    "intercepted-by-squid",
    "forged-issuers",
    "block-page-403",
    "crl-host-silent",
)
#: Seconds of wall time of the two long proofs; shorter for who only tries them.
DAY_SECONDS = float(os.environ.get("WAYCLEAR_DAY_SECONDS", "3600"))
SOAK_SECONDS = float(os.environ.get("WAYCLEAR_SOAK_SECONDS", "3600"))
MINUTES = 2
#: A round a second.
QUICKER = dict(QUICK, service=1, sign_in=1, http=1)


@pytest.fixture(scope="module", autouse=True)
def at_defaults() -> Iterator[Daemon]:
    """A daemon with the shipped schedule on a healthy network, begun first and looked at last: it needs minutes."""
    with Lab() as lab:
        lab.watch()
        yield serve(lab, schedule={})


def rounds(daemon: Daemon, number: int) -> None:
    """Wait until so many rounds of the service's names have ended that began after now."""
    for _ in range(number + 1):  # one may be in its middle
        before = _ended(daemon)
        # the default binds this turn's value, and a lambda with one has no type that could be inferred
        settles_at("another round has ended", True, lambda before=before: _ended(daemon) > before, 20)  # type: ignore[misc]


def _ended(daemon: Daemon) -> float:
    return daemon.value("wayclear_last_cycle_timestamp_seconds", kind="service") or 0.0


# --- the answer of the audit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_what_it_settles_on_is_what_the_audit_says(name: str) -> None:
    """Every verdict, by rule, endpoint, address, check, status and cause; and nothing moves while nothing changes.

    The audit's report is the golden replay, which `test_scenarios.py` holds against the audit of today.
    """
    scenario = next(s for s in SCENARIOS if s.name == name)
    audited = essence(json.loads(dumps(goldens.golden(name))))
    plan = Plan()
    scenario.spoil(plan)
    with Lab(plan) as lab:
        if scenario.during is not None:
            scenario.during(lab)
        daemon = serve(lab, schedule=QUICKER)
        daemon.ready()
        settles_at("the report", audited, lambda: essence(daemon.report()), 20)
        rounds(daemon, 1)
        assert essence(daemon.report()) == audited
        told = [(t["subject"], t["after"]) for t in transitions(daemon)]
        assert told == [("connector", scenario.answer)], "the first answer is told, and nothing changed since"


def test_a_server_that_requires_a_client_certificate_is_a_success_in_the_metrics() -> None:
    plan = Plan()
    next(s for s in SCENARIOS if s.name == "client-certificate-required").spoil(plan)
    with Lab(plan) as lab:
        daemon = serve(lab, schedule=QUICKER)
        daemon.ready()
        rounds(daemon, 1)
        for host in (lab.plan.world.hosts[BOOTSTRAP], *lab.plan.world.matching(".renewtrust.msappproxy.net")):
            assert daemon.value("wayclear_check_success", target=host.name, check="tls") == 1
            assert "probe_success 1" in daemon.get(f"/probe?target={host.name}:443").text
            assert daemon.value("wayclear_target_addresses", target=host.name, state="ok") == len(
                host.addresses
            )
        assert daemon.value("wayclear_probe_failures_total", rule_group="service") == 0
        assert daemon.value("wayclear_connector_can_live") == 1


@pytest.mark.parametrize("closed", ["the service", "name resolution"])
def test_what_was_closed_at_the_start_is_known_whole_after_its_repair(closed: str) -> None:
    """Installed before the firewall is opened, or booted before the resolver: afterwards nothing remains untested."""
    audited = essence(json.loads(dumps(goldens.golden("healthy"))))
    with Lab() as lab:
        world = lab.plan.world
        hosts = world.matching(".msappproxy.net") + world.matching(".servicebus.windows.net")
        chain, shut = "passing", drop(to=[a for h in hosts for a in h.v4], port=443)
        if closed == "name resolution":
            chain, shut = "own", "iifname inside meta l4proto { tcp, udp } th dport 53 drop"
        lab.nft(f"add rule inet lab {chain} {shut}")
        daemon = serve(lab, schedule=QUICKER)
        daemon.ready(120)
        assert daemon.value("wayclear_connector_can_live") == 0
        lab.nft(f"flush chain inet lab {chain}")
        settles_at("the report", audited, lambda: essence(daemon.report()), 90)


# --- changes -------------------------------------------------------------------------------------------------------------


def transitions(daemon: Daemon) -> list[dict[str, Any]]:
    """All that the history holds, the oldest first."""
    events = json.loads(daemon.history("--format", "json").stdout)["events"]
    return [e for e in sorted(events, key=lambda e: int(e["id"])) if e["type"] == "transition"]


def test_a_break_and_its_repair_are_told_once_each_and_in_order() -> None:
    with Lab() as lab:
        hosts = lab.plan.world.matching(".msappproxy.net") + lab.plan.world.matching(
            ".servicebus.windows.net"
        )
        daemon = serve(lab, schedule=QUICKER)
        daemon.ready()
        rounds(daemon, 1)
        assert [t["after"] for t in transitions(daemon)] == ["yes"]
        lab.nft(f"add rule inet lab passing {drop(to=[a for h in hosts for a in h.v4], port=443)}")
        until("no is the answer", lambda: daemon.value("wayclear_connector_can_live") == 0, 60)
        rounds(daemon, 2)
        lab.nft("flush chain inet lab passing")
        until("yes is the answer", lambda: daemon.value("wayclear_connector_can_live") == 1, 60)
        rounds(daemon, 2)
        told = transitions(daemon)
    words: dict[str, list[str]] = defaultdict(list)
    for one in told:
        words[one["subject"].rpartition(":")[0] or one["subject"]].append(one["after"])
    assert words.pop("connector") == ["yes", "no", "yes"]
    measured = {h.name for h in hosts} & words.keys()
    assert {BOOTSTRAP, RELAY} <= measured
    assert words.keys() == measured, "nothing else changed"
    for (
        name,
        seen,
    ) in words.items():  # some of its addresses may fail first; none is half broken on its way back
        several = len(lab.plan.world.hosts[name].v4) > 1
        assert seen == ["fail", "pass"] or (several and seen == ["warn", "fail", "pass"]), (name, seen)
    order = [(one["subject"] == "connector", one["after"]) for one in told]
    assert order.index((False, "fail")) < order.index((True, "no")) < order.index((False, "pass"))
    assert order[-1][1] in ("yes", "pass")
    assert all(a["at"] <= b["at"] for a, b in itertools.pairwise(told))


# --- the rate --------------------------------------------------------------------------------------------------------------


def test_the_shipped_schedule_keeps_its_rate_on_the_wire(at_defaults: Daemon) -> None:
    """Two minutes after the first look: at most 0.5 connections a second over any minute, and two at once."""
    at_defaults.ready(240)
    span = MINUTES * day.MINUTE
    until("two minutes have passed", lambda: day.counted(at_defaults, 1.0).span >= span, span + 60, every=2.0)
    found = day.counted(at_defaults, 1.0)
    short = tuple(turn for turn in found.turns if turn.seconds <= day.MINUTE)
    assert len(short) > 10
    assert day.faults(replace(found, turns=short)) == []
    assert len(found.moments) > day.RATE * span / 4, "a daemon that asks nothing keeps every rate"


TURN = day.Turn("name:443 at a", frozenset({("a", 443)}), 60.0)
GOOD = day.Counted(240.0, tuple(range(0, 240, 4)), {("a", 443): (30.0, 90.0, 150.0, 210.0)}, (TURN,), 70, 70)


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        (replace(GOOD, moments=tuple(n * 1.9 for n in range(126))), "126 connections, more than 122"),
        (replace(GOOD, moments=tuple(float(n) for n in range(33))), "33 connections within a minute"),
        (replace(GOOD, said=72), "the metric says 72"),
        (replace(GOOD, by_place={("a", 443): (30.0, 90.0, 210.0)}), "waited 120 s"),
        (replace(GOOD, by_place={}), "waited 240 s"),
        (replace(GOOD, turns=()), "no targets"),
    ],
)
def test_the_count_itself_would_complain(spoilt: day.Counted, complaint: str) -> None:
    assert day.faults(GOOD) == []
    assert any(complaint in fault for fault in day.faults(spoilt)), day.faults(spoilt)


@pytest.mark.proof
def test_a_day_of_the_schedule_keeps_its_rate_on_the_wire() -> None:
    """All intervals divided by 24 and the rate multiplied by 24: an hour of the wall is a day of the schedule.

    The total, the worst minute (2.5 s of the wall), every address in its turn (service names within 10 minutes), each
    list within six hours, and the metric against the wire.
    """
    found = day.run(DAY_SECONDS)
    assert found.span >= DAY_SECONDS * day.FASTER
    assert day.faults(found) == [], day.verdict(found)


# --- what it holds ---------------------------------------------------------------------------------------------------------


def row(number: int, **changes: float) -> soak.Row:
    made = soak.Row(
        number * 10.0, 80_000_000, 15, 8, 10, 60_000, number * 450, 0, 0.001, number * 1.5, 0, number, 10**6
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # a test's short hand: counts are given as floats too


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda n: row(n, rss=80_000_000 + n * 10_000), "memory grows by 3.60 MB"),
        (lambda n: row(n, descriptors=15 + n // 50), "descriptors: 5 more"),
        (lambda n: row(n, tasks=10 + n // 20), "tasks"),
        (lambda n: row(n, threads=8 + n // 100), "threads"),
        (lambda n: row(n, lag=0.2), "the loop wakes up 200 ms late"),
        (lambda n: row(n, connections=1), "nothing was measured"),
    ],
)
def test_the_soak_itself_would_complain(spoil: Callable[[int], soak.Row], complaint: str) -> None:
    assert soak.faults([row(n) for n in range(360)]) == []
    found = soak.faults([spoil(n) for n in range(360)])
    assert any(complaint in fault for fault in found), found


@pytest.mark.proof
def test_an_hour_at_one_second_stays_flat() -> None:
    rows = soak.soak(SOAK_SECONDS, lambda _: None)
    assert rows[-1].seconds >= SOAK_SECONDS - 2 * soak.EVERY
    assert soak.faults(rows) == [], soak.verdict(rows)

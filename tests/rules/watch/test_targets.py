"""What is remembered of each target: the addresses of a day, the last handshakes, how long each stage took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from rules.audit.machine import Audit
from rules.audit.phases import Phase
from rules.judge.report import make_report
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import CRL_CAP, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, Step
from rules.watch.memory import MOST, TRACKED, Memory
from rules.watch.state import AddressState
from rules.watch.state_of import rows_of
from rules.watch.targets import (
    FAILED,
    HANDSHAKES,
    OUTDATED,
    HandshakeOutcome,
    TargetRecord,
    TargetRecords,
    durations,
    key_of,
)
from tests.rules import goldens
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    CUT,
    HOST,
    NO_ANSWER,
    RESOLVERS,
    SILENCE,
    START,
    ZONE,
    World,
    by,
    healthy,
    page,
    shown,
)

KEY = (BOOTSTRAP, 443)
ONE, TWO = ZONE[BOOTSTRAP]
LISTS = (CRL_HOST, 80)


class Watch:
    """A memory, what is tracked beside it, and judgements, as the appliance makes them."""

    def __init__(self, world: World) -> None:
        self.memory, self.tracks, self.now = Memory(), TargetRecords(), START
        for seen in goldens.of_world(world).known.values():
            self.memory.record(seen)
            key = key_of(seen.step)
            if key is not None and seen.step.attempt == 1:
                self.tracks.observe(key, seen, new=True)
        self.judge()

    def judge(self) -> Audit:
        audit = goldens.scripted(self.memory)
        self.tracks.apply_verdicts(audit, rows_of(make_report(audit, self.now, self.now, "0")), self.now)
        return audit

    def meet(self, world: World, *steps: Step, after: float = 60.0) -> None:
        """These steps are asked again, on another network, then what the judgements want besides."""
        self.now += after
        self.ask(world, steps)
        while wanted := [item.step for item in self.judge().ready() if item.phase is not Phase.EXTRA]:
            self.ask(world, wanted)

    def ask(self, world: World, steps: Iterable[Step]) -> None:
        for step in steps:
            seen = replace(world.answer(step), started=self.now)
            new = self.memory.record(seen)
            key = key_of(step)
            if key is not None:
                self.tracks.observe(key, seen, new=new)

    def shake(self, world: World, address: str = ONE) -> None:
        """One handshake, and its second look where it is doubtful."""
        self.meet(world, TlsHandshake(address, 443, BOOTSTRAP, path="/"))

    def of(self, address: str, key: tuple[str, int] = KEY) -> AddressState:
        return self.tracks.record_of(key).addresses[address]

    def caught(self) -> tuple[int, int]:
        track = self.tracks.record_of(KEY)
        return track.intercepted, len(track.handshakes)


# --- addresses -----------------------------------------------------------------------------------------------------------


def test_addresses_that_answer() -> None:
    watch = Watch(healthy())
    assert watch.tracks.record_of(KEY).addresses == {
        address: AddressState(address, "ipv4", True, "ok", START, current=True) for address in (ONE, TWO)
    }
    assert watch.of(ZONE[CRL_HOST][0], LISTS).ok


@pytest.mark.parametrize(
    ("failure", "ok", "cause"),
    [
        (SILENCE, False, "tcp.timeout"),
        (CUT, False, "tls.reset"),
        (Failure(Stage.LOCAL, Code.STARVED), None, "local.starved"),
        (Failure(Stage.LOCAL, Code.NO_DESCRIPTORS), None, "local.no-descriptors"),
    ],
)
def test_addresses_that_fail_and_those_of_which_nothing_is_known(
    failure: Failure, ok: bool | None, cause: str
) -> None:
    watch = Watch(healthy().when(TlsHandshake, failure, address=ONE))
    assert (watch.of(ONE).ok, watch.of(ONE).cause) == (ok, cause)
    assert watch.of(TWO).ok


def test_an_answer_that_comes_while_others_are_judged_is_no_part_of_that_judgement() -> None:
    """Else what is known of its address would pass for as new as the answer is."""
    watch = Watch(healthy())
    step = TlsHandshake(ONE, 443, BOOTSTRAP, path="/")
    late = replace(healthy().when(TlsHandshake, SILENCE).answer(step), started=START + 60.0)
    watch.tracks.observe(KEY, late, new=True)
    assert (watch.of(ONE).ok, watch.of(ONE).tried) == (True, START)
    watch.judge()
    assert (watch.of(ONE).ok, watch.of(ONE).tried) == (True, START)
    watch.memory.record(late)
    watch.judge()
    assert (watch.of(ONE).ok, watch.of(ONE).tried) == (False, START + 60.0)


def test_an_address_past_the_limit_is_known_and_not_tried() -> None:
    many = tuple(f"203.0.113.{n}" for n in range(100, 110))
    watch = Watch(healthy(zone={**ZONE, BOOTSTRAP: many}))
    assert [watch.of(address).ok for address in many] == [True] * 4 + [None] * 6
    assert watch.of(many[9]).tried is None


def renamed(*addresses: str) -> World:
    return healthy(zone={**ZONE, BOOTSTRAP: addresses})


def asked(watch: Watch) -> list[Step]:
    return [
        step for step in watch.memory.known if isinstance(step, goldens.NAMING) and step.name == BOOTSTRAP
    ]


def test_an_address_that_resolution_no_longer_gives_counts_for_a_day() -> None:
    watch = Watch(healthy())
    watch.meet(renamed(TWO), *asked(watch))
    assert (watch.of(ONE).current, watch.of(ONE).ok, watch.of(ONE).tried) == (False, True, START)
    assert watch.of(TWO).current
    watch.meet(renamed(TWO), *asked(watch), after=TRACKED - 61)
    assert ONE in watch.tracks.record_of(KEY).addresses
    watch.meet(renamed(TWO), *asked(watch), after=2)
    assert ONE not in watch.tracks.record_of(KEY).addresses


def test_addresses_that_failed_and_are_no_longer_given_end_with_the_repair() -> None:
    """Addresses that rotate are not tried again: none of those that failed may count for the rest of the day."""
    watch = Watch(healthy())
    for turn in range(6):
        address = f"203.0.113.{100 + turn}"
        broken = renamed(address).when(TlsHandshake, SILENCE)
        watch.meet(broken, *asked(watch), after=240.0)
        watch.shake(broken, address)
    states = watch.tracks.record_of(KEY).addresses
    assert [states[f"203.0.113.{100 + turn}"].ok for turn in range(6)] == [False] * 6, (
        "while it lasts, each counts"
    )
    for turn in range(6, 13):
        address = f"203.0.113.{100 + turn}"
        watch.meet(renamed(address), *asked(watch), after=240.0)
        watch.shake(renamed(address), address)
    assert {a.ok for a in watch.tracks.record_of(KEY).addresses.values()} == {True}
    assert {ONE, TWO} < set(watch.tracks.record_of(KEY).addresses), "those that were good count for the day"


def test_an_address_that_fails_counts_as_long_as_resolution_gives_it() -> None:
    watch = Watch(healthy().when(TlsHandshake, SILENCE, address=ONE))
    watch.meet(healthy(), *asked(watch), after=3 * FAILED)
    assert watch.of(ONE).ok is False


def test_an_address_that_was_never_tried_is_gone_with_its_answer() -> None:
    """A name with a thousand addresses, others each time."""
    watch = Watch(healthy())
    for turn in range(5):
        watch.meet(renamed(*(f"203.0.113.{turn * 50 + n}" for n in range(50))), *asked(watch))
    assert len(watch.tracks.record_of(KEY).addresses) == 50 + 4 * 4, "the newest answer, and what was tried"


def test_addresses_of_before_are_stale() -> None:
    watch = Watch(healthy())
    watch.meet(healthy().when(goldens.NAMING, NO_ANSWER), *watch.memory.known)
    state = watch.of(ONE)
    assert (state.stale, state.current, state.ok) == (True, False, True)
    watch.meet(healthy(), *watch.memory.known)
    assert (watch.of(ONE).stale, watch.of(ONE).current) == (False, True)


def test_a_document_of_another_address_says_nothing_about_this_one() -> None:
    old, new = ZONE[CRL_HOST][0], "203.0.113.99"
    watch = Watch(healthy())
    for seen in goldens.moved(new).known.values():
        watch.memory.record(seen)
    watch.judge()
    assert (watch.of(new, LISTS).ok, watch.of(new, LISTS).tried) == (None, None)
    assert watch.of(old, LISTS).ok
    assert not watch.of(old, LISTS).current
    watch.meet(healthy(), HttpFetch(new, 80, CRL_HOST, "/issuing.crl", "crl", cap=CRL_CAP))
    assert (watch.of(new, LISTS).ok, watch.of(new, LISTS).tried) == (True, watch.now)


def test_families() -> None:
    watch = Watch(healthy(facts=replace(HOST, route_v6=True), zone={**ZONE, BOOTSTRAP: (ONE, "2001:db8::1")}))
    assert {a.address: a.family for a in watch.tracks.record_of(KEY).addresses.values()} == {
        ONE: "ipv4",
        "2001:db8::1": "ipv6",
    }


# --- handshakes ------------------------------------------------------------------------------------------------------------


INSPECTED = healthy().when(TlsHandshake, by(CORPORATE))


def test_the_last_three_handshakes_are_counted() -> None:
    watch = Watch(healthy())
    assert watch.caught() == (0, 2)
    for expected in ((2, 3), (3, 3), (3, 3)):  # each with its second look
        watch.shake(INSPECTED)
        assert watch.caught() == expected
    for expected in ((2, 3), (1, 3), (0, 3)):
        watch.shake(healthy())
        assert watch.caught() == expected


def test_two_of_three_where_one_of_two_ways_is_intercepted() -> None:
    """Half of a pair of firewalls inspects: the second look may be genuine, and the first one is not forgotten."""
    sometimes = healthy().when(TlsHandshake, by(CORPORATE), attempt=1)
    watch = Watch(healthy())
    watch.shake(sometimes)
    assert watch.caught() == (2, HANDSHAKES), "the address is intercepted: its verdict is that of both looks"
    watch.shake(healthy())
    assert watch.caught() == (2, HANDSHAKES)
    watch.shake(healthy())
    assert watch.caught() == (1, HANDSHAKES)


def test_hellos_that_do_not_judge_count_for_nothing() -> None:
    watch = Watch(healthy())
    watch.meet(
        INSPECTED, TlsHandshake(ONE, 443, BOOTSTRAP, "tls13"), TlsHandshake(ONE, 443, BOOTSTRAP, "large")
    )
    assert watch.caught() == (0, 2)


def test_what_is_intercepted_is_known_by_its_address_when_the_same_comes_again() -> None:
    watch = Watch(healthy().when(TlsHandshake, by(CORPORATE)))
    seen = watch.memory.known[TlsHandshake(ONE, 443, BOOTSTRAP, path="/")]
    watch.tracks.observe(KEY, seen, new=False)
    assert watch.tracks.record_of(KEY).handshakes[-1] == HandshakeOutcome(ONE, True)
    watch.tracks.observe(KEY, seen, new=True)
    assert watch.tracks.record_of(KEY).handshakes[-1] == HandshakeOutcome(ONE, None), (
        "open until it is judged"
    )
    assert watch.caught() == (2, 3)


def test_a_handshake_that_showed_no_certificate_counts_for_nothing() -> None:
    watch = Watch(healthy())
    for failure in (SILENCE, CUT):
        watch.shake(healthy().when(TlsHandshake, failure))
    assert watch.caught() == (0, 2)


def test_what_is_dropped_now_is_intercepted_no_longer() -> None:
    """The interceptor is replaced by something that drops all: the ratio must not tell of it for ever."""
    watch, dropped = Watch(INSPECTED), healthy().when(TlsHandshake, SILENCE)
    watch.shake(INSPECTED)
    assert watch.caught() == (3, 3)
    for _ in range(4):
        watch.shake(dropped)
    assert watch.caught() == (3, 3), "some minutes of trouble are no proof that it has gone"
    for _ in range(16):
        watch.shake(dropped)
    assert watch.caught() == (0, 0), "and so the series goes away"
    watch.shake(INSPECTED)
    assert watch.caught() != (0, 0)


def test_a_timeout_now_and_then_ends_no_interception() -> None:
    watch, dropped = Watch(INSPECTED), healthy().when(TlsHandshake, SILENCE)
    for turn in range(30):
        watch.shake(dropped if turn % 3 == 2 else INSPECTED)
        assert watch.caught() == (3, 3) or turn == 0
    watch.shake(INSPECTED)
    watch.meet(dropped, TlsHandshake(ONE, 443, BOOTSTRAP, path="/"), after=2 * OUTDATED)
    assert watch.caught() == (3, 3), "one with its second look proves nothing, however late"


def test_a_fault_of_this_host_ends_no_interception() -> None:
    watch = Watch(INSPECTED)
    watch.shake(INSPECTED)
    for _ in range(30):
        watch.shake(healthy().when(TlsHandshake, Failure(Stage.LOCAL, Code.NO_DESCRIPTORS)))
    assert watch.caught() == (3, 3)


# --- times -------------------------------------------------------------------------------------------------------------------


def test_the_time_of_the_newest_answer() -> None:
    tracks = TargetRecords()
    ask = DnsQuestion(RESOLVERS[0], BOOTSTRAP, "A")
    tracks.observe(KEY, Observation(ask, START, 0.5, None, DnsAnswer("NOERROR")), new=True)
    assert tracks.record_of(KEY).measured == START + 0.5
    assert tracks.record_of(KEY).stages == (("dns", 0.5),)
    tracks.observe(KEY, Observation(ask, START + 9, 2.0, NO_ANSWER), new=True)
    assert tracks.record_of(KEY).measured == START + 11
    assert tracks.record_of(KEY).stages == (("dns", 0.5),), "the last that there was"


@pytest.mark.parametrize(
    ("seen", "stages"),
    [
        (Observation(DnsQuestion("192.0.2.1", "a.test", "A"), START, 0.3, None, DnsAnswer("NXDOMAIN")), {"dns": 0.3}),
        (Observation(DnsQuestion("192.0.2.1", "a.test", "A"), START, 5.0, NO_ANSWER), {}),
        (Observation(TlsHandshake(ONE, 443, BOOTSTRAP), START, 0.3, None, shown((b"x",))), {"tcp": 0.01, "tls": 0.02}),
        (Observation(TlsHandshake(ONE, 443, BOOTSTRAP), START, 0.3, CUT, TlsFacts(0.01)), {"tcp": 0.01}),
        (Observation(TlsHandshake(ONE, 443, BOOTSTRAP), START, 0.3, CUT, TlsFacts(0.01, 0.4)), {"tcp": 0.01}),
        (Observation(TlsHandshake(ONE, 443, BOOTSTRAP), START, 5.0, SILENCE), {}),
        (Observation(HttpFetch(ONE, 80, CRL_HOST, "/"), START, 0.3, None, page(404)), {"tcp": 0.01, "http": 0.02}),
        (Observation(HttpFetch(ONE, 80, CRL_HOST, "/"), START, 0.3, None, replace(BLOCKED, first_byte_s=None)), {"tcp": 0.01}),
    ],
)  # fmt: skip
def test_a_stage_that_failed_has_no_duration(seen: Observation, stages: dict[str, float]) -> None:
    assert dict(durations(seen)) == stages


@pytest.mark.parametrize("by", [10 * 365 * 86400.0, -10 * 365 * 86400.0, 3600.0])
def test_after_a_clock_step_everything_was_met_as_long_ago_as_before(by: float) -> None:
    watch = Watch(healthy())
    watch.shake(healthy())
    gone = watch.of(TWO)
    watch.tracks.clock_was_set(by, watch.now + by)
    watch.memory.clock_was_set(by, watch.now + by)
    watch.now += by
    assert gone.tried is not None
    assert watch.of(TWO).tried == gone.tried + by
    assert watch.tracks.record_of(KEY).measured == pytest.approx(watch.now, abs=1.0)
    watch.shake(renamed(ONE))
    watch.meet(renamed(ONE), *asked(watch))
    assert watch.of(TWO).current is False, "an address of an hour ago counts among those of the day"


def test_targets_that_are_gone_are_forgotten() -> None:
    tracks = TargetRecords()
    first, second = tracks.record_of(KEY), tracks.record_of(LISTS)
    first.measured = second.measured = START
    tracks.keep_only([LISTS])
    assert tracks.record_of(LISTS) is second
    assert tracks.record_of(KEY) == TargetRecord()


def test_a_name_whose_addresses_rotate_without_end_is_bounded() -> None:
    memory = Memory()
    for number in range(3 * MOST):
        step = TlsHandshake(f"20.1.{number // 256}.{number % 256}", 443, BOOTSTRAP)
        memory.record(Observation(step, START + number, 0.1, SILENCE))
    assert memory.forget(START + 3 * MOST) == 2 * MOST
    assert len(memory) == MOST
    assert min(seen.started for seen in memory.known.values()) == START + 2 * MOST
    watch = Watch(healthy())
    track = watch.tracks.record_of(KEY)
    for number in range(3 * MOST):
        address = f"20.2.{number // 256}.{number % 256}"
        track.addresses[address] = AddressState(address, "ipv4", True, "ok", watch.now - number, current=True)
    watch.judge()
    assert len(track.addresses) == MOST
    assert {ONE, TWO} <= set(track.addresses)

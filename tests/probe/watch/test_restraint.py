"""Not to be taken for a scan: at so many silent addresses no new one is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.watch.asker import Restraint
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step
from tests.rules.script import wanting

LIMIT, WINDOW = 20, 300.0


def seen(address: str, code: Code | None, *, plain: bool = False) -> Observation:
    step: Step = HttpFetch(address, 80, "h", "/") if plain else TlsHandshake(address, 443, "h")
    return Observation(step, 0.0, 0.1, Failure(Stage.TCP, code) if code is not None else None)


def silenced(count: int, now: float = 0.0, code: Code = Code.TIMEOUT) -> Restraint:
    restraint = Restraint(LIMIT, WINDOW)
    for number in range(count):
        restraint.note(seen(f"203.0.113.{number}", code, plain=number % 2 == 0), now)
    return restraint


@pytest.mark.parametrize("code", [Code.TIMEOUT, Code.RESET, Code.EOF, Code.REFUSED])
def test_after_twenty_silent_ones_no_new_one(code: Code) -> None:
    assert silenced(LIMIT - 1, code=code).allows("192.0.2.1", 0.0)
    assert not silenced(LIMIT, code=code).allows("192.0.2.1", 0.0)


@pytest.mark.parametrize("code", [Code.UNREACHABLE, Code.NO_ROUTE, Code.DENIED, Code.STARVED])
def test_what_is_no_silence_does_not_count(code: Code) -> None:
    assert silenced(LIMIT + 5, code=code).allows("192.0.2.1", 0.0)


def test_a_server_that_closes_for_want_of_a_client_certificate_answered() -> None:
    restraint = silenced(LIMIT)
    failure, facts = wanting((b"x",), alert=0)
    closed = replace(seen("203.0.113.0", None), failure=failure, evidence=facts)
    restraint.note(closed, 1.0)
    assert restraint.allows("192.0.2.1", 1.0)
    restraint.note(replace(closed, evidence=replace(facts, certificate_sent=False)), 2.0)
    assert not restraint.allows("192.0.2.1", 2.0)


def test_those_that_were_met_go_on() -> None:
    restraint = silenced(LIMIT)
    assert restraint.allows("203.0.113.3", 0.0), "a firewall has counted it already"
    restraint.note(seen("192.0.2.7", None), 0.0)
    assert restraint.allows("192.0.2.7", 0.0), "it answered"
    restraint.note(seen("192.0.2.7", Code.TIMEOUT), 1.0)
    assert restraint.allows("192.0.2.7", 1.0)


def test_the_silence_of_before_is_forgotten() -> None:
    restraint = silenced(LIMIT)
    assert not restraint.allows("192.0.2.1", WINDOW)
    assert restraint.allows("192.0.2.1", WINDOW + 0.1)


def test_one_that_answers_makes_room() -> None:
    restraint = silenced(LIMIT)
    restraint.note(seen("203.0.113.0", None), 1.0)
    assert restraint.allows("192.0.2.1", 1.0)


def test_the_same_address_over_and_over_counts_once() -> None:
    restraint = Restraint(LIMIT, WINDOW)
    for _ in range(3 * LIMIT):
        restraint.note(seen("203.0.113.1", Code.TIMEOUT), 0.0)
    assert restraint.allows("192.0.2.1", 0.0)


def test_questions_to_resolvers_are_no_connections() -> None:
    restraint = Restraint(1, WINDOW)
    restraint.note(
        Observation(DnsQuestion("192.0.2.53", "a", "A"), 0.0, 5.0, Failure(Stage.DNS, Code.TIMEOUT)), 0.0
    )
    assert restraint.allows("192.0.2.1", 0.0)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([None, Code.TIMEOUT])), max_size=200))
def test_never_more_new_silent_addresses_than_the_limit_within_a_window(
    tries: list[tuple[int, Code | None]],
) -> None:
    restraint, met = Restraint(LIMIT, WINDOW), set[str]()
    for number, code in tries:
        address = f"203.0.113.{number}"
        if restraint.allows(address, 1.0):
            restraint.note(seen(address, code), 1.0)
            if code is not None:
                met.add(address)
            else:
                met.discard(address)
        assert len(met) <= LIMIT

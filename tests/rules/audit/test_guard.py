"""What the audit notices about its own progress."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.guard import BROKEN_FAMILY_AFTER, RECHECK, RECHECK_AT, Guard, is_v6
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from tests.rules.script import CUT, PLAN, REFUSED, SILENCE, wanting

FAST = replace(PLAN, pace="fast")


def met(
    address: str, failure: Failure | None = None, name: str = "h", when: float = 0.0, attempt: int = 1
) -> Observation:
    return Observation(TlsHandshake(address, 443, name, attempt=attempt), when, 0.1, failure)


def silent(guard: Guard, count: int, when: float = 0.0) -> list[TlsHandshake]:
    """So many more silent hosts; the second looks that they led to."""
    looks = [guard.note(met(f"203.0.113.{n}", SILENCE, f"h{n}", when)) for n in range(count)]
    return [look for look in looks if look is not None]


@pytest.mark.parametrize(
    ("address", "v6"), [("203.0.113.1", False), ("2001:db8::1", True), ("::ffff:1.2.3.4", True)]
)
def test_families(address: str, v6: bool) -> None:
    assert is_v6(address) is v6


@pytest.mark.parametrize("alert", [40, 0])
def test_a_server_that_wants_a_client_certificate_answered_and_is_not_silent(alert: int) -> None:
    guard = Guard(PLAN)
    failure, facts = wanting((b"x",), alert)
    guard.note(replace(met("203.0.113.1", failure), evidence=facts))
    assert (list(guard.reached), list(guard.silent)) == (["203.0.113.1"], [])


# --- families ----------------------------------------------------------------------------------------------------


def test_a_family_is_broken_when_names_fail_over_it_that_the_other_reaches() -> None:
    guard = Guard(PLAN)
    for n in range(BROKEN_FAMILY_AFTER):
        assert not guard.family_broken(True)
        guard.note(met(f"203.0.113.{n}", None, f"h{n}"))
        guard.note(met(f"2001:db8::{n}", SILENCE, f"h{n}"))
    assert guard.family_broken(True)
    assert not guard.family_broken(False)
    guard.note(met("2001:db8::99", None, "h99"))
    assert not guard.family_broken(True), "one that opens is enough"


def test_names_that_fail_over_both_families_are_blocked_and_break_none() -> None:
    guard = Guard(PLAN)
    guard.note(met("203.0.113.200", None, "other"))
    for n in range(9):
        guard.note(met(f"203.0.113.{n}", SILENCE, f"h{n}"))
        guard.note(met(f"2001:db8::{n}", SILENCE, f"h{n}"))
    assert not guard.family_broken(True)
    assert not guard.family_broken(False)


# --- sweeps ------------------------------------------------------------------------------------------------------


def test_a_polite_audit_is_exhausted_by_so_many_silent_hosts_within_the_window() -> None:
    guard = Guard(PLAN)
    silent(guard, PLAN.sweep_limit - 1)
    assert not guard.exhausted(1.0)
    guard.note(met("203.0.113.250", CUT))
    assert guard.exhausted(1.0)
    assert not guard.exhausted(PLAN.sweep_window + 2)


def test_a_fast_audit_never_is() -> None:
    guard = Guard(FAST)
    silent(guard, 200)
    assert not guard.exhausted(1.0)


def test_the_addresses_of_a_broken_family_do_not_count() -> None:
    guard = Guard(PLAN)
    for n in range(PLAN.sweep_limit + 5):
        guard.note(met(f"203.0.113.{n}", None, f"h{n}"))
        guard.note(met(f"2001:db8::{n}", SILENCE, f"h{n}"))
    assert not guard.exhausted(1.0)


def test_an_address_that_answered_is_asked_again_at_a_few_counts_of_silence() -> None:
    guard = Guard(PLAN)
    good = [met(f"198.51.100.{n}", None, f"good{n}") for n in range(1, 5)]
    for seen in good:
        guard.note(seen)
    looks = silent(guard, 30)
    assert [look.address for look in looks] == ["198.51.100.1", "198.51.100.2", "198.51.100.3"]
    assert len(looks) == len(RECHECK_AT)
    assert {look.attempt for look in looks} == {RECHECK}


def test_without_anything_that_answered_there_is_nothing_to_ask_again() -> None:
    assert silent(Guard(PLAN), 30) == []


@pytest.mark.parametrize(
    ("failure", "sweep"), [(SILENCE, True), (CUT, True), (REFUSED, False), (None, False)]
)
def test_the_second_look_tells_a_sweep_detection_from_a_blocked_list(
    failure: Failure | None, sweep: bool
) -> None:
    guard = Guard(PLAN)
    guard.note(met("198.51.100.1"))
    guard.note(met("198.51.100.1", failure, attempt=RECHECK))
    assert guard.sweep is sweep


def test_questions_of_another_kind_do_not_count() -> None:
    guard = Guard(PLAN)
    seen = Observation(DnsQuestion("192.0.2.1", "h", "A"), 0, 0.1, Failure(Stage.DNS, Code.TIMEOUT))
    assert guard.note(seen) is None
    assert guard == Guard(PLAN)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([None, SILENCE, CUT, REFUSED]))))
def test_what_opened_and_what_is_silent_follow_from_what_was_seen(
    story: list[tuple[int, Failure | None]],
) -> None:
    guard = Guard(PLAN)
    for n, failure in story:
        guard.note(met(f"203.0.113.{n}", failure, f"h{n}"))
    assert guard.opened == {f"203.0.113.{n}" for n, f in story if f is None or f.stage is Stage.TLS}
    assert set(guard.silent) == {f"203.0.113.{n}" for n, f in story if f is not None}
    assert set(guard.reached) == {f"203.0.113.{n}" for n, f in story if f is None}


@pytest.mark.parametrize(
    ("now", "sweep"),
    [(SILENCE, True), (Failure(Stage.TLS, Code.TIMEOUT), False), (CUT, False), (None, False)],
)
def test_an_address_that_only_ever_opened_must_fail_to_open_for_a_sweep(
    now: Failure | None, sweep: bool
) -> None:
    guard = Guard(FAST)
    guard.note(met("203.0.113.200", Failure(Stage.TLS, Code.TIMEOUT), "stalled"))
    looks = silent(guard, RECHECK_AT[0])
    assert [look.address for look in looks] == ["203.0.113.200"]
    guard.note(met("203.0.113.200", now, "stalled", attempt=RECHECK))
    assert guard.sweep is sweep


# --- a steady plan: the answers are of different times ---------------------------------------------------------------------


def test_silence_is_news_and_no_firewall_s_mood() -> None:
    """Something answered an hour ago and much is silent now: nobody is asked again, and nothing is called a sweep."""
    guard = Guard(replace(PLAN, steady=True))
    guard.note(met("203.0.113.200", None, "answers"))
    assert silent(guard, 3 * max(RECHECK_AT)) == []
    assert not guard.rechecks
    assert not guard.sweep


def test_a_steady_plan_goes_on_however_much_is_silent() -> None:
    for plan in (PLAN, replace(PLAN, steady=True)):
        guard = Guard(plan)
        silent(guard, PLAN.sweep_limit + 5, when=100.0)
        assert guard.exhausted(101.0) is not plan.steady


def test_a_family_is_broken_all_the_same() -> None:
    guard = Guard(replace(PLAN, steady=True))
    for n in range(BROKEN_FAMILY_AFTER):
        guard.note(met(f"203.0.113.{n}", None, f"h{n}"))
        guard.note(met(f"2001:db8::{n}", SILENCE, f"h{n}"))
    assert guard.family_broken(True)

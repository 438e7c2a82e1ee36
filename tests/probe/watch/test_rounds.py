"""A cycle has ended when every target of its kind was measured once."""

from __future__ import annotations

import time

import pytest

from probe.watch.rounds import FinishedRound, Rounds
from rules.watch.schedule import Kind
from rules.watch.state import Key

A, B, C = ("a.example", 443), ("b.example", 443), ("c.example", 80)
BOTH: tuple[tuple[Key, Kind], ...] = ((A, "service"), (B, "service"), (C, "sign-in"))


def planned(*keys: tuple[Key, Kind]) -> Rounds:
    rounds = Rounds()
    rounds.plan(keys or BOTH)
    return rounds


def test_it_ends_with_the_last_one_and_tells_what_it_found() -> None:
    rounds = planned()
    before = time.monotonic()
    assert rounds.done(A, "service", True, 1000.0) is None
    ended = rounds.done(B, "service", False, 1007.0)
    assert ended is not None
    assert (ended.kind, ended.started, ended.targets, ended.failed) == ("service", 1000.0, 2, 1)
    assert 0 <= ended.duration <= time.monotonic() - before, "by a clock that is never set"


def test_kinds_do_not_wait_for_each_other() -> None:
    assert isinstance(planned().done(C, "sign-in", True, 1.0), FinishedRound)


def test_one_that_comes_twice_ends_nothing_and_counts_once() -> None:
    rounds = planned()
    for ok in (False, False, True, False):
        assert rounds.done(A, "service", ok, 1.0) is None
    ended = rounds.done(B, "service", False, 2.0)
    assert ended is not None
    assert ended.failed == 2


def test_one_that_recovered_within_the_round_has_not_failed() -> None:
    rounds = planned()
    rounds.done(A, "service", False, 1.0)
    rounds.done(A, "service", True, 2.0)
    ended = rounds.done(B, "service", True, 3.0)
    assert ended is not None
    assert ended.failed == 0


def test_the_next_round_begins_from_nothing() -> None:
    rounds = planned()
    rounds.done(A, "service", False, 1.0)
    rounds.done(B, "service", False, 2.0)
    assert rounds.done(A, "service", True, 60.0) is None
    ended = rounds.done(B, "service", True, 61.0)
    assert ended is not None
    assert (ended.started, ended.failed) == (60.0, 0)


def test_a_target_that_goes_is_not_waited_for_and_a_new_one_is() -> None:
    rounds = planned()
    rounds.done(A, "service", True, 1.0)
    rounds.plan([(A, "service"), (("new.example", 443), "service")])
    ended = rounds.done(("new.example", 443), "service", True, 2.0)
    assert ended is not None
    assert ended.targets == 2


def test_the_last_one_that_is_left_goes_with_the_list() -> None:
    """Nobody would end the round any more: the next answer does."""
    rounds = planned()
    rounds.done(A, "service", True, 1.0)
    rounds.plan([(A, "service")])
    assert rounds.done(A, "service", True, 2.0) is not None


def test_a_failure_of_a_target_that_is_gone_is_not_told() -> None:
    rounds = planned()
    rounds.done(A, "service", False, 1.0)
    rounds.plan([(B, "service")])
    ended = rounds.done(B, "service", True, 2.0)
    assert ended is not None
    assert (ended.targets, ended.failed) == (1, 0)


@pytest.mark.parametrize("times", [1, 5])
def test_the_same_plan_again_changes_nothing(times: int) -> None:
    rounds = planned()
    rounds.done(A, "service", True, 1.0)
    for _ in range(times):
        rounds.plan(BOTH)
    assert rounds.done(B, "service", True, 2.0) is not None

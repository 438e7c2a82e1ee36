"""What a confirmation publishes after a restart, from what the history knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.verdict import Status
from rules.watch.confirmation import (
    status_word,
)
from rules.watch.events import Transition
from tests.rules.script import START
from tests.rules.watch.confirmations import KEYS, TARGET, OneTarget, shown

BEFORE = START - 86_400.0


def known(after: str, cause: str = "ok", name: str = "a.test:443") -> dict[str, Transition]:
    return {name: Transition(BEFORE, name, "", after, "", cause, f"it was {after}")}


def after_a_restart(after: str, cause: str = "ok") -> OneTarget:
    return OneTarget(known(after, cause))


@pytest.mark.parametrize("status", [Status.PASS, Status.WARN, Status.INCONCLUSIVE, Status.FAIL])
def test_what_is_as_it_was_is_so_since_before(status: Status) -> None:
    settled = after_a_restart(status_word(status))(status)
    assert settled.targets[0].since == BEFORE
    assert (settled.transitions, settled.first, settled.differing) == ((), (), frozenset())


def test_what_changed_while_nobody_looked_is_a_transition_when_confirmed() -> None:
    told = after_a_restart("pass")
    held = told(Status.FAIL)
    assert (shown(held), held.differing) == ("pass", KEYS)
    (target,) = held.targets
    assert (target.cause, target.summary, target.since) == ("ok", "it was pass", BEFORE)
    assert shown(told(Status.FAIL, asked=False)) == "pass", "the first look is one snapshot"
    settled = told(Status.FAIL)
    (change,) = settled.transitions
    assert (change.before, change.after, change.cause_before, change.cause) == (
        "pass",
        "fail",
        "ok",
        "tcp.timeout",
    )
    assert settled.targets[0].since == told.now
    assert settled.first == ()


def test_what_no_history_knows_is_kept_as_seen_first_once() -> None:
    told = OneTarget(known("fail", name="gone.test:443"))
    (first,) = told(Status.PASS).first
    assert (first.at, first.subject, first.before, first.after) == (START + 15, "a.test:443", "", "pass")
    assert told(Status.PASS).first == ()


def test_what_comes_back_later_is_seen_for_the_first_time() -> None:
    """The confirmation uses the history in the first judgement only: a target that is off the list is not measured."""
    told = after_a_restart("fail")
    told.judge([])
    settled = told(Status.FAIL)
    assert settled.targets[0].since == told.now
    assert [t.subject for t in settled.first] == ["a.test:443"]


def test_a_word_of_a_newer_version_is_passed_over() -> None:
    settled = after_a_restart("splendid")(Status.FAIL)
    assert (shown(settled), settled.transitions) == ("fail", ())


@pytest.mark.parametrize(
    ("was", "now", "published", "since_before"),
    [
        ("pass", ("pass", "pass"), ("pass", "pass"), (True, True)),
        ("fail", ("pass", "fail"), ("pass", "fail"), (False, True)),  # the history's word is the second one's
        ("pass", ("fail", "fail"), ("pass", "fail"), (True, False)),  # one of them has changed
    ],
)
def test_of_two_rules_with_one_name(
    was: str, now: tuple[str, str], published: tuple[str, str], since_before: tuple[bool, bool]
) -> None:
    told = OneTarget(known(was))
    seen = [
        replace(TARGET, rule=rule, status=Status(one), measured=START)
        for rule, one in zip(("app/a", "app/b"), now, strict=True)
    ]
    settled = told.judge(seen)
    assert tuple(status_word(t.status) for t in settled.targets) == published
    assert tuple(t.since == BEFORE for t in settled.targets) == since_before
    assert (settled.transitions, settled.first) == ((), ())

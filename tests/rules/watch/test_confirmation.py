"""A change is confirmed before it becomes a transition."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Report, Status
from rules.watch.confirmation import CONNECTOR, PATIENCE, Confirmation, Settled, heaviest, word
from rules.watch.events import Transition
from rules.watch.state import AddressState, TargetState
from tests.rules import goldens
from tests.rules.script import CRL_HOST, SILENCE, START, healthy, judged

HEALTHY = judged(healthy())
DOWN = judged(healthy().when(TlsHandshake, SILENCE))
TARGET = TargetState("a.test", 443, "app/a", "service", True, Status.PASS, "ok", "tls", "fine", ())
WORDS = ("pass", "warn", "inconclusive", "fail")
NONE: frozenset[str] = frozenset()


class Told:
    """A confirmation that is told of one target, at a time that goes on."""

    def __init__(self) -> None:
        self.confirmation = Confirmation()
        self.now = START

    def __call__(
        self,
        status: Status,
        cause: str = "",
        *,
        measured: bool = True,
        pending: bool = False,
        report: Report = HEALTHY,
        after: float = 15.0,
    ) -> Settled:
        self.now += after
        self.at = self.now if measured else getattr(self, "at", self.now)
        cause = cause or ("ok" if status is Status.PASS else "tcp.timeout")
        target = replace(TARGET, status=status, cause=cause, summary=f"it is {status}", measured=self.at)
        return self.confirmation.settle(
            report, [target], frozenset(["a.test"]) if pending else NONE, self.now
        )


def shown(settled: Settled) -> str:
    (target,) = settled.targets
    return word(target.status)


@pytest.fixture
def told() -> Told:
    made = Told()
    assert made(Status.PASS).transitions == ()
    return made


def test_the_first_sight_is_no_transition() -> None:
    settled = Told()(Status.FAIL)
    assert settled.transitions == ()
    assert shown(settled) == "fail"
    assert settled.targets[0].since == settled.answer_since == START + 15
    assert settled.held == frozenset()
    assert settled.report_holds


def test_one_bad_measurement_is_none(told: Told) -> None:
    bad = told(Status.FAIL)
    assert (shown(bad), bad.held, bad.transitions) == ("pass", frozenset(["a.test:443"]), ())
    good = told(Status.PASS)
    assert (shown(good), good.held, good.transitions) == ("pass", frozenset(), ())
    assert good.targets[0].since == START + 15


def test_two_are_one(told: Told) -> None:
    told(Status.FAIL)
    settled = told(Status.FAIL)
    (change,) = settled.transitions
    assert (change.subject, change.before, change.after) == ("a.test:443", "pass", "fail")
    assert (change.cause_before, change.cause, change.summary) == ("ok", "tcp.timeout", "it is fail")
    assert change.at == told.now == settled.targets[0].since
    assert told(Status.FAIL).transitions == ()


def test_the_same_measurement_judged_twice_is_one_measurement(told: Told) -> None:
    told(Status.FAIL)
    assert shown(told(Status.FAIL, measured=False)) == "pass"
    assert shown(told(Status.FAIL, measured=False)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


def seen_at(tried: float, answered: float, cause: str = "tcp.timeout") -> TargetState:
    """A target that fails, its address tried then, an answer about it come then."""
    ok = cause == "ok"
    address = AddressState("203.0.113.1", "ipv4", ok, cause, tried, True)
    status = Status.PASS if ok else Status.FAIL
    return replace(TARGET, status=status, cause=cause, addresses=(address,), measured=answered)


@pytest.mark.parametrize("by", [-86_400.0, 3600.0, 5 * 365 * 86_400.0])
def test_s1_a_clock_that_was_set_confirms_nothing(told: Told, by: float) -> None:
    """One measurement, judged again after the step with its time moved as everything else."""
    now = told.now
    told.confirmation.settle(DOWN, [seen_at(now, now)], NONE, now)
    told.confirmation.shift(by, now + by + 5)
    then = now + by
    settled = told.confirmation.settle(DOWN, [seen_at(then, then)], NONE, then + 5)
    assert (shown(settled), settled.answer, settled.transitions) == ("pass", Answer.YES, ())
    late = then + PATIENCE
    settled = told.confirmation.settle(DOWN, [seen_at(then, then)], NONE, late)
    assert (shown(settled), settled.answer) == ("fail", Answer.NO)


def test_while_a_second_look_is_wanted_nothing_changes(told: Told) -> None:
    for _ in range(4):
        assert shown(told(Status.FAIL, pending=True)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


@pytest.mark.parametrize("how", [{"pending": True}, {"measured": False}])
def test_nobody_waits_longer_than_patience(told: Told, how: dict[str, bool]) -> None:
    told(Status.FAIL)
    assert shown(told(Status.FAIL, after=PATIENCE - 1, **how)) == "pass"  # type: ignore[arg-type]  # a test's short hand
    assert shown(told(Status.FAIL, after=1, **how)) == "fail"  # type: ignore[arg-type]


def test_what_fails_in_another_way_each_time_is_told_in_the_end(told: Told) -> None:
    """Never twice the same, and never well again: that is a change."""
    ways = [Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.WARN] * 5
    settled = [told(way) for way in ways]
    first = next(n for n, one in enumerate(settled) if one.transitions)
    assert first * 15 == PATIENCE


def test_a_clock_that_is_set_back_makes_nobody_wait(told: Told) -> None:
    """Row S1: the times are Unix time, and a second measurement is one of another time, whichever."""
    told(Status.FAIL)
    assert shown(told(Status.FAIL, after=-5 * 365 * 86_400)) == "fail"
    told(Status.PASS, pending=True, report=DOWN)
    assert shown(told(Status.PASS, pending=True, after=-86_400)) == "pass"


def test_flapping_is_no_change(told: Told) -> None:
    for _ in range(50):
        assert shown(told(Status.FAIL)) == "pass"
        assert told(Status.PASS).transitions == ()
    assert told(Status.PASS).targets[0].since == START + 15


def test_recovery_is_confirmed_as_well(told: Told) -> None:
    told(Status.FAIL)
    told(Status.FAIL)
    assert shown(told(Status.PASS)) == "fail"
    (change,) = told(Status.PASS).transitions
    assert (change.before, change.after, change.cause) == ("fail", "pass", "ok")


def test_another_cause_is_no_transition_and_does_not_wait(told: Told) -> None:
    told(Status.FAIL, "tcp.timeout")
    settled = told(Status.FAIL, "tcp.timeout")
    since = settled.targets[0].since
    settled = told(Status.FAIL, "tls.reset")
    assert settled.transitions == ()
    assert (settled.targets[0].cause, settled.targets[0].since) == ("tls.reset", since)
    told(Status.PASS)
    (change,) = told(Status.PASS).transitions
    assert change.cause_before == "tls.reset"


def test_a_notice_is_no_other_word(told: Told) -> None:
    settled = told(Status.NOTICE, "path.family-broken")
    assert settled.targets[0].status is Status.NOTICE
    assert settled.held == frozenset()


def test_a_target_that_is_held_shows_what_each_answer_brings(told: Told) -> None:
    told.now += 15
    fresh = replace(
        TARGET,
        status=Status.FAIL,
        cause="tcp.timeout",
        measured=told.now,
        addresses=(AddressState("203.0.113.1", "ipv4", False, "tcp.timeout", told.now, True),),
        stages=(("dns", 0.1),),
        handshakes=3,
        intercepted=2,
    )
    (target,) = told.confirmation.settle(HEALTHY, [fresh], NONE, told.now).targets
    assert (target.status, target.cause, target.summary) == (Status.PASS, "ok", "it is pass")
    assert (target.addresses, target.stages) == (fresh.addresses, fresh.stages)
    assert (target.handshakes, target.intercepted, target.measured) == (3, 2, told.now)


def test_a_target_that_vanishes_and_comes_back_is_seen_for_the_first_time(told: Told) -> None:
    told(Status.FAIL)
    gone = told.confirmation.settle(HEALTHY, [], NONE, told.now)
    assert (gone.targets, gone.held) == ((), frozenset())
    settled = told(Status.FAIL)
    assert (shown(settled), settled.transitions) == ("fail", ())


def test_targets_of_two_rules_are_two(told: Told) -> None:
    other = replace(TARGET, rule="app/b", status=Status.FAIL, cause="tls.intercepted", measured=1.0)
    settled = told.confirmation.settle(HEALTHY, [replace(TARGET, measured=told.now), other], NONE, told.now)
    assert [word(t.status) for t in settled.targets] == ["pass", "fail"]
    assert settled.transitions == ()


# --- what a history knows -------------------------------------------------------------------------------------------------

BEFORE = START - 86_400.0


def known(after: str, cause: str = "ok", name: str = "a.test:443") -> dict[str, Transition]:
    return {name: Transition(BEFORE, name, "", after, "", cause, f"it was {after}")}


def after_a_restart(after: str, cause: str = "ok") -> Told:
    made = Told()
    made.confirmation = Confirmation(known(after, cause))
    return made


@pytest.mark.parametrize("status", [Status.PASS, Status.WARN, Status.INCONCLUSIVE, Status.FAIL])
def test_what_is_as_it_was_is_so_since_before(status: Status) -> None:
    settled = after_a_restart(word(status))(status)
    assert settled.targets[0].since == BEFORE
    assert (settled.transitions, settled.first, settled.held) == ((), (), frozenset())


def test_what_changed_while_nobody_looked_is_a_transition_when_confirmed() -> None:
    told = after_a_restart("pass")
    held = told(Status.FAIL)
    assert (shown(held), held.held) == ("pass", frozenset({"a.test:443"}))
    (target,) = held.targets
    assert (target.cause, target.summary, target.since) == ("ok", "it was pass", BEFORE)
    assert shown(told(Status.FAIL)) == "pass", "the first look is none of the two measurements"
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
    told = Told()
    told.confirmation = Confirmation(known("fail", name="gone.test:443"))
    (first,) = told(Status.PASS).first
    assert (first.at, first.subject, first.before, first.after) == (START + 15, "a.test:443", "", "pass")
    assert told(Status.PASS).first == ()


def test_what_comes_back_later_is_seen_for_the_first_time() -> None:
    """The history counts for the first judgement: nobody knows what a target was while it was not on the list."""
    told = after_a_restart("fail")
    told.confirmation.settle(HEALTHY, [], NONE, told.now)
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
    confirmation = Confirmation(known(was))
    seen = [
        replace(TARGET, rule=rule, status=Status(one), measured=START)
        for rule, one in zip(("app/a", "app/b"), now, strict=True)
    ]
    settled = confirmation.settle(HEALTHY, seen, NONE, START)
    assert tuple(word(t.status) for t in settled.targets) == published
    assert tuple(t.since == BEFORE for t in settled.targets) == since_before
    assert (settled.transitions, settled.first) == ((), ())


# --- the answer ------------------------------------------------------------------------------------------------------------


def test_the_answer_follows_when_nothing_waits(told: Told) -> None:
    since = told.now
    held = told(Status.FAIL, report=DOWN)
    assert (held.answer, held.answer_since, held.report_holds) == (Answer.YES, since, False)
    settled = told(Status.FAIL, report=DOWN)
    assert (settled.answer, settled.answer_since, settled.report_holds) == (Answer.NO, told.now, True)
    answer, target = settled.transitions[::-1]
    assert (answer.subject, answer.before, answer.after) == (CONNECTOR, "yes", "no")
    assert (answer.cause_before, answer.cause) == (heaviest(HEALTHY), "tcp.timeout")
    assert answer.summary == DOWN.answer_text
    assert target.subject == "a.test:443"


def test_an_answer_that_comes_back_meanwhile_was_never_gone(told: Told) -> None:
    told(Status.FAIL, report=DOWN)
    settled = told(Status.PASS)
    assert (settled.answer, settled.report_holds, settled.transitions) == (Answer.YES, True, ())


def test_the_answer_waits_for_the_second_try_of_a_list_that_is_no_target(told: Told) -> None:
    """A list out of a certificate may be all that fails: its first silence is no transition either."""
    told.now += 15
    fine = replace(TARGET, measured=told.now)
    held = told.confirmation.settle(DOWN, [fine], frozenset([CRL_HOST]), told.now)
    assert (held.answer, held.transitions) == (Answer.YES, ())
    settled = told.confirmation.settle(DOWN, [fine], NONE, told.now + 5)
    assert [t.subject for t in settled.transitions] == [CONNECTOR]


def test_an_answer_waits_no_longer_than_patience(told: Told) -> None:
    told(Status.FAIL, report=DOWN, pending=True)
    assert told(Status.FAIL, report=DOWN, pending=True, after=PATIENCE - 1).answer is Answer.YES
    assert told(Status.FAIL, report=DOWN, pending=True, after=1).answer is Answer.NO


def test_the_heaviest_cause_of_a_report() -> None:
    assert heaviest(DOWN) == "tcp.timeout"
    assert heaviest(goldens.golden("healthy")) == "ok"


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_word_of_the_history(status: Status) -> None:
    assert word(status) in WORDS


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.booleans(), st.booleans()), max_size=40))
def test_each_transition_begins_where_the_one_before_ended(script: list[tuple[Status, bool, bool]]) -> None:
    told = Told()
    told(Status.PASS)
    standing, latest = "pass", [word(Status.PASS)]
    for status, measured, pending in script:
        settled = told(status, measured=measured, pending=pending)
        latest.append(word(status))
        for change in settled.transitions:
            assert change.before == standing != change.after == word(status)
            standing = change.after
        assert shown(settled) == standing
        assert bool(settled.held) == (standing != word(status))
        if settled.transitions and told.now - START < PATIENCE:
            assert latest[-1] == latest[-2], "two measurements in a row"

"""When the confirmation publishes the change of one target: each row of its table, and rules for several judgements in a row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from rules.model.verdict import Answer, Report, Status
from rules.watch import confirmation as module
from rules.watch.confirmation import (
    PATIENCE,
    TABLE,
    Event,
    Inquiry,
    Moment,
    Publish,
    Settled,
    State,
    status_word,
)
from rules.watch.state import AddressState
from tests.rules.script import START
from tests.rules.watch.confirmations import (
    DOWN,
    EVERY,
    HEALTHY,
    KEY,
    KEYS,
    NONE,
    TARGET,
    OneTarget,
    at,
    shown,
)

# --- the table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """What a judgement sees in a row's script."""

    status: Status
    asked: bool = True
    after: float = EVERY
    report: Report = HEALTHY


PASS, WARN, FAIL = Look(Status.PASS), Look(Status.WARN), Look(Status.FAIL)
#: For each row what is judged up to it, what is published after it, of the transitions the last one, whether it still differs.
ROWS: dict[tuple[State, Event], tuple[tuple[Look, ...], str, tuple[str, str] | None, bool]] = {
    (State.NEW, Event.FIRST): ((FAIL,), "fail", None, False),
    (State.STEADY, Event.SAME): ((PASS, PASS), "pass", None, False),
    (State.STEADY, Event.UNPROVEN): ((PASS, FAIL), "pass", None, True),
    (State.STEADY, Event.AGREES): ((PASS, Look(Status.PASS, report=DOWN)), "pass", ("yes", "no"), False),
    (State.DIFFERS, Event.SAME): ((PASS, FAIL, PASS), "pass", None, False),
    (State.DIFFERS, Event.UNPROVEN): ((PASS, FAIL, Look(Status.FAIL, asked=False)), "pass", None, True),
    (State.DIFFERS, Event.DISAGREES): ((PASS, WARN, FAIL), "pass", None, True),
    (State.DIFFERS, Event.AGREES): ((PASS, FAIL, FAIL), "fail", ("pass", "fail"), False),
    (State.DIFFERS, Event.LATE): (
        (PASS, FAIL, Look(Status.FAIL, asked=False, after=PATIENCE)),
        "fail",
        ("pass", "fail"),
        False,
    ),
}


class Taken(dict[tuple[State, Event], tuple[State, Publish]]):
    """The table, and which of its rows were taken."""

    def __init__(self) -> None:
        super().__init__(TABLE)
        self.rows: list[tuple[State, Event]] = []

    def __getitem__(self, row: tuple[State, Event]) -> tuple[State, Publish]:
        self.rows.append(row)
        return super().__getitem__(row)


def _judged(told: OneTarget, taken: Taken, look: Look) -> Settled:
    taken.rows.clear()
    return told(look.status, asked=look.asked, after=look.after, report=look.report)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: "-".join(part.name.lower() for part in row))
def test_every_row_of_the_table(row: tuple[State, Event], monkeypatch: pytest.MonkeyPatch) -> None:
    taken, told = Taken(), OneTarget()
    monkeypatch.setattr(module, "TABLE", taken)
    script, published, change, differs = ROWS[row]
    settled = [_judged(told, taken, look) for look in script][-1]
    assert row in taken.rows
    assert shown(settled) == published
    assert [(t.before, t.after) for t in settled.transitions] == ([change] if change else [])
    assert settled.differing == ({KEY} if differs else frozenset())


def test_the_docstring_has_the_rows_of_the_table() -> None:
    lines = [line.split("|") for line in (module.__doc__ or "").splitlines() if line.startswith("| ")]
    rows = [(cells[1].strip(), cells[2].partition(":")[0].strip(), cells[3].strip()) for cells in lines[2:]]
    assert rows == [(state.name, event.name, after.name) for (state, event), (after, _) in TABLE.items()]


# --- a target ------------------------------------------------------------------------------------------------


def test_the_first_sight_is_no_transition() -> None:
    settled = OneTarget()(Status.FAIL)
    assert settled.transitions == ()
    assert shown(settled) == "fail"
    assert settled.targets[0].since == settled.answer_since == START + 15
    assert settled.answer is HEALTHY.answer
    assert settled.differing == frozenset()


def test_one_bad_measurement_is_none(told: OneTarget) -> None:
    bad = told(Status.FAIL)
    assert (shown(bad), bad.differing, bad.transitions) == ("pass", KEYS, ())
    good = told(Status.PASS)
    assert (shown(good), good.differing, good.transitions) == ("pass", frozenset(), ())
    assert good.targets[0].since == START + 15


def test_two_are_one(told: OneTarget) -> None:
    told(Status.FAIL)
    settled = told(Status.FAIL)
    (change,) = settled.transitions
    assert (change.subject, change.before, change.after) == ("a.test:443", "pass", "fail")
    assert (change.cause_before, change.cause, change.summary) == ("ok", "tcp.timeout", "it is fail")
    assert change.at == told.now == settled.targets[0].since
    assert told(Status.FAIL).transitions == ()


def test_the_same_answer_judged_twice_is_one_snapshot(told: OneTarget) -> None:
    told(Status.FAIL)
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


def test_while_a_second_look_is_wanted_nothing_changes(told: OneTarget) -> None:
    for _ in range(4):
        assert shown(told(Status.FAIL, pending=True)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


@pytest.mark.parametrize("how", [{"pending": True}, {"asked": False}])
def test_nobody_waits_longer_than_patience(told: OneTarget, how: dict[str, bool]) -> None:
    told(Status.FAIL)
    assert shown(told(Status.FAIL, after=PATIENCE - 1, **how)) == "pass"  # type: ignore[arg-type]  # a test's short hand
    assert shown(told(Status.FAIL, after=1, **how)) == "fail"  # type: ignore[arg-type]


def test_what_fails_in_another_way_each_time_is_told_in_the_end(told: OneTarget) -> None:
    """Never twice the same, and never well again: that is a change."""
    ways = [Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.WARN] * 5
    settled = [told(way) for way in ways]
    first = next(n for n, one in enumerate(settled) if one.transitions)
    assert first * 15 == PATIENCE


def test_no_step_of_the_wall_clock_confirms_anything_or_makes_anybody_wait(told: OneTarget) -> None:
    """A clock that was set: Unix time is only written down."""

    def judge(wall: float, clock: float) -> Settled:
        failing = replace(TARGET, status=Status.FAIL, cause="tcp.timeout")
        return told.confirmation.settle(DOWN, [failing], NONE, {}, Moment(wall, clock, clock))

    judge(START, 100.0)
    for wall in (START - 5 * 365 * 86_400.0, START + 5 * 365 * 86_400.0):
        settled = judge(wall, 100.0 + PATIENCE - 1)
        assert (shown(settled), settled.answer, settled.transitions) == ("pass", Answer.YES, ())
    settled = judge(START - 86_400.0, 100.0 + PATIENCE)
    assert (shown(settled), settled.answer) == ("fail", Answer.NO)
    assert {t.at for t in settled.transitions} == {START - 86_400.0}


def test_patience_counts_from_the_first_answer_that_differs(told: OneTarget) -> None:
    """A judgement of a long list comes seconds after it."""
    failing = replace(TARGET, status=Status.FAIL, cause="tcp.timeout")
    settled = told.confirmation.settle(HEALTHY, [failing], NONE, {}, Moment(START, 100.0, 88.0))
    assert settled.patience_ends == 88.0 + PATIENCE


def test_a_snapshot_begins_after_the_judgement_that_asks_for_it(told: OneTarget) -> None:
    """What was on its way when a target began to differ may have begun before the change."""
    began = told.number
    told(Status.FAIL)
    told.asked[KEY] = began
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


def test_what_the_first_snapshot_saw_in_part_is_asked_twice_more(told: OneTarget) -> None:
    """The first answer of an outage shows one address of four: a name is not published as half broken for that."""
    told(Status.WARN)
    assert shown(told(Status.FAIL)) == "pass"
    (change,) = told(Status.FAIL).transitions
    assert (change.before, change.after) == ("pass", "fail")


def test_a_target_waits_for_the_documents_on_which_it_alone_rests(told: OneTarget) -> None:
    wanted = ("crl", "crl.test")
    faulty = replace(TARGET, status=Status.WARN, cause="crl.unreachable", documents=(wanted,))
    settled = told.judge([faulty], asked={KEY})
    assert settled.inquiries == {KEY: Inquiry(settled.number, whole=True)}
    assert shown(told.judge([faulty], asked={KEY})) == "pass"
    assert shown(told.judge([faulty], asked={wanted})) == "warn"


def test_an_answer_of_before_the_change_at_an_address_that_comes_back_confirms_nothing(
    told: OneTarget,
) -> None:
    """Where addresses rotate, what was asked may be gone when its answer is judged."""
    told(Status.FAIL)
    told(Status.FAIL)
    back = replace(TARGET, addresses=(at(1, True, START - 900.0),))
    told.judge([back])
    told.asked[KEY] = told.number
    assert shown(told.judge([back])) == "fail"
    told.asked[KEY, "ipv4 1"] = told.number
    assert shown(told.judge([back])) == "pass"


def test_what_was_asked_is_not_asked_again_while_a_second_attempt_is_wanted(told: OneTarget) -> None:
    assert told(Status.FAIL).inquiries.keys() == {KEY}
    settled = told(Status.FAIL, pending=True)
    assert (settled.differing, dict(settled.inquiries)) == (KEYS, {})


def test_flapping_is_no_change(told: OneTarget) -> None:
    for _ in range(50):
        assert shown(told(Status.FAIL)) == "pass"
        assert told(Status.PASS).transitions == ()
    assert told(Status.PASS).targets[0].since == START + 15


def test_recovery_is_confirmed_as_well(told: OneTarget) -> None:
    told(Status.FAIL)
    told(Status.FAIL)
    assert shown(told(Status.PASS)) == "fail"
    (change,) = told(Status.PASS).transitions
    assert (change.before, change.after, change.cause) == ("fail", "pass", "ok")


def test_another_cause_is_no_transition_and_does_not_wait(told: OneTarget) -> None:
    told(Status.FAIL, "tcp.timeout")
    settled = told(Status.FAIL, "tcp.timeout")
    since = settled.targets[0].since
    settled = told(Status.FAIL, "tls.reset")
    assert settled.transitions == ()
    assert (settled.targets[0].cause, settled.targets[0].since) == ("tls.reset", since)
    told(Status.PASS)
    (change,) = told(Status.PASS).transitions
    assert change.cause_before == "tls.reset"


def test_a_notice_is_no_other_word(told: OneTarget) -> None:
    settled = told(Status.NOTICE, "path.family-broken")
    assert settled.targets[0].status is Status.NOTICE
    assert settled.differing == frozenset()


def test_a_target_that_is_held_shows_what_each_answer_brings(told: OneTarget) -> None:
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
    (target,) = told.judge([fresh]).targets
    assert (target.status, target.cause, target.summary) == (Status.PASS, "ok", "it is pass")
    assert (target.addresses, target.stages) == (fresh.addresses, fresh.stages)
    assert (target.handshakes, target.intercepted, target.measured) == (3, 2, fresh.measured)


def test_a_target_that_vanishes_and_comes_back_is_seen_for_the_first_time(told: OneTarget) -> None:
    told(Status.FAIL)
    gone = told.judge([])
    assert (gone.targets, gone.differing) == ((), frozenset())
    settled = told(Status.FAIL)
    assert (shown(settled), settled.transitions) == ("fail", ())


def test_targets_of_two_rules_are_two(told: OneTarget) -> None:
    other = replace(TARGET, rule="app/b", status=Status.FAIL, cause="tls.intercepted", measured=1.0)
    settled = told.judge([TARGET, other])
    assert [status_word(t.status) for t in settled.targets] == ["pass", "fail"]
    assert settled.transitions == ()

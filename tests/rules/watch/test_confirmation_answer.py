"""When a change of the answer is published, and what it waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import causes
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation
from rules.model.verdict import Answer, Endpoint, Status, Verdict
from rules.watch.confirmation import (
    ASKED_WHOLE,
    CONNECTOR,
    LONGER,
    PATIENCE,
    Inquiry,
    heaviest,
    status_word,
)
from rules.watch.memory import document_of
from tests.rules import goldens
from tests.rules.script import CRL_HOST, SILENCE, START
from tests.rules.watch.confirmations import (
    DEGRADED,
    DOWN,
    EVERY,
    HEALTHY,
    KEY,
    TARGET,
    WORDS,
    Judgements,
    OneTarget,
    Two,
    at,
    of,
    shown,
)


def test_the_answer_follows_when_nothing_waits(told: OneTarget) -> None:
    since = told.now
    held = told(Status.FAIL, report=DOWN)
    assert (held.answer, held.answer_since) == (Answer.YES, since)
    settled = told(Status.FAIL, report=DOWN)
    assert (settled.answer, settled.answer_since) == (Answer.NO, told.now)
    answer, target = settled.transitions[::-1]
    assert (answer.subject, answer.before, answer.after) == (CONNECTOR, "yes", "no")
    assert (answer.cause_before, answer.cause) == (heaviest(HEALTHY), "tcp.timeout")
    assert answer.summary == DOWN.answer_text
    assert target.subject == "a.test:443"


def test_an_answer_that_comes_back_meanwhile_was_never_gone(told: OneTarget) -> None:
    told(Status.FAIL, report=DOWN)
    settled = told(Status.PASS)
    assert (settled.answer, settled.transitions) == (Answer.YES, ())


def test_the_answer_waits_for_the_second_try_of_a_list_that_is_no_target(told: OneTarget) -> None:
    """A list out of a certificate may be all that fails: its first silence is no transition either."""
    held = told.judge([TARGET], DOWN, pending=frozenset([CRL_HOST]))
    assert (held.answer, held.transitions) == (Answer.YES, ())
    settled = told.judge([TARGET], DOWN)
    assert [t.subject for t in settled.transitions] == [CONNECTOR]


def test_an_answer_waits_no_longer_than_patience(told: OneTarget) -> None:
    told(Status.FAIL, report=DOWN, pending=True)
    assert told(Status.FAIL, report=DOWN, pending=True, after=PATIENCE - 1).answer is Answer.YES
    assert told(Status.FAIL, report=DOWN, pending=True, after=1).answer is Answer.NO


def test_the_heaviest_cause_of_a_report() -> None:
    assert heaviest(DOWN) == "tcp.timeout"
    assert heaviest(goldens.golden("healthy")) == "ok"


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_word_of_the_history(status: Status) -> None:
    assert status_word(status) in WORDS


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.booleans(), st.booleans()), max_size=40))
def test_each_transition_begins_where_the_one_before_ended(script: list[tuple[Status, bool, bool]]) -> None:
    told = OneTarget()
    told(Status.PASS)
    published = "pass"
    for status, asked, pending in script:
        settled = told(status, asked=asked, pending=pending)
        for change in settled.transitions:
            assert change.before == published != change.after == status_word(status)
            published = change.after
        assert shown(settled) == published
        assert bool(settled.differing) == (published != status_word(status))


# --- what it waits for ----------------------------------------------------------------------------------------


B = frozenset({("b.test", 443)})


@pytest.fixture
def down() -> Two:
    two = Two()
    two.turn(a=False, b=False)
    two.turn(a=False, b=False)
    assert two.answers == ["no"]
    two.answers.clear()
    return two


def test_an_answer_that_gets_better_waits_for_what_broke_with_it(down: Two) -> None:
    down.turn(a=True)
    settled = down.turn(a=True)
    assert (settled.answer, settled.awaited) == (Answer.NO, B)
    down.turn(b=True)
    down.turn(b=True)
    assert down.answers == ["yes"]


def test_what_is_still_broken_is_published_when_it_was_asked_again(down: Two) -> None:
    down.turn(a=True)
    down.turn(a=True, b=False)
    assert down.answers == ["degraded"]


def test_an_answer_waits_for_nothing_that_is_never_asked(down: Two) -> None:
    down.turn(a=True)
    down.turn(a=True)
    assert down.turn(LONGER - EVERY - 1).answer is Answer.NO
    assert down.turn(1).answer is Answer.DEGRADED


def test_what_fails_for_days_is_not_waited_for() -> None:
    two = Two()
    for _ in range(2):
        two.turn(b=False)
    for ok in (False, False, True):
        two.turn(4 * PATIENCE, a=ok)
    settled = two.turn(a=True)
    assert (settled.answer, settled.awaited) == (Answer.DEGRADED, frozenset())


def test_bad_news_does_not_wait_for_what_worked_before() -> None:
    two = Two()
    two.turn(b=False)
    settled = two.turn(b=False)
    assert (settled.answer, settled.awaited) == (Answer.DEGRADED, frozenset())


def test_an_answer_that_gets_better_waits_for_failed_documents_of_no_target(told: OneTarget) -> None:
    step = HttpFetch("203.0.113.1", 80, "off-list.test", "/a.crl", purpose="crl")
    row = Verdict(
        "",
        "",
        Endpoint("off-list.test", 80),
        "crl",
        Status.FAIL,
        causes.CRL_UNREACHABLE,
        "",
        "",
        evidence=("o1",),
    )
    failed = Observation(step, START, 5.0, SILENCE)
    better = replace(DEGRADED, verdicts=(row,), observations=(failed,))
    told(Status.PASS, report=DOWN)
    settled = told(Status.PASS, report=better)
    wanted = document_of(step)
    assert wanted is not None
    assert (settled.answer, settled.documents) == (Answer.NO, frozenset[object]([wanted]))
    assert told.judge([TARGET], better, asked={wanted}).answer is Answer.DEGRADED


def test_while_many_names_differ_the_names_that_decide_are_asked_at_once() -> None:
    """Else the answer would be "degraded" for as long as their turn takes."""
    judge = Judgements()
    deciding = of(at(0, True, START), name="boot.test", required=True)
    names = [of(at(0, True, START), name=f"n{n}.test") for n in range(ASKED_WHOLE + 1)]
    judge.judge([deciding, *names])
    broken = [replace(one, status=Status.WARN, cause="tcp.timeout") for one in names]
    few = judge.judge([deciding, *broken[:-1], names[-1]], DEGRADED)
    assert deciding.key not in few.inquiries
    many = judge.judge([deciding, *broken], DEGRADED, asked={one.key for one in broken[:-1]})
    assert many.inquiries[deciding.key] == Inquiry(many.number, whole=True)
    assert deciding.key not in many.differing
    waits = judge.judge([deciding, *broken], DEGRADED, asked={one.key for one in broken})
    assert waits.answer is Answer.YES
    failing = replace(deciding, status=Status.FAIL, cause="tcp.timeout")
    everything = {deciding.key, *(one.key for one in broken)}
    assert judge.judge([failing, *broken], DOWN, asked=everything).answer is Answer.YES
    assert judge.judge([failing, *broken], DOWN, asked=everything).answer is Answer.NO


def test_a_fault_in_a_name_is_told_apart_as_judged_and_as_published() -> None:
    """So that the name is asked for in every way."""
    judge, wrong = Judgements(), replace(of(at(1, False, START)), check="dns")
    works = of(at(1, True, START))
    assert judge.judge([works]).misnamed == frozenset()
    assert judge.judge([wrong], asked={KEY}).misnamed == {KEY}, "not published yet"
    assert judge.judge([wrong], asked={KEY}).misnamed == {KEY}
    assert judge.judge([works], asked={KEY}).misnamed == {KEY}, "still published"

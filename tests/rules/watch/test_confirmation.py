"""When a change is published: every row of the table, and what must be true whatever happens."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import causes
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Answer, Endpoint, Report, Status, Verdict
from rules.watch import confirmation as module
from rules.watch.confirmation import (
    ASKED_WHOLE,
    CONNECTOR,
    LONGER,
    PATIENCE,
    TABLE,
    Confirmation,
    Event,
    Inquiry,
    Moment,
    Publish,
    Settled,
    State,
    heaviest,
    status_word,
)
from rules.watch.events import Transition
from rules.watch.memory import document_of
from rules.watch.state import AddressState, Family, TargetState
from tests.rules import goldens
from tests.rules.script import CRL_HOST, SILENCE, START, healthy, judged

HEALTHY = judged(healthy())
DOWN = judged(healthy().when(TlsHandshake, SILENCE))
DEGRADED = replace(HEALTHY, answer=Answer.DEGRADED)
TARGET = TargetState("a.test", 443, "app/a", "service", False, Status.PASS, "ok", "tls", "fine", ())
KEY = TARGET.key
KEYS = frozenset({KEY})
WORDS = ("pass", "warn", "inconclusive", "fail")
NONE: frozenset[str] = frozenset()
EVERY = 15.0


class Judge:
    """A confirmation that is given one judgement after the other, at a time that goes on."""

    def __init__(self, known: Mapping[str, Transition] | None = None) -> None:
        self.confirmation = Confirmation(known)
        self.now = START
        self.asked: dict[Hashable, int] = {}
        self.number = 0

    def judge(
        self,
        targets: list[TargetState],
        report: Report = HEALTHY,
        *,
        asked: Set[Hashable] = frozenset(),
        pending: frozenset[str] = NONE,
        after: float = EVERY,
    ) -> Settled:
        """`asked`: what was asked as a whole between the judgement before and this one."""
        self.now += after
        self.asked |= dict.fromkeys(asked, self.number)
        for target in targets:
            if target.key in asked:
                self.asked |= {(target.key, a.address): self.number for a in target.addresses}
        moment = Moment(self.now, self.now - START, self.now - START)
        settled = self.confirmation.settle(report, targets, pending, self.asked, moment)
        self.number = settled.number
        return settled


class Told(Judge):
    """The same for one target without addresses."""

    def __call__(
        self,
        status: Status,
        cause: str = "",
        *,
        asked: bool = True,
        pending: bool = False,
        report: Report = HEALTHY,
        after: float = EVERY,
    ) -> Settled:
        cause = cause or ("ok" if status is Status.PASS else "tcp.timeout")
        target = replace(TARGET, status=status, cause=cause, summary=f"it is {status}", measured=self.now)
        waits = frozenset([TARGET.host]) if pending else NONE
        keys: frozenset[Hashable] = frozenset([KEY]) if asked else frozenset()
        return self.judge([target], report, asked=keys, pending=waits, after=after)


def shown(settled: Settled) -> str:
    (target,) = settled.targets
    return status_word(target.status)


@pytest.fixture
def told() -> Told:
    made = Told()
    assert made(Status.PASS).transitions == ()
    return made


# --- the table ---------------------------------------------------------------------------------------------------------------


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


def _judged(told: Told, taken: Taken, look: Look) -> Settled:
    taken.rows.clear()
    return told(look.status, asked=look.asked, after=look.after, report=look.report)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: "-".join(part.name.lower() for part in row))
def test_every_row_of_the_table(row: tuple[State, Event], monkeypatch: pytest.MonkeyPatch) -> None:
    taken, told = Taken(), Told()
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


# --- a target ----------------------------------------------------------------------------------------------------------------


def test_the_first_sight_is_no_transition() -> None:
    settled = Told()(Status.FAIL)
    assert settled.transitions == ()
    assert shown(settled) == "fail"
    assert settled.targets[0].since == settled.answer_since == START + 15
    assert settled.answer is HEALTHY.answer
    assert settled.differing == frozenset()


def test_one_bad_measurement_is_none(told: Told) -> None:
    bad = told(Status.FAIL)
    assert (shown(bad), bad.differing, bad.transitions) == ("pass", KEYS, ())
    good = told(Status.PASS)
    assert (shown(good), good.differing, good.transitions) == ("pass", frozenset(), ())
    assert good.targets[0].since == START + 15


def test_two_are_one(told: Told) -> None:
    told(Status.FAIL)
    settled = told(Status.FAIL)
    (change,) = settled.transitions
    assert (change.subject, change.before, change.after) == ("a.test:443", "pass", "fail")
    assert (change.cause_before, change.cause, change.summary) == ("ok", "tcp.timeout", "it is fail")
    assert change.at == told.now == settled.targets[0].since
    assert told(Status.FAIL).transitions == ()


def test_the_same_answer_judged_twice_is_one_snapshot(told: Told) -> None:
    told(Status.FAIL)
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


def test_while_a_second_look_is_wanted_nothing_changes(told: Told) -> None:
    for _ in range(4):
        assert shown(told(Status.FAIL, pending=True)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


@pytest.mark.parametrize("how", [{"pending": True}, {"asked": False}])
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


def test_no_step_of_the_wall_clock_confirms_anything_or_makes_anybody_wait(told: Told) -> None:
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


def test_patience_counts_from_the_first_answer_that_differs(told: Told) -> None:
    """A judgement of a long list comes seconds after it."""
    failing = replace(TARGET, status=Status.FAIL, cause="tcp.timeout")
    settled = told.confirmation.settle(HEALTHY, [failing], NONE, {}, Moment(START, 100.0, 88.0))
    assert settled.patience_ends == 88.0 + PATIENCE


def test_a_snapshot_begins_after_the_judgement_that_asks_for_it(told: Told) -> None:
    """What was on its way when a target began to differ may have begun before the change."""
    began = told.number
    told(Status.FAIL)
    told.asked[KEY] = began
    assert shown(told(Status.FAIL, asked=False)) == "pass"
    assert shown(told(Status.FAIL)) == "fail"


def test_what_the_first_snapshot_saw_in_part_is_asked_twice_more(told: Told) -> None:
    """The first answer of an outage shows one address of four: a name is not published as half broken for that."""
    told(Status.WARN)
    assert shown(told(Status.FAIL)) == "pass"
    (change,) = told(Status.FAIL).transitions
    assert (change.before, change.after) == ("pass", "fail")


def test_a_target_waits_for_the_documents_on_which_it_alone_rests(told: Told) -> None:
    wanted = ("crl", "crl.test")
    faulty = replace(TARGET, status=Status.WARN, cause="crl.unreachable", documents=(wanted,))
    settled = told.judge([faulty], asked={KEY})
    assert settled.inquiries == {KEY: Inquiry(settled.number, whole=True)}
    assert shown(told.judge([faulty], asked={KEY})) == "pass"
    assert shown(told.judge([faulty], asked={wanted})) == "warn"


def test_an_answer_of_before_the_change_at_an_address_that_comes_back_confirms_nothing(told: Told) -> None:
    """Where addresses rotate, what was asked may be gone when its answer is judged."""
    told(Status.FAIL)
    told(Status.FAIL)
    back = replace(TARGET, addresses=(at(1, True, START - 900.0),))
    told.judge([back])
    told.asked[KEY] = told.number
    assert shown(told.judge([back])) == "fail"
    told.asked[KEY, "ipv4 1"] = told.number
    assert shown(told.judge([back])) == "pass"


def test_what_was_asked_is_not_asked_again_while_a_second_attempt_is_wanted(told: Told) -> None:
    assert told(Status.FAIL).inquiries.keys() == {KEY}
    settled = told(Status.FAIL, pending=True)
    assert (settled.differing, dict(settled.inquiries)) == (KEYS, {})


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
    assert settled.differing == frozenset()


def test_a_target_that_is_held_shows_what_each_answer_brings(told: Told) -> None:
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


def test_a_target_that_vanishes_and_comes_back_is_seen_for_the_first_time(told: Told) -> None:
    told(Status.FAIL)
    gone = told.judge([])
    assert (gone.targets, gone.differing) == ((), frozenset())
    settled = told(Status.FAIL)
    assert (shown(settled), settled.transitions) == ("fail", ())


def test_targets_of_two_rules_are_two(told: Told) -> None:
    other = replace(TARGET, rule="app/b", status=Status.FAIL, cause="tls.intercepted", measured=1.0)
    settled = told.judge([TARGET, other])
    assert [status_word(t.status) for t in settled.targets] == ["pass", "fail"]
    assert settled.transitions == ()


# --- what a history knows -------------------------------------------------------------------------------------------------

BEFORE = START - 86_400.0


def known(after: str, cause: str = "ok", name: str = "a.test:443") -> dict[str, Transition]:
    return {name: Transition(BEFORE, name, "", after, "", cause, f"it was {after}")}


def after_a_restart(after: str, cause: str = "ok") -> Told:
    return Told(known(after, cause))


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
    told = Told(known("fail", name="gone.test:443"))
    (first,) = told(Status.PASS).first
    assert (first.at, first.subject, first.before, first.after) == (START + 15, "a.test:443", "", "pass")
    assert told(Status.PASS).first == ()


def test_what_comes_back_later_is_seen_for_the_first_time() -> None:
    """The history counts for the first judgement: nobody knows what a target was while it was not on the list."""
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
    told = Told(known(was))
    seen = [
        replace(TARGET, rule=rule, status=Status(one), measured=START)
        for rule, one in zip(("app/a", "app/b"), now, strict=True)
    ]
    settled = told.judge(seen)
    assert tuple(status_word(t.status) for t in settled.targets) == published
    assert tuple(t.since == BEFORE for t in settled.targets) == since_before
    assert (settled.transitions, settled.first) == ((), ())


# --- the answer ------------------------------------------------------------------------------------------------------------


def test_the_answer_follows_when_nothing_waits(told: Told) -> None:
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


def test_an_answer_that_comes_back_meanwhile_was_never_gone(told: Told) -> None:
    told(Status.FAIL, report=DOWN)
    settled = told(Status.PASS)
    assert (settled.answer, settled.transitions) == (Answer.YES, ())


def test_the_answer_waits_for_the_second_try_of_a_list_that_is_no_target(told: Told) -> None:
    """A list out of a certificate may be all that fails: its first silence is no transition either."""
    held = told.judge([TARGET], DOWN, pending=frozenset([CRL_HOST]))
    assert (held.answer, held.transitions) == (Answer.YES, ())
    settled = told.judge([TARGET], DOWN)
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
    assert status_word(status) in WORDS


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.booleans(), st.booleans()), max_size=40))
def test_each_transition_begins_where_the_one_before_ended(script: list[tuple[Status, bool, bool]]) -> None:
    told = Told()
    told(Status.PASS)
    published = "pass"
    for status, asked, pending in script:
        settled = told(status, asked=asked, pending=pending)
        for change in settled.transitions:
            assert change.before == published != change.after == status_word(status)
            published = change.after
        assert shown(settled) == published
        assert bool(settled.differing) == (published != status_word(status))


# --- several addresses -------------------------------------------------------------------------------------------------------


def at(number: int, ok: bool | None, tried: float | None, family: Family = "ipv4") -> AddressState:
    return AddressState(f"{family} {number}", family, ok, "ok" if ok else "tcp.timeout", tried, current=True)


def of(*addresses: AddressState, name: str = "a.test", required: bool = False) -> TargetState:
    """A target as it is judged by its addresses."""
    good = [a.ok for a in addresses if a.ok is not None]
    status = Status.PASS if all(good) else Status.WARN if any(good) else Status.FAIL
    cause = "ok" if all(good) else "tcp.timeout"
    return replace(TARGET, host=name, status=status, cause=cause, addresses=addresses, required=required)


class Names(Judge):
    """Many names, of which everything that differs is asked: whole, or at one address; what is outdated is forgotten."""

    def __init__(self, count: int, addresses: int) -> None:
        super().__init__()
        self.known = {
            f"n{n:02}.test": {number: at(number, True, START) for number in range(addresses)}
            for n in range(count)
        }
        self.broken: frozenset[int] = frozenset()
        self.changes: list[tuple[str, str]] = []
        self.settled = self.look({})

    def look(self, inquiries: Mapping[tuple[str, int], Inquiry], asked: Set[str] = frozenset()) -> Settled:
        self.now += 1.0
        for name, found in self.known.items():
            inquiry = inquiries.get((name, 443))
            oldest = min(found, key=lambda number: found[number].tried or 0.0)
            turn = list(found) if inquiry is not None and inquiry.whole else [oldest]
            for number in turn if inquiry is not None or name in asked else ():
                found[number] = at(number, number not in self.broken, self.now)
        targets = [of(*found.values(), name=name) for name, found in self.known.items()]
        self.settled = self.judge(targets, asked={*inquiries, *((name, 443) for name in asked)})
        self.changes += [(t.before, t.after) for t in self.settled.transitions if t.subject != CONNECTOR]
        for (host, _), address in self.settled.outdated:
            found, number = self.known[host], int(address.split()[1])
            assert found[number].ok is False
            found[number] = at(number, None, None)
        return self.settled


@pytest.mark.parametrize("addresses", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_is_repaired_whole_is_never_half_broken(count: int, addresses: int) -> None:
    names = Names(count, addresses)
    every = frozenset(range(addresses))
    for broken in (every, frozenset[int]()):
        names.broken = broken
        names.changes.clear()
        names.look({}, asked=names.known.keys())
        for _ in range(4 * addresses):  # the others follow in their rotation
            names.look(names.settled.inquiries, asked=names.known.keys())
    assert names.changes == count * [("fail", "pass")]


def test_the_first_names_are_asked_whole_and_of_the_others_one_address() -> None:
    names = Names(5, 4)
    names.broken = frozenset(range(4))
    settled = names.look({}, asked=names.known.keys())
    assert [one.whole for one in settled.inquiries.values()] == ASKED_WHOLE * [True] + 3 * [False]


def test_bad_news_of_one_address_is_published_with_it() -> None:
    names = Names(1, 4)
    names.broken = frozenset({0})
    names.look({}, asked=names.known.keys())
    names.look(names.settled.inquiries)
    assert names.changes == [("pass", "warn")]


@given(st.lists(st.frozensets(st.integers(0, 3)), max_size=12), st.frozensets(st.integers(0, 3)))
def test_whatever_happened_it_ends_at_what_is_so(script: list[frozenset[int]], last: frozenset[int]) -> None:
    """Nothing waits for ever: once nothing changes any more, what is published is what is seen."""
    names = Names(4, 4)
    for broken in [*script, *4 * [last]]:
        names.broken = broken
        names.look(names.settled.inquiries, asked=names.known.keys())
    for _ in range(int(LONGER / EVERY) + 1):
        names.look(names.settled.inquiries, asked=names.known.keys())
    assert names.settled.differing == frozenset()
    expected = "pass" if not last else "fail" if len(last) == 4 else "warn"
    assert {status_word(t.status) for t in names.settled.targets} == {expected}


@pytest.mark.parametrize(
    ("addresses", "outdated"),
    [
        ((at(1, True, 20.0), at(2, False, 5.0)), {"ipv4 2"}),  # works again; the other was not tried since
        ((at(1, True, 20.0), at(2, False, 20.0)), set()),  # tried with it, and still broken
        ((at(1, True, 15.0), at(2, False, 20.0)), set()),  # the newest fails: what is old is no less true
        ((at(1, True, 20.0), at(2, None, 5.0)), set()),
        ((at(1, True, 20.0), at(2, False, None)), set()),
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6")), set()),  # IPv6 has a fault of its own
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6"), at(3, True, 8.0, "ipv6")), {"ipv6 2"}),
        ((at(1, True, 20.0), replace(at(2, False, 5.0), current=False)), set()),  # nobody asks it
    ],
)
def test_failures_of_before_another_address_worked_are_forgotten_where_not_all_are_asked(
    addresses: tuple[AddressState, ...], outdated: set[str]
) -> None:
    told = Judge()
    others = [of(at(0, False, 1.0), name=f"{n}.test") for n in range(ASKED_WHOLE)]
    failing = of(*(replace(a, ok=False) for a in addresses))
    told.judge([*others, failing])
    seen = [replace(other, status=Status.PASS) for other in others]
    settled = told.judge([*seen, replace(of(*addresses), status=Status.WARN)])
    tried = {a.address: a.tried for a in addresses}
    assert settled.outdated == {(KEY, one): tried[one] for one in outdated}
    alone = Judge()
    alone.judge([failing])
    assert alone.judge([replace(of(*addresses), status=Status.WARN)]).outdated == {}, "asked whole"


# --- what the answer waits for -----------------------------------------------------------------------------------------------


class Two(Judge):
    """Two names with an address each, and the answer that comes of them. B may fail: then it is degraded."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {"a.test": True, "b.test": True}
        self.answers: list[str] = []
        self.turn()

    def turn(self, after: float = EVERY, **tried: bool) -> Settled:
        self.known |= {f"{name}.test": ok for name, ok in tried.items()}
        a, b = (of(at(0, ok, self.now), name=name) for name, ok in self.known.items())
        report = DOWN if a.status is Status.FAIL else DEGRADED if b.status is Status.FAIL else HEALTHY
        settled = self.judge([a, b], report, asked={(f"{name}.test", 443) for name in tried}, after=after)
        self.answers += [t.after for t in settled.transitions if t.subject == CONNECTOR]
        return settled


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


def test_an_answer_that_gets_better_waits_for_failed_documents_of_no_target(told: Told) -> None:
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
    judge = Judge()
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
    judge, wrong = Judge(), replace(of(at(1, False, START)), check="dns")
    works = of(at(1, True, START))
    assert judge.judge([works]).misnamed == frozenset()
    assert judge.judge([wrong], asked={KEY}).misnamed == {KEY}, "not published yet"
    assert judge.judge([wrong], asked={KEY}).misnamed == {KEY}
    assert judge.judge([works], asked={KEY}).misnamed == {KEY}, "still published"

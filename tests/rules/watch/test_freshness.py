"""A target whose addresses are tried one after the other: what is older than a change is no part of what came of it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import causes
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step
from rules.model.verdict import Answer, Check, Endpoint, Report, Status, Verdict
from rules.watch.confirmation import CONNECTOR, LONGER, PATIENCE, Confirmation, Settled, word
from rules.watch.freshness import began, lagging, looked, loose, misnamed, outlived
from rules.watch.memory import document
from rules.watch.state import AddressState, CheckName, Family, TargetState
from tests.rules.script import SILENCE, START, crl, healthy, judged

YES = judged(healthy())
NO, DEGRADED = replace(YES, answer=Answer.NO), replace(YES, answer=Answer.DEGRADED)
NAME = TargetState("a.test", 443, "app/a", "service", True, Status.PASS, "ok", "tls", "fine", ())
NONE: frozenset[str] = frozenset()
ALL_WORK: frozenset[int] = frozenset()
A, B = frozenset({"a.test:443"}), frozenset({"b.test:443"})
EVERY = 15.0


def at(number: int, ok: bool | None, tried: float | None, family: Family = "ipv4") -> AddressState:
    return AddressState(f"{family} {number}", family, ok, "ok" if ok else "tcp.timeout", tried, current=True)


def of(
    *addresses: AddressState, check: CheckName = "tls", measured: float | None = None, resolved: float = 0.0
) -> TargetState:
    """A target as it is judged by its addresses."""
    good = [a.ok for a in addresses if a.ok is not None]
    status = Status.PASS if all(good) else Status.WARN if any(good) else Status.FAIL
    newest = max((a.tried for a in addresses if a.tried is not None), default=None)
    made = replace(NAME, status=status, cause="ok" if all(good) else "tcp.timeout", addresses=addresses)
    return replace(made, check=check, measured=measured or newest, resolved=resolved)


# --- when it was looked at -------------------------------------------------------------------------------------------------


def test_an_answer_about_the_name_is_no_look_at_its_addresses() -> None:
    assert looked(of(at(1, False, 10.0), at(2, False, 25.0), measured=90.0)) == 25.0
    assert looked(of(at(1, True, 10.0), at(2, True, 25.0), measured=90.0)) == 25.0


def test_where_the_name_is_at_fault_its_answer_is_the_look() -> None:
    wrong = of(at(1, False, 10.0), check="dns", measured=90.0, resolved=80.0)
    assert (misnamed(wrong), looked(wrong)) == (True, 80.0), "and a handshake is none"
    recovered = of(at(1, True, 10.0), check="dns", measured=90.0, resolved=80.0)
    assert (misnamed(recovered), looked(recovered)) == (False, 10.0), "it works again when an address does"


def test_a_name_that_only_some_ways_of_asking_did_not_resolve_is_well_again_by_its_answer() -> None:
    """No list need be fetched for that: its host was reached all the time."""
    recovered = of(at(1, True, 10.0), measured=90.0, resolved=80.0)
    before = replace(recovered, check="dns", status=Status.WARN)
    assert looked(recovered, before) == 80.0
    assert looked(recovered, replace(before, status=Status.FAIL)) == 10.0, (
        "nothing was reached: an address tells"
    )
    assert looked(recovered, replace(before, check="tls")) == 10.0
    assert looked(of(at(1, False, 10.0), resolved=80.0), before) == 10.0, "it is not well"


def test_where_documents_alone_are_at_fault_they_are_the_look() -> None:
    target = replace(of(at(1, True, 90.0)), status=Status.WARN, lagging=50.0)
    assert looked(target) == 50.0
    assert (outlived(target, 60.0), outlived(target, 40.0)) == (True, False)


def test_addresses_that_nobody_asks_any_more_do_not_count() -> None:
    gone = replace(at(1, False, 50.0), current=False)
    assert looked(of(gone, at(2, False, 25.0))) == 25.0
    assert looked(of(replace(gone, stale=True), at(2, False, 25.0))) == 50.0, "the last good ones are asked"
    assert looked(of(at(1, None, 50.0), at(2, False, 25.0))) == 25.0, "nothing came of it"
    assert looked(of(gone, measured=60.0)) == 60.0
    assert looked(NAME) is None


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ((), False),
        ((at(1, True, 20.0), at(2, False, 5.0)), True),  # works again; the other was not tried since
        ((at(1, True, 20.0), at(2, False, 10.0)), False),  # tried with it, and still broken
        ((at(1, True, 20.0), at(2, True, 5.0)), False),  # nothing of it was ever otherwise
        ((at(1, False, 20.0), at(2, True, 5.0)), False),  # bad news does not wait for what may break as well
        ((at(1, False, 20.0), at(2, False, 5.0), at(3, True, 15.0)), False),  # the newest fails as it did
        ((at(1, False, 15.0), at(2, True, 20.0), at(3, True, 5.0)), False),  # one of three is broken
        ((at(1, True, 20.0), at(2, None, 5.0)), False),
        ((at(1, True, 20.0), at(2, False, None)), False),
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6")), False),  # IPv6 has a fault of its own
        ((at(1, True, 20.0), at(2, False, 5.0, "ipv6"), at(3, True, 8.0, "ipv6")), True),
        ((at(1, True, 20.0), replace(at(2, False, 5.0), current=False)), False),
    ],
)
def test_what_failed_before_a_change_and_was_not_tried_since(
    addresses: tuple[AddressState, ...], expected: bool
) -> None:
    assert outlived(of(*addresses), 10.0) is expected


@pytest.mark.parametrize(
    ("before", "seen", "expected"),
    [
        ((at(1, False, 5.0),), (at(1, True, 20.0),), 20.0),  # with the address that changed
        (
            (at(1, True, 5.0),),
            (at(1, True, 20.0), at(2, False, 9.0)),
            30.0,
        ),  # nothing of its own: weighed anew
        ((), (at(1, True, 20.0),), 20.0),  # an address that is new
        ((at(1, True, 5.0),), (), 30.0),
    ],
)
def test_a_change_began_with_what_changed(
    before: tuple[AddressState, ...], seen: tuple[AddressState, ...], expected: float
) -> None:
    assert began(of(*before), of(*seen), 30.0) == expected


# --- what is asked for by times of its own ------------------------------------------------------------------------------------


HANDSHAKE = TlsHandshake("203.0.113.1", 443, "a.test", path=None)


def seen(*results: tuple[Step, bool, float]) -> tuple[Observation, ...]:
    return tuple(
        Observation(step, when, 0.1, None if good else SILENCE, crl() if good else None)
        for step, good, when in results
    )


def fetch(path: str) -> HttpFetch:
    return HttpFetch("203.0.113.1", 80, "a.test", path, purpose="crl")


def row(status: Status, *evidence: str, check: Check = "crl", address: str | None = None) -> Verdict:
    return Verdict(
        "app/a", "", Endpoint("a.test", 80, address), check, status, causes.OK, "", evidence=evidence
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), None),
        ((row(Status.NOTICE, "o1"),), None),  # well
        ((row(Status.WARN, "o1", "o2"),), 10.0),  # one of two works
        ((row(Status.WARN, "o1"), row(Status.WARN, "o3")), 5.0),  # the oldest of all
        ((row(Status.FAIL, "o1"), row(Status.WARN, "o3")), 10.0),  # of what weighs most
        ((row(Status.FAIL, "o2"),), 20.0),  # it came, and is at fault itself
        ((row(Status.FAIL, "o1"), row(Status.FAIL, "o4", check="tls")), None),  # an address has its turns
        ((row(Status.WARN, "o1", "o5", check="tls"),), 10.0),  # a handshake stands by that works
        ((row(Status.FAIL, "o1", address="203.0.113.1"),), None),
        ((row(Status.WARN, "o1", check="dns"),), None),
        ((row(Status.FAIL),), None),
    ],
)
def test_the_oldest_document_that_failed_and_that_a_status_rests_on(
    rows: tuple[Verdict, ...], expected: float | None
) -> None:
    known = seen(
        (fetch("/a"), False, 10.0),
        (fetch("/b"), True, 20.0),
        (fetch("/c"), False, 5.0),
        (HANDSHAKE, False, 30.0),
        (replace(HANDSHAKE, address="203.0.113.2"), True, 1.0),
    )
    assert lagging(rows, known) == expected


def test_documents_that_no_target_rests_on_and_that_make_the_answer_worse() -> None:
    rows = (row(Status.FAIL, "o1", "o2"), row(Status.WARN, "o3"), row(Status.FAIL, "o4", check="tls"))
    known = seen(
        (fetch("/a"), False, 10.0),
        (fetch("/b"), True, 20.0),
        (fetch("/c"), False, 5.0),
        (HANDSHAKE, False, 9.0),
    )
    report = replace(YES, verdicts=rows, observations=known)
    assert loose(report, ()) == {document(fetch("/a")): 10.0}
    assert loose(report, (replace(NAME, port=80),)) == {}, "its target tells it"


# --- in rotation -------------------------------------------------------------------------------------------------------------


class Rotation:
    """A target with so many addresses, of which one after the other is tried; each try is judged."""

    def __init__(self, addresses: int) -> None:
        self.confirmation, self.now = Confirmation(), START
        self.known = [at(n, True, START + n) for n in range(addresses)]
        self.changes: list[tuple[str, str]] = []
        self.judge()

    def judge(self, report: Report = YES, answered: float | None = None) -> Settled:
        target = of(*self.known, measured=answered or max(a.tried or 0.0 for a in self.known))
        settled = self.confirmation.settle(report, [target], NONE, self.now)
        self.changes += [(t.before, t.after) for t in settled.transitions if t.subject != CONNECTOR]
        return settled

    def turn(self, broken: Set[int]) -> Settled:
        """The address that was tried longest ago, while the `broken` ones are."""
        self.now += EVERY
        number = min(range(len(self.known)), key=lambda n: self.known[n].tried or 0.0)
        self.known[number] = at(number, number not in broken, self.now)
        return self.judge()


def test_a_name_that_works_again_is_not_half_broken_on_its_way() -> None:
    three = Rotation(3)
    for _ in range(5):
        three.turn({0, 1, 2})
    assert three.changes == [("pass", "warn"), ("warn", "fail")], "bad news waits for no address"
    three.changes.clear()
    for left in (2, 1):
        settled = three.turn(ALL_WORK)
        assert (word(settled.targets[0].status), settled.held) == ("fail", A), left
    three.turn(ALL_WORK)
    three.turn(ALL_WORK)
    assert three.changes == [("fail", "pass")]


def test_one_address_of_four_that_fails_is_told_as_soon_as_another_one_works() -> None:
    four = Rotation(4)
    four.turn({0})
    settled = four.turn({0})
    assert four.changes == [("pass", "warn")]
    assert word(settled.targets[0].status) == "warn"


def test_an_answer_about_the_name_confirms_no_change_of_its_addresses() -> None:
    one = Rotation(1)
    one.turn({0})
    for _ in range(3):
        one.now += EVERY
        assert word(one.judge(answered=one.now).targets[0].status) == "pass"
    one.turn({0})
    assert one.changes == [("pass", "fail")]


@given(
    addresses=st.integers(1, 4), before=st.integers(0, 9), down=st.integers(6, 20), after=st.integers(6, 9)
)
def test_what_breaks_whole_and_is_mended_whole_is_told_so(
    addresses: int, before: int, down: int, after: int
) -> None:
    whole = Rotation(addresses)
    for turns, broken in ((before, ALL_WORK), (down, frozenset(range(addresses))), (after, ALL_WORK)):
        for _ in range(turns):
            whole.turn(broken)
    down_it_went = [("pass", "fail")] if addresses < 3 else [("pass", "warn"), ("warn", "fail")]
    assert whole.changes == [*down_it_went, ("fail", "pass")]


@given(st.lists(st.frozensets(st.integers(0, 3)), max_size=30), st.frozensets(st.integers(0, 3)))
def test_whatever_happened_it_ends_at_what_is_so(script: list[frozenset[int]], last: frozenset[int]) -> None:
    """Nothing waits for ever: once nothing changes any more, what is told is what is seen."""
    four = Rotation(4)
    for broken in script:
        four.turn(broken)
    for _ in range(4 + int(LONGER / EVERY)):
        four.turn(last)
    settled = four.turn(last)
    assert settled.held == NONE
    assert word(settled.targets[0].status) == ("pass" if not last else "fail" if len(last) == 4 else "warn")


# --- the answer --------------------------------------------------------------------------------------------------------------


class Two:
    """Two names with an address each, and the answer that comes of them. B may fail: then it is degraded."""

    def __init__(self) -> None:
        self.confirmation, self.now = Confirmation(), START
        self.known = {name: at(0, True, START) for name in ("a.test", "b.test")}
        self.answers: list[str] = []
        self.judge()

    def judge(self) -> Settled:
        a, b = (replace(of(address), host=name) for name, address in self.known.items())
        report = NO if a.status is Status.FAIL else DEGRADED if b.status is Status.FAIL else YES
        settled = self.confirmation.settle(report, [a, b], NONE, self.now)
        self.answers += [t.after for t in settled.transitions if t.subject == CONNECTOR]
        return settled

    def turn(self, after: float = EVERY, **tried: bool) -> Settled:
        self.now += after
        for name, ok in tried.items():
            self.known[f"{name}.test"] = at(0, ok, self.now)
        return self.judge()


@pytest.fixture
def down() -> Two:
    two = Two()
    two.turn(a=False, b=False)
    two.turn(a=False, b=False)
    assert two.answers == ["no"]
    return two


def test_an_answer_that_gets_better_waits_for_what_was_not_tried_since(down: Two) -> None:
    down.turn(a=True)
    settled = down.turn(a=True)
    assert settled.answer is Answer.NO
    assert (settled.held, settled.awaited) == (NONE, B), "to be asked soon"
    settled = down.turn(b=True)
    assert (settled.held, settled.awaited) == (B, NONE)
    settled = down.turn(b=True)
    assert (settled.answer, settled.awaited) == (Answer.YES, NONE)
    assert down.answers == ["no", "yes"]


def test_what_is_still_broken_then_is_part_of_the_answer(down: Two) -> None:
    down.turn(a=True)
    down.turn(a=True)
    settled = down.turn(b=False)
    assert (settled.answer, settled.awaited) == (Answer.DEGRADED, NONE)
    assert down.answers == ["no", "degraded"]


def test_an_answer_waits_for_nothing_that_is_never_tried(down: Two) -> None:
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
    settled = two.turn(4 * PATIENCE, a=True)
    assert (settled.answer, settled.awaited) == (Answer.DEGRADED, NONE)


def test_whose_fault_is_in_its_name_is_told() -> None:
    """Told or not: so that it is asked for in every way."""
    confirmation, wrong = Confirmation(), of(at(1, False, START), check="dns", resolved=START)
    well = of(at(1, True, START))
    assert confirmation.settle(YES, [well], NONE, START).named == NONE
    assert confirmation.settle(YES, [wrong], NONE, START + 1).named == A, "not told yet"
    later = replace(wrong, resolved=START + 15)
    assert confirmation.settle(YES, [later], NONE, START + 16).named == A
    assert confirmation.settle(YES, [well], NONE, START + 31).named == A, "still told"


def test_bad_news_does_not_wait_for_what_worked_before() -> None:
    two = Two()
    two.turn(b=False)
    settled = two.turn(b=False)
    assert (settled.answer, settled.awaited) == (Answer.DEGRADED, NONE)

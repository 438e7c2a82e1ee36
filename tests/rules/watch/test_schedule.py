"""Due times: each once, never stacked, spread, on a grid, and cheap."""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from collections.abc import Hashable
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rules.watch import schedule as schedule_module
from rules.watch.schedule import KINDS, Kind, Schedule, offset_fraction

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MINUTE, HOUR = 60.0, 3600.0


def of(*keys: str, interval: float = MINUTE, kind: Kind = "service", identity: str = "here") -> Schedule:
    schedule = Schedule(identity)
    for key in keys:
        schedule.add(key, kind, interval, 0.0)
    return schedule


def due_of(schedule: Schedule, key: Hashable) -> float:
    return next(entry.due for entry in schedule.entries() if entry.key == key)


def lived(
    schedule: Schedule, until: float, took: float = 0.1, ok: bool = True, start: float = 0.0
) -> list[float]:
    """Times at which whatever is due is begun, measured at once one after the other."""
    begun, now = [], start
    while (due := schedule.next_due("service")) is not None and due <= until:
        now = max(now, due)
        for key, _ in schedule.pop_due("service", now):
            begun.append(now)
            now += took
            schedule.done(key, now, ok)
    return begun


def test_what_is_due_is_handed_out_once() -> None:
    schedule = of("a", "b")
    first = schedule.pop_due("service", MINUTE)
    assert {key for key, _ in first} == {"a", "b"}
    assert [due for _, due in first] == sorted(due for _, due in first)
    assert schedule.pop_due("service", 1e9) == []
    assert schedule.next_due("service") is None
    schedule.done("a", MINUTE)
    assert [key for key, _ in schedule.pop_due("service", 1e9)] == ["a"]


def test_in_groups_several_begin_at_one_moment_and_stay_together() -> None:
    schedule = Schedule("here")
    for number in range(600):
        schedule.add(f"t{number}", "service", MINUTE, 0.0, groups=100)
    first = dict(schedule.pop_due("service", MINUTE))
    assert 95 < len(set(first.values())) <= 100 < len(first)
    for turn in (1, 2):
        for key in first:
            schedule.done(key, turn * MINUTE - 0.1, ok=turn == 2 or key != "t7")
        schedule.pop_due("service", (turn + 1) * MINUTE)
    assert {k: due_of(schedule, k) - 2 * MINUTE for k in first} == pytest.approx(first)


def test_kinds_are_apart() -> None:
    schedule = of("a")
    schedule.add("b", "sign-in", 900.0, 0.0)
    assert schedule.pop_due("sign-in", 900.0)[0][0] == "b"
    assert schedule.next_due("service") == due_of(schedule, "a")
    assert schedule.next_due("revocation") is None
    assert len(schedule) == 2
    assert "a" in schedule
    assert "c" not in schedule


# --- offsets ---------------------------------------------------------------------------------------------------------


@given(st.text(max_size=20), st.tuples(st.text(max_size=20), st.integers(1, 65535)))
def test_an_offset_is_the_same_on_every_start(identity: str, key: tuple[str, int]) -> None:
    assert 0.0 <= offset_fraction(identity, key) < 1.0
    assert offset_fraction(identity, key) == offset_fraction(identity, (str(key[0]), int(key[1])))


def test_the_first_round_is_spread_over_the_interval() -> None:
    schedule = of(*(f"t{n}" for n in range(600)))
    by_second = Counter(int(due) for _, due in schedule.pop_due("service", MINUTE))
    assert set(by_second) == set(range(60))
    assert max(by_second.values()) <= 30, "ten a second on average"


def test_a_fleet_does_not_beat() -> None:
    """A hundred hosts that start at the same moment and measure the same target, once a minute each."""
    dues = [
        due for host in range(100) for _, due in of("t", identity=f"conn-{host}").pop_due("service", MINUTE)
    ]
    assert len(dues) == 100
    by_second = Counter(int(due) for due in dues)
    assert max(by_second.values()) <= 8
    assert len(by_second) >= 40
    by_quarter = Counter(int(due // 15) for due in dues)
    assert min(by_quarter.values()) >= 12


def test_the_first_time_may_be_sooner_than_the_interval() -> None:
    schedule = Schedule("here")
    schedule.add("list", "revocation", 6 * HOUR, 100.0, within=MINUTE)
    assert 100.0 <= due_of(schedule, "list") < 160.0


# --- the grid ----------------------------------------------------------------------------------------------------------


def test_it_stays_on_its_grid_however_long_a_measurement_takes() -> None:
    schedule = of("a")
    begun = lived(schedule, 600.0, took=7.0)
    assert [round(b - a, 6) for a, b in itertools.pairwise(begun)] == [MINUTE] * 9


@pytest.mark.parametrize(("late", "skipped"), [(0.0, 0), (59.9, 0), (60.1, 1), (200.0, 3), (8 * HOUR, 480)])
def test_rounds_that_come_too_late_are_skipped_and_counted(late: float, skipped: int) -> None:
    schedule = of("a")
    ((_, due),) = schedule.pop_due("service", MINUTE)
    assert schedule.done("a", due + late) == skipped
    following = due_of(schedule, "a")
    assert due + late < following <= due + late + MINUTE
    assert (following - due) % MINUTE == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 500.0), st.booleans()), min_size=1, max_size=30))
def test_nothing_moves_an_entry_off_its_grid(rounds: list[tuple[float, bool]]) -> None:
    """Lateness, failures and early looks: the first round after them is a regular one again."""
    schedule = of("a")
    grid, now = due_of(schedule, "a"), 0.0
    for took, ok in rounds:
        now = max(now, due_of(schedule, "a"))
        schedule.pop_due("service", now)
        now += took
        schedule.done("a", now, ok)
        assert due_of(schedule, "a") >= now
        assert due_of(schedule, "a") - now <= MINUTE
        if ok:
            assert (due_of(schedule, "a") - grid + 1e-6) % MINUTE < 1e-3


# --- sooner ------------------------------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_sooner_and_more_and_more_rarely() -> None:
    schedule = of("a", interval=900.0)
    ((_, due),) = schedule.pop_due("service", 900.0)
    waits, now = [], due
    for _ in range(8):
        schedule.done("a", now, ok=False)
        waits.append(due_of(schedule, "a") - now)
        now = due_of(schedule, "a")
        schedule.pop_due("service", now)
    assert waits[:6] == pytest.approx([15, 30, 60, 120, 240, 435]), "435: then its regular round comes"
    assert max(waits) <= 900.001
    schedule.done("a", now)
    assert next(schedule.entries()).failures == 0


def test_a_short_interval_is_its_own_retry() -> None:
    schedule = of("a", interval=5.0)
    assert len(lived(schedule, 50.0, ok=False)) == 10


def test_what_failed_all_at_once_is_not_due_all_at_once_for_ever() -> None:
    """An outage of everything, looked at again at the same moment: afterwards the load is spread as before."""
    schedule = of(*(f"t{n}" for n in range(60)))
    spread = sorted(entry.due for entry in schedule.entries())
    for entry in schedule.entries():
        schedule.advance(entry.key, 1.0)
    assert len(schedule.pop_due("service", 1.0)) == 60
    for entry in list(schedule.entries()):
        schedule.done(entry.key, 1.5)
    after = sorted(entry.due for entry in schedule.entries())
    late = [due for due in spread if due > 1.5]
    assert after[: len(late)] == pytest.approx(late)
    assert [due - MINUTE for due in after[len(late) :]] == pytest.approx(spread[: 60 - len(late)])


def test_sooner_is_never_later() -> None:
    schedule = of("a")
    due = due_of(schedule, "a")
    schedule.advance("a", due + 10)
    assert due_of(schedule, "a") == due
    schedule.advance("a", due / 2)
    assert due_of(schedule, "a") == due / 2
    schedule.advance("nobody", 0.0)
    assert len(schedule.pop_due("service", due)) == 1, "the place it had before is void"


def test_what_is_wanted_while_it_is_measured_comes_right_after() -> None:
    schedule = of("a")
    ((_, due),) = schedule.pop_due("service", MINUTE)
    schedule.advance("a", due + 20)
    schedule.advance("a", due + 1)
    schedule.advance("a", due + 30)
    assert schedule.pop_due("service", 1e9) == [], "never stacked"
    schedule.done("a", due + 5)
    assert due_of(schedule, "a") == due + 5
    schedule.pop_due("service", due + 5)
    schedule.done("a", due + 6)
    assert due_of(schedule, "a") == due + MINUTE


def test_eight_hours_of_sleep_cost_one_extra_round() -> None:
    """After a suspend: the monotonic clock stands still meanwhile, so nothing is late by it."""
    schedule = of(*(f"t{n}" for n in range(20)))
    for n in range(20):
        schedule.add(f"s{n}", "sign-in", 900.0, 0.0)
    usual = {entry.key: entry.due for entry in schedule.entries()}
    schedule.catch_up(0.0, 8 * HOUR)
    begun: Counter[object] = Counter()
    for now in range(1, 901):
        for kind in KINDS:
            for key, _ in schedule.pop_due(kind, float(now)):
                begun[key] += 1
                schedule.done(key, float(now))
    assert all(begun[f"t{n}"] in (15, 16) for n in range(20))
    assert all(begun[f"s{n}"] in (1, 2) for n in range(20))
    for entry in schedule.entries():
        assert (entry.due - usual[entry.key] + 1e-6) % entry.interval < 1e-3, "and the spread is as before"


def test_after_a_short_sleep_only_what_fell_due_is_made_up() -> None:
    schedule = of("a", interval=900.0)
    due = due_of(schedule, "a")
    schedule.catch_up(0.0, due - 1)
    assert due_of(schedule, "a") == due
    schedule.catch_up(0.0, due + 1)
    assert due_of(schedule, "a") <= MINUTE


def test_what_is_being_measured_when_it_wakes_up_is_not_asked_twice() -> None:
    schedule = of("a")
    ((_, due),) = schedule.pop_due("service", MINUTE)
    schedule.catch_up(due, 8 * HOUR)
    schedule.done("a", due + 1)
    assert due_of(schedule, "a") == due + MINUTE


# --- changes of what is scheduled -------------------------------------------------------------------------------------


def test_an_interval_that_changes_a_little_does_not_make_it_due() -> None:
    """A list's remaining life is another one at every judgement; it is fetched at a quarter of it all the same."""
    schedule = Schedule("here")
    fetched, life, now = 0, 20 * HOUR, 0.0
    schedule.add("list", "revocation", life / 4, now)
    while now < 10 * HOUR:
        now += 40.0
        schedule.add("list", "revocation", (life - now) / 4, now)
        if schedule.pop_due("revocation", now):
            fetched += 1
            schedule.done("list", now, interval=(life - now) / 4)
    assert fetched in (2, 3, 4)


def test_a_shorter_interval_holds_from_now_on_and_a_longer_one_from_the_next_time() -> None:
    schedule = of("a", interval=6 * HOUR)
    schedule.add("a", "service", 10.0, 100.0)
    assert 100.0 <= due_of(schedule, "a") < 110.0
    due = due_of(schedule, "a")
    schedule.add("a", "service", HOUR, 100.0)
    assert due_of(schedule, "a") == due
    schedule.pop_due("service", due)
    schedule.done("a", due)
    assert due_of(schedule, "a") == due + HOUR


def test_another_kind_keeps_what_is_under_way() -> None:
    schedule = of("a")
    schedule.pop_due("service", MINUTE)
    schedule.add("a", "sign-in", 900.0, MINUTE)
    assert schedule.pop_due("sign-in", 1e9) == schedule.pop_due("service", 1e9) == [], "still being measured"
    assert schedule.done("a", MINUTE + 1.0) == 0 < due_of(schedule, "a") < MINUTE + 900.0
    assert schedule.pop_due("service", 1e9) == []
    assert [key for key, _ in schedule.pop_due("sign-in", 1e9)] == ["a"]


def test_what_is_removed_is_never_handed_out() -> None:
    schedule = of("a", "b")
    schedule.remove("a")
    schedule.remove("nobody")
    assert [key for key, _ in schedule.pop_due("service", 1e9)] == ["b"]
    schedule.remove("b")
    assert schedule.done("b", 1.0) == 0
    assert len(schedule) == 0
    assert schedule.next_due("service") is None


def test_what_comes_back_is_handed_out_once() -> None:
    schedule = of("a")
    schedule.pop_due("service", MINUTE)
    schedule.remove("a")
    schedule.add("a", "service", MINUTE, MINUTE)
    schedule.done("a", MINUTE)
    assert len(schedule.pop_due("service", 1e9)) == 1


def test_demand() -> None:
    schedule = of("a", "b")
    schedule.add("c", "sign-in", 600.0, 0.0)
    assert schedule.demand() == pytest.approx(2 / 60 + 1 / 600)


class Any(RuleBasedStateMachine):
    """Whatever is done in whatever order: nothing is out twice, nothing is lost, time is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule("here")
        self.now = 0.0
        self.out: Counter[str] = Counter()
        self.keys: dict[str, Kind] = {}

    @rule(
        key=st.sampled_from("abcd"), kind=st.sampled_from(KINDS), interval=st.sampled_from([1.0, 60.0, 900.0])
    )
    def put(self, key: str, kind: Kind, interval: float) -> None:
        self.schedule.add(key, kind, interval, self.now)
        self.keys[key] = kind

    @rule(key=st.sampled_from("abcd"))
    def remove(self, key: str) -> None:
        if not self.out[key]:
            self.schedule.remove(key)
            self.keys.pop(key, None)

    @rule(passed=st.floats(0.0, 2000.0))
    def take(self, passed: float) -> None:
        self.now += passed
        for kind in KINDS:
            for key, due in self.schedule.pop_due(kind, self.now):
                assert due <= self.now
                assert isinstance(key, str)
                assert self.keys[key] == kind
                self.out[key] += 1

    @rule(key=st.sampled_from("abcd"), ok=st.booleans())
    def done(self, key: str, ok: bool) -> None:
        if self.out[key]:
            self.out[key] -= 1
            assert self.schedule.done(key, self.now, ok) >= 0
            assert self.now <= due_of(self.schedule, key)

    @rule(key=st.sampled_from("abcd"), later=st.floats(0.0, 100.0))
    def sooner(self, key: str, later: float) -> None:
        self.schedule.advance(key, self.now + later)

    @rule(asleep=st.floats(0.0, 1e5))
    def sleep(self, asleep: float) -> None:
        self.schedule.catch_up(self.now, asleep)

    @invariant()
    def each_is_out_or_due(self) -> None:
        assert max(self.out.values(), default=0) <= 1
        for entry in self.schedule.entries():
            assert entry.out == bool(self.out[str(entry.key)])
            assert entry.out or entry.due - self.now <= 901.0
            due = self.schedule.next_due(entry.kind)
            assert entry.out or (due is not None and due <= entry.due)


TestAny = Any.TestCase
TestAny.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def turns(entries: int) -> int:
    """Hand out and take back each entry, over an hour of rounds every 10 minutes; how many turns that made."""
    schedule = of(*(f"t{n}" for n in range(entries)), interval=600.0)
    made = 0
    for now in range(0, 3600, 5):
        for key, _ in schedule.pop_due("service", float(now)):
            schedule.done(key, float(now), ok=made % 7 != 0)
            schedule.advance(key, now + 300.0)
            made += 1
    assert made >= entries * 6
    return made


def lines(entries: int) -> float:
    """Lines of Python that a turn takes: they are the same on a busy machine."""
    counted = 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction:
        nonlocal counted
        counted += event == "line" and frame.f_code.co_filename == schedule_module.__file__
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        made = turns(entries)
    finally:
        sys.settrace(before)
    return counted / made


def test_twenty_thousand_entries_cost_hardly_more_each_than_a_hundred() -> None:
    assert 1 < lines(20_000) < 1.2 * lines(500)
    begun = time.process_time()
    made = turns(20_000)
    assert (time.process_time() - begun) / made < 100e-6, "lines do not count what heapq does"


def test_places_that_are_void_do_not_pile_up() -> None:
    schedule = of("a", interval=HOUR)
    for n in range(10_000):
        schedule.add("a", "service", HOUR - n / 100, 0.0)
        schedule.advance("a", HOUR)
    assert len(schedule._heaps["service"]) < 10

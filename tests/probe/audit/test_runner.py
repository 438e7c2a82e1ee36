"""The loop around the audit: pace, limits in flight, the budget, and nothing left behind.

The network is a script with real time between question and answer; paces are those of the program, made faster.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from probe.audit.pace import FAST, PACES, POLITE, Pace
from probe.audit.runner import Progress, Runner, estimate
from probe.host.token_bucket import TokenBucket
from rules.audit.machine import Audit
from rules.judge.report import make_report
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Rules
from rules.model.verdict import Answer, Report, Status
from tests.rules.script import (
    BOOTSTRAP,
    HOST,
    PLAN,
    QUIET,
    RULES,
    SIGN_IN_RULE,
    START,
    World,
    healthy,
    rows,
    rules_of,
)

QUICK = replace(FAST, name="fast")
MANY = {f"h{n}.example": (f"203.0.113.{n}",) for n in range(1, 41)}
MANY_RULES = rules_of(*(replace(SIGN_IN_RULE, id=f"r{n}", host=name) for n, name in enumerate(MANY)))
ONE_PLACE = dict.fromkeys(MANY, ("203.0.113.1",))


@dataclass(slots=True)
class Script:
    """Answers of a world, each after `delay` seconds; notes when connections began and how many were open."""

    world: World
    delay: float = 0.002
    held: float = 0.0  # seconds that a connection takes on top
    began: list[float] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: list[Step] = field(default_factory=list)
    broken: Callable[[Step], bool] = lambda step: False
    hangs: Callable[[Step], bool] = lambda step: False
    cancelled: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def measure(self, step: Step) -> Observation:
        self.asked.append(step)
        self.begun.set()
        keys = self._keys(step)
        if "connection" in keys:
            self.began.append(time.monotonic())
        for key in keys:
            self.open[key] += 1
            self.most[key] = max(self.most[key], self.open[key])
        try:
            await asyncio.sleep(60 if self.hangs(step) else self.delay + self.held * ("connection" in keys))
            if self.broken(step):
                raise RuntimeError("a bug of ours")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            for key in keys:
                self.open[key] -= 1
        return self.world.answer(step)

    @staticmethod
    def _keys(step: Step) -> list[str]:
        if kind_of(step).connects:
            return ["connection", getattr(step, "address", "")]
        return ["dns" if isinstance(step, DnsQuestion) else "os" if isinstance(step, OsLookup) else "local"]


def drive(
    script: Script,
    pace: Pace = QUICK,
    rules: Rules = RULES,
    budget: float | None = None,
    tell: Callable[[Progress], None] | None = None,
) -> tuple[Audit, Report]:
    """A run to its end, on a loop of its own that must be empty afterwards."""
    audit = Audit(rules, PLAN if rules is RULES else QUIET)

    async def whole() -> None:
        await asyncio.wait_for(Runner(audit, script, pace, budget, tell).run(), 20)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())
    return audit, make_report(audit, START, START + 60, "0")


# --- a whole audit -----------------------------------------------------------------------------------------------


def test_the_loop_asks_what_the_audit_wants_and_nothing_twice() -> None:
    script = Script(healthy())
    audit, report = drive(script)
    assert (report.answer, report.exit_code) == (Answer.YES, 0)
    assert len(script.asked) == len(set(script.asked)) == len(audit.seen)
    assert isinstance(script.asked[0], LocalHost)


def test_steps_of_an_earlier_phase_go_first() -> None:
    script = Script(healthy())
    drive(script, replace(QUICK, connections=1))
    handshakes = [s for s in script.asked if isinstance(s, TlsHandshake)]
    place = {s: n for n, s in enumerate(handshakes)}
    assert (
        place[TlsHandshake("203.0.113.11", 443, "eur.servicebus.windows.net")]
        < place[TlsHandshake("203.0.113.2", 443, BOOTSTRAP, path="/")]
    )
    assert [s.hello for s in handshakes[-2:]] == ["tls13", "large"] or handshakes[-1].hello != "connector"


# --- the pace ----------------------------------------------------------------------------------------------------


class Noted(TokenBucket):
    """Notes when tokens are taken: a connection begins with its token, whenever its task comes to run."""

    taken: ClassVar[list[float]] = []

    def take(self, now: float) -> None:
        super().take(now)
        self.taken.append(now)


@pytest.mark.parametrize(("rate", "burst"), [(80.0, 5), (200.0, 1)])
def test_the_polite_rate_is_never_exceeded_in_any_window(
    rate: float, burst: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.audit.runner.TokenBucket", Noted)
    monkeypatch.setattr(Noted, "taken", [])
    script = Script(healthy(zone=MANY), delay=0.0)
    drive(script, replace(POLITE, rate=rate, burst=burst, connections=100), MANY_RULES)
    began = Noted.taken
    assert len(began) == len(script.began) >= len(MANY)
    for first in range(len(began)):
        for last in range(first, len(began)):
            window = began[last] - began[first]
            assert last - first + 1 <= burst + rate * window + 1e-6


def test_the_fast_pace_waits_for_nothing() -> None:
    script = Script(healthy(zone=MANY), held=0.5)
    drive(script, replace(QUICK, lookups=64, questions=200), MANY_RULES)
    assert script.most["connection"] >= 30


def test_the_paces_are_those_that_the_documentation_names() -> None:
    assert set(PACES) == {"polite", "fast"}
    polite = PACES["polite"]
    assert (polite.rate, polite.burst, polite.per_address) == (2.0, 5, 2)
    assert PACES["fast"].rate == 0.0


@pytest.mark.parametrize(
    ("pace", "length"), [(FAST, "about 12 s at the most (fast pace)"), (POLITE, " s (polite pace)")]
)
def test_the_plan_tells_a_length_that_follows_from_the_pace_or_the_limits(pace: Pace, length: str) -> None:
    told: list[str] = []
    audit = Audit(RULES, PLAN)
    runner = Runner(
        audit,
        Script(healthy()),
        replace(pace, rate=pace.rate * 50),
        tell=lambda p: told.append(p.line or ""),
        slowest=6.0,
    )
    asyncio.run(runner.run())
    (plan,) = [
        line
        for line in told
        if line.startswith(f"{len({t.host for t in audit.targets if t.host})} names, about ")
    ]
    assert plan.endswith(length)


# --- in flight ---------------------------------------------------------------------------------------------------


def test_no_address_has_more_connections_than_the_pace_allows() -> None:
    script = Script(healthy(zone=ONE_PLACE), delay=0.005)
    _, report = drive(script, replace(QUICK, per_address=2), MANY_RULES)
    assert script.most["203.0.113.1"] == 2
    assert {v.status for v in rows(report, check="tls")} == {Status.PASS}, (
        "those that had to wait were not forgotten"
    )


@pytest.mark.parametrize(("kind", "cap"), [("connection", 3), ("dns", 4), ("os", 2)])
def test_no_more_is_in_flight_than_the_pace_allows(kind: str, cap: int) -> None:
    script = Script(healthy(zone=MANY), held=0.02)
    drive(script, replace(QUICK, connections=3, questions=4, lookups=2), MANY_RULES)
    assert script.most[kind] == cap


def test_a_host_with_few_descriptors_is_not_driven_dry() -> None:
    script = Script(healthy(zone=MANY, facts=replace(HOST, descriptors=40)), delay=0.003)
    _, report = drive(script, QUICK, MANY_RULES)
    assert script.most["connection"] + script.most["dns"] <= 8
    assert {v.status for v in rows(report, check="tls")} == {Status.PASS}


# --- the budget --------------------------------------------------------------------------------------------------


def test_when_the_budget_ends_what_was_not_reached_is_said_and_not_missing() -> None:
    script = Script(healthy(zone=MANY), delay=0.0)
    begun = time.monotonic()
    audit, report = drive(script, replace(POLITE, rate=20.0, burst=2), MANY_RULES, budget=0.5)
    assert time.monotonic() - begun < 60, "all of it takes minutes at this rate"
    assert audit.stopped == report.stopped == "budget"
    causes = {v.cause.word for v in report.verdicts if v.status is Status.INCONCLUSIVE}
    assert causes == {"audit.not-reached"}
    assert set(MANY) <= {v.endpoint.host for v in report.verdicts if v.endpoint}
    assert rows(report, check="tls")


def test_an_interrupted_run_blames_neither_resolver_nor_network() -> None:
    script = Script(healthy(zone=MANY), hangs=lambda step: isinstance(step, DnsQuestion | OsLookup))
    audit = Audit(MANY_RULES, QUIET)

    async def whole() -> None:
        run = asyncio.create_task(Runner(audit, script, QUICK).run())
        await script.begun.wait()  # this host's facts
        script.begun.clear()
        await script.begun.wait()  # the first question for a name
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())
    report = make_report(audit, START, START + 60, "0")
    assert (report.answer, report.stopped) == (Answer.NOT_PROVEN, "interrupted")
    assert {v.cause.word for v in report.verdicts} == {"audit.not-reached"}


def test_what_is_in_flight_when_the_budget_ends_is_cancelled_and_never_called_blocked() -> None:
    script = Script(healthy())
    script.hangs = lambda step: isinstance(step, TlsHandshake)
    audit, report = drive(script, budget=0.3)
    seen = [s for s in audit.seen.values() if isinstance(s.step, TlsHandshake)]
    assert seen
    assert {s.failure.code for s in seen if s.failure} == {Code.NOT_REACHED}
    assert {(v.status, v.cause.word) for v in rows(report, BOOTSTRAP, "tcp")} == {
        (Status.INCONCLUSIVE, "audit.not-reached")
    }
    assert report.exit_code == 3


# --- our own bugs and cancellation -------------------------------------------------------------------------------


def test_a_measurement_that_raises_is_our_bug_and_no_block() -> None:
    script = Script(healthy())
    script.broken = lambda step: isinstance(step, TlsHandshake) and step.server_name == BOOTSTRAP
    audit, report = drive(script)
    assert {(v.status, v.cause.word) for v in rows(report, BOOTSTRAP, "tcp")} == {
        (Status.BROKEN, "audit.bug")
    }
    assert rows(report, "login.microsoftonline.com", "tls")[0].status is Status.PASS
    told = next(s.failure for s in audit.seen.values() if s.failure and s.failure.code is Code.BUG)
    assert told.detail == "RuntimeError: a bug of ours"


def test_a_prober_that_always_raises_still_ends_in_a_report() -> None:
    script = Script(healthy())
    script.broken = lambda step: True
    _, report = drive(script)
    assert report.answer is Answer.NOT_PROVEN
    assert {v.status for v in report.verdicts} <= {Status.BROKEN, Status.INCONCLUSIVE}


def test_cancellation_from_outside_ends_everything_that_is_in_flight() -> None:
    script = Script(healthy(), delay=30)

    async def whole() -> None:
        task = asyncio.create_task(Runner(Audit(RULES, PLAN), script, QUICK).run())
        await script.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())
    assert script.cancelled == len(script.asked) == 1


# --- what it tells -----------------------------------------------------------------------------------------------


def test_the_plan_is_told_once_and_first_and_progress_never_goes_back() -> None:
    told: list[Progress] = []
    drive(Script(healthy()), tell=told.append)
    lines = [p.line for p in told if p.line]
    assert "names, about" in lines[0]
    assert sum("connections, about" in line for line in lines) == 1
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert all(p.done <= p.planned for p in told)


def test_an_estimate_counts_names_and_families() -> None:
    audit = Audit(MANY_RULES, QUIET)
    audit.record(healthy().answer(LocalHost()))
    one_family = estimate(audit)
    assert len(MANY) <= one_family <= 3 * len(MANY)
    dual = Audit(MANY_RULES, QUIET)
    dual.record(healthy(facts=replace(HOST, route_v6=True)).answer(LocalHost()))
    assert estimate(dual) > one_family


def test_the_time_left_is_not_known_before_something_has_ended_and_then_told() -> None:
    told: list[Progress] = []
    drive(Script(healthy(zone=MANY), held=0.02), replace(QUICK, connections=4), MANY_RULES, tell=told.append)
    assert {p.eta_s for p in told if not p.done} == {None}, "without a rate nothing tells"
    some = [p.eta_s for p in told if 0 < p.done < p.planned - 4]
    assert some
    assert all(eta is not None and eta > 0 for eta in some)
    assert told[-1].done == told[-1].planned, "connections that have ended, not those that have begun"


def test_it_is_told_again_while_nothing_happens_and_never_more_than_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections that hang: the bar must not stand still at "about 5 s left"."""
    monkeypatch.setattr("probe.audit.runner.TICK", 0.01)
    told: list[Progress] = []
    script = Script(healthy(), hangs=lambda step: isinstance(step, TlsHandshake))
    drive(script, replace(POLITE, rate=0.5, burst=1), budget=0.5, tell=told.append)
    waiting = [p.eta_s for p in told if p.planned]
    known = [eta for eta in waiting if eta is not None]
    assert len(waiting) > 5
    assert max(known) <= 0.5
    assert known == sorted(known, reverse=True)


def test_the_time_left_begins_with_an_estimate_and_is_not_known_at_the_end() -> None:
    """The page of the service asks for it, without being told of progress."""
    pace = replace(POLITE, rate=400.0, burst=400)
    audit = Audit(RULES, PLAN)
    runner = Runner(audit, Script(healthy()), pace)
    left = [runner.time_left()]

    async def run() -> None:
        task = asyncio.create_task(runner.run())
        while not task.done():
            left.append(runner.time_left())
            await asyncio.sleep(0)
        await task

    asyncio.run(run())
    assert left[0] is None, "nobody knows before it has begun"
    seen = [seconds for seconds in left if seconds is not None]
    assert seen
    assert seen[0] >= estimate(audit) / pace.rate, "before the names are resolved"
    assert runner.time_left() is None


def test_without_a_rate_the_time_left_goes_by_what_was_done() -> None:
    runner = Runner(Audit(RULES, PLAN), Script(healthy()), QUICK)
    left: list[float | None] = []

    async def run() -> None:
        task = asyncio.create_task(runner.run())
        while not task.done():
            left.append(runner.time_left())
            await asyncio.sleep(0)
        await task

    asyncio.run(run())
    assert [seconds for seconds in left if seconds is not None]

"""The real appliance, with its asker, schedule and judgements, on a loop whose time passes as soon as nothing is left to do.

Only the network is scripted (`tests/rules/script.py`): at the shipped schedule a repair takes minutes and a list's life hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar, cast

import pytest

from exporters.metrics.meters import Meters
from probe.config.service import Intervals
from probe.config.settings import parse_config
from probe.measure.prober import Prober
from probe.watch.judgement import Judgement
from probe.watch.loop import Callbacks, WatchLoop
from rules.model.failure import Code
from rules.model.observation import Observation, Step
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from rules.watch.confirmation import CONNECTOR, Confirmation
from rules.watch.schedule import KINDS
from rules.watch.state import Place
from tests.rules import script
from tests.rules.script import World

P = ParamSpec("P")
R = TypeVar("R")
HORIZON = 35.0  #: seconds for which timers are set, as the daemon's tick does
SLOW = 5.0  #: seconds that silence takes


@dataclass(slots=True)
class Clock:
    """Monotonic seconds, and what Unix time is more."""

    mono: float = 1000.0
    apart: float = script.START - 1000.0

    @property
    def wall(self) -> float:
        return self.mono + self.apart


class _Selector(selectors.SelectSelector):
    """Waiting for a timer takes no time but the clock's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen again"
            self._clock.mono += max(timeout, 1e-6)
        return ready


@dataclass(slots=True)
class ScriptedProber:
    """Answers out of a world. `log` holds every step that was put on the wire with its time (monotonic).

    `answers` holds every answer with the time at which it came.
    """

    world: World
    clock: Clock
    log: list[tuple[float, Step]] = field(default_factory=list)
    answers: list[tuple[float, Observation]] = field(default_factory=list)
    connections: int = 0

    async def rest(self) -> None:
        """The audit's prober pauses here."""

    async def measure(self, step: Step) -> Observation:
        started = self.clock.wall
        self.log.append((self.clock.mono, step))
        seen = self.world.answer(step)
        took = SLOW if seen.failure is not None and seen.failure.code is Code.TIMEOUT else 0.05
        await asyncio.sleep(took)
        seen = replace(seen, started=started, elapsed=took)
        self.answers.append((self.clock.mono, seen))
        return seen


@dataclass(slots=True)
class Hours:
    """An appliance that has had its first look and goes on. `told` holds (time, subject, before, after) of transitions."""

    appliance: WatchLoop
    world: World
    clock: Clock
    prober: ScriptedProber
    judged: list[Judgement] = field(default_factory=list)
    told: list[tuple[float, str, str, str]] = field(default_factory=list)

    def take(self, made: Judgement) -> None:
        self.judged.append(made)
        self.told += [(self.clock.mono, t.subject, t.before, t.after) for t in made.settled.transitions]

    async def settle(self) -> None:
        """Half an hour after the first look, and forget what was told in it."""
        await asyncio.sleep(1800)
        self.told.clear()

    async def until(self, true: Callable[[], bool]) -> None:
        """Let the time pass until something is so."""
        while not true():  # noqa: ASYNC110  # virtual time: an event would need a hand in the prober
            await asyncio.sleep(0.5)

    def answers(self) -> list[tuple[str, str]]:
        return [(before, after) for _, subject, before, after in self.told if subject == CONNECTOR]

    def changes(self) -> set[tuple[str, str]]:
        """Every change of a target's word that was told."""
        return {(before, after) for _, subject, before, after in self.told if subject != CONNECTOR}

    def asked(self, since: float, wanted: Callable[[Step], bool]) -> list[float]:
        """When such steps were put on the wire, in seconds after `since`."""
        return [at - since for at, step in self.prober.log if at >= since and wanted(step)]


@contextlib.asynccontextmanager
async def going(
    clock: Clock,
    world: World,
    rules: Rules = script.RULES,
    rate: float = 0.5,
    plan: Plan = script.PLAN,
    connector: str = "c",
) -> AsyncIterator[Hours]:
    """The appliance at the shipped schedule but for `rate`; nothing is left behind it.

    `connector`: the name that its offsets come from. Without one they would be those of the machine that runs this.
    """
    config = parse_config({}, "wayclear.toml")
    config = replace(config, serve=replace(config.serve, connector=connector, schedule=Intervals(rate=rate)))
    prober = ScriptedProber(world, clock)
    made = Hours(cast(WatchLoop, None), world, clock, prober)
    made.appliance = WatchLoop(
        config,
        rules,
        plan,
        cast(Prober, prober),
        Meters(Place("c")),
        Callbacks(made.take, lambda _: None),
        Confirmation(),
    )
    await made.appliance.sweep()

    async def arm() -> None:
        while True:
            for kind in KINDS:
                made.appliance.arm(kind, HORIZON)
            await asyncio.sleep(HORIZON - 5.0)

    tasks = [asyncio.create_task(arm()), asyncio.create_task(made.appliance.judge_for_ever())]
    try:
        yield made
        assert not any(task.done() for task in tasks), "a bug ended it"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await made.appliance.close()


def run(test: Callable[[Clock], Coroutine[None, None, None]], judging: float = 0.0) -> None:
    """Run `test` on a loop of virtual time, in which a judgement takes `judging` seconds.

    No real clock is read, so that a slow machine sees what a fast one does.
    """
    clock, looks = Clock(), itertools.count()

    async def to_thread(work: Callable[P, R], *args: P.args, **more: P.kwargs) -> R:
        await asyncio.sleep(judging)  # answers come meanwhile
        return work(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock.mono)
        patch.setattr(time, "time", lambda: clock.wall)
        patch.setattr(time, "perf_counter", lambda: next(looks) * judging)
        patch.setattr(asyncio, "to_thread", to_thread)
        loop = asyncio.SelectorEventLoop(_Selector(clock))
        try:
            loop.run_until_complete(cast(Awaitable[None], test(clock)))
        finally:
            loop.close()

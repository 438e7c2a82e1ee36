"""The asyncio loop around `Audit`: ready -> measure -> record, with the pace, the budget and the deadlines.

It decides nothing about the network: `rules/audit/machine.py` decides what to ask and what an answer means.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from probe.audit.pace import PACES, RESERVED_DESCRIPTORS, Pace
from probe.audit.plan import make_plan, stores_of
from probe.audit.time_left import TimeLeft
from probe.config.settings import Config
from probe.host.token_bucket import TokenBucket
from probe.measure.prober import Prober
from probe.version import VERSION
from rules.audit.first_look import first_look
from rules.audit.machine import Audit
from rules.audit.phases import Phase, Ready
from rules.judge.report import make_report
from rules.model.failure import Code, Failure, Stage
from rules.model.kind import Queue
from rules.model.kinds import local_host
from rules.model.kinds.local_host import HostFacts
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Group, Rules
from rules.model.verdict import Report

#: The shortest budget, in seconds; a longer plan gets 1.5 times its own length.
BUDGET = 120.0
_PHASES = {
    Phase.LOCAL: "this host",
    Phase.LOOK_UP: "names",
    Phase.FIRST: "service",
    Phase.OTHERS: "other names",
    Phase.REST: "further addresses",
    Phase.REVOCATION: "revocation",
    Phase.EXTRA: "extra observations",
}


class Measures(Protocol):
    """The interface of `probe.measure.prober.Prober`."""

    async def measure(self, step: Step) -> Observation: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the audit. `planned` grows with the results; `line` comes once.

    `done` is the number of connections that have ended. `eta_s`: seconds left, by what was done so far; None: not known.
    """

    phase: str
    done: int
    planned: int
    eta_s: float | None
    line: str | None = None


TICK = 1.0  #: seconds after which the progress is told again, although nothing has happened
Tell = Callable[[Progress], None]


class Runner:
    """One audit's loop. Times are seconds on the monotonic clock."""

    def __init__(
        self,
        audit: Audit,
        prober: Measures,
        pace: Pace,
        budget: float | None = None,
        tell: Tell | None = None,
        opened: int = 0,
        slowest: float = 10.0,
    ) -> None:
        """`opened`: connections that were already made for this audit and count for the pace. `slowest`: seconds that a
        connection may take by its limits, for the estimate without a rate."""
        self._audit = audit
        self._prober = prober
        self._pace = pace
        self._slowest = slowest
        self._budget = budget
        self._tell = tell
        self._bucket = TokenBucket(pace.rate, pace.burst)
        for _ in range(opened):
            self._bucket.take(time.monotonic())
        self._caps: dict[Queue, int] = {
            "local": 64,
            "dns": pace.questions,
            "os": pace.lookups,
            "connection": pace.connections,
        }
        self._queues: dict[Queue, dict[Phase, deque[Step]]] = {
            queue: {phase: deque() for phase in Phase} for queue in self._caps
        }
        self._running: dict[Queue, int] = defaultdict(int)
        self._at_address: dict[str, int] = defaultdict(int)
        self._held: dict[str, deque[tuple[Phase, Step]]] = defaultdict(deque)
        self._finished: deque[Observation] = deque()
        self._tasks: dict[asyncio.Task[None], Step] = {}
        self._declined: list[tuple[Queue, Phase, Step]] = []
        self._wake = asyncio.Event()
        self._phase = Phase.LOCAL
        self._connections = 0
        self._planned = 0
        self._begun: float | None = None
        self._expected = 0  # connections in all, as estimated before the names are resolved
        self._time_left = TimeLeft(pace.rate)
        self._plan_reported = False
        self._looked = False

    async def run(self) -> None:
        """Run until nothing is left to ask, or the budget has run out."""
        self._begun = begun = time.monotonic()
        try:
            while True:
                self._wake.clear()
                self._collect()
                self._queue(self._audit.ready())
                left = self._left(begun)
                if left <= 0:
                    self._audit.stop("budget")
                wait = self._start()
                self._report()
                idle = not self._tasks and not self._finished and wait is None
                if left <= 0 or (idle and not self._reconsider()):
                    break
                if not self._finished:
                    pauses = (left, wait, TICK if self._tell is not None else None)
                    await self._pause(min(one for one in pauses if one is not None))
        except asyncio.CancelledError:
            self._audit.stop(
                "interrupted"
            )  # before running steps are cancelled, so that no resolver counts as dead for it
            raise
        finally:
            await self._abandon()

    def time_left(self) -> float | None:
        """Seconds until the end, at most what is left of the budget; None if they are not known.

        While names are being resolved the plan still grows, so the estimate of all connections counts.
        """
        if self._begun is None:
            return None
        planned = max(self._planned, self._connections)
        resolving = self._running["dns"] or self._running["os"]
        total = max(planned, self._expected) if resolving else planned
        left = self._time_left.left(total - self._connections, time.monotonic())
        return None if left is None else min(left, max(self._left(self._begun), 0.0))

    def _left(self, begun: float) -> float:
        budget = self._budget
        if budget is None:
            budget = max(BUDGET, 1.5 * self._planned / self._pace.rate) if self._pace.rate else BUDGET * 5
        return begun + budget - time.monotonic()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _collect(self) -> None:
        while self._finished:
            seen = self._finished.popleft()
            self._audit.record(seen)
            facts = local_host.KIND.shown(seen.evidence)
            if facts is not None:
                self._fit(facts)

    def _fit(self, facts: HostFacts) -> None:
        """Limit the running steps to the available descriptors."""
        if facts.descriptors is not None:
            room = max(1, facts.descriptors - RESERVED_DESCRIPTORS)
            limited: tuple[Queue, ...] = ("connection", "dns")
            for queue in limited:
                self._caps[queue] = max(1, min(self._caps[queue], room // 2))

    def _queue(self, ready: list[Ready]) -> None:
        for item in ready:
            kind = kind_of(item.step)
            self._queues[kind.queue][item.phase].append(item.step)
            if kind.connects:
                self._planned += 1

    def _start(self) -> float | None:
        """Start every step that may start. Returns the seconds to wait for the pace, None if no step waits for it."""
        # questions before lookups: starting a lookup process takes longer than sending
        free: tuple[Queue, ...] = ("local", "dns", "os")
        for queue in free:
            while self._running[queue] < self._caps[queue] and (got := self._next(queue)) is not None:
                self._launch(queue, *got)
        while self._running["connection"] < self._caps["connection"]:
            wait = self._bucket.wait(time.monotonic())
            if wait > 0:
                return wait if any(self._queues["connection"].values()) else None
            got = self._next("connection")
            if got is None:
                return None
            self._bucket.take(time.monotonic())
            self._launch("connection", *got)
        return None

    def _next(self, queue: Queue) -> tuple[Phase, Step] | None:
        """The next step of the earliest phase that is still wanted and whose address has a free place."""
        for phase, steps in self._queues[queue].items():
            if queue == "connection" and self._too_early(phase):
                return None
            while steps:
                step = steps.popleft()
                address = _address(step)
                if not self._audit.wanted(step):
                    self._declined.append((queue, phase, step))
                    self._release(address)
                    continue
                if address is not None and self._at_address[address] >= self._pace.per_address:
                    self._held[address].append((phase, step))
                    continue
                return phase, step
        return None

    def _too_early(self, phase: Phase) -> bool:
        """With a limited rate, first addresses of service names that are still being resolved come before those of other
        names, and first addresses of all names come before second ones."""
        if not self._pace.rate or not (self._running["dns"] or self._running["os"]):
            return False
        return phase >= Phase.REST or (phase is Phase.OTHERS and self._service_pending())

    def _service_pending(self) -> bool:
        names = self._audit.names
        return any(
            target.host is not None and target.rule.group is Group.SERVICE and not names.complete(target.host)
            for target in self._audit.targets
        )

    def _launch(self, queue: Queue, phase: Phase, step: Step) -> None:
        self._phase = phase
        self._running[queue] += 1
        address = _address(step)
        if address is not None:
            self._at_address[address] += 1
        if queue == "connection":
            self._connections += 1
            self._time_left.start(step, time.monotonic())
        task = asyncio.create_task(self._measure(step))
        self._tasks[task] = step
        task.add_done_callback(lambda done: self._done(done, queue, address))

    async def _measure(self, step: Step) -> None:
        seen = await self._prober.measure(step)
        self._finished.append(seen)

    def _done(self, task: asyncio.Task[None], queue: Queue, address: str | None) -> None:
        step = self._tasks.pop(task)
        self._running[queue] -= 1
        if queue == "connection":
            self._time_left.end(step, time.monotonic())
        if address is not None:
            self._at_address[address] -= 1
            self._release(address)
        if not task.cancelled() and (error := task.exception()) is not None:
            failure = Failure(Stage.LOCAL, Code.BUG, f"{type(error).__name__}: {error}")
            self._finished.append(Observation(step, time.time(), 0.0, failure))
        self._wake.set()

    def _reconsider(self) -> bool:
        """Queue declined steps again if later results made them wanted; whether a step was queued."""
        declined, self._declined = self._declined, []
        for queue, phase, step in declined:
            if self._audit.wanted(step):
                self._queues[queue][phase].append(step)
                self._wake.set()
            else:
                self._declined.append((queue, phase, step))
        return self._wake.is_set()

    def _release(self, address: str | None) -> None:
        """Queue one step again that waited for a free place at `address`."""
        if address is not None and self._held[address]:
            phase, held = self._held[address].popleft()
            self._queues["connection"][phase].appendleft(held)

    async def _abandon(self) -> None:
        """Cancel running steps and record them as not reached: they are reported and never judged."""
        open_steps = dict(self._tasks)
        for task in open_steps:
            task.cancel()
        if open_steps:
            await asyncio.gather(*open_steps, return_exceptions=True)
        self._collect()
        for step in open_steps.values():
            if step not in self._audit.seen:
                failure = Failure(Stage.LOCAL, Code.NOT_REACHED, "the audit ended before an answer came")
                self._audit.record(Observation(step, time.time(), 0.0, failure))

    def _report(self) -> None:
        if not self._expected and self._audit.host is not None:
            self._expected = estimate(self._audit)
        if self._tell is None:
            return
        planned = max(self._planned, self._connections)
        line = None
        if not self._plan_reported and self._audit.host is not None:
            self._plan_reported = True
            expected = self._expected
            names = len({t.host for t in self._audit.targets if t.host})
            line = f"{names} names, about {expected} connections, {self._length(expected)} ({self._pace.name} pace)"
        elif not self._looked and self._phase > Phase.FIRST and (line := first_look(self._audit) or None):
            self._looked = True
        self._tell(Progress(_PHASES[self._phase], self._time_left.ended, planned, self.time_left(), line))

    def _length(self, expected: int) -> str:
        """How long it will take: by the rate; without one, what it takes when nothing answers at either try."""
        if self._pace.rate:
            return f"about {expected / self._pace.rate:.0f} s"
        rounds = math.ceil(expected / self._pace.connections)
        return f"about {2 * rounds * self._slowest:.0f} s at the most"


def estimate(audit: Audit) -> int:
    """Connections that an audit is likely to open, before the first name is resolved.

    Two addresses a name and port are usual; a third more for revocation sources and extra observations.
    """
    names = {(t.host, t.port) for t in audit.targets if t.host}
    families = int(bool(audit.host and audit.host.route_v4)) + int(bool(audit.host and audit.host.route_v6))
    return round(len(names) * min(2 * max(families, 1), 3) * 4 / 3)


def _address(step: Step) -> str | None:
    place = kind_of(step).place(step)
    return place[0] if place is not None else None


async def run_audit(config: Config, rules: Rules, tell: Tell | None = None) -> Report:
    """The whole audit of this host with `config`: what `wayclear audit` and `wayclear explain` do.

    Cancelled while it measures (that is what asyncio makes of the first Ctrl-C), it ends at once with the report of what
    was seen, `stopped` being "interrupted".
    """
    started = time.time()
    prober = Prober(limits=config.limits, stores=stores_of(config))
    try:
        plan, opened = await make_plan(config, rules, prober)
        audit = Audit(rules, plan)
        try:
            slowest = config.limits.tcp + config.limits.tls
            await Runner(audit, prober, PACES[config.pace], config.budget, tell, opened, slowest).run()
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # it is answered with a report
        finished = time.time()
    finally:
        await prober.close()
    return make_report(audit, started, finished, VERSION)

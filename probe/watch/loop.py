"""The loop of the service: it measures what is due, judges when an answer differs, and asks what a judgement wants.

It makes no decision about the network: `rules/watch/schedule.py` decides when something is due, `rules/judge/report.py`
what an answer means, `probe/watch/asker.py` when a packet may leave.
"""

from __future__ import annotations

import asyncio
import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from exporters.metrics.meters import Meters
from probe.audit.runner import Runner
from probe.config.settings import Config
from probe.measure.prober import Prober
from probe.watch.asker import (
    SECOND_OPINIONS,
    Asker,
    Priority,
    as_kept,
    caps_of,
    groups,
    interval_factor,
    lookups_of,
)
from probe.watch.judgement import Judgement, ScheduledProbe, TargetPlan, expedite, judge, refetch_after
from probe.watch.rounds import FinishedRound, Rounds, Watched
from rules.audit.first_check import FirstCheck, first_check
from rules.audit.guard import is_v6
from rules.audit.machine import Audit
from rules.audit.phases import step_for
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step, got_through, kind_of
from rules.model.ruleset import Group, Rules
from rules.model.verdict import Answer, Plan, Status
from rules.watch.confirmation import Confirmation, Inquiry, Moment, Settled
from rules.watch.faulty_documents import answered
from rules.watch.memory import Memory, document_of
from rules.watch.schedule import KINDS, OVERDUE, Kind, Schedule
from rules.watch.state import Key
from rules.watch.targets import TargetRecords, key_of

#: Seconds after which the loop judges everything again although no answer differs: certificates and lists expire.
JUDGED_EVERY = 900.0
#: Share of the time that judgements may take if answers differ all the time, and the longest wait before one.
JUDGING_SHARE = 0.1
LONGEST_WAIT = 15.0
#: Seconds by which a timer may fire early.
TIMER_EARLY = 0.1
_KINDS: dict[Group, Kind] = {
    Group.SERVICE: "service",
    Group.SIGN_IN: "sign-in",
    Group.VALIDATION: "sign-in",
}


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Functions that the watch loop calls on the event loop: after every judgement, and after every finished round."""

    judged: Callable[[Judgement], None]
    closed: Callable[[FinishedRound], None]


class WatchLoop:
    """Measures, keeps what is known, and starts the judgements."""

    def __init__(
        self,
        config: Config,
        rules: Rules,
        plan: Plan,
        prober: Prober,
        meters: Meters,
        callbacks: Callbacks,
        confirmation: Confirmation,
    ) -> None:
        self.config, self.rules, self.plan = config, rules, plan
        self._dirty = asyncio.Event()
        self.memory = Memory()
        self.tracks = TargetRecords()
        # the host's name if the configuration has none: two hosts must not ask at the same time
        self.schedule = Schedule(config.serve.connector or platform.node(), config.serve.schedule.retry)
        self.ways: TargetPlan | None = None  # None until the first judgement
        self.paused = False
        self.stretch = 1.0  # factor by which intervals are longer than configured, to keep the rate
        self.planned: dict[str, float] = {}  # seconds between two rounds, stretched
        self.asker = Asker(prober, self.memory, self.tracks, meters, self._differs, self._second_opinion)
        self.asker.limit(config.serve.schedule, plan)
        self.watched: dict[Key, Watched] = {}
        self._prober, self._meters, self._callbacks = prober, meters, callbacks
        self._confirmation = confirmation
        self._rounds = Rounds()
        self._probes: dict[Hashable, ScheduledProbe] = {}
        self._extras: dict[str, list[ScheduledProbe]] = {}  # also lists, by the name that they are about
        self._failing: frozenset[Key] = frozenset()
        # The result of the last judgement; before the first, nothing is known.
        self._settled = Settled(0, (), Answer.NOT_PROVEN, 0.0, ())
        self._waited_for: frozenset[Hashable] = frozenset()  # schedule keys that a change waits for
        self._asking: set[Step] = set()
        self._asked: dict[Hashable, int] = {}  # the judgement before the last measurement of each
        self._running: dict[Hashable, int] = {}  # the same for running measurements
        self._judged_at = 0.0
        self._differed: float | None = None  # monotonic; first differing answer since the judgement
        self._armed: dict[Kind, float] = {}  # monotonic; until when timers are set
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._first: tuple[Audit, Runner] | None = None  # of the first sweep while it runs

    # --- what the daemon calls -----------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """The first sweep, at the audit's own pace; ends with the first judgement."""
        try:
            await self._look()
            await self._prober.rest()
            self._dirty.clear()
            await self._judge()
        finally:
            self._first = None
        about: dict[str, list[Key]] = {}
        for key in self.watched:
            about.setdefault(key[0], []).append(key)
        for seen in list(self.memory.known.values()):
            step = seen.step
            keys = about.get(step.name, []) if isinstance(step, DnsQuestion | OsLookup) else [key_of(step)]
            for found in keys if step.attempt == 1 else ():
                if found in self.watched:
                    self.tracks.observe(found, seen, new=False)
                    self.asker.changed.add(found)

    async def _look(self) -> None:
        pace = caps_of(self.config.serve.schedule)
        audit = Audit(self.rules, replace(self.plan, pace="polite" if pace.rate else "fast"))
        runner = Runner(audit, self._prober, pace)
        self._first = audit, runner
        await runner.run()
        for seen in audit.seen.values():
            if kind_of(seen.step).connects:
                self._meters.connection()
            if seen.failure is None or seen.failure.code is not Code.NOT_REACHED:
                self.asker.record(as_kept(seen), None)

    def first_check(self) -> FirstCheck | None:
        """How far the first sweep is; None before it has asked anything, and after the first judgement."""
        if self._first is None or self.ways is not None:
            return None
        audit, runner = self._first
        return first_check(audit, runner.time_left())

    async def judge_for_ever(self) -> None:
        """Judge whenever an answer differs, and regularly although none does."""
        while True:
            now, due = time.monotonic(), self._judged_at + JUDGED_EVERY
            if self._settled.patience_ends is not None:
                due = min(due, self._settled.patience_ends + TIMER_EARLY)
            try:
                async with asyncio.timeout(max(TIMER_EARLY, due - now)):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            took = self.ways.seconds if self.ways is not None else 0.0
            await asyncio.sleep(min(LONGEST_WAIT, max(0.25, took / JUDGING_SHARE)))
            self._dirty.clear()
            await self._judge()

    def arm(self, kind: Kind, horizon: float) -> None:
        """Set a timer for everything of `kind` that is due, or becomes due, within `horizon` seconds."""
        self._armed[kind] = time.monotonic() + horizon
        self._arm(kind)

    def clock_was_set(self, by: float) -> None:
        """Adjust the times in memory to a clock that was set by `by` seconds: every age stays as it was."""
        self.memory.clock_was_set(by, time.time())
        self.tracks.clock_was_set(by, time.time())

    def look_again(self) -> None:
        """Request a judgement soon."""
        self._dirty.set()

    def reconfigure(self, config: Config, rules: Rules, plan: Plan) -> None:
        """Use other rules or intervals from now on; the known answers stay."""
        self.config, self.rules, self.plan = config, rules, plan
        self.asker.limit(config.serve.schedule, plan)
        self.schedule.retry = config.serve.schedule.retry
        self._dirty.set()

    def use(self, prober: Prober) -> None:
        """Measure with this one from now on."""
        self._prober = prober
        self.asker.use(prober)

    async def prepare(self, watched: Watched) -> str | None:
        """Resolve a target as far as that is due. Returns the next address to ask."""
        await self.asker.resolve(watched.key, lookups_of(self.ways, watched.key[0]))
        return self._longest_ago(watched, self._addresses(watched))

    async def close(self) -> None:
        """Cancel every measurement; the loop does not judge unfinished ones."""
        self.paused = True
        self._armed.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- judging -------------------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        hosts = tuple(dict.fromkeys(key[0] for key in self.watched))
        plan = self.memory.plan(self.plan, hosts)
        clock = time.monotonic()
        moment = Moment(time.time(), clock, clock if self._differed is None else self._differed)
        self._differed = None
        made = await asyncio.to_thread(
            judge,
            self.rules,
            plan,
            self.memory.copy(),
            self.tracks,
            self._confirmation,
            self.config.serve.schedule,
            moment,
            dict(self._asked),
        )
        self._judged_at = time.monotonic()
        self.ways = made.ways
        self._settled = made.settled
        self._plan_targets(made)
        self._plan_probes(made.probes)
        self.memory.drop(made.void)
        self._forget(made.settled.outdated)
        self._want((*made.urgent, *made.void))
        self._expedite()
        for kind in KINDS:
            self._arm(kind)
        self._callbacks.judged(made)

    def _plan_targets(self, made: Judgement) -> None:
        found: dict[Key, Watched] = {}
        for target in made.targets:
            if target.host is None:
                continue
            key, kind = (target.host, target.port), _KINDS[target.rule.group]
            mine = found.setdefault(key, Watched(key, kind, target.rule.group.value, []))
            mine.targets.append(target)
            if kind == "service":
                mine.kind, mine.group = kind, target.rule.group.value
        self.watched = found
        self.asker.groups = {key: one.group for key, one in found.items()}
        self.tracks.keep_only(found)
        other = sum(1.0 / probe.interval for probe in made.probes if kind_of(probe.step).connects)
        wanted = sum(1.0 / self._interval(one.kind) for one in found.values())
        self.stretch = interval_factor(self.config.serve.schedule.rate, wanted, other)
        now, kinds = time.monotonic(), Counter(one.kind for one in found.values())
        self.planned = {kind: self._interval(kind) * self.stretch for kind in kinds}
        self._meters.intervals(self.planned)
        for key, one in found.items():
            apart = groups(self.config.serve.schedule.rate, kinds[one.kind])
            self.schedule.add(key, one.kind, self.planned[one.kind], now, groups=apart)
        self._rounds.plan((one.key, one.kind) for one in found.values())
        self._failing = frozenset(t.key for t in made.settled.targets if t.status is Status.FAIL)

    def _interval(self, kind: Kind) -> float:
        intervals = self.config.serve.schedule
        return intervals.service if kind == "service" else intervals.sign_in

    def _forget(self, outdated: Mapping[tuple[Key, str], float]) -> None:
        """Forget failures from before a change, if the rate does not allow asking all addresses again in time."""
        gone = []
        for step, seen in self.memory.known.items() if outdated else ():
            key, place = key_of(step), kind_of(step).place(step)
            judges = kind_of(step).judges(replace(step, attempt=1))
            if key is None or place is None or not judges:
                continue
            if seen.started <= outdated.get((key, place[0]), -math.inf):
                gone.append(step)
        if gone:
            self.memory.drop(gone)
            self.look_again()

    def _expedite(self) -> None:
        """Make everything due soon that a change waits for. A running measurement that began too early is repeated."""
        keys, inquiries = expedite(self._settled, self._probes), self._settled.inquiries
        self._waited_for = frozenset(keys)
        early = {key for key, one in inquiries.items() if self._running.get(key, one.since) < one.since}
        first = inquiries.keys() - self._settled.differing  # these need no delay after another look
        now = time.monotonic()
        for key in keys:
            self.schedule.advance(key, now if key in first else now + self.schedule.retry, again=key in early)

    def _plan_probes(self, probes: tuple[ScheduledProbe, ...]) -> None:
        now, wall = time.monotonic(), time.time()
        self._probes, self._extras = {probe.key: probe for probe in probes}, {}
        for probe in probes:
            if probe.host is not None:
                self._extras.setdefault(probe.host, []).append(probe)
            within, age = None if probe.step in self.memory.known else OVERDUE, None
            if probe.kind == "revocation":  # may disappear and return, and is large
                seen, within = self.memory.get(probe.step), OVERDUE
                age = max(0.0, wall - seen.started) if seen is not None and answered(seen) else None
            self.schedule.add(probe.key, probe.kind, probe.interval, now, within, age=age)
        wanted = self._probes.keys() | self.watched.keys()
        known = wanted | {document_of(probe.step) for probe in probes}
        known |= {key for key in self._asked if isinstance(key, tuple) and key[0] in self._settled.differing}
        self._asked = {key: number for key, number in self._asked.items() if key in known}
        for entry in [entry for entry in self.schedule.entries() if entry.key not in wanted]:
            self.schedule.remove(entry.key)

    def _want(self, steps: Iterable[Step]) -> None:
        for step in dict.fromkeys(steps):
            if step not in self._asking and not self.paused:
                self._asking.add(step)
                self._start(self._ask(step))

    async def _ask(self, step: Step) -> None:
        """Ask a step that a judgement wants."""
        try:
            if self.asker.allows(step):
                began, place = self._settled.number, kind_of(step).place(step)
                await self.asker.ask(step, key_of(step), priority=Priority.CHANGE)
                if place is not None:
                    self._asked[key_of(step), place[0]] = began
        finally:
            self._asking.discard(step)

    # --- measuring -----------------------------------------------------------------------------------------------------

    def _arm(self, kind: Kind) -> None:
        now = time.monotonic()
        for key, due in self.schedule.pop_due(kind, self._armed.get(kind, 0.0)):
            self._begin_at(key, due, now)

    def _begin_at(self, key: Hashable, due: float, now: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key, due] = loop.call_at(loop.time() + max(0.0, due - now), self._begin, key, due)

    def _begin(self, key: Hashable, due: float) -> None:
        self._timers.pop((key, due), None)
        self._meters.lag(max(0.0, time.monotonic() - due))
        self._start(self._tick(key))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # a bug of the program: the event loop logs it, the next round begins as usual

    async def _tick(self, key: Hashable) -> None:
        """Measure one entry of the schedule."""
        ok, interval = self.paused, None  # nothing fails during a pause
        watched = self.watched.get(key) if isinstance(key, tuple) else None
        probe = self._probes.get(key)
        began = self._running[key] = self._settled.number
        try:
            if watched is not None and not self.paused:
                ok = await self._target(watched)
                self._asked[key] = began
            elif probe is not None and not self.paused:
                ok, interval = await self._scheduled(probe)
                self._asked[document_of(probe.step) or key] = began
        finally:
            del self._running[key]
            skipped = self.schedule.done(key, time.monotonic(), ok, interval)
            kind = watched.kind if watched is not None else probe.kind if probe is not None else "extra"
            if skipped:
                self._meters.cycle_missed(kind, skipped)
            self._arm(kind)
            if watched is not None and not self.paused:
                self._close(watched, ok)
            if key in self._waited_for or key in self._settled.differing:
                self._dirty.set()

    def _close(self, watched: Watched, ok: bool) -> None:
        closed = self._rounds.done(watched.key, watched.kind, ok, time.time())
        if closed is not None:
            self._meters.cycle(closed.kind, time.time(), closed.duration)
            self._callbacks.closed(closed)

    async def _target(self, watched: Watched) -> bool:
        """Resolve a target as far as that is due, then ask one address in rotation, or more if the target differs.

        Returns whether all went well.
        """
        key, inquiry = watched.key, self._settled.inquiries.get(watched.key)
        whole = inquiry is not None or key in self._settled.misnamed
        ok = await self.asker.resolve(key, lookups_of(self.ways, key[0]), whole=whole)
        addresses = self._turn_of(watched, inquiry)
        if not addresses:
            return False
        steps = dict.fromkeys(step_for(target, a) for a in addresses for target in watched.targets)
        answers = await asyncio.gather(*(self._at_address(watched, step) for step in steps))
        return all((ok, *answers)) and key not in self._failing

    async def _at_address(self, watched: Watched, step: TlsHandshake | HttpFetch) -> bool:
        """Ask a target at one address, unless it is a list, which has its own schedule. Returns whether it went
        well."""
        key = watched.key
        if ("document", document_of(step)) in self._probes and (
            key in self._settled.misnamed or key not in self._waited_for
        ):
            return True
        if not self.asker.allows(step):
            return False
        priority, began = self._priority(watched), self._settled.number
        try:
            if isinstance(step, TlsHandshake):
                addresses = len(self._addresses(watched))
                seen = await self.asker.handshake(step, key, addresses, priority=priority)
            else:
                seen, _ = await self.asker.ask(step, key, priority=priority)
        finally:
            self._asked[key, step.address] = began
        return got_through(seen)

    def _priority(self, watched: Watched) -> Priority:
        if watched.key in self._settled.inquiries:
            return Priority.CHANGE
        decides = any(t.required and t.rule.group is Group.SERVICE for t in watched.targets)
        return Priority.AWAITED if decides or watched.key in self._waited_for else Priority.REGULAR

    def _turn_of(self, watched: Watched, inquiry: Inquiry | None) -> tuple[str, ...]:
        """The addresses to ask now; for a target that differs all of them, or one of each family."""
        addresses = self._addresses(watched)
        if inquiry is None:
            families = [addresses]
        elif inquiry.whole and document_of(step_for(watched.targets[0], "")) is None:
            return addresses
        else:  # a list is large: fetch it from one address of each family only
            families = [tuple(a for a in addresses if is_v6(a) is v6) for v6 in (False, True)]
        return tuple(a for one in families if (a := self._longest_ago(watched, one)) is not None)

    def _longest_ago(self, watched: Watched, addresses: Iterable[str]) -> str | None:
        step = step_for(watched.targets[0], "")
        turn = self.asker.longest_ago(replace(step, address=address) for address in addresses)
        return turn.address if turn is not None else None

    def _addresses(self, watched: Watched) -> tuple[str, ...]:
        return self.ways.candidates.get(watched.key[0], ()) if self.ways is not None else ()

    def _differs(self, step: Step) -> None:
        """An answer differs: request a judgement, and repeat the extra observations of that name."""
        self._dirty.set()
        if self._differed is None:
            self._differed = time.monotonic()
        if isinstance(step, TlsHandshake) and step.hello == "connector":
            self._observe(step.server_name, TlsHandshake)
        elif isinstance(step, DnsQuestion | OsLookup):
            self._observe(step.name, DnsQuestion)

    def _observe(self, host: str, of: type[Step]) -> None:
        """Make the extra observations of a name due soon, but none more often than a service name."""
        now, wall, apart = time.monotonic(), time.time(), self.config.serve.schedule.service
        for probe in self._extras.get(host, ()):
            seen = self.memory.known.get(probe.step)
            if isinstance(probe.step, of) and seen is not None:
                self.schedule.advance(probe.key, now + max(0.0, apart - abs(wall - seen.started)))

    def _second_opinion(self, resolver: str, name: str) -> None:
        """Ask a silent resolver for other names: is it the name, or the resolver?"""
        others = list(dict.fromkeys(host for host, _ in self.watched if host != name))[:SECOND_OPINIONS]
        self._want([*(DnsQuestion(resolver, host, "A") for host in others), *map(OsLookup, others)])

    async def _scheduled(self, probe: ScheduledProbe) -> tuple[bool, float | None]:
        """Measure a document, an extra observation or this host. Returns whether it went well, and a new interval or
        None."""
        step = self._turn(probe.step)
        if probe.key[0] == "heartbeat" and isinstance(step, DnsQuestion | OsLookup):
            names = (replace(step, name=host) for host, _ in self.watched)
            seen, _ = await self.asker.ask(self.asker.longest_ago(names) or step, None)
            return seen.failure is None, None
        if isinstance(step, OsLookup):
            return await self.asker.resolve(None, lookups_of(self.ways, step.name)), None
        about = key_of(step) if isinstance(step, HttpFetch) else None
        priority = Priority.AWAITED if probe.key in self._waited_for else Priority.EXTRA
        seen, _ = await self.asker.ask(step, about, priority=priority)
        if probe.kind != "revocation":
            return True, None
        own = refetch_after(seen, self.config.serve.schedule.revocation, time.time())
        return seen.failure is None, max(own, probe.interval)

    def _turn(self, step: Step) -> Step:
        """The step for a document at an address that its host has now, each address in turn."""
        if not isinstance(step, HttpFetch) or self.ways is None:
            return step
        candidates = self.ways.candidates.get(step.host, ())
        return self.asker.longest_ago(replace(step, address=address) for address in candidates) or step

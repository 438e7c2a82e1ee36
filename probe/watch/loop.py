"""The appliance's loop: what is due is measured, what differs is judged, what a judgement wants is asked.

It decides nothing about the network: due times are `rules/watch/schedule.py`, meaning is `rules/judge/report.py`, when packets may
leave is `probe/watch/asker.py`.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field, replace

from exporters.metrics.meters import Meters
from probe.audit.runner import Runner
from probe.config.settings import Config
from probe.host import interpreter
from probe.measure.prober import Prober
from probe.watch.asker import SECOND_OPINIONS, Asker, groups, kept, pace_of, stretch, ways_of
from probe.watch.hurry import hurry
from probe.watch.judgement import Judged, Ways, Wish, judge, life
from probe.watch.rounds import Closed, Rounds, Watched
from rules.audit.machine import Audit
from rules.audit.phases import step_for
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step, got_through, kind_of
from rules.model.ruleset import Group, Rules
from rules.model.verdict import Plan, Status
from rules.watch.confirmation import Confirmation
from rules.watch.freshness import well
from rules.watch.memory import Memory, document
from rules.watch.schedule import KINDS, OVERDUE, Kind, Schedule
from rules.watch.targets import Key, Tracks, key_of

#: Seconds after which everything is judged anew although no answer differs: certificates and lists run out.
JUDGED_EVERY = 900.0
#: Share of the time that may be spent on judging when answers differ all the time, and the longest wait for it.
JUDGING_SHARE = 0.1
LONGEST_WAIT = 15.0
_KINDS: dict[Group, Kind] = {
    Group.SERVICE: "service",
    Group.SIGN_IN: "sign-in",
    Group.VALIDATION: "sign-in",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Whom the appliance tells, on the loop: of every judgement and every round that has ended; what was told before."""

    judged: Callable[[Judged], None]
    closed: Callable[[Closed], None]
    confirmation: Confirmation = field(default_factory=Confirmation)


class Appliance:
    """Everything that is measured and known."""

    def __init__(
        self, config: Config, rules: Rules, plan: Plan, prober: Prober, meters: Meters, told: Told
    ) -> None:
        self.config, self.rules, self.plan = config, rules, plan
        self._dirty = asyncio.Event()
        self.memory = Memory()
        self.tracks = Tracks()
        # without a name of its own in the configuration: two hosts must not ask in time
        self.schedule = Schedule(config.serve.connector or platform.node(), config.serve.schedule.retry)
        self.ways: Ways | None = None  # None until the first judgement
        self.paused = False
        self.stretch = 1.0  # by how much intervals are longer than configured, to keep the rate
        self.planned: dict[str, float] = {}  # seconds between two rounds, stretched
        self.asker = Asker(prober, self.memory, self.tracks, meters, self._differs, self._second_opinion)
        self.asker.limit(config.serve.schedule, plan)
        self.watched: dict[Key, Watched] = {}
        self._prober, self._meters, self._told = prober, meters, told
        self._confirmation = told.confirmation
        self._rounds = Rounds()
        self._wishes: dict[Hashable, Wish] = {}
        self._extras: dict[str, list[Wish]] = {}  # lists too, by the name that they are about
        self._failing: frozenset[Key] = frozenset()
        self._held: frozenset[Key] = frozenset()  # whose change waits for a measurement
        self._soon: frozenset[Key] = frozenset()  # these, and those that the answer waits for
        self._named: frozenset[Key] = frozenset()  # whose fault is in their name
        self._asking: set[Step] = set()
        self._judged_at = 0.0
        self._armed: dict[Kind, float] = {}  # monotonic; until when timers are set
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}

    # --- what the daemon calls -----------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """The first look at everything, at the audit's own pace; ends with the first judgement."""
        await self._look()
        await self._prober.rest()
        interpreter.relax(asyncio.get_running_loop())
        self._dirty.clear()
        await self._judge()
        about: dict[str, list[Key]] = {}
        for key in self.watched:
            about.setdefault(key[0], []).append(key)
        for seen in list(self.memory.known.values()):
            step = seen.step
            keys = about.get(step.name, []) if isinstance(step, DnsQuestion | OsLookup) else [key_of(step)]
            for found in keys if step.attempt == 1 else ():
                if found in self.watched:
                    self.tracks.measured(found, seen, new=False)
                    self.asker.changed.add(found)

    async def _look(self) -> None:
        pace = pace_of(self.config.serve.schedule)
        audit = Audit(self.rules, replace(self.plan, pace="polite" if pace.rate else "fast"))
        await Runner(audit, self._prober, pace).run()
        for seen in audit.seen.values():
            if kind_of(seen.step).connects:
                self._meters.connection()
            if seen.failure is None or seen.failure.code is not Code.NOT_REACHED:
                self.asker.take(kept(seen), None)

    async def judge_for_ever(self) -> None:
        """Judge whenever an answer differs, and now and then although none does."""
        while True:
            try:
                async with asyncio.timeout(max(1.0, self._judged_at + JUDGED_EVERY - time.monotonic())):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            took = self.ways.seconds if self.ways is not None else 0.0
            await asyncio.sleep(min(LONGEST_WAIT, max(0.25, took / JUDGING_SHARE)))
            self._dirty.clear()
            await self._judge()

    def arm(self, kind: Kind, horizon: float) -> None:
        """Set a timer for everything of `kind` that is due within `horizon` seconds, or comes to be due within them."""
        self._armed[kind] = time.monotonic() + horizon
        self._arm(kind)

    def clock_was_set(self, by: float) -> None:
        """What is remembered was measured as long ago as before."""
        self.memory.shift(by, time.time())
        self.tracks.shift(by, time.time())
        self._confirmation.shift(by, time.time())

    def look_again(self) -> None:
        """Let everything be judged soon."""
        self._dirty.set()

    def reconfigure(self, config: Config, rules: Rules, plan: Plan) -> None:
        """Other rules or intervals from now on; what is known stays known."""
        self.config, self.rules, self.plan = config, rules, plan
        self.asker.limit(config.serve.schedule, plan)
        self.schedule.retry = config.serve.schedule.retry
        self._dirty.set()

    def use(self, prober: Prober) -> None:
        """Measure with this one from now on."""
        self._prober = prober
        self.asker.use(prober)

    async def prepare(self, watched: Watched) -> str | None:
        """Resolve a target as far as that is due; the address that is asked next."""
        await self.asker.resolve(watched.key, ways_of(self.ways, watched.key[0]))
        return self._next_address(watched)

    async def close(self) -> None:
        """End every measurement: what was begun is given up, and judged by nobody."""
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
        made = await asyncio.to_thread(
            judge,
            self.rules,
            plan,
            self.memory.copy(),
            self.tracks,
            self._confirmation,
            self.config.serve.schedule,
            time.time(),
        )
        self._judged_at = time.monotonic()
        self.ways = made.ways
        self._plan_targets(made)
        self._plan_wishes(made.wishes)
        self.memory.drop(made.void)
        self._want((*made.urgent, *made.void))
        at = time.monotonic() + self.schedule.retry
        hurry(self.schedule, made.settled, self._held, self._soon, self._extras, self.memory, at)
        for kind in KINDS:
            self._arm(kind)
        self._told.judged(made)

    def _plan_targets(self, made: Judged) -> None:
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
        self.tracks.keep(found)
        other = sum(1.0 / wish.interval for wish in made.wishes if kind_of(wish.step).connects)
        wanted = sum(1.0 / self._interval(one.kind) for one in found.values())
        self.stretch = stretch(self.config.serve.schedule.rate, wanted, other)
        now, kinds = time.monotonic(), Counter(one.kind for one in found.values())
        self.planned = {str(kind): self._interval(kind) * self.stretch for kind in kinds}
        self._meters.intervals(self.planned)
        for key, one in found.items():
            apart = groups(self.config.serve.schedule.rate, kinds[one.kind])
            self.schedule.put(key, one.kind, self.planned[one.kind], now, groups=apart)
        self._rounds.plan((one.key, one.kind) for one in found.values())
        self._failing = frozenset((t.host, t.port) for t in made.settled.targets if t.status is Status.FAIL)
        self._held, self._named = made.keys(made.settled.held), made.keys(made.settled.named)
        self._soon = self._held | made.keys(made.settled.awaited)

    def _interval(self, kind: Kind) -> float:
        intervals = self.config.serve.schedule
        return intervals.service if kind == "service" else intervals.sign_in

    def _plan_wishes(self, wishes: tuple[Wish, ...]) -> None:
        now, wall = time.monotonic(), time.time()
        self._wishes, self._extras = {wish.key: wish for wish in wishes}, {}
        for wish in wishes:
            if wish.host is not None:
                self._extras.setdefault(wish.host, []).append(wish)
            within, age = None if wish.step in self.memory.known else OVERDUE, None
            if wish.kind == "revocation":  # may come and go with what names it, and is large
                seen, within = self.memory.get(wish.step), OVERDUE
                age = max(0.0, wall - seen.started) if seen is not None and well(seen) else None
            self.schedule.put(wish.key, wish.kind, wish.interval, now, within, age=age)
        wanted = self._wishes.keys() | self.watched.keys()
        for entry in [entry for entry in self.schedule.entries() if entry.key not in wanted]:
            self.schedule.remove(entry.key)

    def _want(self, steps: Iterable[Step]) -> None:
        for step in dict.fromkeys(steps):
            if step not in self._asking and not self.paused:
                self._asking.add(step)
                self._start(self._ask(step))

    async def _ask(self, step: Step) -> None:
        """Something that a judgement wants."""
        try:
            if self.asker.allows(step):
                await self.asker.ask(step, key_of(step))
        finally:
            self._asking.discard(step)

    # --- measuring -----------------------------------------------------------------------------------------------------

    def _arm(self, kind: Kind) -> None:
        now = time.monotonic()
        for key, due in self.schedule.take(kind, self._armed.get(kind, 0.0)):
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
            raise error  # a bug of ours: the loop's handler logs it, and the next round begins as usual

    async def _tick(self, key: Hashable) -> None:
        """One thing that is due."""
        ok, interval = self.paused, None  # where nothing is asked nothing fails
        watched = self.watched.get(key) if isinstance(key, tuple) else None
        wish = self._wishes.get(key)
        try:
            if watched is not None and not self.paused:
                ok = await self._target(watched)
            elif wish is not None and not self.paused:
                ok, interval = await self._wish(wish)
        finally:
            skipped = self.schedule.done(key, time.monotonic(), ok, interval)
            kind = watched.kind if watched is not None else wish.kind if wish is not None else "extra"
            if skipped:
                self._meters.cycle_missed(kind, skipped)
            self._arm(kind)
            if watched is not None and not self.paused:
                self._close(watched, ok)
            if key in self._soon:
                self._dirty.set()

    def _close(self, watched: Watched, ok: bool) -> None:
        closed = self._rounds.done(watched.key, watched.kind, ok, time.time())
        if closed is not None:
            self._meters.cycle(closed.kind, time.time(), closed.duration)
            self._told.closed(closed)

    async def _target(self, watched: Watched) -> bool:
        """Resolve as far as that is due, then one address in rotation; whether all went well."""
        key, named = watched.key, watched.key in self._named
        ok = await self.asker.resolve(key, ways_of(self.ways, key[0]), whole=named)
        again = key in self._soon and not named
        addresses = self._addresses(watched)
        address = self._next_address(watched)
        if address is None:
            return False
        for step in dict.fromkeys(step_for(target, address) for target in watched.targets):
            if ("document", document(step)) in self._wishes and not again:
                continue  # a list is fetched by its own life
            if not self.asker.allows(step):
                return False
            if isinstance(step, TlsHandshake):
                seen = await self.asker.handshake(step, key, len(addresses))
            else:
                seen, _ = await self.asker.ask(step, key)
            ok = ok and got_through(seen)
        return ok and key not in self._failing

    def _next_address(self, watched: Watched) -> str | None:
        """The address whose turn it is."""
        step = step_for(watched.targets[0], "")
        turn = self.asker.longest_ago(replace(step, address=a) for a in self._addresses(watched))
        return turn.address if turn is not None else None

    def _addresses(self, watched: Watched) -> tuple[str, ...]:
        return self.ways.candidates.get(watched.key[0], ()) if self.ways is not None else ()

    def _differs(self, step: Step) -> None:
        """An answer differs: all is judged anew, and what is observed besides of that name is observed again."""
        self._dirty.set()
        if isinstance(step, TlsHandshake) and step.hello == "connector":
            self._observe(step.server_name, TlsHandshake)
        elif isinstance(step, DnsQuestion | OsLookup):
            self._observe(step.name, DnsQuestion)

    def _observe(self, host: str, of: type[Step]) -> None:
        """Let the extra observations of a name be made soon, but none more often than a service name is asked."""
        now, wall, apart = time.monotonic(), time.time(), self.config.serve.schedule.service
        for wish in self._extras.get(host, ()):
            seen = self.memory.known.get(wish.step)
            if isinstance(wish.step, of) and seen is not None:
                self.schedule.sooner(wish.key, now + max(0.0, apart - abs(wall - seen.started)))

    def _second_opinion(self, resolver: str, name: str) -> None:
        """Ask a silent resolver for other names: is it the name, or the resolver?"""
        others = list(dict.fromkeys(host for host, _ in self.watched if host != name))[:SECOND_OPINIONS]
        self._want([DnsQuestion(resolver, name, "A") for name in others])
        self._want([OsLookup(name) for name in others])

    async def _wish(self, wish: Wish) -> tuple[bool, float | None]:
        """A document, an extra observation, this host; whether it went well, and its interval from now on."""
        step = self._turn(wish.step)
        if wish.key[0] == "heartbeat" and isinstance(step, DnsQuestion | OsLookup):
            names = (replace(step, name=host) for host, _ in self.watched)
            seen, _ = await self.asker.ask(self.asker.longest_ago(names) or step, None)
            return seen.failure is None, None
        if isinstance(step, OsLookup):
            return await self.asker.resolve(None, ways_of(self.ways, step.name)), None
        seen, _ = await self.asker.ask(step, key_of(step) if isinstance(step, HttpFetch) else None)
        if wish.kind != "revocation":
            return True, None
        own = life(seen, self.config.serve.schedule.revocation, time.time())
        return seen.failure is None, max(own, wish.interval)

    def _turn(self, step: Step) -> Step:
        """A document is fetched where its host is now, at each of its addresses in turn."""
        if not isinstance(step, HttpFetch) or self.ways is None:
            return step
        candidates = self.ways.candidates.get(step.host, ())
        return self.asker.longest_ago(replace(step, address=address) for address in candidates) or step

"""When a packet may leave, and what happens with an answer: the rate, the caps, the restraint, the memory.

Also the ways in which a name is asked for: the first resolver's answer when its TTL has run out, the others in rotation,
all of them when something differs.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import TypeVar

from exporters.metrics.meters import Meters
from probe.audit.pace import FAST, POLITE, RESERVED_DESCRIPTORS, Pace
from probe.config.service import Intervals
from probe.host.token_bucket import TokenBucket
from probe.measure.kinds.local_host import descriptors
from probe.measure.prober import Prober
from probe.watch.judgement import TargetPlan
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, Step, got_through, kind_of
from rules.model.verdict import Plan
from rules.watch.memory import Memory
from rules.watch.state import Key
from rules.watch.targets import TargetRecords

#: The longest time, in seconds, for which an answer's TTL keeps a name from being asked for again: a resolver that died
#: has to be noticed.
LONGEST_TTL = 300.0
#: Connections that may come at once after a pause.
BURST = 2
#: Names that are asked for when a resolver begins to be silent, so that one name's fault is not taken for the resolver's.
SECOND_OPINIONS = 4
#: Targets that begin together, on average, where no rate was asked for: fewer than what firewalls take for a sweep (10
#: addresses in 5 ms), and enough to find the processor's caches warm for most of them.
TOGETHER = 6
#: Addresses of a target, at the most, among which the GET takes turns.
MOST_ADDRESSES = 32
DAY = 86_400.0
#: Addresses above which those of more than a day ago are forgotten: names rotate through very many.
KEPT = 4096
_SILENCE = frozenset({Code.TIMEOUT, Code.RESET, Code.EOF, Code.REFUSED})

Way = DnsQuestion | OsLookup
Asked = TypeVar("Asked", bound=Step)


def caps_of(intervals: Intervals) -> Pace:
    """The caps that belong to a rate: without one, those of the fast pace."""
    return POLITE if intervals.rate else FAST


def interval_factor(rate: float, wanted: float, other: float) -> float:
    """The factor by which intervals must be longer for the rate to be kept, with a tenth to spare; 1 in most cases.

    All in connections a second: `wanted` by the targets at their usual intervals, `other` by what keeps its own.
    """
    return max(1.0, wanted / max(0.9 * rate - other, 0.1 * rate)) if rate else 1.0


def groups(rate: float, targets: int) -> int:
    """In how many groups so many targets begin, at equal distances.

    0, each by itself, where a rate has to be kept, and of a short list.
    """
    return 0 if rate or targets <= 2 * TOGETHER else -(-targets // TOGETHER)


def lookups_of(known: TargetPlan | None, host: str) -> list[Way]:
    """Every way of asking for a name, the first living resolver's A record first."""
    if known is None:
        return []
    resolvers = [r for r, _ in sorted(known.resolvers, key=lambda pair: not pair[1])]
    ways: dict[Way, None] = {DnsQuestion(r, host, "A"): None for r in resolvers}
    ways[OsLookup(host)] = None
    ways |= {DnsQuestion(r, host, "AAAA"): None for r in resolvers}
    ways |= dict.fromkeys(known.questions.get(host, ()))
    return list(ways)


class Priority(IntEnum):
    """Which connection the rate lets go first."""

    CHANGE = 0  # a target that differs, or a second attempt
    AWAITED = 1  # the answer waits for it, or rests on it
    REGULAR = 2
    EXTRA = 3  # an observation on which no target rests


class Admission:
    """Lets connections go one after the other, as a rate allows: by priority, and in the order in which they came."""

    def __init__(self) -> None:
        self._queue: list[tuple[Priority, int]] = []
        self._numbers = itertools.count()
        self._moved = asyncio.Event()

    async def admit(self, bucket: TokenBucket, times: int, priority: Priority) -> None:
        """Wait for the turn of one connection, then take `times` tokens."""
        place = priority, next(self._numbers)
        heapq.heappush(self._queue, place)
        try:
            while True:
                if self._queue[0] != place:
                    await self._moved.wait()
                elif (wait := bucket.wait(time.monotonic())) > 0:
                    await asyncio.sleep(wait)  # one that comes meanwhile may go first
                else:
                    break
            for _ in range(times):
                bucket.take(time.monotonic())
        finally:
            self._queue.remove(place)
            heapq.heapify(self._queue)
            self._moved.set()
            self._moved = asyncio.Event()


class HttpTurns:
    """How often HTTP is asked inside a service's TLS session: rarely, and at each address of a target in turn.

    It holds when the GET was sent last, by target and address. Times are seconds of the caller's monotonic clock.
    """

    def __init__(self) -> None:
        self._sent: dict[Key, dict[str, float]] = {}

    def due(self, step: TlsHandshake, addresses: int, interval: float, now: float) -> bool:
        """Whether the handshake `step` takes the GET with it; the target has so many addresses.

        No more than one for the target within `interval`, and one at this address when all had their turn.
        """
        sent = self._sent.get((step.server_name, step.port), {})
        own = sent.get(step.address, -math.inf)
        return now - max(sent.values(), default=-math.inf) >= interval and now - own >= interval * addresses

    def note(self, seen: Observation, interval: float, now: float) -> None:
        """Take an answer: one whose GET was answered, or met a failure, was sent; a handshake that failed sends none."""
        step, facts = seen.step, seen.evidence
        if not isinstance(step, TlsHandshake) or step.path is None or not isinstance(facts, TlsFacts):
            return
        if facts.http_status is None and not facts.http_failure:
            return
        key, old = (step.server_name, step.port), now - interval * MOST_ADDRESSES
        kept = {address: at for address, at in self._sent.get(key, {}).items() if at > old}
        self._sent[key] = {**kept, step.address: now}


class Restraint:
    """Addresses that met silence or a reset within `window` seconds. At `limit` of them no new one is tried.

    A firewall could take more for a scan. The audit stops altogether (`rules/audit/guard.py`); a service goes on with the
    addresses that it has met: those that are silent add nothing to what a firewall counts.
    """

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._silent: dict[str, float] = {}
        self._answered: dict[str, float] = {}

    def note(self, seen: Observation, now: float) -> None:
        """Take an answer; `now` is the caller's monotonic clock."""
        step = seen.step
        if not isinstance(step, TlsHandshake | HttpFetch):
            return
        through = got_through(seen)
        if not through and seen.failure is not None and seen.failure.code in _SILENCE:
            self._silent[step.address] = now
            self._answered.pop(step.address, None)
        elif through:
            self._silent.pop(step.address, None)
            self._answered[step.address] = now
        if len(self._silent) + len(self._answered) > KEPT:
            self._silent = {a: when for a, when in self._silent.items() if now - when <= DAY}
            self._answered = {a: when for a, when in self._answered.items() if now - when <= DAY}

    def allows(self, address: str, now: float) -> bool:
        """Whether a packet to `address` would look like nothing new."""
        if address in self._silent or address in self._answered:
            return True
        recent = sum(1 for when in self._silent.values() if now - when <= self._window)
        return recent < self._limit


class Asker:
    """`groups` names the rule group of each target that is watched. `differs` is called with the question whose answer
    does, `silent` with a resolver that begins to be silent and the name that got no answer there."""

    def __init__(
        self,
        prober: Prober,
        memory: Memory,
        tracks: TargetRecords,
        meters: Meters,
        differs: Callable[[Step], None],
        silent: Callable[[str, str], None],
    ) -> None:
        self.in_flight = 0
        self.changed: set[Key] = set()  # measured since somebody took them out
        self.groups: Mapping[Key, str] = {}
        self._prober = prober
        self._memory = memory
        self._tracks = tracks
        self._meters = meters
        self._differs = differs
        self._silent = silent
        self._gets = HttpTurns()
        self._rate: float | None = None
        self._bounds: tuple[int, float] | None = None  # of the restraint
        self._admission = Admission()

    def use(self, prober: Prober) -> None:
        """Measure with this one from now on."""
        self._prober = prober

    def limit(self, intervals: Intervals, plan: Plan) -> None:
        """Rates and intervals from now on."""
        pace = caps_of(intervals)
        self._intervals = intervals
        if intervals.rate != self._rate:  # else what was spent stays spent
            self._rate, self._bucket = intervals.rate, TokenBucket(intervals.rate, BURST)
        self._connections = asyncio.Semaphore(pace.connections)
        # each resolver has its own: one that says nothing must not keep the questions to another waiting
        self._questions: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(pace.questions))
        limit = descriptors()
        self._sockets = asyncio.Semaphore(
            max(1, limit - RESERVED_DESCRIPTORS) if limit is not None else 1 << 20
        )
        bounds = plan.sweep_limit if intervals.rate else 1 << 30, plan.sweep_window
        if bounds != self._bounds:  # else what has met silence is remembered
            self._bounds, self._restraint = bounds, Restraint(*bounds)

    def allows(self, step: Step) -> bool:
        """Whether asking this now would not look like a scan."""
        address = getattr(step, "address", None)
        return address is None or self._restraint.allows(address, time.monotonic())

    def longest_ago(self, steps: Iterable[Asked]) -> Asked | None:
        """The one of `steps` that was asked longest ago, one that never was before all; None of none."""

        def asked(step: Asked) -> float:
            seen = self._memory.known.get(step)
            return seen.started if seen is not None else 0.0

        return min(steps, key=asked, default=None)

    async def ask(
        self,
        step: Step,
        key: Key | None,
        begins: Callable[[], None] | None = None,
        priority: Priority = Priority.REGULAR,
    ) -> tuple[Observation, bool]:
        """Measure `step` when its turn has come, and remember the answer; whether it differs from the one before.

        `begins` is called when the turn has come, before the first packet.
        """
        seen = await self._measure(step, begins, priority)
        return seen, self.record(seen, key)

    async def handshake(
        self,
        step: TlsHandshake,
        key: Key,
        addresses: int = 1,
        begins: Callable[[], None] | None = None,
        priority: Priority = Priority.REGULAR,
    ) -> Observation:
        """The judging handshake of a target that has so many addresses; the GET inside only as often as is configured.

        A GET that begins to fail is sent once more: what the handshakes of the next minutes borrow is no single mishap.
        """
        now, interval = time.monotonic(), self._intervals.http
        if step.path is None or self._gets.due(step, addresses, interval, now):
            seen = await self._measure(step, begins, priority)
            if _get_failed(seen) and not _get_failed(self._memory.known.get(step)):
                seen = await self._measure(step, None, priority)
            self.record(seen, key)
            return seen
        seen = self._memory.with_last_get(
            await self._measure(replace(step, path=None), begins, priority), step
        )
        self.record(seen, key, borrowed=True)
        return seen

    def record(self, seen: Observation, key: Key | None, *, borrowed: bool = False) -> bool:
        """Remember an answer; whether it differs from the one before. `borrowed`: the GET in it is an earlier one."""
        if not borrowed:
            self._gets.note(seen, self._intervals.http, time.monotonic())
        new = self._memory.record(seen)
        self._restraint.note(seen, time.monotonic())
        group = self.groups.get(key) if key is not None else None
        if key is not None and group is not None:
            stages = self._tracks.observe(key, seen, new=new)
            self.changed.add(key)
            for stage, seconds in stages:
                self._meters.stage(group, stage, seconds)
            if seen.failure is not None and not got_through(seen):
                self._meters.failed(group, seen.failure.stage)
        step = seen.step
        if new:
            self._differs(step)
        walks = isinstance(step, DnsQuestion) and step.walk
        if (
            isinstance(step, DnsQuestion)
            and not walks
            and 0 < self._memory.unanswered_names(step.resolver) <= SECOND_OPINIONS
        ):
            self._silent(step.resolver, step.name)
        return new

    async def resolve(self, key: Key | None, ways: list[Way], *, whole: bool = False) -> bool:
        """Ask for a name as far as that is due, and in every way when an answer differs or does not come, or if `whole`.

        Returns whether every answer came. `ways`: all ways, the first resolver's A record first.
        """
        due = ways if whole else self._due(ways)
        good, differs = await self._ask_all(due, key)
        if differs or not good:
            await self._ask_all([way for way in ways if way not in due], key)
        return good

    async def _ask_all(self, ways: list[Way], key: Key | None) -> tuple[bool, bool]:
        if len(ways) == 1:
            answers = [await self.ask(ways[0], key)]
        else:
            answers = await asyncio.gather(*(self.ask(way, key) for way in ways))
        return all(seen.failure is None for seen, _ in answers), any(new for _, new in answers)

    def _due(self, ways: list[Way]) -> list[Way]:
        """The first resolver's chain when its TTL has run out, and one more way in rotation."""
        if not ways:
            return []
        now, first = time.time(), ways[0]
        chain = [w for w in ways if _same_resolver(w, first)]
        due = [w for w in chain if self._age(w, now) >= self._ttl(w)]
        others = [w for w in ways if w not in chain and self._age(w, now) >= self._intervals.rotation]
        if others:
            due.append(max(others, key=lambda way: self._age(way, now)))
        return due

    def _age(self, way: Way, now: float) -> float:
        seen = self._memory.known.get(way)
        return abs(now - seen.started) if seen is not None else float("inf")

    def _ttl(self, way: Way) -> float:
        """Seconds for which the answer may be used without asking again (RFC 1035 section 3.2.1)."""
        seen = self._memory.known.get(way)
        answer = seen.evidence if seen is not None and seen.failure is None else None
        if not isinstance(answer, DnsAnswer) or not answer.records:
            return 0.0
        return min(LONGEST_TTL, *(float(record.ttl) for record in answer.records))

    async def _measure(
        self, step: Step, begins: Callable[[], None] | None, priority: Priority
    ) -> Observation:
        if kind_of(step).connects:
            await self.admit(priority=priority)
            self._meters.connection()
            return await self._within(self._connections, step, begins)
        if isinstance(step, DnsQuestion):
            return await self._within(self._questions[step.resolver], step)
        return await self._prober.measure(step)

    async def _within(
        self, cap: asyncio.Semaphore, step: Step, begins: Callable[[], None] | None = None
    ) -> Observation:
        async with cap, self._sockets:
            if begins is not None:
                begins()
            self.in_flight += 1
            try:
                return as_kept(await self._prober.measure(step))
            finally:
                self.in_flight -= 1

    async def admit(self, times: int = 1, priority: Priority = Priority.REGULAR) -> None:
        """Wait until the rate lets one more connection go; `times` that it took or will take are spent at once."""
        if not self._intervals.rate:
            return
        await self._admission.admit(self._bucket, times, priority)


def _get_failed(seen: Observation | None) -> bool:
    facts = seen.evidence if seen is not None else None
    return isinstance(facts, TlsFacts) and facts.http_failure in ("timeout", "reset")


def _same_resolver(way: Way, first: Way) -> bool:
    if isinstance(way, DnsQuestion) and isinstance(first, DnsQuestion):
        return way.resolver == first.resolver and way.rtype == first.rtype
    return way == first


def as_kept(seen: Observation) -> Observation:
    """An observation as it stays in memory: a document that did not come whole is judged by its beginning."""
    facts = seen.evidence
    if isinstance(facts, HttpExchange) and facts.body is not None and seen.failure is not None:
        return replace(seen, evidence=replace(facts, body=facts.body[:4096]))
    return seen

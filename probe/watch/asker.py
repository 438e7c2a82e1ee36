"""Decides when a packet may leave, and records each answer: the rate, the caps, the restraint, the memory.

Also decides how to resolve a name: ask the first resolver when the TTL of its answer has run out, the others in
rotation, and all of them if something differs.
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

#: The longest time in seconds for which the TTL of an answer is respected: the service must notice a dead resolver.
LONGEST_TTL = 300.0
#: Connections that may start at once after a pause.
BURST = 2
#: Names to ask a resolver for when it begins to be silent, so that a fault of one name is not taken for a fault of the
#: resolver.
SECOND_OPINIONS = 4
#: Targets that begin together, on average, if no rate is configured: fewer than what firewalls take for a sweep (10
#: addresses in 5 ms), and enough to keep the processor's caches warm for most of them.
TOGETHER = 6
#: Most addresses of a target that share the GET in turn.
MOST_ADDRESSES = 32
DAY = 86_400.0
#: Above this number of addresses, those older than a day are forgotten: some names rotate through very many.
KEPT = 4096
_SILENCE = frozenset({Code.TIMEOUT, Code.RESET, Code.EOF, Code.REFUSED})

Way = DnsQuestion | OsLookup
Asked = TypeVar("Asked", bound=Step)


def caps_of(intervals: Intervals) -> Pace:
    """The caps for a rate; without a rate, those of the fast pace."""
    return POLITE if intervals.rate else FAST


def interval_factor(rate: float, wanted: float, other: float) -> float:
    """The factor by which intervals must be longer to keep the rate, with a tenth to spare; 1 in most cases.

    All in connections per second: `wanted` by the targets at their usual intervals, `other` by probes with fixed
    intervals.
    """
    return max(1.0, wanted / max(0.9 * rate - other, 0.1 * rate)) if rate else 1.0


def groups(rate: float, targets: int) -> int:
    """The number of groups in which `targets` targets begin, at equal distances.

    0 (each by itself) if a rate is configured, or for a short list.
    """
    return 0 if rate or targets <= 2 * TOGETHER else -(-targets // TOGETHER)


def lookups_of(known: TargetPlan | None, host: str) -> list[Way]:
    """Every way to resolve a name, the first living resolver's A record first."""
    if known is None:
        return []
    resolvers = [r for r, _ in sorted(known.resolvers, key=lambda pair: not pair[1])]
    ways: dict[Way, None] = {DnsQuestion(r, host, "A"): None for r in resolvers}
    ways[OsLookup(host)] = None
    ways |= {DnsQuestion(r, host, "AAAA"): None for r in resolvers}
    ways |= dict.fromkeys(known.questions.get(host, ()))
    return list(ways)


class Priority(IntEnum):
    """The order in which the rate admits connections."""

    CHANGE = 0  # for a target that differs, or a second attempt
    AWAITED = 1  # the answer waits for it, or depends on it
    REGULAR = 2
    EXTRA = 3  # an observation that no target depends on


class Admission:
    """Admits connections one after the other, as the rate allows: by priority, then in order of arrival."""

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
                    await asyncio.sleep(wait)  # a connection that arrives meanwhile may go first
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
    """Decides when a TLS session of a service carries a GET: rarely, and at each address of a target in turn.

    It records when the last GET was sent, by target and address. Times are seconds of the caller's monotonic clock.
    """

    def __init__(self) -> None:
        self._sent: dict[Key, dict[str, float]] = {}

    def due(self, step: TlsHandshake, addresses: int, interval: float, now: float) -> bool:
        """Whether the handshake `step` carries a GET; `addresses` is the number of the target's addresses.

        At most one for the target within `interval`, and one at this address after all others had their turn.
        """
        sent = self._sent.get((step.server_name, step.port), {})
        own = sent.get(step.address, -math.inf)
        return now - max(sent.values(), default=-math.inf) >= interval and now - own >= interval * addresses

    def note(self, seen: Observation, interval: float, now: float) -> None:
        """Record an answer: a GET with an answer or a failure was sent; a failed handshake sends none."""
        step, facts = seen.step, seen.evidence
        if not isinstance(step, TlsHandshake) or step.path is None or not isinstance(facts, TlsFacts):
            return
        if facts.http_status is None and not facts.http_failure:
            return
        key, old = (step.server_name, step.port), now - interval * MOST_ADDRESSES
        kept = {address: at for address, at in self._sent.get(key, {}).items() if at > old}
        self._sent[key] = {**kept, step.address: now}


class Restraint:
    """Addresses that were silent or sent a reset within `window` seconds. At `limit` of them the service tries no new
    address.

    A firewall could take more for a scan. The audit stops completely (`rules/audit/guard.py`). The service goes on with
    the addresses that it has tried before: a firewall has counted them already.
    """

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._silent: dict[str, float] = {}
        self._answered: dict[str, float] = {}

    def note(self, seen: Observation, now: float) -> None:
        """Record an answer; `now` is the caller's monotonic clock."""
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
        """Whether a packet to `address` cannot look like a scan: it is a known address, or few addresses are silent."""
        if address in self._silent or address in self._answered:
            return True
        recent = sum(1 for when in self._silent.values() if now - when <= self._window)
        return recent < self._limit


class Asker:
    """Measures steps within the limits and records the answers. `groups`: the rule group of each watched target.

    It calls `differs` with a question whose answer differs, and `silent` with a resolver that begins to be silent and
    the name that got no answer.
    """

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
        self.changed: set[Key] = set()  # measured since a caller last took them out
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
        """Measure with this prober from now on."""
        self._prober = prober

    def limit(self, intervals: Intervals, plan: Plan) -> None:
        """Set the rates and intervals."""
        pace = caps_of(intervals)
        self._intervals = intervals
        if intervals.rate != self._rate:  # else the spent tokens stay spent
            self._rate, self._bucket = intervals.rate, TokenBucket(intervals.rate, BURST)
        self._connections = asyncio.Semaphore(pace.connections)
        # each resolver has its own semaphore: a silent resolver must not delay questions to another
        self._questions: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(pace.questions))
        limit = descriptors()
        self._sockets = asyncio.Semaphore(
            max(1, limit - RESERVED_DESCRIPTORS) if limit is not None else 1 << 20
        )
        bounds = plan.sweep_limit if intervals.rate else 1 << 30, plan.sweep_window
        if bounds != self._bounds:  # else the silent addresses are kept
            self._bounds, self._restraint = bounds, Restraint(*bounds)

    def allows(self, step: Step) -> bool:
        """Whether asking this step now would not look like a scan."""
        address = getattr(step, "address", None)
        return address is None or self._restraint.allows(address, time.monotonic())

    def longest_ago(self, steps: Iterable[Asked]) -> Asked | None:
        """The step that was asked longest ago, one that never was before all others; None without steps."""

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
        """Measure `step` when its turn comes, and record the answer. Returns whether it differs from the one before.

        Calls `begins` at the turn, before the first packet.
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
        """The handshake that decides a target's verdict; it carries a GET only as often as configured.

        `addresses` is the number of the target's addresses. If a GET begins to fail, it is sent once more: the
        handshakes of the next minutes borrow its result, which must not be one accidental failure.
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
        """Record an answer. Returns whether it differs from the one before. `borrowed`: its GET is from an earlier
        answer."""
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
        """Resolve a name in the ways that are due, and in all ways if an answer differs or fails to arrive, or if
        `whole`.

        Returns whether every answer arrived. `ways`: all ways, the first resolver's A record first.
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
        """The first resolver's chain if its TTL has run out, and one more way in rotation."""
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
        """Seconds for which the answer may be used without a new question (RFC 1035 section 3.2.1)."""
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
        """Wait until the rate admits one more connection, then take `times` tokens at once."""
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
    """An observation as it stays in memory: of an incomplete document only the beginning."""
    facts = seen.evidence
    if isinstance(facts, HttpExchange) and facts.body is not None and seen.failure is not None:
        return replace(seen, evidence=replace(facts, body=facts.body[:4096]))
    return seen

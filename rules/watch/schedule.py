"""When each target is due: a heap on the caller's monotonic clock, with different offsets on each host.

Pure: time is an argument (seconds of a clock that never steps). Each entry has one due time. So a late round happens
once and not several times, and the skipped rounds are counted. An entry that `pop_due` returned is not in the heap
until `done` puts it back, so its measurements never overlap.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["service", "sign-in", "revocation", "extra"]
KINDS: tuple[Kind, ...] = ("service", "sign-in", "revocation", "extra")

#: Factor by which the wait of a failing target grows each time, up to its usual interval.
GROWTH = 2.0
#: The longest wait in seconds for a list that cannot be fetched. Its usual interval is hours; the service would see a
#: repair too late.
LONGEST_RETRY = 900.0
#: Seconds within which an overdue measurement begins.
OVERDUE = 60.0


def offset_fraction(identity: str, key: Hashable) -> float:
    """A number in [0, 1) that is the same for the same host and target on every start, and differs between hosts."""
    digest = hashlib.blake2b(f"{identity}\x00{key!r}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(slots=True)
class Entry:
    """One thing that the service measures repeatedly. `due` and `interval` in seconds; `failures` in a row.

    `grid` is the next of its regular times. An entry that was measured sooner, because it failed or this host slept,
    returns to its regular times. Otherwise entries that failed together would be due together for ever.
    """

    key: Hashable
    kind: Kind
    interval: float
    due: float
    grid: float
    failures: int = 0
    version: int = 0  # of its place in the heap: older places are invalid
    out: bool = False  # returned by `pop_due` and not done yet
    again: float | None = None  # requested sooner while it was out


class Schedule:
    """Due times. `identity` gives this host its own offsets; `retry` is the first wait after a failure, in seconds."""

    def __init__(self, identity: str, retry: float = 15.0) -> None:
        self._identity = identity
        self.retry = retry  # may be changed at any time
        self._entries: dict[Hashable, Entry] = {}
        self._heaps: dict[Kind, list[tuple[float, int, int, Entry]]] = {kind: [] for kind in KINDS}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def entries(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def add(
        self,
        key: Hashable,
        kind: Kind,
        interval: float,
        now: float,
        within: float | None = None,
        groups: int = 0,
        age: float | None = None,
    ) -> None:
        """Make `key` due every `interval`, the first time at its own offset within `within` (default: the interval).

        `groups` is the number of equal parts of the interval. All entries of a part share one moment as their offset:
        the code of one measurement is then still in the processor's caches for the next.

        `age`: the number of seconds since the last measurement. The first due time counts from then, in the second half
        of the interval. So an entry that disappears and returns, such as a list whose host does not always resolve, is
        due as if it had stayed.

        A known entry keeps its due time, unless that is further away than its interval: a list's remaining life changes
        all the time, and must not make it due all the time.
        """
        offset = offset_fraction(self._identity, key)
        if groups:  # the host's own offset within a part: a fleet does not ask at the same time
            offset = (int(offset * groups) + offset_fraction(self._identity, kind)) / groups
        due = now + offset * (interval if within is None else within)
        if age is not None:
            left = interval * (1.0 + offset) / 2.0 - age
            due = now + (left if left > 0.0 else offset * min(interval, OVERDUE))
        old = self._entries.get(key)
        if old is not None and old.kind == kind:
            if old.grid > now + interval:
                old.grid = due
                self.advance(key, due)
            old.interval = interval
            return
        entry = Entry(key, kind, interval, due, due)
        if old is not None:
            entry.failures, entry.out, entry.again = old.failures, old.out, old.again
            old.version = -1
            if entry.out:  # for its old turn: its first new turn follows
                entry.due = old.due
        self._entries[key] = entry
        if not entry.out:
            self._push(entry)

    def remove(self, key: Hashable) -> None:
        """Forget `key`; does nothing if it is unknown."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.version = -1

    def pop_due(self, kind: Kind, until: float) -> list[tuple[Hashable, float]]:
        """Take everything of `kind` that is due up to `until` from the heap: (key, due), the earliest first."""
        heap = self._heaps[kind]
        found = []
        while heap and heap[0][0] <= until:
            due, _, version, entry = heapq.heappop(heap)
            if entry.version == version and not entry.out:
                entry.out = True
                found.append((entry.key, due))
        return found

    def next_due(self, kind: Kind) -> float | None:
        """When the next entry of `kind` is due; None if the heap has none."""
        heap = self._heaps[kind]
        while heap and (heap[0][3].version != heap[0][2] or heap[0][3].out):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def done(self, key: Hashable, now: float, ok: bool = True, interval: float | None = None) -> int:
        """Record that `key` was measured: it is due again on its grid, or sooner if it failed. Returns how many rounds
        were skipped.

        `interval` replaces the interval from now on (each list has its own remaining life).
        """
        entry = self._entries.get(key)
        if entry is None:
            return 0
        if interval is not None:
            entry.interval = interval
        entry.out = False
        skipped = 0
        entry.failures = 0 if ok else entry.failures + 1
        if entry.due >= entry.grid or now >= entry.grid:  # this was the regular round
            skipped = max(0, int((now - entry.grid) // entry.interval))
            entry.grid += (skipped + 1) * entry.interval
        following = entry.grid
        if not ok:
            wait = self.retry * GROWTH ** min(entry.failures - 1, 32)
            ceiling = LONGEST_RETRY if entry.kind == "revocation" else entry.interval
            following = min(following, now + min(wait, ceiling))
        if entry.again is not None:
            following, entry.again = max(now, min(following, entry.again)), None
        entry.due = following
        self._push(entry)
        return skipped

    def advance(self, key: Hashable, at: float, *, again: bool = True) -> None:
        """Make `key` due at `at` if it is due later; does nothing if it is unknown.

        An entry that is out becomes due once more afterwards, if `again`.
        """
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.out:
            if again:
                entry.again = at if entry.again is None else min(entry.again, at)
        elif at < entry.due:
            entry.due = at
            self._push(entry)

    def catch_up(self, now: float, asleep: float) -> None:
        """This host slept for `asleep` seconds that the clock did not count: entries that became due then are due once,
        spread out."""
        for entry in self._entries.values():
            if not entry.out and entry.due - asleep <= now:
                spread = offset_fraction(self._identity, entry.key) * min(entry.interval, 60.0)
                self.advance(entry.key, now + spread)

    def demand(self) -> float:
        """Measurements per second that the intervals require."""
        return sum(1.0 / entry.interval for entry in self._entries.values())

    def _push(self, entry: Entry) -> None:
        entry.version += 1
        heapq.heappush(self._heaps[entry.kind], (entry.due, next(self._numbers), entry.version, entry))

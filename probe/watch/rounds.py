"""Rounds: a cycle ends when every target of a kind was measured once since the previous cycle."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.audit.targets import Target
from rules.watch.schedule import KINDS, Kind
from rules.watch.state import Key


@dataclass(slots=True)
class Watched:
    """A name and port that the service measures, and the targets of the rules with that name and port."""

    key: Key
    kind: Kind
    group: str
    targets: list[Target]


@dataclass(frozen=True, slots=True)
class FinishedRound:
    """A finished cycle: when it began (Unix time), how long it took (seconds), what it found."""

    kind: Kind
    started: float
    duration: float
    targets: int
    failed: int


@dataclass(slots=True)
class _Round:
    all: set[Key] = field(default_factory=set)
    left: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)
    started: float | None = None  # Unix time at which the round began, None before
    begun: float = 0.0  # monotonic


class Rounds:
    """One running round for each kind."""

    def __init__(self) -> None:
        self._rounds: dict[Kind, _Round] = {kind: _Round() for kind in KINDS}

    def plan(self, keys: Iterable[tuple[Key, Kind]]) -> None:
        """Set the targets."""
        fresh: dict[Kind, set[Key]] = {kind: set() for kind in KINDS}
        for key, kind in keys:
            fresh[kind].add(key)
        for kind, found in fresh.items():
            running = self._rounds[kind]
            running.left = (running.left & found) | (found - running.all)
            running.failed &= found
            running.all = found

    def done(self, key: Key, kind: Kind, ok: bool, now: float) -> FinishedRound | None:
        """Record a measured target. Returns the cycle that ended with it, or None. `now` is Unix time."""
        running = self._rounds[kind]
        if running.started is None:
            running.started, running.begun = now, time.monotonic()
        running.left.discard(key)
        if ok:
            running.failed.discard(key)
        else:
            running.failed.add(key)
        if running.left:
            return None
        ended = FinishedRound(
            kind, running.started, time.monotonic() - running.begun, len(running.all), len(running.failed)
        )
        running.left, running.failed, running.started = set(running.all), set(), None
        return ended

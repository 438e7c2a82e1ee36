"""The prober in force, and those of configurations before it until what they began has ended."""

from __future__ import annotations

import asyncio

from exporters.metrics.meters import Meters
from probe.audit.plan import stores_of
from probe.config.settings import Config
from probe.measure.long_lists import LongLists
from probe.measure.prober import Prober
from rules.model.observation import Observation, Step


class CountedProber(Prober):
    """A prober that knows when it measures nothing: `idle` is set then."""

    def __init__(self, config: Config, meters: Meters, lists: LongLists | None = None) -> None:
        super().__init__(limits=config.limits, stores=stores_of(config), late=meters.loop_lag, lists=lists)
        self.idle = asyncio.Event()
        self.idle.set()
        self._running = 0

    async def measure(self, step: Step) -> Observation:
        self._running += 1
        self.idle.clear()
        try:
            return await super().measure(step)
        finally:
            self._running -= 1
            if not self._running:
                self.idle.set()


class Probers:
    """All probers of one daemon. `settled` is to be set when the first look has ended: it keeps the prober with which
    it began, also while it waits for its pace and measures nothing."""

    def __init__(self, meters: Meters) -> None:
        self.settled = asyncio.Event()
        self._meters = meters
        self._lists = LongLists()  # what one has read stays in memory when another measures
        self._current: tuple[Config, CountedProber] | None = None
        self._retired: list[CountedProber] = []
        self._gone = 0  # connections of those that were closed

    @property
    def connections(self) -> int:
        """TCP connections that all of them began so far: it never becomes less."""
        current = [self._current[1]] if self._current is not None else []
        return self._gone + sum(prober.connections for prober in (*self._retired, *current))

    @property
    def retired(self) -> int:
        """Those that are not closed yet."""
        return len(self._retired)

    def fitting(self, config: Config) -> CountedProber:
        """The one in force where it measures as `config` says, else a new one, which is not in force yet."""
        if self._current is not None and _measures_alike(self._current[0], config):
            return self._current[1]
        return CountedProber(config, self._meters, self._lists)

    def use(self, config: Config, prober: CountedProber) -> CountedProber | None:
        """Put what `fitting` gave in force; the one before, which is to be buried, where it is another."""
        before = self._current[1] if self._current is not None else None
        self._current = config, prober
        if before is None or before is prober:
            return None
        self._retired.append(before)
        return before

    async def refuse(self, prober: CountedProber) -> None:
        """Close what `fitting` gave, unless it is in force."""
        if self._current is None or self._current[1] is not prober:
            self._gone += prober.connections
            await prober.close()

    async def bury(self, prober: CountedProber) -> None:
        """Close a retired one when the last of its measurements has ended."""
        await self.settled.wait()
        await prober.idle.wait()
        self._retired.remove(prober)
        self._gone += prober.connections
        await prober.close()

    async def close(self) -> None:
        """Close all of them, whatever they measure."""
        current = [self._current[1]] if self._current is not None else []
        for prober in (*self._retired, *current):
            await prober.close()


def _measures_alike(one: Config, other: Config) -> bool:
    return (one.limits, one.public_roots, one.os_store) == (other.limits, other.public_roots, other.os_store)

"""The active prober, and the probers of earlier configurations until their measurements have ended."""

from __future__ import annotations

import asyncio

from exporters.metrics.meters import Meters
from probe.audit.plan import stores_of
from probe.config.settings import Config
from probe.measure.long_lists import LongLists
from probe.measure.prober import Prober
from rules.model.observation import Observation, Step


class CountedProber(Prober):
    """A prober whose event `idle` is set while it measures nothing."""

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
    """All probers of one daemon. The daemon sets `settled` when the first sweep has ended.

    The first sweep keeps the prober with which it began, also while it waits for its pace and measures nothing.
    """

    def __init__(self, meters: Meters) -> None:
        self.settled = asyncio.Event()
        self._meters = meters
        self._lists = LongLists()  # lists that one prober has read stay in memory for the next
        self._current: tuple[Config, CountedProber] | None = None
        self._retired: list[CountedProber] = []
        self._gone = 0  # connections of closed probers

    @property
    def connections(self) -> int:
        """TCP connections that all of them have begun so far: the number never decreases."""
        current = [self._current[1]] if self._current is not None else []
        return self._gone + sum(prober.connections for prober in (*self._retired, *current))

    @property
    def retired(self) -> int:
        """The number of retired probers that are not closed yet."""
        return len(self._retired)

    def fitting(self, config: Config) -> CountedProber:
        """The active prober if it measures as `config` says, else a new one that is not active yet."""
        if self._current is not None and _measures_alike(self._current[0], config):
            return self._current[1]
        return CountedProber(config, self._meters, self._lists)

    def use(self, config: Config, prober: CountedProber) -> CountedProber | None:
        """Activate the prober from `fitting`. Returns the previous one if it is another; the caller must bury it."""
        before = self._current[1] if self._current is not None else None
        self._current = config, prober
        if before is None or before is prober:
            return None
        self._retired.append(before)
        return before

    async def refuse(self, prober: CountedProber) -> None:
        """Close the prober from `fitting`, unless it is active."""
        if self._current is None or self._current[1] is not prober:
            self._gone += prober.connections
            await prober.close()

    async def bury(self, prober: CountedProber) -> None:
        """Close a retired prober when its last measurement has ended."""
        await self.settled.wait()
        await prober.idle.wait()
        self._retired.remove(prober)
        self._gone += prober.connections
        await prober.close()

    async def close(self) -> None:
        """Close all of them, even if they measure."""
        current = [self._current[1]] if self._current is not None else []
        for prober in (*self._retired, *current):
            await prober.close()


def _measures_alike(one: Config, other: Config) -> bool:
    return (one.limits, one.public_roots, one.os_store) == (other.limits, other.public_roots, other.os_store)

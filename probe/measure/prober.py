"""Measures steps of any kind; `probe/measure/kinds` has a module for each kind.

Every step ends with an observation within the outer deadline. Our own bugs are recorded as ours, and a timeout that our own
late event loop may have caused is not recorded as a timeout.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from probe.host.loop_lag import LagMeter
from probe.host.places import Places
from probe.measure.direct_network import HostNetwork
from probe.measure.failure import local_failure
from probe.measure.kind import Tools
from probe.measure.limits import Limits
from probe.measure.long_lists import LongLists
from probe.measure.network import Network
from probe.measure.os_resolver import WIDTH, OsResolver
from probe.measure.probes import PROBES
from probe.measure.trust_stores import TrustStores
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds import local_host
from rules.model.observation import Observation, Step
from rules.text.address import Address, classify, effective_address, never_connect
from rules.text.display import display

OUTER = 45.0  # most seconds for one step, whatever the sum of its own limits


class Prober:
    """Measures steps, one or many at once, on the running loop. `close()` must be awaited.

    Without `network` it connects directly, and never to addresses that no internet service has (loopback, link-local,
    metadata, multicast), nor, after `LocalHost` was measured, to this host's own. `late` is called with the lag of the loop in
    seconds while anything is measured. `lists`: shared by several probers of one process.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        network: Network | None = None,
        resolver: OsResolver | None = None,
        stores: TrustStores | None = None,
        places: Places | None = None,
        outer: float = OUTER,
        late: Callable[[float], None] | None = None,
        lists: LongLists | None = None,
    ) -> None:
        self._tools = Tools(
            limits or Limits(),
            network or HostNetwork(self._forbidden),
            resolver or OsResolver(width=WIDTH),
            stores or TrustStores(),
            lists or LongLists(),
            places,
        )
        self._outer = outer
        self._own: frozenset[Address] = frozenset()
        self._lag = LagMeter(report=late)

    @property
    def network(self) -> Network:
        """The network of every step, with its guard."""
        return self._tools.network

    @property
    def connections(self) -> int:
        """TCP connections started so far, including DNS over TCP."""
        return getattr(self._tools.network, "connections", 0)

    async def measure(self, step: Step) -> Observation:
        """The observation of `step`. Raises nothing but a cancellation from outside."""
        self._lag.begin()
        try:
            return await self._measured(step)
        finally:
            self._lag.end()

    async def _measured(self, step: Step) -> Observation:
        started, begun = time.time(), asyncio.get_running_loop().time()
        probe = PROBES[type(step)]
        outer = self._outer + probe.longer(step)
        deadline = asyncio.timeout(outer)
        try:
            async with deadline:
                seen = await probe.measure(step, self._tools)
            self._remember(seen)
        except Exception as error:  # noqa: BLE001 - every step has an observation, a bug of ours is named
            if isinstance(error, TimeoutError) and deadline.expired():
                failure = Failure(probe.stage, Code.TIMEOUT, f"no end within {outer:g} s")
            else:
                failure = local_failure(Code.BUG, display(f"{type(error).__name__}: {error}"))
            seen = Observation(step, started, asyncio.get_running_loop().time() - begun, failure)
        return self._believed(seen, begun)

    async def rest(self) -> None:
        """Release what only a burst needs."""
        await self._tools.resolver.rest()

    async def close(self) -> None:
        """End the lookup processes and the lag meter. Cancel running measurements before."""
        self._lag.stop()
        await self._tools.resolver.close()

    def _remember(self, seen: Observation) -> None:
        facts = local_host.KIND.shown(seen.evidence)
        if facts is not None:
            self._own = frozenset(map(effective_address, facts.addresses))

    def _forbidden(self, address: str) -> bool:
        plain = address.partition("%")[0]
        return never_connect(classify(plain)) or effective_address(plain) in self._own

    def _believed(self, seen: Observation, begun: float) -> Observation:
        """Replace a timeout that proves nothing, because our own loop was late by more than half of its limit."""
        if seen.failure is None or seen.failure.code is not Code.TIMEOUT:
            return seen
        lag = self._lag.worst(begun)
        if lag <= self._limit(seen.failure.stage) / 2:
            return seen
        said = f"this program was {lag:.1f} s late, a timeout in stage {seen.failure.stage} proves nothing"
        return replace(seen, failure=local_failure(Code.STARVED, said))

    def _limit(self, stage: Stage) -> float:
        limits = self._tools.limits
        of_stage = {Stage.DNS: limits.dns_try, Stage.TCP: limits.tcp, Stage.TLS: limits.tls}
        return of_stage.get(stage, limits.first_byte)

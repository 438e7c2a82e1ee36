"""The hand-written table: which file measures which step, and what holds for all of them.

Every step ends with an observation, whatever happens: within the outer deadline, with our own bugs named as ours, and
with no timeout believed that our own late event loop may have made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from probe.host.loop_lag import LagMeter
from probe.measure.direct_network import HostNetwork
from probe.measure.failure import local
from probe.measure.kinds import (
    dns_chain,
    http_fetch,
    local_host,
    os_lookup,
    tcp_connect,
    tls_handshake,
    trust_store,
)
from probe.measure.kinds.local_host import Places
from probe.measure.kinds.os_lookup import WIDTH, OsResolver
from probe.measure.kinds.trust_store import TrustStores
from probe.measure.limits import Limits
from probe.measure.long_lists import LONGEST_WAIT, LongLists
from probe.measure.network import Network
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tcp_connect import TcpConnect
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup
from rules.model.observation import Observation, Step
from rules.text.address import Address, classify, meant, never_connect
from rules.text.display import display

OUTER = 45.0  # seconds for one step, whatever its own limits add up to


class Prober:
    """Measures steps one by one or many at a time on the running loop; `close()` must be awaited.

    Without a `network` of the caller's it goes direct and never connects to addresses that no service of the internet
    has (loopback, link-local, metadata, multicast), nor, once `LocalHost` was measured, to this host's own. `late` is
    told how late the loop is (seconds), again and again while something is measured. `lists`: those of the whole program,
    where it has several probers.
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
        self._limits = limits or Limits()
        self._network = network or HostNetwork(self._forbidden)
        self._resolver = resolver or OsResolver(width=WIDTH)
        self._stores = stores or TrustStores()
        self._places = places
        self._lists = lists or LongLists()
        self._outer = outer
        self._own: frozenset[Address] = frozenset()
        self._lag = LagMeter(told=late)

    @property
    def network(self) -> Network:
        """The way out that every step takes, with its guard."""
        return self._network

    @property
    def connections(self) -> int:
        """TCP connections begun so far, DNS over TCP among them."""
        return getattr(self._network, "connections", 0)

    async def measure(self, step: Step) -> Observation:
        """The observation of `step`. Never raises but for cancellation from outside."""
        self._lag.begin()
        try:
            return await self._measured(step)
        finally:
            self._lag.end()

    async def _measured(self, step: Step) -> Observation:
        started, begun = time.time(), asyncio.get_running_loop().time()
        outer = self._outer + (LONGEST_WAIT if isinstance(step, HttpFetch) and step.purpose == "crl" else 0.0)
        deadline = asyncio.timeout(outer)
        try:
            async with deadline:
                seen = await self._dispatch(step)
        except Exception as error:  # noqa: BLE001 - G1: every step has an observation, a bug of ours is named
            if isinstance(error, TimeoutError) and deadline.expired():
                failure = Failure(_STAGES[type(step)], Code.TIMEOUT, f"no end within {outer:g} s")
            else:
                failure = local(Code.BUG, display(f"{type(error).__name__}: {error}"))
            seen = Observation(step, started, asyncio.get_running_loop().time() - begun, failure)
        return self._believed(seen, begun)

    async def rest(self) -> None:
        """Give back what only a burst has need of."""
        await self._resolver.rest()

    async def close(self) -> None:
        """End the lookup processes and the lag meter; running measurements must have been cancelled before."""
        self._lag.stop()
        await self._resolver.close()

    async def _dispatch(self, step: Step) -> Observation:
        if isinstance(step, DnsQuestion):
            return await dns_chain.measure(step, self._network, self._limits)
        if isinstance(step, TlsHandshake):
            return await tls_handshake.measure(step, self._network, self._limits)
        if isinstance(step, HttpFetch):
            return await http_fetch.measure(step, self._network, self._limits, self._lists)
        if isinstance(step, TcpConnect):
            return await tcp_connect.measure(step, self._network, self._limits)
        if isinstance(step, OsLookup):
            return await os_lookup.measure(step, self._resolver, self._limits)
        if isinstance(step, TrustLookup):
            return await trust_store.measure(step, self._stores)
        if isinstance(step, LocalHost):
            return self._remembered(await local_host.measure(step, self._places))
        raise TypeError(f"no kind measures {type(step).__name__}")

    def _remembered(self, seen: Observation) -> Observation:
        if isinstance(seen.evidence, HostFacts):
            self._own = frozenset(map(meant, seen.evidence.addresses))
        return seen

    def _forbidden(self, address: str) -> bool:
        plain = address.partition("%")[0]
        return never_connect(classify(plain)) or meant(plain) in self._own

    def _believed(self, seen: Observation, begun: float) -> Observation:
        """A timeout proves nothing where our own loop was late by more than half of its limit."""
        if seen.failure is None or seen.failure.code is not Code.TIMEOUT:
            return seen
        lag = self._lag.worst(begun)
        if lag <= self._limit(seen.failure.stage) / 2:
            return seen
        said = f"this program was {lag:.1f} s late, a timeout in stage {seen.failure.stage} proves nothing"
        return replace(seen, failure=local(Code.STARVED, said))

    def _limit(self, stage: Stage) -> float:
        limits = self._limits
        of_stage = {Stage.DNS: limits.dns_try, Stage.TCP: limits.tcp, Stage.TLS: limits.tls}
        return of_stage.get(stage, limits.first_byte)


_STAGES: dict[type[Step], Stage] = {
    LocalHost: Stage.LOCAL,
    DnsQuestion: Stage.DNS,
    OsLookup: Stage.DNS,
    TcpConnect: Stage.TCP,
    TlsHandshake: Stage.TLS,
    HttpFetch: Stage.HTTP,
    TrustLookup: Stage.LOCAL,
}

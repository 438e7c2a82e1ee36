"""The small internet on loopback, measured by the program's own prober in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from socket import EAI_AGAIN, EAI_NONAME
from typing import cast

from exporters.meters import Meters
from probe.appliance import Appliance, Told
from probe.asking import Asker
from probe.config import Config, load_rules, parse_config
from probe.host_network import HostNetwork
from probe.judging import Judged
from probe.kinds.os_lookup import OsResolver
from probe.kinds.trust_store import TrustStores
from probe.limits import Limits
from probe.measure import Prober
from probe.network import Datagrams, Stream
from probe.rounds import Closed
from probe.run import make_plan
from probe.serve_config import Intervals
from rules.kinds.local_host import HostFacts, LocalHost
from rules.memory import Memory
from rules.observation import Observation, Step
from rules.ruleset import Rules
from rules.schedule import KINDS
from rules.state import Place
from rules.tracking import Tracks
from rules.verdict import Plan
from tests.probe.internet import RESOLVERS, Internet, Sockets, looped

LIMITS = Limits(dns_try=0.3, dns_name=0.6, os_lookup=0.6, tcp=0.4, tls=0.4, first_byte=0.4, http=1.0, crl=1.0)
FACTS = HostFacts("connector01", "svc", "Linux", ("10.9.0.1",), ("10.9.0.1",), (), RESOLVERS, True, False)
PLACE = Place("connector01")


class LoopNetwork(HostNetwork):
    """The host's network on which 20.50.0.0/16 is loopback."""

    def __init__(self, sockets: Sockets) -> None:
        super().__init__()
        self._udp = {address: sock.getsockname()[1] for address, sock in sockets.resolvers.items()}
        self._tcp = {port: sock.getsockname()[1] for port, sock in sockets.ports.items()}

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        return await super().connect(looped(address), self._tcp[port], timeout)

    async def datagrams(self, address: str, port: int) -> Datagrams:
        assert port == 53
        return await super().datagrams(looped(address), self._udp[address])


class ZoneResolver(OsResolver):
    """The operating system's resolution: what the first living resolver says."""

    def __init__(self, net: Internet) -> None:
        super().__init__()
        self._net = net

    async def lookup(self, name: str, timeout: float) -> tuple[tuple[str, ...], int]:
        await asyncio.sleep(0)
        known = self._net.zone.get(name)
        if set(RESOLVERS) <= self._net.dead or (known is not None and not known.rcode):
            await asyncio.sleep(timeout)
            return (), EAI_AGAIN
        good = known is not None and known.rcode == "NOERROR" and known.v4
        return (known.v4, 0) if known is not None and good else ((), EAI_NONAME)


class LoopProber(Prober):
    """`begun` holds every step that was put on the wire, with its time (monotonic)."""

    def __init__(self, net: Internet, sockets: Sockets, limits: Limits = LIMITS) -> None:
        roots = net.directory / "roots.pem"
        super().__init__(
            limits=limits,
            network=LoopNetwork(sockets),
            resolver=ZoneResolver(net),
            stores=TrustStores(roots, roots),
        )
        self.begun: list[tuple[float, Step]] = []
        self.facts = FACTS

    async def measure(self, step: Step) -> Observation:
        self.begun.append((time.monotonic(), step))
        return await super().measure(step)

    async def _dispatch(self, step: Step) -> Observation:
        if isinstance(step, LocalHost):
            return Observation(step, time.time(), 0.0, None, self.facts)
        return await super()._dispatch(step)


@dataclass(slots=True)
class Desk:
    """An asker with everything that it needs. `differs` counts, `silent` holds what it was told."""

    asker: Asker
    prober: LoopProber
    memory: Memory
    tracks: Tracks
    meters: Meters
    silent: list[tuple[str, str]] = field(default_factory=list)
    differs: int = 0

    def value(self, metric: str) -> float:
        """A sample of the meters without labels of its own, or the sum of several."""
        lines = self.meters.render().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


@contextlib.asynccontextmanager
async def desk(
    net: Internet, intervals: Intervals | None = None, plan: Plan | None = None
) -> AsyncIterator[Desk]:
    """An asker on the small internet; no task is left behind it."""
    net.write()
    before = asyncio.all_tasks()
    sockets = net.looped()
    async with net.served(sockets):
        prober, memory, tracks, meters = LoopProber(net, sockets), Memory(), Tracks(), Meters(PLACE)
        made = Desk(cast(Asker, None), prober, memory, tracks, meters)

        def differs() -> None:
            made.differs += 1

        made.asker = Asker(prober, memory, tracks, meters, differs, lambda r, n: made.silent.append((r, n)))
        made.asker.limit(intervals or Intervals(rate=0), plan or Plan("q7x2"))
        try:
            yield made
        finally:
            await prober.close()
    await gone(before)


@dataclass(slots=True)
class House:
    """An appliance that has had its first look, or not. `judged` and `closed` hold what was told."""

    appliance: Appliance
    prober: LoopProber
    meters: Meters
    config: Config
    rules: Rules
    plan: Plan
    judged: list[Judged] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)


@contextlib.asynccontextmanager
async def house(net: Internet, schedule: str, swept: bool = True, top: str = "") -> AsyncIterator[House]:
    """An appliance on the small internet whose `[schedule]` is `schedule`; nothing is left behind it."""
    net.write()
    before = asyncio.all_tasks()
    sockets = net.looped()
    async with net.served(sockets):
        prober, meters = LoopProber(net, sockets), Meters(PLACE)
        config = configured(net, schedule, top)
        rules = load_rules(config.rules, config.ca_sets)
        plan, _ = await make_plan(config, rules, prober)
        made = House(cast(Appliance, None), prober, meters, config, rules, plan)
        told = Told(made.judged.append, made.closed.append)
        made.appliance = Appliance(config, rules, plan, prober, meters, told)
        try:
            if swept:
                await made.appliance.sweep()
            yield made
        finally:
            await made.appliance.close()
            await prober.close()
    await gone(before)


@contextlib.asynccontextmanager
async def going(made: House, horizon: float = 0.3) -> AsyncIterator[None]:
    """Its life after the first look: armed again and again, judged whenever an answer differs."""

    async def arm() -> None:
        while True:
            for kind in KINDS:
                made.appliance.arm(kind, horizon)
            await asyncio.sleep(horizon / 2)

    tasks = [asyncio.create_task(arm()), asyncio.create_task(made.appliance.judge_for_ever())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def configured(net: Internet, schedule: str, top: str = "") -> Config:
    """The small internet's configuration with these lines under `[schedule]`."""
    text = net.config(top=top, schedule=schedule)
    return parse_config(tomllib.loads(text), "wayclear.toml")


async def gone(before: set[asyncio.Task[object]]) -> None:
    """No task is there that was not there before; those that end in this turn of the loop may."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Look until it holds, where nothing tells that it does."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)

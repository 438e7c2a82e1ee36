"""The small internet on loopback, measured by the program's own prober in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from socket import EAI_AGAIN, EAI_NONAME
from typing import ParamSpec, cast

from exporters.metrics.meters import Meters
from probe.audit.plan import make_plan
from probe.config.service import Intervals
from probe.config.settings import Config, load_rules, parse_config
from probe.measure.direct_network import HostNetwork
from probe.measure.limits import Limits
from probe.measure.network import Datagrams, Stream, Unconnected
from probe.measure.os_resolver import OsResolver
from probe.measure.prober import Prober
from probe.measure.trust_stores import TrustStores
from probe.watch.asker import Asker
from probe.watch.judgement import Judgement
from probe.watch.loop import Callbacks, WatchLoop
from probe.watch.rounds import FinishedRound
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from rules.watch.confirmation import Confirmation
from rules.watch.memory import Memory
from rules.watch.schedule import KINDS, Entry
from rules.watch.state import Place
from rules.watch.targets import TargetRecords
from tests.probe.internet import RELAY, RESOLVERS, Hit, Internet, Sockets, looped

LIMITS = Limits(dns_try=0.8, dns_name=1.6, os_lookup=1.6, tcp=1.0, tls=1.0, first_byte=1.0, http=2.0, crl=2.0)
FACTS = HostFacts("connector01", "svc", "Linux", ("10.9.0.1",), ("10.9.0.1",), (), RESOLVERS, True, False)
PLACE = Place("connector01")
P = ParamSpec("P")


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

    async def unconnected(self, address: str, port: int) -> Unconnected:
        assert port == 53
        return await super().unconnected(looped(address), self._udp[address])


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
        if isinstance(step, LocalHost):
            return Observation(step, time.time(), 0.0, None, self.facts)
        return await super().measure(step)


@dataclass(slots=True)
class Desk:
    """An asker with everything that it needs. `differs` counts, `silent` holds what it was told."""

    asker: Asker
    prober: LoopProber
    memory: Memory
    tracks: TargetRecords
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
        prober, memory, tracks, meters = LoopProber(net, sockets), Memory(), TargetRecords(), Meters(PLACE)
        made = Desk(cast(Asker, None), prober, memory, tracks, meters)

        def differs(_: Step) -> None:
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

    appliance: WatchLoop
    prober: LoopProber
    meters: Meters
    config: Config
    rules: Rules
    plan: Plan
    judged: list[Judgement] = field(default_factory=list)
    closed: list[FinishedRound] = field(default_factory=list)


@contextlib.asynccontextmanager
async def house(net: Internet, intervals: Intervals, swept: bool = True) -> AsyncIterator[House]:
    """An appliance on the small internet; nothing is left behind it."""
    net.write()
    before = asyncio.all_tasks()
    sockets = net.looped()
    async with net.served(sockets):
        prober, meters = LoopProber(net, sockets), Meters(PLACE)
        config = configured(net, intervals)
        rules = load_rules(config.rules, config.ca_sets)
        plan, _ = await make_plan(config, rules, prober)
        made = House(cast(WatchLoop, None), prober, meters, config, rules, plan)
        callbacks = Callbacks(made.judged.append, made.closed.append)
        made.appliance = WatchLoop(config, rules, plan, prober, meters, callbacks, Confirmation())
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


LONG = 3600.0
#: Nothing is due by itself within a test.
STILL = Intervals(LONG, LONG, LONG, LONG, LONG, LONG, LONG, rate=0)
#: Service names are asked four times a second, nothing else.
QUICK = replace(STILL, service=0.25)
#: As QUICK, and what fails is soon asked again.
KEEN = replace(QUICK, retry=0.1)


def looping(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """A test that is a coroutine, on a loop of its own, for at most half a minute."""

    @functools.wraps(test)
    def whole(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 30))

    return whole


def entry(here: House, key: Hashable) -> Entry:
    """What the schedule holds of it."""
    return next(one for one in here.appliance.schedule.entries() if one.key == key)


def since(net: Internet, begun: float, host: str = RELAY) -> list[Hit]:
    """Connections to a name's addresses."""
    return [hit for hit in net.to(host) if hit.at > begun]


def turns(here: House, begun: float, host: str = RELAY) -> list[tuple[float, str]]:
    """When the judging handshakes of a name began, and where."""
    return [
        (at, step.address)
        for at, step in here.prober.begun
        if at > begun and isinstance(step, TlsHandshake) and (step.server_name, step.hello) == (host, "connector")
        and step.attempt == 1
    ]  # fmt: skip


def shortest(found: list[tuple[float, str]]) -> float:
    """The least time between two of them."""
    return min(b - a for (a, _), (b, _) in pairwise(found))


def steps(here: House, kind: type[Step], begun: float = 0.0) -> list[Step]:
    """What of one kind was put on the wire."""
    return [step for at, step in here.prober.begun if at > begun and isinstance(step, kind)]


def extras(here: House, begun: float) -> set[tuple[str, str]]:
    """Extra observations that were made since: what kind, of which name."""
    found: set[tuple[str, str]] = set()
    for at, step in here.prober.begun:
        if at > begun and isinstance(step, TlsHandshake) and step.hello != "connector":
            found.add((step.hello, step.server_name))
        if at > begun and isinstance(step, DnsQuestion) and "edge" in step.name:
            found.add(("link", step.name))
    return found


def configured(net: Internet, intervals: Intervals) -> Config:
    """The small internet's configuration with these intervals, shorter ones than a file may have among them."""
    config = parse_config(tomllib.loads(net.config()), "wayclear.toml")
    return replace(config, serve=replace(config.serve, schedule=intervals))


async def gone(before: set[asyncio.Task[object]]) -> None:
    """No task is there that was not there before; those that end in this turn of the loop may."""
    for _ in range(3):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert left == set(), left


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Look until it holds, where nothing tells that it does; the bound only tells hanging from slow."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)

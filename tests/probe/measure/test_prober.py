"""The table of kinds, and what holds for every one of them."""

from __future__ import annotations

import asyncio
import time
import typing

import pytest

from probe.measure.direct_network import HostNetwork
from probe.measure.limits import Limits
from probe.measure.network import Datagrams, Stream, Unconnected
from probe.measure.prober import Prober
from probe.measure.probes import PROBES
from rules.model.failure import Code, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import KINDS, Evidence, Observation, Step
from tests.probe.dns_servers import Asked, Send, a_record, hostile
from tests.servers import serving


async def measured(prober: Prober, step: Step) -> Observation:
    try:
        return await prober.measure(step)
    finally:
        await prober.close()


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.parametrize(
    ("step", "evidence"),
    [
        (LocalHost(), HostFacts),
        (OsLookup("localhost"), OsAnswer),
        (TrustLookup(b"\x30\x00"), TrustRoots),
    ],
)
def test_steps_that_need_no_network(step: Step, evidence: type[Evidence]) -> None:
    async def body() -> None:
        seen = await measured(Prober(), step)
        assert seen.failure is None
        assert isinstance(seen.evidence, evidence)
        assert seen.step is step
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())


def test_steps_that_need_one() -> None:
    async def body() -> None:
        async with serving(ok) as place:
            network = HostNetwork()
            tcp = await measured(Prober(network=network), TcpConnect(place.address, place.port))
            assert isinstance(tcp.evidence, TcpFacts)
            fetch = HttpFetch(place.address, place.port, "host.test", "/")
            http = await measured(Prober(network=network), fetch)
            assert isinstance(http.evidence, HttpExchange)
            assert http.evidence.status == 200
            hello = TlsHandshake(place.address, place.port, "host.test")
            tls = await measured(Prober(network=network), hello)
            assert tls.failure is not None
            assert (tls.failure.stage, tls.failure.code) == (Stage.TLS, Code.NOT_TLS)

        def fine(asked: Asked, send: Send) -> None:
            send(asked.reply(a_record(), 1))

        async with hostile(fine) as server:
            dns = await measured(Prober(network=server.network), DnsQuestion("127.0.0.1", "a.test", "A"))
            assert isinstance(dns.evidence, DnsAnswer)

    asyncio.run(body())


def test_every_kind_has_a_probe() -> None:
    assert {probe.kind for probe in PROBES.values()} == set(KINDS)
    assert set(PROBES) == set(typing.get_args(Step))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"]
)
def test_without_a_network_of_its_own_it_goes_nowhere_it_should_not(address: str) -> None:
    async def body() -> None:
        seen = await measured(Prober(), TcpConnect(address, 80))
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code) == (Stage.LOCAL, Code.DENIED)

    asyncio.run(body())


def test_once_it_knows_them_this_host_s_own_addresses_are_among_those() -> None:
    async def body() -> None:
        prober = Prober(limits=Limits(tcp=0.01))
        seen = await prober.measure(LocalHost())
        assert isinstance(seen.evidence, HostFacts)
        for address in seen.evidence.addresses:
            refused = await prober.measure(TcpConnect(address, 80))
            assert refused.failure is not None
            assert refused.failure.code is Code.DENIED
            if ":" not in address:  # the same host, written as an IPv6 address
                mapped = await prober.measure(TcpConnect(f"::ffff:{address}", 80))
                assert mapped.failure is not None
                assert mapped.failure.code is Code.DENIED
        await prober.close()

    asyncio.run(body())


class Broken(HostNetwork):
    """A network whose methods have bugs of every sort."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        raise self.error

    async def datagrams(self, address: str, port: int) -> Datagrams:
        raise self.error

    async def unconnected(self, address: str, port: int) -> Unconnected:
        raise self.error


@pytest.mark.parametrize(
    "error", [KeyError("\x1b[2J"), RecursionError(), ValueError("bad"), AssertionError()]
)
@pytest.mark.parametrize(
    "step",
    [
        TcpConnect("192.0.2.1", 1),
        TlsHandshake("192.0.2.1", 1, "a.test"),
        HttpFetch("192.0.2.1", 1, "a.test", "/"),
        DnsQuestion("192.0.2.1", "a.test", "A"),
    ],
)
def test_a_bug_of_ours_is_an_observation_that_says_so(step: Step, error: Exception) -> None:
    async def body() -> None:
        seen = await measured(Prober(network=Broken(error)), step)
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code) == (Stage.LOCAL, Code.BUG)
        assert type(error).__name__ in seen.failure.detail
        assert seen.failure.detail.isprintable()
        assert abs(seen.started - time.time()) < 60

    asyncio.run(body())


def test_a_step_that_never_ends_is_ended() -> None:
    class Endless(HostNetwork):
        async def connect(self, address: str, port: int, timeout: float) -> Stream:
            await asyncio.Event().wait()
            raise AssertionError

    async def body() -> None:
        prober = Prober(network=Endless(), limits=Limits(tcp=60), outer=0.05)
        seen = await measured(prober, TcpConnect("192.0.2.1", 1))
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code) == (Stage.TCP, Code.TIMEOUT)
        assert 0.04 < seen.elapsed < 60, "as long as the step itself may take"

    asyncio.run(body())


def test_cancellation_from_outside_passes_through() -> None:
    async def body() -> None:
        async with hostile(lambda _asked, _send: None) as server:
            prober = Prober(network=server.network)
            task = asyncio.create_task(prober.measure(DnsQuestion("127.0.0.1", "a.test", "A")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await prober.close()

    asyncio.run(body())


def test_a_timeout_while_our_own_loop_stood_still_proves_nothing() -> None:
    async def body(block: float) -> Code:
        def stand_still(_asked: Asked, _send: Send) -> None:
            time.sleep(block)

        async with hostile(stand_still) as server:
            prober = Prober(network=server.network, limits=Limits(dns_try=0.1, dns_name=0.2))
            seen = await measured(prober, DnsQuestion("127.0.0.1", "a.test", "A"))
            assert seen.failure is not None
            assert (seen.failure.stage is Stage.LOCAL) == (seen.failure.code is Code.STARVED)
            return seen.failure.code

    assert asyncio.run(body(0.4)) is Code.STARVED
    assert asyncio.run(body(0.0)) is Code.TIMEOUT


def test_connections_are_counted_whatever_becomes_of_them() -> None:
    """What the appliance tells as opened: TCP connections that were begun, not questions over UDP."""

    async def body() -> None:
        async with (
            serving(ok) as place,
            hostile(lambda asked, send: send(asked.reply(a_record(), 1))) as server,
        ):
            prober = Prober(network=server.network)
            assert prober.network is server.network
            await prober.measure(DnsQuestion("127.0.0.1", "a.test", "A"))
            assert prober.connections == 0
            await prober.close()
            direct = Prober(network=HostNetwork())
            await direct.measure(TcpConnect(place.address, place.port))
            await direct.measure(TcpConnect("127.0.0.1", 1))
            assert direct.connections == 2
            await direct.close()

    asyncio.run(body())


def test_a_connection_that_is_refused_by_the_guard_is_none() -> None:
    async def body() -> None:
        prober = Prober()
        await measured(prober, TcpConnect("127.0.0.1", 80))
        assert prober.connections == 0

    asyncio.run(body())

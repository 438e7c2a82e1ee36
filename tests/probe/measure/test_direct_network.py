"""The direct way out, against real sockets on loopback and real routers in namespaces."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from probe.measure.direct_network import HostNetwork
from probe.measure.network import Datagrams, NetworkError
from rules.model.failure import Code, Icmp, Stage
from tests.probe.isolated import REPORT, ROUTER, isolated
from tests.servers import serving


def run(body: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(body(), debug=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def test_bytes_go_and_come_and_a_fin_is_an_empty_read() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))

    async def body() -> None:
        network = HostNetwork()
        async with serving(once) as place:
            stream = await network.connect(place.address, place.port, 2.0)
            assert stream.local[0] == "127.0.0.1"
            assert stream.local[1] > 0
            assert 0 < stream.connect_s < 2
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
            assert await stream.receive() == b""
            stream.close()
            stream.close()  # twice is fine
        assert network.connections == 1

    run(body)


def test_more_than_the_kernel_takes_at_once_is_sent_whole() -> None:
    async def body() -> None:
        async with serving(echo) as place:
            stream = await HostNetwork().connect(place.address, place.port, 2.0)
            payload = bytes(range(256)) * 40_000  # 10 MB: far over both socket buffers
            got = bytearray()

            async def read() -> None:
                while len(got) < len(payload):
                    got.extend(await stream.receive(1000_000))

            async with asyncio.timeout(30):
                await asyncio.gather(stream.send(payload), read())
            assert got == payload
            stream.close()

    run(body)


def test_unread_bytes_wait_in_the_kernel_and_do_not_wake_the_loop() -> None:
    async def body() -> None:
        pushed = asyncio.Event()

        async def push(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"first")
            await writer.drain()
            await _reader.readexactly(1)
            writer.write(b"second")
            await writer.drain()
            pushed.set()
            await _reader.read()

        async with serving(push) as place:
            stream = await HostNetwork().connect(place.address, place.port, 2.0)
            assert await stream.receive() == b"first"
            await stream.send(b"!")
            await pushed.wait()
            for _ in range(20):  # turns of the loop with unread bytes: the reader has to give up listening
                await asyncio.sleep(0)
            assert not stream._reading  # type: ignore[attr-defined]
            assert await stream.receive(3) == b"sec"
            assert await stream.receive(3) == b"ond"
            stream.close()

    run(body)


def test_a_reset_is_a_reset_for_reader_and_writer() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def body() -> None:
        async with serving(reset) as place:
            stream = await HostNetwork().connect(place.address, place.port, 2.0)
            await stream.send(b"!")
            with pytest.raises(NetworkError) as caught:
                await stream.receive()
            assert caught.value.failure.code is Code.RESET
            assert caught.value.local == stream.local
            with pytest.raises(NetworkError) as again:
                await stream.send(b"?")
            assert again.value.failure.code is Code.RESET
            stream.close()

    run(body)


def test_a_cancelled_wait_leaves_the_stream_usable() -> None:
    async def body() -> None:
        async with serving(echo) as place:
            stream = await HostNetwork().connect(place.address, place.port, 2.0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await stream.receive()
            await stream.send(b"still here")
            assert await stream.receive() == b"still here"
            stream.close()

    run(body)


def test_a_close_from_aside_ends_the_wait() -> None:
    async def body() -> None:
        async with serving(echo) as place:
            stream = await HostNetwork().connect(place.address, place.port, 2.0)
            waiting = asyncio.create_task(stream.receive())
            await asyncio.sleep(0)
            stream.close()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(body)


def test_nobody_listens() -> None:
    async def body() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            with pytest.raises(NetworkError) as caught:
                await HostNetwork().connect("127.0.0.1", port, 2.0)
        failure = caught.value.failure
        assert (failure.stage, failure.code, failure.icmp) == (Stage.TCP, Code.REFUSED, None)
        assert caught.value.local is not None

    run(body)


def test_udp_port_unreachable_is_refused_and_tells_its_sender() -> None:
    async def body() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        network = HostNetwork()
        way = await network.datagrams("127.0.0.1", port)
        await way.send(b"?")
        with pytest.raises(NetworkError) as caught:
            await way.receive()
        way.close()
        assert caught.value.failure.code is Code.REFUSED
        assert caught.value.failure.icmp == Icmp(3, 3, "127.0.0.1")
        assert network.questions == 1

    run(body)


def test_datagrams_of_other_senders_never_arrive() -> None:
    async def body() -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger,
        ):
            server.bind(("127.0.0.1", 0))
            way = await HostNetwork().datagrams(*server.getsockname())
            await way.send(b"?")
            _, client = server.recvfrom(10)
            forger.sendto(b"forged", client)
            server.sendto(b"genuine", client)
            assert await way.receive() == b"genuine"
            way.close()

    run(body)


def test_icmp_of_a_firewall_on_the_way_tells_type_code_and_sender() -> None:
    addresses = ["20.50.0.1", "20.50.0.2", "20.50.0.3", "20.50.0.4", "20.50.0.5", "2600:50::1", "20.60.0.1"]
    seen = isolated(ROUTER, f"{REPORT}\n    show(asyncio.run(main(tcp, {addresses})))")
    assert seen == {
        "20.50.0.1": ["tcp", "unreachable", [3, 13, "10.9.0.2"], True, True],
        "20.50.0.2": ["tcp", "unreachable", [3, 3, "10.9.0.2"], True, True],
        "20.50.0.3": ["tcp", "unreachable", [3, 0, "10.9.0.2"], True, True],
        "20.50.0.4": ["tcp", "refused", None, True, True],
        "20.50.0.5": ["tcp", "timeout", None, True, False],
        "2600:50::1": ["tcp", "unreachable", [1, 1, "fd09::2"], True, True],
        "20.60.0.1": ["local", "no-route", None, False, True],
    }


def test_icmp_for_datagrams_told_apart_from_a_closed_port() -> None:
    addresses = ["20.50.0.1", "20.50.0.2", "2600:50::1", "20.60.0.1", "10.9.0.2"]
    settle = (
        "asyncio.run(main(udp, ['fd09::2', '10.9.0.2']))"  # neighbours found: the first may take a second
    )
    seen = isolated(ROUTER, f"{REPORT}\n    {settle}\n    show(asyncio.run(main(udp, {addresses})))")
    assert seen == {
        "20.50.0.1": ["dns", "unreachable", [3, 13, "10.9.0.2"], True, True],
        "20.50.0.2": ["dns", "refused", [3, 3, "10.9.0.2"], True, True],
        "2600:50::1": ["dns", "unreachable", [1, 1, "fd09::2"], True, True],
        "20.60.0.1": ["local", "no-route", None, False, True],
        "10.9.0.2": ["dns", "refused", [3, 3, "10.9.0.2"], True, True],
    }


def test_this_host_s_own_routes_and_firewall() -> None:
    setup = """
        ip link add near type veth peer name far; ip link set far up
        ip addr add 10.9.0.1/24 dev near; ip link set near up
        ip route add unreachable 20.1.0.0/24; ip route add blackhole 20.2.0.0/24
        ip route add prohibit 20.3.0.0/24; ip route add default via 10.9.0.2
        nft -f - <<'END'
        table inet own {
            chain out {
                type filter hook output priority 0;
                ip daddr 20.4.0.1 reject with icmp admin-prohibited
                ip daddr 20.4.0.2 drop
            }
        }
END
    """
    addresses = ["20.1.0.1", "20.2.0.1", "20.3.0.1", "20.4.0.1", "2600::1"]
    tcp = isolated(setup, f"{REPORT}\n    show(asyncio.run(main(tcp, {addresses})))")
    assert tcp == {
        "20.1.0.1": ["local", "no-route", None, False, True],
        "20.2.0.1": ["local", "no-route", None, False, True],
        "20.3.0.1": ["local", "denied", None, False, True],
        # The kernel holds the socket while this ICMP message comes in and would go on repeating the SYN.
        "20.4.0.1": ["tcp", "unreachable", [3, 13, "10.9.0.1"], True, True],
        "2600::1": ["local", "no-route", None, False, True],
    }
    udp = isolated(setup, f"{REPORT}\n    show(asyncio.run(main(udp, ['20.4.0.2', '20.1.0.1'])))")
    assert udp == {
        "20.4.0.2": ["local", "denied", None, True, True],  # EPERM: dropped on our own way out
        "20.1.0.1": ["local", "no-route", None, False, True],
    }


def test_no_local_port_left() -> None:
    setup = "sysctl -qw net.ipv4.ip_local_port_range='40000 40000'"
    body = """
        from probe.measure.direct_network import HostNetwork
        from probe.measure.network import NetworkError

        async def main():
            server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 443)
            network = HostNetwork()
            first = await network.connect("127.0.0.1", 443, 2.0)
            try:
                await network.connect("127.0.0.1", 443, 2.0)
            except NetworkError as error:
                return [error.failure.stage, error.failure.code]
        show(asyncio.run(main()))
    """
    assert isolated(setup, body) == ["local", "no-ports"]


def test_no_descriptors_left_is_of_this_host() -> None:
    async def body() -> None:
        limits: Any = resource  # the type checker also looks with Windows' eyes, where it is empty
        soft, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
        network = HostNetwork()
        held: list[Datagrams] = []

        async def open_many() -> None:
            for _ in range(200):
                held.append(await network.datagrams("127.0.0.1", 9))  # noqa: PERF401 - kept where it fails

        limits.setrlimit(limits.RLIMIT_NOFILE, (64, hard))
        try:
            with pytest.raises(NetworkError) as caught:
                await open_many()
        finally:
            limits.setrlimit(limits.RLIMIT_NOFILE, (soft, hard))
            for way in held:
                way.close()
        assert (caught.value.failure.stage, caught.value.failure.code) == (Stage.LOCAL, Code.NO_DESCRIPTORS)

    run(body)


def test_the_guard_is_asked_before_any_socket_is_opened() -> None:
    async def body() -> None:
        asked: list[str] = []

        def forbidden(address: str) -> bool:
            asked.append(address)
            return address == "127.0.0.1"

        network = HostNetwork(forbidden)
        async with serving(echo) as place:
            with pytest.raises(NetworkError) as caught:
                await network.connect(place.address, place.port, 1.0)
            with pytest.raises(NetworkError):
                await network.datagrams(place.address, place.port)
            assert place.connections == 0
        assert caught.value.failure.code is Code.DENIED
        assert "127.0.0.1" in caught.value.failure.detail
        assert asked == ["127.0.0.1"] * 2
        assert (network.connections, network.questions) == (0, 0)

    run(body)


def test_a_resolver_on_loopback_is_fine_and_only_its_port_53() -> None:
    async def body() -> None:
        network = HostNetwork(lambda _address: True)
        with pytest.raises(NetworkError) as before:
            await network.connect("127.0.0.53", 53, 1.0)
        assert before.value.failure.code is Code.DENIED
        (await network.datagrams("127.0.0.53", 53)).close()
        with pytest.raises(NetworkError) as port_53:
            await network.connect("127.0.0.53", 53, 1.0)
        assert port_53.value.failure.code is Code.REFUSED  # it went out
        with pytest.raises(NetworkError) as other:
            await network.connect("127.0.0.53", 443, 1.0)
        assert other.value.failure.code is Code.DENIED

    run(body)


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.251", "255.255.255.255", "::", "ff02::fb"])
def test_no_resolver_has_such_an_address(address: str) -> None:
    async def body() -> None:
        with pytest.raises(NetworkError) as caught:
            await HostNetwork().datagrams(address, 53)
        assert caught.value.failure.code is Code.DENIED

    run(body)


@pytest.mark.parametrize("text", ["localhost", "127.1", "", "1.2.3.4 ", "::g", "example.com"])
def test_a_name_is_never_looked_up(text: str) -> None:
    async def body() -> None:
        with pytest.raises(ValueError, match="not an address"):
            await HostNetwork().connect(text, 80, 1.0)

    run(body)


def test_a_zone_that_does_not_exist_is_no_route() -> None:
    async def body() -> None:
        with pytest.raises(NetworkError) as caught:
            await HostNetwork().datagrams("fe80::1%nosuchlink", 53)
        assert caught.value.failure.code is Code.NO_ROUTE

    run(body)


def test_nothing_is_left_behind() -> None:
    async def body() -> None:
        async with serving(echo) as place:
            before = len(asyncio.all_tasks())
            network = HostNetwork()
            streams = [await network.connect(place.address, place.port, 1.0) for _ in range(5)]
            waits = [asyncio.create_task(stream.receive()) for stream in streams]
            await asyncio.sleep(0)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            fds = [stream._fd for stream in streams]  # type: ignore[attr-defined]
            for stream in streams:
                stream.close()
            assert len(asyncio.all_tasks()) <= before + len(streams)  # the server's own handlers
            for fd in fds:
                with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                    os.fstat(fd)

    run(body)

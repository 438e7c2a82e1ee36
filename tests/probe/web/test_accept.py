"""How connections are accepted: crowds, handshakes that do not end, connections that are gone, descriptors that have run out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import itertools
import os
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from dataclasses import replace
from pathlib import Path

import pytest

from probe.web.exporter_toolkit import WebConfigFile
from probe.web.messages import Response
from tests.probe.http_raw import (
    PATIENT,
    QUICK,
    Asked,
    ask,
    connect,
    gone,
    pki,
    read_answer,
    request,
    reset,
    say,
    until,
    web,
)


def test_keep_alives_beyond_the_cap_cost_the_oldest_idle_one() -> None:
    limits = replace(PATIENT, connections=20)

    async def main() -> None:
        async with web(Asked(), limits) as server:
            clients = []
            for _ in range(20):
                clients.append(await connect(server))
                clients[-1][1].write(request())
                await read_answer(clients[-1][0])
            clients[0][1].write(request())  # the first is not the oldest any more
            await read_answer(clients[0][0])
            for _ in range(300):
                clients.append(await connect(server))
                clients[-1][1].write(request())
                assert (await read_answer(clients[-1][0])).status == 200
                assert server.connections <= 21
                clients[0][1].write(request())
                assert (await read_answer(clients[0][0])).status == 200
            assert await asyncio.wait_for(clients[1][0].read(), 60) == b""
            for _, writer in clients:
                await gone(writer)

    asyncio.run(main())


def test_a_crowd_that_says_nothing_never_costs_a_scraper_its_connection() -> None:
    limits = replace(PATIENT, connections=20)

    async def main() -> None:
        async with web(Asked(), limits) as server:
            reader, writer = await connect(server)
            writer.write(request())
            await read_answer(reader)
            crowd = [await connect(server) for _ in range(100)]
            for _, other in crowd:
                with contextlib.suppress(ConnectionError):
                    other.write(request(method="POST", headers=["Content-Length: 9"]))  # and then nothing
            crowd += [await connect(server) for _ in range(30)]
            writer.write(request())
            assert (await read_answer(reader)).status == 200
            assert server.connections <= 21
            for _, other in (*crowd, (reader, writer)):
                await gone(other)

    asyncio.run(main())


def test_half_open_handshakes_are_bounded_in_number_and_time(tmp_path: Path) -> None:
    made = pki(tmp_path)
    limits = replace(PATIENT, handshakes=5, handshake=0.5)

    async def main() -> None:
        async with web(Asked(), limits, web_config=WebConfigFile(str(made.config))) as server:
            host, port = server.addresses[0].split(":")
            crowd = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
            assert (await ask(server, context=made.client())).status == 200
            assert server.handshakes <= 5
            for reader, writer in crowd:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 60) == b""
                await gone(writer)
            assert not server.handshakes

    asyncio.run(main())


def hello() -> bytes:
    """The ClientHello of a client that then says nothing."""
    sent = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), sent, server_hostname="localhost"
    )
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


def protocols() -> int:
    """TLS connections that are not released yet. Each has 256 KiB of buffers."""
    return sum(isinstance(one, SSLProtocol) for one in gc.get_objects())


@pytest.mark.parametrize("length", [50, 10_000])
def test_a_burst_of_half_open_handshakes_never_exceeds_the_limit(tmp_path: Path, length: int) -> None:
    """893 connections of one burst stood at 477 at once where a handshake that was being ended stayed the oldest."""
    made = pki(tmp_path)
    limits = replace(PATIENT, handshakes=5)
    most = 0

    async def main() -> None:
        nonlocal most
        async with web(Asked(), limits, web_config=WebConfigFile(str(made.config))) as server:
            host, port = server.addresses[0].split(":")
            crowd = [
                socket.create_connection((host, int(port))) for _ in range(200)
            ]  # in the backlog, all at once
            for sock in crowd:
                sock.sendall(hello()[:length])
                sock.setblocking(False)
            for turn in itertools.count():
                most = max(most, server.handshakes)
                if turn % 50 == 0:
                    most = max(most, protocols())
                    crowd_left = [sock for sock in crowd if not ended(sock)]
                    if len(crowd_left) <= limits.handshakes:
                        break
                await asyncio.sleep(0)
            assert (await ask(server, context=made.client())).status == 200
            for sock in crowd:
                sock.close()

    gc.collect()
    asyncio.run(main())
    assert most <= limits.handshakes + 3, "and those that are being ended"


def ended(sock: socket.socket) -> bool:
    """Whether the server has ended a connection; what it sent before stays to be read."""
    try:
        while sock.recv(2**16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    "leaves", ["after half a hello", "after its hello", "after the handshake", "after an answer"]
)
def test_a_connection_over_tls_is_released_at_its_end_and_not_when_garbage_is_collected(
    tmp_path: Path, leaves: str
) -> None:
    """A quarter of a megabyte of buffers each: 30,000 half hellos in half a minute took 4 GB."""
    made = pki(tmp_path)

    async def main() -> None:
        async with web(Asked(), PATIENT, web_config=WebConfigFile(str(made.config))) as server:
            client = made.client()
            for _ in range(30):
                tls = "hello" not in leaves
                reader, writer = await connect(server, client if tls else None)
                if leaves == "after an answer":
                    writer.write(request())
                    await read_answer(reader)
                elif not tls:
                    writer.write(hello()[: 50 if "half" in leaves else None])
                await reset(writer)
                del reader, writer
            await until(lambda: not server.handshakes and not server.connections)
            gc.freeze()  # those of the clients, which are not collected either
            await until(lambda: protocols() < 5)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.unfreeze()
        gc.enable()


def test_a_drip_within_the_handshake_ends_at_its_limit(tmp_path: Path) -> None:
    made = pki(tmp_path)

    async def main() -> None:
        async with web(Asked(), QUICK, web_config=WebConfigFile(str(made.config))) as server:
            reader, writer = await connect(server)
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(10 * QUICK.handshake):
                    for byte in hello():
                        writer.write(bytes((byte,)))
                        await writer.drain()
                        if reader.at_eof():
                            break
                        await asyncio.sleep(0.02)  # the drip
            assert not server.handshakes
            await gone(writer)

    asyncio.run(main())


@pytest.mark.parametrize("number", [59, 64, 10057])
def test_connections_that_are_gone_before_they_are_accepted_cost_nobody_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """Windows tells of each by an error of accept: 40 of them made the next scrape wait for 8 s."""

    async def main() -> None:
        async with web(Asked(), PATIENT) as server:
            idle_reader, idle_writer = await connect(server)
            idle_writer.write(request())
            await read_answer(idle_reader)
            loop = asyncio.get_running_loop()
            really = loop.sock_accept
            failures = []
            for _ in range(40):
                failures.append(OSError(errno.EINVAL, "the network name is no longer available"))
                vars(failures[-1])["winerror"] = number

            async def accept(sock: socket.socket) -> tuple[socket.socket, object]:
                if failures:
                    raise failures.pop()
                return await really(sock)

            monkeypatch.setattr(loop, "sock_accept", accept)
            begun = loop.time()
            for _ in range(2):  # the first is accepted by the call that was under way
                assert (await ask(server)).status == 200
            assert not failures
            assert loop.time() - begun < 2, "each would else cost 0.2 s"
            idle_writer.write(request())
            assert (await read_answer(idle_reader)).status == 200
            await gone(idle_writer)

    asyncio.run(main())
    assert not caplog.records


def test_without_descriptors_it_makes_room_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with web(Asked(), PATIENT) as server:
            idle_reader, idle_writer = await connect(server)
            idle_writer.write(request())
            await read_answer(idle_reader)
            loop = asyncio.get_running_loop()
            really = loop.sock_accept
            failures = [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), ConnectionAbortedError()]

            async def accept(sock: socket.socket) -> tuple[socket.socket, object]:
                found = await really(sock)
                if not failures:
                    return found
                found[0].close()
                raise failures.pop(0)

            monkeypatch.setattr(loop, "sock_accept", accept)
            for _ in range(3):  # the first is accepted by the call that was under way
                _, writer = await connect(server)
                await gone(writer)
            assert (await ask(server)).status == 200
            assert await asyncio.wait_for(idle_reader.read(), 60) == b""
            await gone(idle_writer)

    asyncio.run(main())
    assert "no connection can be accepted: Too many open files" in caplog.text


def test_silence_instead_of_a_handshake_and_plain_http_end_soon(tmp_path: Path) -> None:
    made = pki(tmp_path)

    async def main() -> None:
        async with web(Asked(), QUICK, web_config=WebConfigFile(str(made.config))) as server:
            for data in (b"", request(), b"\x16\x03\x01\x02\x00\x01"):
                reader, writer = await connect(server)
                writer.write(data)
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), 60)
                await gone(writer)
            assert (await ask(server, context=made.client())).status == 200

    asyncio.run(main())


def test_over_tls_everything_is_the_same(tmp_path: Path) -> None:
    made = pki(tmp_path)
    large = b"x" * 3_000_000

    async def main() -> None:
        async with web(
            Asked(Response(200, large)), PATIENT, web_config=WebConfigFile(str(made.config))
        ) as server:
            context = made.client()
            reader, writer = await connect(server, context)
            for _ in range(2):
                writer.write(request())
                assert (await read_answer(reader)).body == large
            await gone(writer)
            refused = await say(
                server, b"GET / HTTP/1.1\nHost: localhost\n\n" + request("/smuggled"), context
            )
            assert refused.startswith(b"HTTP/1.1 400 ")
            assert refused.count(b"\r\nDate: ") == 1

    asyncio.run(main())

"""One connection, driven by raw bytes: what is answered, what is refused, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from dataclasses import replace

import pytest

from probe.web.app import HttpServer
from probe.web.messages import Request, Response
from tests.probe.http_raw import (
    PATIENT,
    QUICK,
    Asked,
    ask,
    connect,
    gone,
    read_answer,
    request,
    reset,
    say,
    until,
    web,
)

TEXT = b"wayclear_check_success 1\n" * 1000
PAGE = Response(200, TEXT, "text/plain; version=0.0.4", gzip_body=gzip.compress(TEXT))


def test_a_request_reaches_the_handler_as_it_was_sent() -> None:
    asked = Asked()

    async def main() -> None:
        async with web(asked) as server:
            answer = await ask(server, "/probe?target=a%20b&module=", "X-A: 1")
            assert (answer.status, answer.body) == (200, b"hello\n")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["date"].endswith(" GMT")
            assert "connection" not in answer.headers

    asyncio.run(main())
    headers = {"host": "localhost", "x-a": "1"}
    assert asked.requests == [Request("GET", "/probe", {"target": "a b", "module": ""}, headers, "127.0.0.1")]


def test_gzip_is_sent_to_whoever_takes_it_and_nobody_else() -> None:
    async def main() -> None:
        async with web(Asked(PAGE)) as server:
            packed = await ask(server, "/metrics", "Accept-Encoding: gzip")
            assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", TEXT)
            plain = await ask(server, "/metrics", "Accept-Encoding: gzip;q=0, deflate")
            assert "content-encoding" not in plain.headers
            assert plain.body == TEXT
            assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"

    asyncio.run(main())


def test_head_has_the_length_and_no_body_and_the_connection_goes_on() -> None:
    async def main() -> None:
        async with web(Asked(PAGE)) as server:
            reader, writer = await connect(server)
            for encoding, length in (("gzip", len(PAGE.gzip_body or b"")), ("", len(TEXT))):
                writer.write(request("/metrics", "HEAD", [f"Accept-Encoding: {encoding}"]))
                answer = await read_answer(reader, "HEAD")
                assert answer.headers["content-length"] == str(length)
            writer.write(request("/metrics"))
            assert (await read_answer(reader)).body == TEXT
            await gone(writer)

    asyncio.run(main())


def test_an_answer_without_a_body() -> None:
    async def main() -> None:
        async with web(Asked(Response(204))) as server:
            answer = await ask(server)
            assert answer.status == 204
            assert not {"content-length", "content-type"} & answer.headers.keys()

    asyncio.run(main())


def test_http_1_0_and_connection_close_end_after_the_answer() -> None:
    async def main() -> None:
        async with web(Asked(), PATIENT) as server:
            for data in (b"GET / HTTP/1.0\r\n\r\n", request(headers=["Connection: close"])):
                answer = await say(server, data)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert answer.lower().count(b"connection: close") == 1
                assert answer.endswith(b"\r\n\r\nhello\n")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n", 400),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 300_000, 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000
         + (b"\r\n4000\r\n" + b"x" * 0x4000) * 5, 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 500 + b"\r\n", 431),
        (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)  # fmt: skip
def test_what_is_not_answered_is_refused_and_the_connection_closed(data: bytes, status: int) -> None:
    """Each is followed by a request that must not be answered: nothing behind a doubt is a request."""
    asked = Asked()

    async def main() -> None:
        async with web(asked) as server:
            answer = await say(server, data + request("/smuggled"))
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
            assert answer.count(b"\r\nDate: ") == 1

    asyncio.run(main())
    assert [one.path for one in asked.requests] == []


def test_a_small_body_is_dropped_and_nothing_behind_it_is_read() -> None:
    asked = Asked()

    async def main() -> None:
        async with web(asked) as server:
            bodies = (
                b"Content-Length: 65536\r\n\r\n" + b"x" * 65536,
                b"Content-Length: 5\r\n\r\nhello",
                b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
            )
            for body in bodies:
                answer = await say(
                    server, b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\n" + body + request("/smuggled")
                )
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert answer.count(b"\r\nDate: ") == 1

    asyncio.run(main())
    assert [(one.method, one.path) for one in asked.requests] == [("POST", "/-/reload")] * 3


def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    async def main() -> None:
        async with web(Asked(), PATIENT) as server:
            reader, writer = await connect(server)
            writer.write(request(method="POST", headers=["Expect: 100-continue", "Content-Length: 2"]))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ab")
            assert (await read_answer(reader)).status == 200
            await gone(writer)
            too_much = request(method="POST", headers=["Expect: 100-continue", "Content-Length: 70000"])
            assert (await say(server, too_much)).startswith(b"HTTP/1.1 413 ")

    asyncio.run(main())


def test_a_flood_of_pipelined_requests_is_answered_in_order_and_little_of_it_read() -> None:
    count = 3000
    flood = b"".join(request(f"/{i}") for i in range(count))
    order: list[str] = []
    go = asyncio.Event()
    most = 0

    async def handler(asked: Request) -> Response:
        order.append(asked.path)
        await go.wait()
        return Response(200, asked.path.encode())

    async def main() -> None:
        nonlocal most
        async with web(handler, PATIENT) as server:
            reader, writer = await connect(server)
            writer.write(flood)
            await until(lambda: bool(order))
            for _ in range(50):  # the rest waits in the sockets
                await asyncio.sleep(0.001)
                (connection,) = server._connections
                most = max(most, len(connection._buffer))
            assert order == ["/0"]
            go.set()
            for i in range(count):
                assert (await read_answer(reader)).body == f"/{i}".encode()
            await gone(writer)

    asyncio.run(main())
    assert order == [f"/{i}" for i in range(count)]
    assert most <= 64 * 1024


def test_a_client_that_has_sent_all_it_will_still_gets_its_answers() -> None:
    ended = asyncio.Event()

    async def handler(asked: Request) -> Response:
        await ended.wait()
        return PAGE

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            reader, writer = await connect(server)
            writer.write(request("/a") + request("/b") + b"GET /c HT")
            writer.write_eof()
            await until(lambda: any(one._eof for one in server._connections))
            ended.set()
            for _ in range(2):
                assert (await read_answer(reader)).body == TEXT
            assert await asyncio.wait_for(reader.read(), 60) == b""
            await gone(writer)

    asyncio.run(main())


async def ends_within(server: HttpServer, data: bytes, seconds: float, drip: bytes = b"") -> bytes:
    """What comes until the server ends the connection, which must happen in time."""
    reader, writer = await connect(server)
    writer.write(data)

    async def dripping() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(drip)
                await asyncio.sleep(0.02)

    task = asyncio.create_task(dripping())
    try:
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), seconds)
        return b""
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gone(writer)


@pytest.mark.parametrize(
    ("data", "drip", "status"),
    [
        (b"", b"", b""),
        (b"GET / HT", b"", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\n", b"X: a\r\n", b"HTTP/1.1 408 "),
        (b"", b"G", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n", b"x", b"HTTP/1.1 408 "),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
            b"HTTP/1.1 408 ",
        ),
        (request(), b"", b"HTTP/1.1 200 "),  # then idle
        (request(), b"GET", b"HTTP/1.1 200 "),  # then a second request that never ends
    ],
)
def test_silence_and_slow_requests_end_at_the_limit(data: bytes, drip: bytes, status: bytes) -> None:
    async def main() -> None:
        async with web(Asked()) as server:
            assert (await ends_within(server, data, 3.0, drip)).startswith(status)

    asyncio.run(main())


def small_window(server: HttpServer) -> socket.socket:
    """A client that takes next to nothing unless it is read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = server.addresses[0].rsplit(":", 1)
    sock.connect((host, int(port)))
    sock.setblocking(False)
    return sock


LARGE = Response(200, b"x" * 8_000_000)


@pytest.mark.parametrize("header", [[], ["Connection: close"]])
def test_a_slow_reader_is_dropped_and_costs_little_memory(header: list[str]) -> None:
    async def main() -> None:
        async with web(Asked(LARGE), replace(QUICK, write=0.6)) as server:
            with small_window(server) as sock:
                sock.sendall(request(headers=header))
                await until(lambda: server.in_flight == 1)
                (connection,) = server._connections
                waiting: list[int] = []
                wire = connection._wire
                assert wire is not None

                def dropped() -> bool:
                    waiting.append(wire.get_write_buffer_size())
                    return not server.connections

                await until(dropped)
                assert 0 < max(waiting) <= 128 * 1024
                await until(lambda: server.in_flight == 0)

    asyncio.run(main())


def test_a_reader_that_is_slow_only_at_the_end_of_the_last_answer_is_not_cut_off() -> None:
    """What waits in this process when the connection is to end still goes out, within the time for writing."""
    body = b"x" * 600_000

    async def main() -> None:
        async with web(Asked(Response(200, body)), replace(PATIENT, linger=0.1)) as server:
            reader, writer = await connect(server, limit=1024)
            writer.write(request(headers=["Connection: close"]))
            received = b""
            while piece := await asyncio.wait_for(reader.read(20_000), 60):
                received += piece
                await asyncio.sleep(0.01)
            assert received.endswith(body)
            await gone(writer)

    asyncio.run(main())


def test_a_client_that_leaves_ends_the_work_for_it() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(asked: Request) -> Response:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            _, writer = await connect(server)
            writer.write(request())
            await started.wait()
            await reset(writer)
            await asyncio.wait_for(cancelled.wait(), 60)

    asyncio.run(main())


def test_what_changes_something_is_finished_although_the_client_left() -> None:
    started, go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(asked: Request) -> Response:
        started.set()
        await go.wait()
        finished.set()
        return Response(200)

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            _, writer = await connect(server)
            writer.write(request("/-/reload", "POST"))
            await started.wait()
            await reset(writer)
            await until(lambda: not server.connections)
            go.set()
            await asyncio.wait_for(finished.wait(), 60)

    asyncio.run(main())


def test_a_header_that_would_break_out_is_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with web(Asked(Response(200, b"", headers=(("X-A", "1\r\nSet-Cookie: x"),)))) as server:
            assert await say(server, request()) == b""

    asyncio.run(main())
    assert "an answer could not be sent: ValueError" in caplog.text

"""The web server as a whole: its start and end, crowds, faults of pages, TLS that changes while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.web.app import HttpServer
from probe.web.exporter_toolkit import WebConfigFile
from probe.web.messages import Request, Response
from tests.pki import authority
from tests.probe.http_raw import (
    PATIENT,
    TLS,
    Asked,
    ask,
    bcrypt_hash,
    client_certificate,
    connect,
    gone,
    pki,
    read_answer,
    request,
    until,
    web,
)

LARGE = Response(200, b"x" * 8_000_000)


def users(password: str = "wonderland") -> str:
    return f"basic_auth_users:\n  alice: {bcrypt_hash(password)}\n"


async def refused(**options: object) -> CommandError:
    server = HttpServer(Asked(), **options)  # type: ignore[arg-type]
    with pytest.raises(CommandError) as caught:
        await server.start()
    assert server.addresses == ()
    await server.stop()
    return caught.value


# --- start and end -------------------------------------------------------------------------------------------------


def test_it_listens_on_both_families_and_tells_where() -> None:
    async def main() -> None:
        async with web(Asked(), listen=("127.0.0.1:0", "[::1]:0")) as server:
            v4, v6 = server.addresses
            assert v4.startswith("127.0.0.1:")
            assert v6.startswith("[::1]:")
            for address in server.addresses:
                host, port = address.rsplit(":", 1)
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                writer.write(request(host=address))
                assert (await read_answer(reader)).status == 200
                await gone(writer)

    asyncio.run(main())


def test_a_port_that_is_taken_and_a_bad_configuration_are_told(tmp_path: Path) -> None:
    bad = tmp_path / "web.yml"
    bad.write_text("basic_auth_users:\n  alice: hunter2\n")

    async def main() -> None:
        async with web(Asked()) as server:
            assert "the port is taken" in (await refused(listen=server.addresses)).what
        trouble = await refused(listen=("127.0.0.1:0",), web_config=WebConfigFile(str(bad)))
        assert "web.yml: line 2: basic_auth_users.alice: is no bcrypt hash" in trouble.what
        assert "hunter2" not in str(trouble)
        assert "docs/web-config.md" in trouble.advice

    asyncio.run(main())


def test_beyond_loopback_it_wants_tls_and_users_or_an_explicit_word(tmp_path: Path) -> None:
    made = pki(tmp_path)
    everywhere = ("0.0.0.0:0",)

    async def main() -> None:
        assert "there is no web configuration" in (await refused(listen=everywhere)).what
        tls_only = WebConfigFile(str(made.config))
        assert "asks nobody" in (await refused(listen=everywhere, web_config=tls_only)).what
        async with web(Asked(), PATIENT, listen=everywhere, allow_insecure=True) as server:
            assert (await ask(server, host="192.0.2.1")).status == 200
        made.write(TLS + users())
        async with web(
            Asked(), PATIENT, listen=everywhere, web_config=WebConfigFile(str(made.config))
        ) as server:
            assert (await ask(server, context=made.client())).status == 401

    asyncio.run(main())


def test_a_name_that_is_none_is_told() -> None:
    trouble = asyncio.run(refused(listen=("127.0.0.1:0",), hosts=("prober.example.test", "http://prober")))
    assert "'http://prober' is no name of a host" in trouble.what


def test_stop_lets_answers_under_way_go_out_and_closes_the_port() -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def handler(asked: Request) -> Response:
        started.set()
        await go.wait()
        return Response(200, b"last\n")

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            idle = await connect(server)
            reader, writer = await connect(server)
            writer.write(request())
            await started.wait()
            port = int(server.addresses[0].rpartition(":")[2])
            stopping = asyncio.create_task(server.stop(5))
            assert await asyncio.wait_for(idle[0].read(), 60) == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            go.set()
            answer = await read_answer(reader)
            assert (answer.body, answer.headers["connection"]) == (b"last\n", "close")
            writer.close()
            await asyncio.wait_for(stopping, 60)
            await gone(idle[1])

    asyncio.run(main())


def test_stop_ends_what_does_not_end_by_itself(tmp_path: Path) -> None:
    made = pki(tmp_path)

    async def never(asked: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        before = asyncio.all_tasks()
        server = HttpServer(never, ("127.0.0.1:0",), WebConfigFile(str(made.config)))
        await server.start()
        host, port = server.addresses[0].split(":")
        half_open = [await asyncio.open_connection(host, int(port)) for _ in range(5)]  # no TLS comes
        busy = [await connect(server, made.client()) for _ in range(5)]
        for _, writer in busy[:3]:
            writer.write(request())
        await until(lambda: server.in_flight == 3)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await server.stop(0.2)
        assert loop.time() - begin < 2
        assert (asyncio.all_tasks() - before, server.connections, server.in_flight) == (set(), 0, 0)
        for reader, writer in (*half_open, *busy):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            await gone(writer)

    asyncio.run(main())
    gc.collect()  # a socket that nobody closed would warn now


def test_stop_without_start_and_twice_is_fine() -> None:
    async def main() -> None:
        server = HttpServer(Asked(), ("127.0.0.1:0",))
        await server.stop()
        async with web(Asked()) as server:
            await server.stop()

    asyncio.run(main())


# --- faults of pages -----------------------------------------------------------------------------------------------


def test_a_page_that_fails_is_500_without_details_and_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(asked: Request) -> Response:
        raise ValueError("secret\nforged line \x1b[2J")

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            reader, writer = await connect(server)
            for _ in range(2):  # the connection goes on
                writer.write(request("/page%1b"[:5]))
                answer = await read_answer(reader)
                assert (answer.status, answer.body) == (
                    500,
                    b"an error of this program: its log tells more\n",
                )
            await gone(writer)

    asyncio.run(main())
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert messages[0].startswith(
        "GET /page failed: ValueError: secret\\x0aforged line \\x1b[2J in handler ("
    )
    assert "\n" not in messages[0]


def test_a_page_that_takes_for_ever_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(asked: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        async with web(handler, replace(PATIENT, handler=0.1)) as server:
            answer = await ask(server)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    asyncio.run(main())
    assert "GET / took more than 0.1 s" in caplog.text


# --- crowds --------------------------------------------------------------------------------------------------------


def test_of_200_parallel_scrapes_40_are_worked_on_and_the_others_told_to_come_again() -> None:
    go = asyncio.Event()
    running = most = 0

    async def handler(asked: Request) -> Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return Response(200, b"x" * 150_000)

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            clients = [await connect(server) for _ in range(200)]
            for _, writer in clients:
                writer.write(request("/metrics"))
            turned_away = [asyncio.create_task(read_answer(reader)) for reader, _ in clients]
            await until(lambda: sum(task.done() for task in turned_away) == 160)
            assert server.in_flight == 40
            go.set()
            answers = await asyncio.gather(*turned_away)
            assert sorted(answer.status for answer in answers) == [200] * 40 + [503] * 160
            assert {a.headers.get("retry-after") for a in answers if a.status == 503} == {"1"}
            for _, writer in clients:  # all of them are still connected, and welcome again
                writer.write(request("/metrics"))
                assert (await read_answer(_)).status == 200
                await gone(writer)

    asyncio.run(main())
    assert most == 40


def test_no_crowd_on_other_pages_takes_the_places_of_scrapes_and_of_the_service_s_own_paths() -> None:
    """Two Prometheus that drive /probe, or 60 clients on /, made every scrape 503."""
    go = asyncio.Event()

    async def handler(asked: Request) -> Response:
        if asked.path in ("/metrics", "/-/healthy"):
            return Response(200)
        await go.wait()
        return Response(200)

    async def main() -> None:
        async with web(handler, PATIENT) as server:
            clients = [await connect(server) for _ in range(80)]
            paths = ("/", "/probe?target=a.example", "/%6detrics", "/-%2fhealthy")  # encoded paths are others
            for number, (_, writer) in enumerate(clients):
                writer.write(request(paths[number % len(paths)]))
            await until(lambda: server.in_flight == 40)
            for path in ("/metrics", "/-/healthy"):
                answers = await asyncio.gather(*(ask(server, path) for _ in range(40)))
                assert {answer.status for answer in answers} == {200}
            assert (await ask(server)).status == 503
            go.set()
            for reader, writer in clients:
                await read_answer(reader)
                await gone(writer)

    asyncio.run(main())


def test_slow_readers_lose_their_places_to_a_scraper_when_all_are_taken() -> None:
    limits = replace(PATIENT, in_flight=3)

    async def handler(asked: Request) -> Response:
        return LARGE if asked.path == "/large" else Response(200, b"hello\n")

    async def main() -> None:
        async with web(handler, limits) as server:
            slow = [await connect(server, limit=1024) for _ in range(3)]
            for _, writer in slow:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                writer.write(request("/large"))
            await until(lambda: sum(one.stalled_since < float("inf") for one in server._connections) == 3)
            assert (await ask(server)).status == 503
            await asyncio.sleep(1.1)  # no event tells that a reader has stalled for a second
            assert (await ask(server)).status == 200
            assert server.in_flight == 2
            for _, writer in slow:
                writer.transport.abort()
                await gone(writer)
            await until(lambda: not server.connections)

    asyncio.run(main())


# --- TLS and the configuration, while it runs ----------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_new_certificate_and_new_users_hold_at_once(tmp_path: Path) -> None:
    made = pki(tmp_path, TLS + users("one"))
    clock, told = Clock(), list[str]()
    basic = {"one": "Authorization: Basic YWxpY2U6b25l", "two": "Authorization: Basic YWxpY2U6dHdv"}

    async def serial(server: HttpServer, context: ssl.SSLContext) -> str:
        _, writer = await connect(server, context)
        found = writer.get_extra_info("peercert")["serialNumber"]
        await gone(writer)
        return str(found)

    async def main() -> None:
        file = WebConfigFile(str(made.config), told.append, clock)
        async with web(Asked(), PATIENT, web_config=file) as server:
            client = made.client()
            reader, writer = await connect(server, client)  # kept over the change
            first = await serial(server, client)
            writer.write(request(headers=[basic["one"]]))
            assert (await read_answer(reader)).status == 200
            authority("Web Test Root").leaf(["localhost"]).write(tmp_path)
            made.write(TLS + users("two"))
            clock.now = 1.0
            writer.write(request(headers=[basic["one"]]))
            assert (await read_answer(reader)).status == 401
            writer.write(request(headers=[basic["two"]]))
            assert (await read_answer(reader)).status == 200
            await gone(writer)
            trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
            assert await serial(server, trusting) != first

    asyncio.run(main())
    assert [text for text in told if "can be read" not in text] == []


def test_a_new_version_that_would_open_the_pages_is_not_taken(tmp_path: Path) -> None:
    made = pki(tmp_path, TLS + users())
    clock, told = Clock(), list[str]()

    async def main() -> None:
        file = WebConfigFile(str(made.config), told.append, clock)
        async with web(Asked(), PATIENT, listen=("0.0.0.0:0",), web_config=file) as server:
            for text, why in (
                (users(), "TLS cannot be switched"),
                (TLS, "asks nobody who they are"),
                ("", "TLS cannot"),
            ):
                made.write(text)
                clock.now += 2
                assert (await ask(server, context=made.client())).status == 401
                assert why in file.problem
            assert "the server listens beyond loopback" in told[1]

    asyncio.run(main())


def test_warnings_of_the_configuration_are_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = pki(tmp_path, "http_server_config: {http2: true}")

    async def main() -> None:
        async with web(Asked(), web_config=WebConfigFile(str(made.config))):
            pass

    asyncio.run(main())
    assert "http_server_config.http2: not honoured" in caplog.text


def test_curl_with_a_certificate_and_a_password(tmp_path: Path) -> None:
    """A client that is not ours: TLS, a client certificate, basic authentication, gzip, two requests on a connection."""
    auth = "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
    made = pki(tmp_path, TLS + auth + users())
    client_certificate(tmp_path, made.ca, "prometheus.example.test")
    asked = Asked(Response(200, b"plain\n", gzip_body=bytes.fromhex("1f8b0800000000000203")))

    async def curl(server: HttpServer, *options: str) -> str:
        url = f"https://localhost:{server.addresses[0].rpartition(':')[2]}/metrics"
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-m", "10", "-w", "%{http_code} %{num_connects} %{http_version}\n",
            "--cacert", str(tmp_path / "ca.pem"), *options, url, url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return out.decode()

    async def main() -> None:
        async with web(asked, PATIENT, web_config=WebConfigFile(str(made.config))) as server:
            pair = ("--cert", str(tmp_path / "client.pem"), "--key", str(tmp_path / "client.key"))
            good = await curl(server, *pair, "-u", "alice:wonderland")
            assert good == "plain\n200 1 1.1\nplain\n200 0 1.1\n"
            assert "401 1 1.1" in await curl(server, *pair)
            assert "000 1 0" in await curl(server, "-u", "alice:wonderland")  # nothing came

    asyncio.run(main())
    assert {(one.path, one.user) for one in asked.requests} == {("/metrics", "alice")}

"""Plain HTTP against servers that behave, break off, lie and never end."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from dataclasses import replace

import pytest

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.http_fetch import measure
from probe.measure.limits import Limits
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.observation import Observation
from tests.pki import authority, der
from tests.probe.handshakes import DeafPeers
from tests.servers import Talk, endless, page, saying, serving, silent

#: For peers that let a limit run out; for all others the time is that of a busy machine.
QUICK = Limits(tcp=0.5, first_byte=0.3, http=0.6, crl=0.6)
PATIENT = Limits(tcp=60.0, first_byte=60.0, http=60.0, crl=60.0)
STEP = HttpFetch("127.0.0.1", 0, "crl.example.test", "/root.crl")


def fetch(talk: Talk, step: HttpFetch = STEP, limits: Limits = PATIENT) -> Observation:
    async def run() -> Observation:
        async with serving(talk) as place:
            observation = await measure(replace(step, port=place.port), HostNetwork(), limits)
        assert place.connections == 1  # one connection for each fetch, nothing is followed or repeated
        return observation

    return asyncio.run(run())


def exchange(observation: Observation) -> HttpExchange:
    assert isinstance(observation.evidence, HttpExchange)
    return observation.evidence


def failure(observation: Observation, stage: Stage = Stage.HTTP) -> Failure:
    assert observation.failure is not None
    assert observation.failure.stage is stage
    return observation.failure


def test_a_document_comes_whole_with_its_date_and_hash() -> None:
    body = der(authority("Root").certificate)
    observation = fetch(
        page(
            headers="Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Type: application/pkix-crl\r\n", body=body
        )
    )
    facts = exchange(observation)
    assert observation.failure is None
    assert (facts.status, facts.reason, facts.body, facts.size) == (200, "OK", body, len(body))
    assert facts.sha256 == hashlib.sha256(body).hexdigest()
    assert ("date", "Mon, 23 Nov 2026 06:00:00 GMT") in facts.headers
    assert facts.first_byte_s is not None
    assert 0 < facts.connect_s + facts.first_byte_s <= observation.elapsed
    assert observation.local is not None


def test_what_goes_out_for_a_get_and_for_an_ocsp_post() -> None:
    received: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(65536))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    fetch(keep)
    fetch(keep, replace(STEP, purpose="ocsp", target="/", body=b"\x30\x03"))
    get, post = (text.partition(b"\r\n\r\n") for text in received)
    assert get[0].startswith(b"GET /root.crl HTTP/1.1\r\nHost: crl.example.test:")
    assert get[0].endswith(b"\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close")
    assert post[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/ocsp-request\r\nContent-Length: 2" in post[0]
    assert post[2] == b"\x30\x03"


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.test/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "/root.crl",
        "http://" + "a" * 5000,
    ],
)
def test_a_redirect_is_recorded_and_not_followed(target: str) -> None:
    observation = fetch(page("302 Found", f"Location: {target}\r\n"))
    assert observation.failure is None
    assert exchange(observation).status == 302
    assert ("location", target) in exchange(observation).headers


def test_a_block_page_is_an_answer_with_its_marks() -> None:
    facts = exchange(
        fetch(page("403 Forbidden", "Via: 1.1 gate\r\nServer: gate\r\n", b"<title>Blocked</title>"))
    )
    assert (facts.status, facts.body) == (403, b"<title>Blocked</title>")
    assert ("via", "1.1 gate") in facts.headers


def test_no_state_is_kept_between_fetches() -> None:
    received: list[bytes] = []

    async def cookie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(65536))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nAlt-Svc: h3\r\nContent-Length: 0\r\n\r\n")

    fetch(cookie)
    fetch(cookie)
    first, second = (text.split(b"\r\n", 2)[2] for text in received)
    assert first == second


def test_bytes_after_the_answer_are_not_part_of_it() -> None:
    observation = fetch(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"))
    assert (observation.failure, exchange(observation).body) == (None, b"ok")


def test_an_endless_body_stops_exactly_at_the_cap() -> None:
    step = replace(STEP, purpose="crl", cap=300_000)
    observation = fetch(
        endless(bytes(10_000), b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"), step
    )
    assert failure(observation).code is Code.TOO_LARGE
    assert (exchange(observation).size, len(exchange(observation).body or b"")) == (300_000, 65_536)
    assert exchange(observation).sha256 == hashlib.sha256(bytes(300_000)).hexdigest()


def test_the_configured_size_of_a_list_bounds_it_too() -> None:
    step = replace(STEP, purpose="crl", cap=300_000)
    small = replace(PATIENT, crl_body=120_000)
    observation = fetch(
        endless(bytes(10_000), b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"), step, small
    )
    assert failure(observation).code is Code.TOO_LARGE
    assert exchange(observation).size == 120_000


def test_a_slow_drip_of_body_ends_at_the_total_limit() -> None:
    begin = time.monotonic()
    drip = endless(b"x", b"HTTP/1.1 200 OK\r\n\r\n", pause=0.05)
    observation = fetch(drip, replace(STEP, purpose="crl"), replace(QUICK, first_byte=60.0, crl=2.0))
    assert failure(observation).code is Code.TIMEOUT
    assert exchange(observation).status == 200
    assert exchange(observation).size > 1
    assert time.monotonic() - begin >= 2.0


def test_a_crl_has_its_own_total_limit() -> None:
    limits = replace(PATIENT, http=0.5)
    talk = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", b"b", pause=1.0, hold=True)
    assert fetch(talk, replace(STEP, purpose="crl"), limits).failure is None
    assert failure(fetch(talk, STEP, limits)).code is Code.TIMEOUT


def test_a_status_line_that_drips_ends_at_the_total_limit() -> None:
    observation = fetch(
        endless(b"1", b"HTTP/1.", pause=0.05), limits=replace(QUICK, first_byte=60.0, http=2.0)
    )
    assert failure(observation).code is Code.TIMEOUT
    assert (exchange(observation).body or b"").startswith(b"HTTP/1.11")
    assert observation.elapsed >= 2.0


def test_a_silent_server_ends_at_the_limit_of_the_first_byte() -> None:
    observation = fetch(silent, limits=replace(QUICK, http=20.0))
    assert failure(observation).code is Code.TIMEOUT
    assert failure(observation).detail == "no byte of an answer"
    assert exchange(observation).first_byte_s is None
    assert exchange(observation).body is None
    assert 0.3 <= observation.elapsed < 20, "the whole exchange has that long"


def test_interim_answers_without_end() -> None:
    observation = fetch(endless(b"HTTP/1.1 100 Continue\r\n\r\n"), limits=Limits())
    assert failure(observation).code in (Code.MALFORMED, Code.TOO_LARGE)  # and no timeout


def test_headers_without_end() -> None:
    observation = fetch(endless(b"A: b\r\n" * 100, b"HTTP/1.1 200 OK\r\n"), limits=Limits())
    assert failure(observation).code is Code.TOO_LARGE  # and no timeout


@pytest.mark.parametrize(
    ("sent", "status"), [(b"", None), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 200)]
)
def test_a_reset_and_a_fin_are_told_apart(sent: bytes, status: int | None) -> None:
    pieces = (sent,) if sent else ()
    by_reset, by_fin = fetch(saying(*pieces, then_reset=True)), fetch(saying(*pieces))
    assert failure(by_reset).code is Code.RESET
    assert failure(by_fin).code is Code.EOF
    assert exchange(by_fin).status == status


def test_rubbish_is_malformed_and_its_first_bytes_are_kept() -> None:
    observation = fetch(saying(b"SSH-2.0-OpenSSH_9.2\r\n", hold=True))
    assert failure(observation).code is Code.MALFORMED
    assert exchange(observation).body == b"SSH-2.0-OpenSSH_9.2\r\n"
    assert exchange(observation).status is None


def test_failures_of_the_connect_are_of_tcp_and_without_evidence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        step = replace(STEP, port=unused.getsockname()[1])
        observation = asyncio.run(measure(step, HostNetwork(), PATIENT))
    assert failure(observation, Stage.TCP).code is Code.REFUSED
    assert observation.evidence is None


def test_an_address_that_http_cannot_carry_sends_no_packet() -> None:
    network = HostNetwork()
    observation = asyncio.run(measure(replace(STEP, target="/a\r\nX: y"), network, QUICK))
    assert failure(observation).code is Code.MALFORMED
    assert network.connections == 0


def test_others_have_their_turn_while_a_large_body_comes() -> None:
    """32 MiB on loopback are always there already: without a turn of the loop nobody else would run."""

    async def run() -> tuple[Observation, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        body = bytes(2**25)
        async with serving(page(body=body)) as place:
            counter = asyncio.create_task(count())
            step = replace(STEP, port=place.port, purpose="crl", cap=2**25)
            observation = await measure(step, HostNetwork(), Limits())
            counter.cancel()
        return observation, turns

    observation, turns = asyncio.run(run())
    assert observation.failure is None
    assert exchange(observation).size == 2**25
    assert turns > 64


def test_cancellation_passes_and_leaves_no_socket() -> None:
    async def run() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            begun.set()
            while await reader.read(4096):
                pass
            ended.set()

        async with serving(wait) as place:
            task = asyncio.create_task(measure(replace(STEP, port=place.port), HostNetwork(), Limits()))
            await asyncio.wait_for(begun.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(ended.wait(), 60)

    asyncio.run(run())


@pytest.mark.parametrize("says_why", [True, False])
def test_an_answer_is_read_although_the_peer_no_longer_listens(says_why: bool) -> None:
    async def early(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if says_why:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    async def run() -> Observation:
        async with serving(early) as place:
            return await measure(replace(STEP, port=place.port), DeafPeers(0), PATIENT)

    observation = asyncio.run(run())
    if says_why:
        assert (observation.failure, exchange(observation).status) == (None, 403)
    else:
        assert failure(observation).code is Code.RESET

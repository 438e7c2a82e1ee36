"""Peers that break off, lie and flood: each ends in one failure, at once or at the limit, with what was shown."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.tls_handshake import measure
from rules.model.failure import Code, Stage
from rules.model.kinds.tls_handshake import Hello, TlsFacts
from rules.model.observation import Observation
from tests.pki import authority
from tests.probe.handshakes import HELLOS, ISSUING, LEAF, LIMITS, STEP, facts, handshake
from tests.servers import (
    Talk,
    certificate_message,
    endless,
    flush,
    message,
    openssl_context,
    openssl_page,
    openssl_talk,
    pump,
    record,
    reset,
    saying,
    server_hello,
    silent,
)

BRIEF = replace(LIMITS, tls=0.4, first_byte=0.4)


def refused(observation: Observation, code: Code) -> TlsFacts:
    assert observation.failure is not None
    assert (observation.failure.stage, observation.failure.code) == (Stage.TLS, code)
    assert facts(observation).handshake_s is None
    return facts(observation)


def test_silence_after_the_hello_and_a_drip_without_end() -> None:
    assert refused(handshake(silent, limits=BRIEF), Code.TIMEOUT).bytes_received == 0
    observation = handshake(endless(b"\0", b"\x16\x03\x03\x3f\xff", pause=0.02), limits=BRIEF)
    assert refused(observation, Code.TIMEOUT).bytes_received > 6
    assert observation.elapsed >= 0.4


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        (record(22, message(0, b"")), Code.MALFORMED),  # HelloRequest
        (record(22, message(0, b"") * 4_000), Code.MALFORMED),
        (record(22, b""), Code.MALFORMED),
        (record(21, b"\x01\x5a"), Code.MALFORMED),  # warning: user_canceled
        (record(20, b"\x01"), Code.MALFORMED),
        (record(22, b"\x0b\xff\xff\xff" + bytes(16_000)), Code.TOO_LARGE),  # claims 16 MB
        (b"\x16\x03\x03\xff\xff" + bytes(65_535), Code.MALFORMED),
        (record(22, server_hello()) + b"HTTP/1.1", Code.MALFORMED),
        (record(22, server_hello() + certificate_message(b"not DER")), Code.MALFORMED),
        (record(22, server_hello() + b"\x0b\x00\x00\x00"), Code.MALFORMED),
    ],
)
@pytest.mark.parametrize("hello", HELLOS)
def test_floods_and_lies_end_at_once(hello: Hello, flood: bytes, code: Code) -> None:
    before = time.process_time()
    refused(handshake(endless(flood), replace(STEP, hello=hello)), code)  # and not by a timeout
    assert time.process_time() - before < 4, "seconds of the processor, a few hundredths as a rule"


def test_a_certificate_that_openssl_cannot_read_is_kept_as_served() -> None:
    flight = record(22, server_hello() + certificate_message(b"not DER", b"nor this"))
    assert refused(handshake(saying(flight, hold=True)), Code.MALFORMED).chain == (b"not DER", b"nor this")


@pytest.mark.parametrize("hello", HELLOS)
def test_a_certificate_of_ten_thousand_names_is_too_large(hello: Hello, tmp_path: Path) -> None:
    leaf = ISSUING.leaf([f"host-{number}.example.test" for number in range(10_000)])
    version = SSL.TLS1_2_VERSION if hello == "connector" else SSL.TLS1_3_VERSION
    observation = handshake(
        openssl_talk(openssl_context(leaf, tmp_path, version)), replace(STEP, hello=hello)
    )
    refused(observation, Code.TOO_LARGE)


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def test_a_certificate_bomb_costs_no_more_than_a_second(tmp_path: Path) -> None:
    """CVE-2026-35189: many distribution points relative to a long issuer name."""
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "y" * 60) for _ in range(500)])
    points = x509.CRLDistributionPoints([x509.DistributionPoint(None, relative, None, None)] * 2_500)
    bomb = replace(authority("Bomb"), issuer=None).leaf(
        ["app.example.test"], extensions=[points], issuer=issuer
    )
    assert 60_000 < len(bomb.chain[0]) < 100_000
    before = peak()
    observation = handshake(openssl_talk(openssl_context(bomb, tmp_path, SSL.TLS1_2_VERSION)))
    assert observation.failure is None
    assert peak() - before < 2 * 16 * 1024 * 1024  # client and server are both in here


@pytest.mark.parametrize("number", [40, 49, 70, 80, 112, 116, 222])
@pytest.mark.parametrize("hello", HELLOS)
def test_an_alert_in_answer_to_the_hello(hello: Hello, number: int) -> None:
    observation = handshake(saying(record(21, bytes([2, number])), hold=True), replace(STEP, hello=hello))
    refused(observation, Code.ALERT)
    assert observation.failure is not None
    assert observation.failure.alert == number


def broken_flight(context: SSL.Context) -> Talk:
    """A server whose first flight arrives with a byte changed: in a signature (TLS 1.2), in Finished (1.3)."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conn = SSL.Connection(context, None)
        conn.set_accept_state()
        conn.bio_write(await reader.read(65536))
        with pytest.raises(SSL.WantReadError):
            conn.do_handshake()
        flight = conn.bio_read(65536)
        writer.write(flight[:-12] + bytes([flight[-12] ^ 1]) + flight[-11:])
        await silent(reader, writer)

    return talk


@pytest.mark.parametrize(
    ("hello", "version"), [("connector", SSL.TLS1_2_VERSION), ("tls13", SSL.TLS1_3_VERSION)]
)
def test_the_chain_is_kept_when_the_rest_of_the_flight_is_broken(
    hello: Hello, version: int, tmp_path: Path
) -> None:
    talk = broken_flight(openssl_context(LEAF, tmp_path, version))
    assert refused(handshake(talk, replace(STEP, hello=hello)), Code.MALFORMED).chain == LEAF.chain


def test_close_notify_in_answer_to_the_hello_is_a_fin() -> None:
    refused(handshake(saying(record(21, b"\x01\x00"))), Code.EOF)


def test_a_reset_and_a_fin_after_the_hello() -> None:
    refused(handshake(saying(then_reset=True)), Code.RESET)
    refused(handshake(saying()), Code.EOF)


def test_a_reset_after_finished_keeps_the_chain(tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conn = SSL.Connection(context, None)
        conn.set_accept_state()
        conn.bio_write(await reader.read(65536))
        with pytest.raises(SSL.WantReadError):
            conn.do_handshake()
        await flush(conn, writer)
        await reader.read(65536)
        reset(writer)

    assert refused(handshake(talk), Code.RESET).chain == LEAF.chain


def test_a_reset_in_answer_to_the_request(tmp_path: Path) -> None:
    async def then(conn: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump(conn, reader, writer, partial(conn.recv, 65536))
        reset(writer)

    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(openssl_talk(context, then), replace(STEP, path="/"))
    assert (observation.failure, facts(observation).http_failure) == (None, "reset")


def test_a_middlebox_that_drops_large_hellos(tmp_path: Path) -> None:
    good = openssl_talk(openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION))

    async def dropping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)
        if int.from_bytes(head[3:]) > 1_400:
            return await silent(reader, writer)
        reader._buffer[:0] = head  # type: ignore[attr-defined] # put back
        return await good(reader, writer)

    assert handshake(dropping, limits=BRIEF).failure is None
    refused(handshake(dropping, replace(STEP, hello="large"), BRIEF), Code.TIMEOUT)


@pytest.mark.parametrize(
    "banner", [b"HTTP/1.1 400 Bad Request\r\nServer: gate\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0"]
)
def test_an_answer_that_is_not_tls_shows_its_first_bytes(banner: bytes) -> None:
    seen = refused(handshake(saying(banner[:1], banner[1:], pause=0.02, hold=True)), Code.NOT_TLS)
    assert seen.first_bytes == banner
    assert refused(handshake(saying(banner)), Code.NOT_TLS).first_bytes == banner
    page = banner + bytes(1_000)
    assert refused(handshake(saying(page)), Code.NOT_TLS).first_bytes == page[:256]


def test_an_endless_banner_is_read_up_to_256_bytes() -> None:
    observation = handshake(endless(b"<html>"))
    assert refused(observation, Code.NOT_TLS).first_bytes == (b"<html>" * 50)[:256]


def test_more_bytes_than_a_handshake_may_have() -> None:
    limits = replace(LIMITS, tls_bytes=100)
    refused(handshake(saying(record(22, server_hello(extensions=bytes(100)))), limits=limits), Code.TOO_LARGE)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9, "malformed"),
        (b"X: y\r\n" * 9, "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000, "too-large"),
        (b"HTTP/1.1 200 OK\r\nX: ", "timeout"),
    ],
)
def test_what_comes_inside_is_bounded_and_no_failure_of_the_handshake(
    answer: bytes, failure: str, tmp_path: Path
) -> None:
    async def then(conn: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await openssl_page(answer)(conn, reader, writer)
        await silent(reader, writer)

    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(openssl_talk(context, then), replace(STEP, path="/"), BRIEF)
    assert (observation.failure, facts(observation).http_failure) == (None, failure)
    assert facts(observation).http_status in (None, 200)


def test_a_peer_that_never_closes_is_not_waited_for(tmp_path: Path) -> None:
    observation = handshake(
        openssl_talk(openssl_context(LEAF, tmp_path, SSL.TLS1_3_VERSION)), replace(STEP, hello="tls13")
    )
    assert observation.failure is None
    assert observation.elapsed < LIMITS.tls


def test_a_connect_that_fails_is_of_tcp_and_without_evidence() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        observation = asyncio.run(measure(replace(STEP, port=unused.getsockname()[1]), HostNetwork(), LIMITS))
    assert observation.failure is not None
    assert (observation.failure.stage, observation.failure.code) == (Stage.TCP, Code.REFUSED)
    assert observation.evidence is None

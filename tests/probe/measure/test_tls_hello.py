"""What each ClientHello offers, and that connections leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from OpenSSL import SSL

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.tls_handshake import measure
from probe.measure.limits import Limits
from probe.measure.tls_hello import ConnectionFacts, client_connection, openssl_version
from rules.model.kinds.tls_handshake import Hello, TlsHandshake
from tests.pki import authority
from tests.servers import openssl_context, openssl_page, openssl_talk, serving

NAME = "app.example.test"
LEAF = authority("Issuing CA", authority("Root")).leaf([NAME])
ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


@dataclass
class ClientHello:
    """A ClientHello as the server got it (RFC 8446 section 4.1.2)."""

    size: int
    ciphers: bytes
    compression: bytes
    extensions: dict[int, bytes] = field(default_factory=dict)


def parse(wire: bytes) -> ClientHello:
    at = 5 + 4 + 2 + 32

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return wire[at - count : at]

    take(take(1)[0])
    hello = ClientHello(len(wire), take(int.from_bytes(take(2))), take(take(1)[0]))
    end = int.from_bytes(take(2)) + at
    assert end == len(wire)
    while at < end:
        kind = int.from_bytes(take(2))
        hello.extensions[kind] = take(int.from_bytes(take(2)))
    return hello


def hello_of(hello: Hello, name: str = NAME) -> ClientHello:
    conn = client_connection(hello, name, ConnectionFacts())
    with pytest.raises(SSL.WantReadError):
        conn.do_handshake()
    return parse(conn.bio_read(16_384))


def test_the_judging_hello_is_small_and_of_tls_1_2_alone() -> None:
    hello = hello_of("connector")
    assert hello.size < 600
    assert hello.compression == b"\0"
    assert b"app.example.test" in hello.extensions[0]
    assert hello.extensions[5] == b"\x01\0\0\0\0"  # status_request: a staple is asked for
    # none of: encrypt_then_mac, compress_certificate, session_ticket, supported_versions, key_share
    assert not {22, 27, 35, 43, 51}.intersection(hello.extensions)
    groups = {hello.extensions[10][i : i + 2] for i in range(2, len(hello.extensions[10]), 2)}
    assert {b"\x00\x17", b"\x00\x18", b"\x00\x1d"} <= groups  # P-256, P-384, X25519
    assert hello.ciphers.startswith(b"\xc0\x2c\xc0\x2b\xc0\x30\xc0\x2f")
    assert b"\x00\x9d" in hello.ciphers  # AES256-GCM without a Diffie-Hellman exchange, for old middleboxes


def test_the_other_hellos() -> None:
    small = hello_of("tls13")
    assert small.size < 600
    assert small.extensions[43] == b"\x02\x03\x04"
    assert 27 not in small.extensions
    large = hello_of("large")
    assert large.size > 1_400
    assert large.extensions[43] == b"\x04\x03\x04\x03\x03"
    assert b"\x11\xec" in large.extensions[51]  # X25519MLKEM768
    assert 27 not in large.extensions


@pytest.mark.parametrize("literal", ["127.0.0.1", "2001:db8::1"])
def test_an_address_is_no_server_name(literal: str) -> None:
    assert 0 not in hello_of("connector", literal).extensions
    assert 0 in hello_of("connector", "2.example.test1").extensions


def test_openssl_says_which_one_it_is() -> None:
    assert openssl_version().startswith("OpenSSL ")


# What stays behind


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the cycle collector, so that a reference cycle shows as a connection that stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def resident() -> int:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


def probe_often(count: int, tmp_path: Path) -> int:
    """Bytes that memory grew by over `count` handshakes, after as many tenths of them to warm up."""

    async def run() -> int:
        before = 0
        context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
        async with serving(openssl_talk(context, openssl_page(ANSWER))) as place:
            for number in range(count + count // 10):
                path = "/" if number % 5 == 0 else None
                step = TlsHandshake(place.address, place.port, NAME, path=path)
                assert (await measure(step, HostNetwork(), Limits())).failure is None
                if number == count // 10:
                    before = resident()
        return resident() - before

    return asyncio.run(run())


@pytest.mark.usefixtures("no_collector")
def test_memory_is_flat_over_500_handshakes_and_no_connection_stays(tmp_path: Path) -> None:
    grown = probe_often(500, tmp_path)
    connections = [c for c in gc.get_objects() if isinstance(c, SSL.Connection)]
    assert [c for c in connections if isinstance(c.get_app_data(), ConnectionFacts)] == []
    assert grown < 8_000_000


@pytest.mark.proof
def test_memory_is_flat_over_10_000_handshakes(tmp_path: Path) -> None:
    assert probe_often(10_000, tmp_path) < 8_000_000

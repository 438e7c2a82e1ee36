"""Handshakes with servers that behave: what is seen of them, and what a client certificate changes."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from probe.measure.kinds.tls_handshake import measure
from rules.model.failure import Code, Stage
from rules.model.kinds.tls_handshake import CERTIFICATE_ALERTS, Hello, wants_certificate
from rules.model.observation import Observation
from tests.pki import Leaf, authority
from tests.probe.handshakes import (
    FORBIDDEN,
    HELLOS,
    ISSUING,
    LEAF,
    LIMITS,
    STEP,
    DeafPeers,
    Ending,
    asking,
    ending,
    facts,
    handshake,
    stolen,
)
from tests.servers import (
    AfterHandshake,
    flush,
    openssl_context,
    openssl_page,
    openssl_talk,
    page,
    pump,
    record,
    server_context,
    serving,
    silent,
)

# What is seen


@pytest.mark.parametrize("key", ["ec", "rsa"])
@pytest.mark.parametrize("hello", HELLOS)
def test_a_handshake_with_another_tls_library(hello: Hello, key: str, tmp_path: Path) -> None:
    leaf = ISSUING.leaf(["app.example.test"], "rsa" if key == "rsa" else "ec")
    step = replace(STEP, hello=hello, path="/")
    observation = handshake(
        page("403 Forbidden", "Server: x\r\n"), step, context=server_context(leaf, tmp_path)
    )
    seen = facts(observation)
    assert observation.failure is None
    assert seen.chain == leaf.chain
    assert seen.version == ("TLSv1.2" if hello == "connector" else "TLSv1.3")
    assert seen.cipher is not None
    assert seen.handshake_s is not None
    assert seen.handshake_s + seen.connect_s < observation.elapsed
    assert (seen.staple, seen.client_certificate_asked, seen.first_bytes) == (None, False, b"")
    assert seen.bytes_received > sum(map(len, leaf.chain))
    assert (seen.http_status, seen.http_failure) == (403, "")
    assert ("server", "x") in seen.http_headers
    assert observation.local is not None


def test_the_large_hello_takes_tls_1_2_where_there_is_nothing_else(tmp_path: Path) -> None:
    context = server_context(LEAF, tmp_path, ssl.TLSVersion.TLSv1_2)
    seen = facts(handshake(page(), replace(STEP, hello="large"), context=context))
    assert (seen.version, seen.chain) == ("TLSv1.2", LEAF.chain)


@pytest.mark.parametrize(
    ("hello", "version"), [("connector", SSL.TLS1_2_VERSION), ("tls13", SSL.TLS1_3_VERSION)]
)
def test_a_staple_is_kept(hello: Hello, version: int, tmp_path: Path) -> None:
    staple = ISSUING.ocsp(LEAF).public_bytes(Encoding.DER)
    context = openssl_context(LEAF, tmp_path, version, staple)
    seen = facts(handshake(openssl_talk(context), replace(STEP, hello=hello)))
    assert (seen.version, seen.staple) == ("TLSv1.2" if hello == "connector" else "TLSv1.3", staple)


def test_the_request_inside_names_host_and_program(tmp_path: Path) -> None:
    requests: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(FORBIDDEN)

    handshake(keep, replace(STEP, path="/register?x=1"), context=server_context(LEAF, tmp_path))
    assert requests[0].startswith(b"GET /register?x=1 HTTP/1.1\r\nHost: app.example.test:")
    assert b"\r\nUser-Agent: wayclear/" in requests[0]
    assert b"\r\nConnection: close\r\n" in requests[0]


@pytest.mark.parametrize("ends", [-1, 90])
def test_nothing_is_verified_here(ends: int, tmp_path: Path) -> None:
    day = datetime.timedelta(days=1)
    leaf = authority("Nobody").leaf(["other.test"], starts=-2 * day, ends=ends * day)
    observation = handshake(page(), context=server_context(leaf, tmp_path))
    assert (observation.failure, facts(observation).chain) == (None, leaf.chain)


def test_a_weak_key_and_an_old_cipher_are_seen_and_not_refused(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    old = LEAF.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(weak.public_key())
        .serial_number(7)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    leaf = Leaf(builder.sign(ISSUING.key, hashes.SHA256()), weak, LEAF.above)
    context = openssl_context(leaf, tmp_path, SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"AES128-SHA:@SECLEVEL=0")
    seen = facts(handshake(openssl_talk(context)))
    assert (seen.cipher, seen.chain) == ("AES128-SHA", leaf.chain)


@pytest.mark.parametrize("hello", ["connector", "large"])
def test_a_server_of_tls_1_0_alone_is_named(hello: Hello, tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_VERSION)
    observation = handshake(openssl_talk(context), replace(STEP, hello=hello))
    assert observation.failure is not None
    assert observation.failure.stage is Stage.TLS
    if hello == "connector":  # the server answers the hello of TLS 1.2 with its own version
        assert observation.failure.code is Code.MALFORMED
        assert facts(observation).version == "TLSv1"
        assert "TLSv1" in observation.failure.detail
    else:
        assert (observation.failure.code, observation.failure.alert) == (Code.ALERT, 70)


# A server that wants a client certificate


@pytest.mark.parametrize("hello", HELLOS)
def test_a_client_certificate_that_is_asked_for_and_not_required(hello: Hello, tmp_path: Path) -> None:
    version = SSL.TLS1_2_VERSION if hello == "connector" else SSL.TLS1_3_VERSION
    context = asking(openssl_context(LEAF, tmp_path, version), required=False)
    observation = handshake(
        openssl_talk(context, openssl_page(FORBIDDEN)), replace(STEP, hello=hello, path="/")
    )
    seen = facts(observation)
    assert (observation.failure, seen.client_certificate_asked, seen.http_status) == (None, True, 403)
    assert seen.chain == LEAF.chain


def test_required_in_tls_1_2_is_an_alert_inside_the_handshake_and_the_chain_is_kept(
    tmp_path: Path,
) -> None:
    context = asking(openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION), required=True)
    observation = handshake(openssl_talk(context), replace(STEP, path="/"))
    seen = facts(observation)
    assert observation.failure is not None
    assert (observation.failure.stage, observation.failure.code, observation.failure.alert) == (
        Stage.TLS,
        Code.ALERT,
        40,
    )
    assert (seen.chain, seen.client_certificate_asked, seen.version) == (LEAF.chain, True, "TLSv1.2")
    assert (seen.handshake_s, seen.http_status, seen.http_failure) == (None, None, "")
    assert (seen.key_proven, seen.key_refuted, seen.certificate_sent) == (True, False, True)
    assert wants_certificate(seen, observation.failure)


def test_required_in_tls_1_3_is_an_alert_after_the_handshake(tmp_path: Path) -> None:
    context = asking(openssl_context(LEAF, tmp_path, SSL.TLS1_3_VERSION), required=True)
    observation = handshake(openssl_talk(context), replace(STEP, hello="tls13", path="/"))
    seen = facts(observation)
    assert observation.failure is None
    assert (seen.http_status, seen.http_failure, seen.client_certificate_asked) == (None, "alert 116", True)
    assert (seen.chain, seen.key_proven, seen.certificate_sent) == (LEAF.chain, True, True)


@pytest.mark.parametrize("hello", HELLOS)
def test_a_server_that_asks_for_no_certificate_gets_none_and_has_proved_its_key(
    hello: Hello, tmp_path: Path
) -> None:
    version = SSL.TLS1_2_VERSION if hello == "connector" else SSL.TLS1_3_VERSION
    seen = facts(
        handshake(openssl_talk(openssl_context(LEAF, tmp_path, version)), replace(STEP, hello=hello))
    )
    assert (seen.client_certificate_asked, seen.certificate_sent, seen.key_proven) == (False, False, True)


@pytest.mark.parametrize("hello", ["connector", "large"])
@pytest.mark.parametrize("end", [*sorted(CERTIFICATE_ALERTS), "fin", "close_notify", 80, 48, 112, "rst"])
def test_how_a_server_of_tls_1_2_may_end_after_our_empty_certificate(
    end: Ending, hello: Hello, tmp_path: Path
) -> None:
    context = asking(openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION), required=False)
    observation = handshake(ending(context, end), replace(STEP, hello=hello))
    seen = facts(observation)
    assert (seen.client_certificate_asked, seen.key_proven, seen.certificate_sent) == (True, True, True)
    assert (seen.version, seen.handshake_s) == ("TLSv1.2", None)
    reached = end in CERTIFICATE_ALERTS or end in ("fin", "close_notify")
    assert wants_certificate(seen, observation.failure) is reached


@pytest.mark.parametrize("last", [2, 11, 12, 13, 14])
@pytest.mark.parametrize("end", [40, "fin", "rst", "close_notify"])
def test_an_end_that_does_not_wait_for_our_certificate_does_not_answer_it(
    end: Ending, last: int, tmp_path: Path
) -> None:
    context = asking(openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION), required=False)
    observation = handshake(ending(context, end, last, at_once=True))
    seen = facts(observation)
    assert observation.failure is not None
    assert (seen.certificate_sent, seen.version) == (False, "TLSv1.2")
    assert last == 14 or not seen.key_proven
    assert not wants_certificate(seen, observation.failure)


@pytest.mark.parametrize("hello", HELLOS)
def test_a_chain_that_was_copied_without_its_key_proves_nothing(hello: Hello, tmp_path: Path) -> None:
    version = SSL.TLS1_2_VERSION if hello == "connector" else SSL.TLS1_3_VERSION
    context = asking(openssl_context(LEAF, tmp_path, version), required=True)
    context.use_privatekey_file(str(stolen(LEAF, tmp_path)))
    observation = handshake(openssl_talk(context), replace(STEP, hello=hello))
    seen = facts(observation)
    assert observation.failure is not None
    assert (observation.failure.code, seen.chain) == (Code.MALFORMED, LEAF.chain)
    assert (seen.client_certificate_asked, seen.key_proven, seen.certificate_sent) == (True, False, False)
    assert seen.key_refuted is (hello == "connector")  # what OpenSSL answers in TLS 1.3 is encrypted


@pytest.mark.parametrize("end", [40, "fin"])
def test_rsa_key_exchange_signs_nothing_and_proves_no_key_before_the_server_s_finished(
    end: Ending, tmp_path: Path
) -> None:
    context = asking(
        openssl_context(ISSUING.leaf(["app.example.test"], "rsa"), tmp_path, SSL.TLS1_2_VERSION),
        required=False,
    )
    context.set_cipher_list(b"AES128-GCM-SHA256:@SECLEVEL=0")
    observation = handshake(ending(context, end))
    seen = facts(observation)
    assert (seen.client_certificate_asked, seen.certificate_sent, seen.key_proven) == (True, True, False)
    assert not wants_certificate(seen, observation.failure)
    assert facts(handshake(openssl_talk(context))).key_proven


def until_finished(conn: SSL.Connection, before: bytes | None) -> None:
    """Reads until the server has sent another Finished than `before`, which ends a renegotiation."""
    try:
        conn.recv(1)
    except SSL.WantReadError:
        if conn.get_finished() == before:
            raise


def renegotiating(rounds: int, required: bool) -> AfterHandshake:
    """A TLS 1.2 server that asks for a certificate only when it sees a request, as IIS does."""

    async def then(conn: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump(conn, reader, writer, lambda: conn.recv(65536))
        mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0)
        conn.set_verify(mode, lambda *_: True)
        for _ in range(rounds):
            before = conn.get_finished()
            conn.renegotiate()
            await pump(conn, reader, writer, conn.do_handshake)  # sends HelloRequest
            await pump(conn, reader, writer, partial(until_finished, conn, before))
        await pump(conn, reader, writer, lambda: conn.send(FORBIDDEN))

    return then


def test_a_renegotiation_for_a_client_certificate_is_followed(tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(openssl_talk(context, renegotiating(1, required=False)), replace(STEP, path="/"))
    seen = facts(observation)
    assert observation.failure is None
    assert (seen.client_certificate_asked, seen.http_status, seen.http_failure) == (True, 403, "")
    assert seen.chain == LEAF.chain


def test_a_renegotiation_that_requires_one_ends_in_an_alert(tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(openssl_talk(context, renegotiating(1, required=True)), replace(STEP, path="/"))
    seen = facts(observation)
    assert observation.failure is None
    assert (seen.client_certificate_asked, seen.http_status, seen.http_failure) == (True, None, "alert 40")


def test_renegotiation_without_end_is_cut_off(tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(
        openssl_talk(context, renegotiating(1000, required=False)), replace(STEP, path="/")
    )
    assert observation.failure is None
    assert facts(observation).http_failure == "malformed"  # and no timeout


# How the GET inside may end


def no_answer(how: str) -> AfterHandshake:
    """A server that reads the request and answers with no HTTP."""

    async def then(conn: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump(conn, reader, writer, partial(conn.recv, 65536))
        if how == "close_notify":
            conn.shutdown()
            await flush(conn, writer)
            await silent(reader, writer)
        elif how == "junk":
            writer.write(b"junk that is no record")
            await silent(reader, writer)

    return then


@pytest.mark.parametrize(("how", "failure"), [("close_notify", "eof"), ("fin", "eof"), ("junk", "malformed")])
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_an_end_without_an_answer(version: int, how: str, failure: str, tmp_path: Path) -> None:
    hello: Hello = "connector" if version == SSL.TLS1_2_VERSION else "tls13"
    context = openssl_context(LEAF, tmp_path, version)
    observation = handshake(openssl_talk(context, no_answer(how)), replace(STEP, hello=hello, path="/"))
    assert (observation.failure, facts(observation).http_failure) == (None, failure)
    assert facts(observation).chain == LEAF.chain


def test_a_path_that_http_cannot_carry_is_not_asked_for(tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)
    observation = handshake(openssl_talk(context), replace(STEP, path="/a b"))
    assert (observation.failure, facts(observation).http_failure) == (None, "malformed")


@pytest.mark.parametrize("says_why", [True, False])
def test_an_alert_is_read_although_the_peer_no_longer_listens(says_why: bool, tmp_path: Path) -> None:
    context = openssl_context(LEAF, tmp_path, SSL.TLS1_2_VERSION)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conn = SSL.Connection(context, None)
        conn.set_accept_state()
        conn.bio_write(await reader.read(65536))
        with pytest.raises(SSL.WantReadError):
            conn.do_handshake()
        await flush(conn, writer)
        if says_why:
            writer.write(record(21, b"\x02\x31"))

    async def run() -> Observation:
        async with serving(talk) as place:
            return await measure(replace(STEP, port=place.port), DeafPeers(1), LIMITS)

    observation = asyncio.run(run())
    assert observation.failure is not None
    assert observation.failure.stage is Stage.TLS
    assert observation.failure.code is (Code.ALERT if says_why else Code.RESET)
    assert facts(observation).chain == LEAF.chain

"""TLS of the web server, over real handshakes."""

from __future__ import annotations

import datetime
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from probe.web.tls import (
    CURVES,
    SUITES,
    ClientAuth,
    TlsServer,
    TlsSettings,
    client_sans,
    loose_mode,
    tls_server,
)
from rules.files.fields import BadFile
from tests.pki import authority, private_key
from tests.probe.http_raw import Pki, client_certificate, pki

REQUIRED = ClientAuth.REQUIRE_AND_VERIFY


def settings(made: Pki, auth: ClientAuth = ClientAuth.NONE) -> TlsSettings:
    names = ("server.pem", "server.key", "ca.pem")
    cert, key, ca = (str(made.directory / name) for name in names)
    return TlsSettings(cert, key, ca if auth is not ClientAuth.NONE else "", auth)


def handshake(server: TlsServer, client: ssl.SSLContext) -> ssl.SSLObject:
    """Both ends in memory; the server's end after its handshake. ssl.SSLError where one of them refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near, far]
    for _ in range(10):
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
        if not waiting:
            return far
    raise AssertionError("no end to the handshake")


def why(one: TlsSettings) -> str:
    with pytest.raises(BadFile) as caught:
        tls_server(one)
    return str(caught.value)


def test_the_default_offers_tls_1_3_and_the_names_of_the_certificate(tmp_path: Path) -> None:
    made = pki(tmp_path, names=("Localhost", "*.example.test"))
    server = tls_server(settings(made))
    assert server.names == {"localhost", "*.example.test"}
    assert server.warnings == ()
    client = made.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    done = handshake(server, client)
    assert (done.version(), done.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


def test_tls_1_2_is_the_lowest(tmp_path: Path) -> None:
    made = pki(tmp_path)
    client = made.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(tls_server(settings(made)), client).version() == "TLSv1.2"
    only = replace(settings(made), min_version=ssl.TLSVersion.TLSv1_3)
    with pytest.raises(ssl.SSLError):
        handshake(tls_server(only), client)


def test_a_maximum_version(tmp_path: Path) -> None:
    made = pki(tmp_path)
    only = replace(settings(made), max_version=ssl.TLSVersion.TLSv1_2)
    assert handshake(tls_server(only), made.client()).version() == "TLSv1.2"


@pytest.mark.parametrize("name", sorted(SUITES))
def test_every_suite_of_the_table_is_one_that_openssl_has(tmp_path: Path, name: str) -> None:
    made = pki(tmp_path)
    server = tls_server(replace(settings(made), ciphers=(SUITES[name],)))
    assert SUITES[name] in {cipher["name"] for cipher in server.context.get_ciphers()}


def test_chosen_suites_are_the_only_ones_of_tls_1_2(tmp_path: Path) -> None:
    made = pki(tmp_path)
    server = tls_server(replace(settings(made), ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",)))
    client = made.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = handshake(server, client).cipher()
    assert cipher is not None
    assert cipher[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


@pytest.mark.parametrize("preference", [True, False])
def test_whose_order_of_suites_counts(tmp_path: Path, preference: bool) -> None:
    made = pki(tmp_path)
    ours = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256")
    client = made.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(":".join(reversed(ours)))
    done = handshake(
        tls_server(replace(settings(made), ciphers=ours, server_preference=preference)), client
    ).cipher()
    assert done is not None
    assert done[0] == ours[0 if preference else 1]


def chosen(curve: str) -> bool:
    """Whether this Python's OpenSSL can be told to use the curve alone."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(curve)
    except ssl.SSLError:
        return False
    return True


@pytest.mark.parametrize("curve", [curve for curve in sorted(CURVES.values()) if chosen(curve)])
def test_every_curve_can_be_chosen(tmp_path: Path, curve: str) -> None:
    made = pki(tmp_path)
    server = tls_server(replace(settings(made), curve=curve))
    client = made.client()
    client.set_ecdh_curve(curve)
    assert handshake(server, client).version() == "TLSv1.3"
    client.set_ecdh_curve("secp224r1")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


def test_client_certificates_that_are_required(tmp_path: Path) -> None:
    made = pki(tmp_path)
    server = tls_server(settings(made, REQUIRED))
    with pytest.raises(ssl.SSLError, match=r"(?i)peer did not return a certificate"):
        handshake(server, made.client())
    done = handshake(server, made.client("prometheus.example.test"))
    der = done.getpeercert(binary_form=True)
    assert der is not None
    assert client_sans(der) == {"prometheus.example.test"}
    stranger = made.client()
    stranger.load_cert_chain(
        *client_certificate(tmp_path, authority("Another Root"), "prometheus.example.test")
    )
    with pytest.raises(ssl.SSLError):
        handshake(server, stranger)


def test_a_server_s_certificate_is_no_client_s(tmp_path: Path) -> None:
    made = pki(tmp_path)
    client = made.client()
    client.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with pytest.raises(ssl.SSLError, match=r"(?i)unsuitable certificate purpose|certificate verify failed"):
        handshake(tls_server(settings(made, REQUIRED)), client)


def test_client_certificates_that_are_verified_if_given(tmp_path: Path) -> None:
    made = pki(tmp_path)
    server = tls_server(settings(made, ClientAuth.VERIFY_IF_GIVEN))
    assert handshake(server, made.client()).getpeercert(binary_form=True) is None
    assert handshake(server, made.client("a.example.test")).getpeercert(binary_form=True)


@pytest.mark.parametrize(
    "san", ["a.example.test", "192.0.2.7", "2001:db8::7", "spiffe://example.test/a", "a@example.test"]
)
def test_every_kind_of_name_that_is_compared(tmp_path: Path, san: str) -> None:
    pem, _ = client_certificate(tmp_path, authority("Web Test Root"), san)
    assert client_sans(ssl.PEM_cert_to_DER_cert(pem.read_text())) == {san}
    assert client_sans(b"\x30\x00") == frozenset()


def test_files_that_cannot_be_used_are_told_by_name(tmp_path: Path) -> None:
    made = pki(tmp_path)
    good = settings(made, REQUIRED)
    other = tmp_path / "other"
    assert "other: cannot be read: no such file" in why(replace(good, cert_file=str(other)))
    assert "other: cannot be read: no such file" in why(replace(good, key_file=str(other)))
    assert "other: cannot be read: no such file" in why(replace(good, client_ca_file=str(other)))
    other.write_text("no PEM")
    assert "cannot be used together" in why(replace(good, cert_file=str(other)))
    assert "cannot be used together" in why(replace(good, key_file=str(other)))
    assert "other: holds no CA certificates" in why(replace(good, client_ca_file=str(other)))
    other.write_text("")
    assert "other: holds no CA certificates" in why(replace(good, client_ca_file=str(other)))
    other.write_bytes(b"\xff" * 100)
    assert "other: holds no CA certificates" in why(replace(good, client_ca_file=str(other)))


def test_an_encrypted_key_asks_nobody_on_the_terminal(tmp_path: Path) -> None:
    made = pki(tmp_path)
    (tmp_path / "server.key").write_bytes(
        private_key("ec", "leaf ec").private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(why(settings(made))), daemon=True)
    thread.start()
    thread.join(5)
    assert found
    assert "server.key: is encrypted with a password" in found[0]


def test_a_key_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    made = pki(tmp_path)
    (tmp_path / "server.key").chmod(0o644)
    (warning,) = tls_server(settings(made)).warnings
    assert "server.key holds secrets and can be read by every account" in warning
    assert loose_mode(str(tmp_path / "none")) == ()


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [(-10, -1, "the certificate ended on 20"), (1, 10, "the certificate begins on 20")],
)
def test_a_certificate_out_of_its_time_is_a_warning(
    tmp_path: Path, starts: int, ends: int, told: str
) -> None:
    made = pki(tmp_path)
    day = datetime.timedelta(days=1)
    _, key = made.ca.leaf(["localhost"], starts=starts * day, ends=ends * day).write(tmp_path)
    key.chmod(0o600)
    (warning,) = tls_server(settings(made)).warnings
    assert told in warning

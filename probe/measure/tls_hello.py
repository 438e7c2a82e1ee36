"""TLS clients of pyOpenSSL: the offers of each kind of ClientHello, and OpenSSL's callbacks.

No I/O: connections use memory BIOs. Nothing is verified; the callbacks record what TLS 1.3 encrypts and a reader of records
cannot see.
"""

from __future__ import annotations

import ipaddress
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from probe.measure.tls_records import STAPLE_CAP
from rules.model.kinds.tls_handshake import Hello

#: What Schannel offers in TLS 1.2 on Windows Server 2016, the oldest that connectors run on, in its order: "TLS Cipher
#: Suites in Windows 10 v1607", Microsoft Learn, 2024-06-26, without 3DES, NULL and PSK (and without DHE with CBC). Level
#: 0: the rules judge a weak key or an old signature; OpenSSL must not refuse it.
_CONNECTOR_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
    ":ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"
    ":DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
    ":ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256"
    ":ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA"
    ":AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
    ":@SECLEVEL=0"
)
_OP_LEGACY_SERVER_CONNECT = 0x4  # servers without RFC 5746: Windows connects to them, so do we
_WARNING = 1  # alert level (RFC 5246 section 7.2): the connection continues, except after close_notify (0)
_OP_NO_ENCRYPT_THEN_MAC = 1 << 19  # Windows does not offer it


def openssl_version() -> str:
    """The version of the OpenSSL that makes handshakes: cryptography's own, not the system's."""
    return SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace")


class ConnectionFacts:
    """Facts of one connection from OpenSSL's callbacks. It has no reference to it: a cycle would outlive the probe."""

    __slots__ = ("alert", "client_certificate_asked", "handshakes", "staple")

    def __init__(self) -> None:
        self.alert: int | None = None
        self.client_certificate_asked = False
        self.handshakes = 0
        self.staple: bytes | None = None


def on_info(conn: SSL.Connection, where: int, code: int) -> None:
    """OpenSSL's info callback. An exception here would be lost, so it does nothing that can raise."""
    seen = conn.get_app_data()
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT:
        if code >> 8 != _WARNING or code & 0xFF == 0:
            seen.alert = code & 0xFF
    elif where & SSL.SSL_CB_HANDSHAKE_START:
        seen.handshakes += 1
    elif where & SSL.SSL_CB_LOOP and b"certificate request" in conn.get_state_string():
        seen.client_certificate_asked = True


def _on_staple(conn: SSL.Connection, response: bytes, _data: object) -> bool:
    if 0 < len(response) <= STAPLE_CAP:
        conn.get_app_data().staple = response
    return True


def client_connection(hello: Hello, server_name: str, seen: ConnectionFacts) -> SSL.Connection:
    """A client on memory BIOs, ready for `do_handshake`. For an address literal as `server_name` the hello has no SNI."""
    conn = SSL.Connection(_context(hello), None)
    conn.set_app_data(seen)
    conn.set_connect_state()
    conn.request_ocsp()
    if not _is_address(server_name):  # RFC 6066 section 3: literal addresses are not permitted in SNI
        conn.set_tlsext_host_name(server_name.encode("ascii"))
    return conn


@cache
def _context(hello: Hello) -> SSL.Context:
    """The context of one kind of ClientHello, created on first use and shared by all connections."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | _OP_LEGACY_SERVER_CONNECT)
    if hello == "connector":
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(_OP_NO_ENCRYPT_THEN_MAC)
        context.set_cipher_list(_CONNECTOR_CIPHERS.encode())
        return context
    context.set_min_proto_version(SSL.TLS1_3_VERSION if hello == "tls13" else SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    if hello == "tls13":
        # P-256 alone, which every TLS 1.3 server has (RFC 8446 section 9.1): without it OpenSSL's hello carries a
        # post-quantum share and no longer fits one packet.
        context.set_tmp_ecdh(ec.SECP256R1())
    context.set_info_callback(on_info)
    context.set_ocsp_client_callback(_on_staple)
    return context


def _is_address(name: str) -> bool:
    if not (":" in name or name[-1:].isdigit()):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

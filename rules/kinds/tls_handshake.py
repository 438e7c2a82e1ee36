"""A TLS handshake: what to ask and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Hello: TypeAlias = Literal["connector", "tls13", "large"]
"""How the ClientHello looks. "connector": TLS 1.2 only, under 600 bytes, as the connector speaks (the one that judges);
"tls13": TLS 1.3 offered alone; "large": over 1,400 bytes, with a post-quantum key share, as today's browsers send."""


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """Connect to `address`, shake hands with SNI `server_name`; then, where `path` is given, `GET path` inside.

    One observation feeds the TCP check, the TLS check and, with `path`, the HTTP check.
    """

    address: str
    port: int
    server_name: str
    hello: Hello = "connector"
    path: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the peer showed. Nothing here is verified: the handshake accepts any certificate, `rules/` judges it.

    Times are seconds. `chain` holds the certificates as served (DER, leaf first), also when the handshake failed later.
    """

    connect_s: float  # TCP connect
    handshake_s: float | None = None  # ClientHello sent to handshake done
    version: str | None = None  # "TLSv1.2", ...
    cipher: str | None = None
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = None  # OCSP response stapled (RFC 6066 section 8), at most 64 KiB
    client_certificate_asked: bool = False  # CertificateRequest seen
    bytes_received: int = 0
    first_bytes: bytes = b""  # first bytes of an answer that is not TLS, at most 256
    hello_size: int = 0  # bytes of our ClientHello on the wire, record header included
    http_status: int | None = None  # of the GET inside, where one was asked
    http_headers: tuple[tuple[str, str], ...] = ()
    http_failure: str = (
        ""  # why the GET inside has no status: "timeout", "reset", "eof", "malformed", "alert N"
    )

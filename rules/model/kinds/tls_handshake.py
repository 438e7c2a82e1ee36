"""A TLS handshake: the question and the evidence."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rules.model.failure import Code, Failure, Stage
from rules.model.kind import Endpoint, Interval, Kind, Needs, StageName

Hello: TypeAlias = Literal["connector", "tls13", "large"]
"""The form of the ClientHello. "connector": TLS 1.2 only, under 600 bytes, as the connector sends it (only this one
judges); "tls13": offers only TLS 1.3; "large": over 1,400 bytes, with a post-quantum key share, as current
browsers send it."""


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """Connect to `address`, shake hands with SNI `server_name`; then, if there is a `path`, `GET path` inside.

    One observation serves the TCP check, the TLS check and, with `path`, the HTTP check.
    """

    address: str
    port: int
    server_name: str
    hello: Hello = "connector"
    path: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the peer showed, unverified: the handshake accepts any certificate, and `rules/` judges it.

    Times are seconds. `chain` holds the certificates as served (DER, leaf first), also when the handshake failed
    later.
    """

    connect_s: float  # TCP connect
    handshake_s: float | None = None  # ClientHello sent to handshake done
    version: str | None = None  # the version in ServerHello ("TLSv1.2", ...); None: no ServerHello came
    cipher: str | None = None
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = None  # OCSP response stapled (RFC 6066 section 8), at most 64 KiB
    client_certificate_asked: bool = False  # CertificateRequest seen
    # the leaf's key verified the server's signature over this handshake (or its Finished)
    key_proven: bool = False
    # the signature over this handshake is false: the peer does not have the leaf's key
    key_refuted: bool = False
    # our empty Certificate was sent before any further bytes of the peer, so the next bytes may answer it
    certificate_sent: bool = False
    bytes_received: int = 0
    first_bytes: bytes = b""  # first bytes of an answer that is not TLS, at most 256
    hello_size: int = 0  # bytes of our ClientHello on the wire, record header included
    http_status: int | None = None  # of the GET inside, if there was one
    http_headers: tuple[tuple[str, str], ...] = ()
    # Why the GET inside has no status: "timeout", "reset", "eof", "malformed", "alert N".
    http_failure: str = ""


#: Alerts that answer an empty Certificate: handshake_failure (RFC 5246 section 7.4.6), bad_certificate,
#: certificate_unknown, access_denied (RFC 5246 section 7.2.2), certificate_required (RFC 8446 section 6.2).
CERTIFICATE_ALERTS = frozenset({40, 42, 46, 49, 116})


def wants_certificate(facts: TlsFacts, failure: Failure | None) -> bool:
    """Whether a handshake ended only because we have no client certificate: then the server itself was reached.

    All of these must have been seen, in this order: a CertificateRequest, the proof of the server's key, our empty
    Certificate sent, and then one of the alerts that answer it or an orderly close (close_notify or a FIN). RFC 5246
    section 7.4.6 allows a server to end the handshake there. In TLS 1.3 the client has finished by then, and the
    alert comes at its first read (RFC 8446 section 4.4.2.4), so such a handshake has no failure. The chain decides
    whose key it is.

    A RST does not count: a network device that reads the server's certificate and cuts the connection sends one at
    this very moment, while a server that has finished with us closes. (A RST that overtook an alert in this host's
    buffers looks the same.)
    """
    if failure is None or failure.stage is not Stage.TLS:
        return False
    if not (facts.client_certificate_asked and facts.key_proven and facts.certificate_sent):
        return False
    return failure.code is Code.EOF or (failure.code is Code.ALERT and failure.alert in CERTIFICATE_ALERTS)


def _judges(step: TlsHandshake) -> bool:
    return step.hello == "connector"


def _document(step: TlsHandshake) -> tuple[object, ...] | None:
    """Other ClientHellos show the same at any address of the name."""
    return (step.hello, step.server_name, step.port) if step.hello != "connector" else None


def _subject(step: TlsHandshake) -> Endpoint:
    return step.server_name, step.port


def _interval(step: TlsHandshake, needs: Needs) -> Interval | None:
    extra = step.hello != "connector" or step.server_name == needs.control
    return "extras" if step.attempt == 1 and extra else None


def _significant(facts: TlsFacts) -> Hashable:
    return (
        facts.chain,
        facts.version,
        facts.client_certificate_asked,
        facts.key_proven,
        facts.key_refuted,
        facts.certificate_sent,
        facts.http_status,
        facts.http_failure,
        bool(facts.first_bytes),
    )


def _without_get(facts: TlsFacts) -> TlsFacts:
    """The GET inside is rare: a second look at the handshake leaves it out."""
    return replace(facts, http_status=None, http_headers=(), http_failure="", client_certificate_asked=False)


def _stages(_: float, facts: TlsFacts | None, ok: bool) -> tuple[tuple[StageName, float], ...]:
    if facts is None:
        return ()
    tcp: tuple[StageName, float] = ("tcp", facts.connect_s)
    return (tcp, ("tls", facts.handshake_s)) if facts.handshake_s is not None and ok else (tcp,)


KIND: Kind[TlsHandshake, TlsFacts] = Kind(
    word="tls_handshake",
    step=TlsHandshake,
    evidence=TlsFacts,
    queue="connection",
    name=lambda step: step.server_name,
    place=lambda step: (step.address, step.port),
    document=_document,
    subject=_subject,
    judges=_judges,
    interval=_interval,
    ages=True,
    reached=wants_certificate,
    significant=_significant,
    repeated=_without_get,
    certificates=lambda facts: facts.chain,
    with_certificates=lambda facts, chain: replace(facts, chain=chain),
    stages=_stages,
)

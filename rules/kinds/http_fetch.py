"""One plain HTTP exchange over port 80: CRL, OCSP, AIA or "does this host answer"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Purpose: TypeAlias = Literal["reach", "crl", "ocsp", "aia"]


@dataclass(frozen=True, slots=True)
class HttpFetch:
    """One request to `address`:`port` with `Host: host`. Redirects are never followed, nothing is kept between fetches.

    `body` makes it a POST (OCSP). `cap` is the largest body that is read, in bytes.
    """

    address: str
    port: int
    host: str
    target: str  # path and query, percent-encoded as in the source
    purpose: Purpose = "reach"
    body: bytes | None = None
    cap: int = 65536
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """What came back. Times in seconds, sizes in bytes.

    `body` is whole up to the step's cap (`size` > len(body) or failure too-large where it was cut). In a recorded report
    bodies over 64 KiB are replaced by `digest`: facts of the document that today's and tomorrow's rules ask for.
    """

    connect_s: float
    first_byte_s: float | None = None
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()  # names in lower case, values as latin-1 text
    body: bytes | None = None
    size: int = 0  # bytes of body received
    sha256: str = ""  # of the body received
    digest: CrlDigest | None = None


@dataclass(frozen=True, slots=True)
class CrlDigest:
    """What a recording keeps of a CRL that is too large to keep (RFC 5280 section 5)."""

    issuer: bytes  # issuer's Name, DER
    this_update: float  # Unix time
    next_update: float | None
    signer: str | None  # SHA-256 (hex) of the SPKI that verified the signature; None: none of the keys at hand did
    revoked: tuple[str, ...]  # of the serials asked (hex), those that are listed
    asked: tuple[str, ...]

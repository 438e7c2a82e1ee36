"""One plain HTTP exchange over port 80: CRL, OCSP, AIA, or whether a host answers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from rules.model.kind import Interval, Kind, Needs, StageName
from rules.model.long_list import LongList

#: Bytes of a body that are kept, also in a report. Of a longer list only facts are kept.
BODY_KEPT = 65_536
#: Largest CRL that is read, in bytes: DigiCert's partitions reach 9.5 MB since 2026-09.
CRL_CAP = 33_554_432

Purpose: TypeAlias = Literal["reach", "crl", "ocsp", "aia"]


@dataclass(frozen=True, slots=True)
class HttpFetch:
    """One request to `address`:`port` with `Host: host`. Redirects are never followed, and fetches share no state.

    `body` makes it a POST (OCSP). `cap` is the largest body that is read, in bytes.
    """

    address: str
    port: int
    host: str
    target: str  # path and query, percent-encoded as in the source
    purpose: Purpose = "reach"
    body: bytes | None = None
    cap: int = BODY_KEPT
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """The answer. Times in seconds, sizes in bytes.

    `body` is complete up to `BODY_KEPT` and never longer (`size` > len(body) where it was cut). For a longer list,
    `long_list` is kept instead, and in a recorded report `digest`: the facts of the document that the rules need,
    today or later.
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
    long_list: LongList | None = field(default=None, compare=False, metadata={"recorded": False})
    repaired: tuple[str, ...] = ()  # what was unusual about header lines that could be read
    # the page's judgement by the host asked, which one report needs twenty times; `replace` makes a copy without it
    judged: dict[str, BlockPage | None] = field(
        default_factory=dict, init=False, repr=False, compare=False, metadata={"recorded": False}
    )


@dataclass(frozen=True, slots=True)
class CrlDigest:
    """The facts of a CRL that a recording keeps when the CRL is too large (RFC 5280 section 5)."""

    issuer: bytes  # issuer's Name, DER
    this_update: float  # Unix time
    next_update: float | None
    signer: str | None  # SHA-256 (hex) of the SPKI that verified the signature; None: no known key did
    revoked: tuple[str, ...]  # the listed ones of the serials asked (hex)
    asked: tuple[str, ...]
    scope: CrlScope | None = None  # None: an old recording without this fact
    barred: str | None = None  # SPKI (as `signer`) of a CA that made the signature and may not sign CRLs
    unchecked: str = ""  # why the signature cannot be checked here
    removed: tuple[str, ...] = ()  # of the serials asked (hex), those whose entries all say removeFromCRL


@dataclass(frozen=True, slots=True)
class CrlScope:
    """The certificates that a CRL covers, by its extensions and those of its entries (RFC 5280 sections 5.2 and 5.3)."""

    only: Literal["", "user", "ca", "attribute"] = ""  # onlyContains...Certs
    named: bool = False  # it is the list of one distribution point, whose names are `points`
    points: tuple[str, ...] = ()  # "uri:..." with scheme and host in lower case, "dir:...", "other:..."
    some_reasons: bool = False
    indirect: bool = False
    delta: bool = False
    unknown: tuple[str, ...] = ()  # unknown critical extensions, by OID
    unread: str = ""  # why the extensions cannot be read
    number: str = ""  # cRLNumber, hex
    key_id: str = ""  # key identifier of the issuer's key, hex
    removes: bool = False  # an entry says removeFromCRL (RFC 5280 section 5.3.1)


PageKind: TypeAlias = Literal["page", "refused", "redirect", "portal", "proxy", "failed"]


@dataclass(frozen=True, slots=True)
class BlockPage:
    """A page that came instead of the requested document. Texts are harmless.

    `kind`: "page" HTML with 200; "refused" an error that a network device gave; "redirect" to another host; "portal"
    a page to sign in to the network (RFC 6585 section 6, RFC 8952); "proxy" 407; "failed" the error of a proxy on the
    path that cannot reach or resolve the host. `evidence`: what shows that a network device wrote a "page" or an
    error. It is "" without any: then only the requested document decides whether a "page" is the origin's own.
    """

    kind: PageKind
    vendor: str = ""  # the product that it looks like, a label only
    title: str = ""
    location: str = ""  # of a redirect, which is never followed
    marks: tuple[str, ...] = ()  # the headers that carry a vendor's name
    evidence: str = ""
    sentence: str = ""  # the beginning of its text, if it has no title


def _document(step: HttpFetch) -> tuple[object, ...] | None:
    if step.purpose == "reach":
        return None
    return (step.purpose, step.host, step.port, step.target, step.body)


def _subject(step: HttpFetch) -> Hashable:
    match step.purpose:
        case "reach":
            return step.host, step.port
        case "crl":
            return _document(step)
        case "ocsp" | "aia":
            return None
        case _:
            assert_never(step.purpose)


def _interval(step: HttpFetch, needs: Needs) -> Interval | None:
    if step.purpose in ("crl", "ocsp") and step.attempt == 1:
        return "revocation"
    return "extras" if step == needs.page else None


def _stages(_elapsed: float, exchange: HttpExchange | None, _ok: bool) -> tuple[tuple[StageName, float], ...]:
    if exchange is None:
        return ()
    tcp: tuple[StageName, float] = ("tcp", exchange.connect_s)
    return (tcp, ("http", exchange.first_byte_s)) if exchange.first_byte_s is not None else (tcp,)


KIND: Kind[HttpFetch, HttpExchange] = Kind(
    word="http_fetch",
    step=HttpFetch,
    evidence=HttpExchange,
    queue="connection",
    name=lambda step: step.host,
    place=lambda step: (step.address, step.port),
    document=_document,
    subject=_subject,
    judges=lambda _: True,
    interval=_interval,
    ages=True,
    significant=lambda exchange: (exchange.status, exchange.sha256),
    stages=_stages,
)

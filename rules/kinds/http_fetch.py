"""One plain HTTP exchange over port 80: CRL, OCSP, AIA or "does this host answer"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from rules.display import display
from rules.failure import Code, Failure, Stage
from rules.kinds.long_list import LongList

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

    `body` is whole up to 64 KiB and never longer (`size` > len(body) where it was cut). Of a longer list `long_list` is kept
    in its place, and in a recorded report `digest`: facts of the document that today's and tomorrow's rules ask for.
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


@dataclass(frozen=True, slots=True)
class CrlDigest:
    """What a recording keeps of a CRL that is too large to keep (RFC 5280 section 5)."""

    issuer: bytes  # issuer's Name, DER
    this_update: float  # Unix time
    next_update: float | None
    signer: (
        str | None
    )  # SHA-256 (hex) of the SPKI that verified the signature; None: none of the keys at hand did
    revoked: tuple[str, ...]  # of the serials asked (hex), those that are listed
    asked: tuple[str, ...]
    scope: CrlScope | None = None  # None: a recording that does not tell
    barred: str | None = None  # SPKI (as `signer`) of a CA that made the signature and may not sign CRLs
    unchecked: str = ""  # why the signature cannot be checked here


@dataclass(frozen=True, slots=True)
class CrlScope:
    """Which certificates a CRL speaks of, by its extensions and those of its entries (RFC 5280 sections 5.2 and 5.3)."""

    only: Literal["", "user", "ca", "attribute"] = ""  # onlyContains...Certs
    named: bool = False  # it is the list of one distribution point, whose names are `points`
    points: tuple[str, ...] = ()  # "uri:..." with scheme and host in lower case, "dir:...", "other:..."
    some_reasons: bool = False
    indirect: bool = False
    delta: bool = False
    unknown: tuple[str, ...] = ()  # critical extensions that nothing here processes, by OID
    unread: str = ""  # why the extensions cannot be read
    number: str = ""  # cRLNumber, hex
    key_id: str = ""  # key identifier of the issuer's key, hex


SNIFFED = 16_384  #: bytes of a body that are looked at for signs of a page
PageKind: TypeAlias = Literal["page", "refused", "redirect", "portal", "proxy"]

#: What products write into their pages and headers: a label on a page that was recognised otherwise, never a reason.
_VENDORS: tuple[tuple[str, str], ...] = (
    ("zscaler", "Zscaler"), ("fortinet", "Fortinet"), ("fortigate", "Fortinet"), ("fortiguard", "Fortinet"),
    ("blue coat", "Blue Coat / Symantec ProxySG"), ("bluecoat", "Blue Coat / Symantec ProxySG"),
    ("proxysg", "Blue Coat / Symantec ProxySG"), ("mcafee web gateway", "Skyhigh / McAfee Web Gateway"),
    ("skyhigh", "Skyhigh / McAfee Web Gateway"), ("websense", "Forcepoint"), ("forcepoint", "Forcepoint"),
    ("umbrella", "Cisco Umbrella"), ("opendns", "Cisco Umbrella"), ("ironport", "Cisco Secure Web Appliance"),
    ("check point", "Check Point"), ("palo alto", "Palo Alto Networks"),
    ("sophos", "Sophos"), ("sonicwall", "SonicWall"), ("watchguard", "WatchGuard"), ("barracuda", "Barracuda"),
    ("netskope", "Netskope"), ("iboss", "iboss"), ("untangle", "Untangle"), ("smoothwall", "Smoothwall"),
    ("contentkeeper", "ContentKeeper"), ("trend micro", "Trend Micro"), ("cloudflare gateway", "Cloudflare Gateway"),
    ("kerio", "Kerio"), ("e2guardian", "e2guardian"), ("dansguardian", "DansGuardian"), ("squid", "Squid"),
)  # fmt: skip
_MARKED_HEADERS = frozenset({"server", "via", "set-cookie", "proxy-agent", "proxy-authenticate", "location"})
_HTML_STARTS = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<title",
    b"<meta",
    b"<!--",
    b"<center",
)
_BLOCK_WORDS = ("blocked", "web filter", "webfilter", "url filter", "content filter", "policy violation")
_PORTAL_WORDS = ("captive", "portal", "hotspot", "wifi", "guest", "login", "logon", "auth")


@dataclass(frozen=True, slots=True)
class BlockPage:
    """A page that somebody on the way wrote in place of the document. Texts are harmless.

    `kind`: "page" HTML with 200; "refused" 403 or 451; "redirect" to another host; "portal" a page to sign in to the
    network (RFC 6585 section 6, RFC 8952); "proxy" 407.
    """

    kind: PageKind
    vendor: str = ""  # what it looks like, a label only
    title: str = ""
    location: str = ""  # of a redirect, which is never followed
    marks: tuple[str, ...] = ()  # the headers that carry a vendor's name


@dataclass(frozen=True, slots=True)
class ReachJudgement:
    """Whether a host answers over HTTP. `cause` is "ok" or of the vocabulary; `reachable`: an HTTP answer came."""

    cause: str
    reachable: bool
    summary: str
    page: BlockPage | None = None


def header(exchange: HttpExchange, name: str) -> str:
    """The first value of a header (lower-case name), "" where there is none."""
    return next((value for key, value in exchange.headers if key == name), "")


def is_html(exchange: HttpExchange) -> bool:
    """Whether the body is a page: by its first bytes, or by its type where nothing else can be told."""
    if exchange.digest is not None or exchange.long_list is not None:
        return False
    start = (exchange.body or b"")[:SNIFFED].removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith(_HTML_STARTS) or (
        start.startswith(b"<?xml") and b"<html" in (exchange.body or b"")[:2048]
    ):
        return True
    return header(exchange, "content-type").lower().startswith(("text/html", "application/xhtml")) and (
        not start or start.startswith(b"<")
    )


def looks_like_block_page(exchange: HttpExchange, host: str = "") -> BlockPage | None:
    """The page that stands in for a document, None where the answer is no page.

    `host` is the one that was asked; without it a redirect is never called one to another host. A page with 200 may be
    the host's own where no document was asked for: `judge_reach` knows.
    """
    status = exchange.status
    location = header(exchange, "location")
    kind: PageKind | None = None
    if status == 407:
        kind = "proxy"
    elif status == 511:
        kind = "portal"
    elif status in (403, 451):
        kind = "refused"
    elif status is not None and 300 <= status < 400 and location:
        kind = _redirect_kind(location, host)
    elif status == 200 and is_html(exchange):
        kind = "page"
    if kind is None:
        return None
    title = _title(exchange)
    vendor, marks = _vendor(exchange)
    if kind == "page" and any(
        word in title.lower() for word in ("captive", "portal", "hotspot", "sign in to", "wifi")
    ):
        kind = "portal"
    return BlockPage(kind, vendor, display(title, 120), display(location, 200), marks)


def judge_reach(exchange: HttpExchange | None, failure: Failure | None, host: str) -> ReachJudgement:
    """Whether `host` answers HTTP, where no document is known to compare with.

    Any answer counts but those that somebody on the way wrote: a 404 on a CRL host's "/" is no finding, and a page or a
    refusal is one only when its headers bear a vendor's mark or its title says so.
    """
    if exchange is None or exchange.status is None:
        return ReachJudgement(
            failure_cause(failure), False, f"{host} gives no HTTP answer: {failure_text(failure)}"
        )
    page = looks_like_block_page(exchange, host)
    own = (
        page is not None
        and page.kind in ("page", "refused")
        and not page.marks
        and not _says_blocked(page.title)
    )
    if page is None or own:
        return ReachJudgement("ok", True, f"{host} answers HTTP {exchange.status}", None)
    return ReachJudgement(page_cause(page), True, f"{host}: {page_text(page, exchange.status)}", page)


def _says_blocked(title: str) -> bool:
    return any(word in title.lower() for word in _BLOCK_WORDS)


def page_cause(page: BlockPage) -> str:
    """The vocabulary's word for a page."""
    return {"redirect": "http.redirected", "proxy": "proxy.auth-required"}.get(page.kind, "http.block-page")


def page_text(page: BlockPage, status: int | None) -> str:
    """The page in a phrase for people."""
    what = {
        "page": "a web page comes instead of the document",
        "refused": "the request is refused",
        "redirect": f"the request is sent elsewhere, to {page.location}",
        "portal": "a page to sign in to this network comes instead",
        "proxy": "a proxy on the way wants a password",
    }[page.kind]
    title = f', titled "{page.title}"' if page.title else ""
    vendor = f" (looks like {page.vendor})" if page.vendor else ""
    return f"{what} (HTTP {status}){title}{vendor}"


def failure_cause(failure: Failure | None) -> str:
    """The vocabulary's word for a fetch that failed."""
    if failure is None:
        return "http.malformed"
    if failure.stage is Stage.TCP:
        word = {Code.TIMEOUT: "timeout", Code.REFUSED: "reset", Code.RESET: "reset"}.get(
            failure.code, "unreachable"
        )
        return f"tcp.{word}"
    word = {Code.TIMEOUT: "timeout", Code.RESET: "reset", Code.EOF: "reset"}.get(failure.code, "malformed")
    return f"http.{word}" if failure.stage is Stage.HTTP else f"{failure.stage.value}.{failure.code.value}"


def failure_text(failure: Failure | None) -> str:
    """A failure in a few words."""
    if failure is None:
        return "the answer is no HTTP"
    detail = f" ({display(failure.detail, 120)})" if failure.detail else ""
    return f"{failure.stage.value} {failure.code.value}{detail}"


def _redirect_kind(location: str, host: str) -> PageKind | None:
    """A redirect to another zone, or to what is no HTTP at all; one within its zone is the host's own affair."""
    try:
        parts = urlsplit(location)
        target = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return "redirect"
    if parts.scheme not in ("", "http", "https"):
        return "redirect"
    if not host or not target or target.split(".")[-2:] == host.lower().rstrip(".").split(".")[-2:]:
        return None
    return "portal" if any(word in location.lower()[:512] for word in _PORTAL_WORDS) else "redirect"


def _title(exchange: HttpExchange) -> str:
    text = (exchange.body or b"")[:SNIFFED].decode("utf-8", "backslashreplace")
    lower = text.lower()
    start = lower.find("<title")
    start = lower.find(">", start) + 1 if start >= 0 else 0
    end = lower.find("</title", start)
    return " ".join(text[start:end].split()) if start and end > start else ""


def _vendor(exchange: HttpExchange) -> tuple[str, tuple[str, ...]]:
    """Vendor by headers first, then by the page's text; and the headers that say so."""
    headers = [(k, v) for k, v in exchange.headers if k in _MARKED_HEADERS or k.startswith("x-")]
    page = (exchange.body or b"")[:SNIFFED].decode("latin-1").lower()
    for word, vendor in _VENDORS:
        marks = tuple(
            f"{display(k, 40)}: {display(v, 120)}" for k, v in headers if word in f"{k}: {v}".lower()
        )
        if marks:
            return vendor, marks[:4]
    return next((vendor for word, vendor in _VENDORS if word in page), ""), ()

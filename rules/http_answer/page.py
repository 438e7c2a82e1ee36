"""What an answer over port 80 is: the requested document, an error of its host, or a page in its place.

Only positive evidence shows that a network device wrote a page (`marks`, `words`, `links`). Without any, the page may
be the host's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.http_answer.links import redirect_kind, sent_to
from rules.http_answer.marks import page_evidence, product, refusal_evidence, signed_by_cdn
from rules.http_answer.proxy_failures import could_not_fetch
from rules.http_answer.text import body_text, first_bytes, first_sentence, title, visible_text
from rules.http_answer.words import speaks_for_the_site
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import BlockPage, HttpExchange, PageKind
from rules.text.display import display

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


#: The circumstance of the cause, by the kind of a page.
CIRCUMSTANCES: dict[PageKind, str] = {"redirect": "other-zone", "failed": "proxy-failed"}


@dataclass(frozen=True, slots=True)
class ReachJudgement:
    """Whether a host answers over HTTP. `reachable`: an HTTP answer came.

    `circumstance`: "other-zone" for a redirect, "proxy-failed" for the error of a proxy on the way.
    """

    cause: Cause
    reachable: bool
    summary: str
    page: BlockPage | None = None
    circumstance: str = ""


def header(exchange: HttpExchange, name: str) -> str:
    """The first value of a header (lower-case name), "" without one."""
    return next((value for key, value in exchange.headers if key == name), "")


def is_html(exchange: HttpExchange) -> bool:
    """Whether the body is an HTML page: by its first bytes, or by its type where the bytes do not show it."""
    if exchange.digest is not None or exchange.long_list is not None:
        return False
    first = first_bytes(exchange.headers, exchange.body)
    start = first.lstrip()[:64].lower()
    if start.startswith(_HTML_STARTS) or (start.startswith(b"<?xml") and b"<html" in first[:2048]):
        return True
    called = header(exchange, "content-type").lower().startswith(("text/html", "application/xhtml"))
    return called and (not start or start.startswith(b"<") or bool(content_coding(exchange)))


def content_coding(exchange: HttpExchange) -> str:
    """The content coding of a compressed body, although the request asked for identity (RFC 9110 section 8.4); else
    "". A body that begins like DER is not compressed, whatever the header says."""
    body = exchange.body
    if body is not None and body.startswith(b"\x1f\x8b"):
        return "gzip"
    label = header(exchange, "content-encoding").strip().lower()
    readable = exchange.digest is not None or (body is not None and (not body or body.startswith(b"0")))
    return "" if label in ("", "identity") or readable else display(label, 40)


def oddities(exchange: HttpExchange) -> str:
    """What was unusual about an answer that could be read, in a phrase; else ""."""
    odd = list(exchange.repaired)
    label = header(exchange, "content-encoding").strip().lower()
    if label not in ("", "identity") and not content_coding(exchange):
        odd.append(f"labelled {display(label, 40)} and not compressed")
    return f"the answer's header is odd: {', '.join(odd)}" if odd else ""


def looks_like_block_page(exchange: HttpExchange, host: str = "") -> BlockPage | None:
    """The page that came instead of a document; None where the answer is no page.

    `host` is the requested one. Without it, no redirect counts as one to another host. A page with 200 or 403 may be
    the host's own where no document was requested: `judge_reach` decides. An error of the origin, or of its CDN, is
    none.

    A page that sends its reader to another zone counts as a redirect like a 302, also in place of a document: its
    target shows more about its author than the page itself. Evidence that a device wrote the page counts before both.
    """
    if host not in exchange.judged:
        exchange.judged[host] = _page(exchange, host)
    return exchange.judged[host]


def _page(exchange: HttpExchange, host: str) -> BlockPage | None:
    status = exchange.status
    if status is None or (status < 300 and _is_document(exchange)):
        return None
    text = body_text(exchange.headers, exchange.body)
    location = header(exchange, "location")
    kind: PageKind | None = None
    evidence = ""
    if status == 407:
        kind = "proxy"
    elif status == 511:
        kind = "portal"
    elif 300 <= status < 400 and location:
        kind = redirect_kind(location, host)
    else:
        html = is_html(exchange)
        kind, evidence = _written(exchange, text, html, host)
        target = "" if location else sent_to(exchange.headers, text, html)
        leads = redirect_kind(target, host) if target else None
        if leads is not None:
            location, kind = target, kind if evidence else leads
    if kind is None:
        return None
    named = title(text)
    vendor, marks = product(exchange.headers, text)
    if kind == "page" and any(
        word in named.lower() for word in ("captive", "portal", "hotspot", "sign in to", "wifi")
    ):
        kind = "portal"
    said = "" if named else first_sentence(text)
    return BlockPage(kind, vendor, display(named, 120), display(location, 200), marks, evidence, said)


def _is_document(exchange: HttpExchange) -> bool:
    """Whether a body begins like DER, as lists, answers and certificates do: then it is no page, whatever its headers
    say."""
    is_crl = exchange.digest is not None or exchange.long_list is not None
    return is_crl or (exchange.body or b"").startswith(b"0")


def _written(exchange: HttpExchange, text: str, html: bool, host: str) -> tuple[PageKind | None, str]:
    """The kind of an answer by its status and its words, and the evidence that a network device wrote it."""
    status, headers = exchange.status, exchange.headers
    if status == 200 and html:
        return "page", page_evidence(headers, text)
    if status is None or status < 400:
        return None, ""
    evidence = refusal_evidence(status, headers, text, host)
    if evidence and could_not_fetch(status, headers, text):
        return "failed", evidence
    if evidence or status == 451 or (status == 403 and html and not _own_refusal(headers, text)):
        return "refused", evidence
    return None, ""


def _own_refusal(headers: tuple[tuple[str, str], ...], text: str) -> bool:
    """A standard page that CDNs, web servers and sites' own firewalls give with 403: Apache, nginx and IIS call it
    "403 Forbidden"."""
    named = title(text)
    return (
        signed_by_cdn(headers)
        or named.startswith("403")
        or speaks_for_the_site(f"{named} {visible_text(text)}".lower())
    )


def judge_reach(exchange: HttpExchange | None, failure: Failure | None, host: str) -> ReachJudgement:
    """Whether `host` answers HTTP, where no known document can be compared.

    Every answer counts unless a network device wrote it: a 404 on a CRL host's "/" is no finding. A page or a refusal
    is a finding only with evidence: a product's mark, its words, or a status that no web server gives.
    """
    if exchange is None or exchange.status is None:
        return ReachJudgement(
            failure_cause(failure), False, f"{host} gives no HTTP answer: {failure_text(failure)}"
        )
    page = looks_like_block_page(exchange, host)
    if page is None or unproved(page):
        return ReachJudgement(causes.OK, True, f"{host} answers HTTP {exchange.status}", None)
    return ReachJudgement(
        page_cause(page),
        True,
        f"{host}: {page_text(page, exchange.status)}",
        page,
        CIRCUMSTANCES.get(page.kind, ""),
    )


def unproved(page: BlockPage) -> bool:
    """Whether no evidence shows that a network device wrote a page or a refusal."""
    return page.kind in ("page", "refused") and not page.evidence


def page_cause(page: BlockPage) -> Cause:
    """The cause that a page shows."""
    return {"redirect": causes.HTTP_REDIRECTED, "proxy": causes.PROXY_AUTH_REQUIRED}.get(
        page.kind, causes.HTTP_BLOCK_PAGE
    )


def page_text(page: BlockPage, status: int | None) -> str:
    """The page in a phrase for people."""
    sent = status is not None and 300 <= status < 400
    what = {
        "page": "a web page comes instead of the document",
        "refused": "the request is refused",
        "redirect": f"{'the request is sent' if sent else 'a web page sends its reader'} elsewhere, to {page.location}",
        "portal": "a page to sign in to this network comes instead",
        "proxy": "a proxy wants a password",
        "failed": "a proxy cannot fetch from this host",
    }[page.kind]
    words = (
        f', titled "{page.title}"' if page.title else f', saying "{page.sentence}"' if page.sentence else ""
    )
    vendor = f" (looks like {page.vendor})" if page.vendor else ""
    why = f"; sign of a network device: {page.evidence}" if page.evidence else ""
    return f"{what} (HTTP {status}){words}{vendor}{why}"


def failure_cause(failure: Failure | None) -> Cause:
    """The cause of a fetch that failed."""
    if failure is None:
        return causes.HTTP_MALFORMED
    if failure.stage is Stage.TCP:
        return _IN_TCP.get(failure.code, causes.TCP_UNREACHABLE)
    if failure.stage is Stage.HTTP:
        return _IN_HTTP.get(failure.code, causes.HTTP_MALFORMED)
    return causes.from_word(f"{failure.stage.value}.{failure.code.value}")


_IN_TCP = {
    Code.TIMEOUT: causes.TCP_TIMEOUT,
    Code.REFUSED: causes.TCP_RESET,
    Code.RESET: causes.TCP_RESET,
}
_IN_HTTP = {
    Code.TIMEOUT: causes.HTTP_TIMEOUT,
    Code.RESET: causes.HTTP_RESET,
    Code.EOF: causes.HTTP_RESET,
}


def failure_text(failure: Failure | None) -> str:
    """A failure in a few words."""
    if failure is None:
        return "the answer is no HTTP"
    detail = f" ({display(failure.detail, 120)})" if failure.detail else ""
    return f"{failure.stage.value} {failure.code.value}{detail}"

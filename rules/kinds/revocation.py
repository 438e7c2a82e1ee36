"""CRLs, and where revocation sources are: reachable, valid and revoked are three facts, kept apart (RFC 5280 section 5).

The addresses come out of certificates, so the peer chose them: `split_url` lets through only what is plain HTTP to port 80
of a named host; whether that host is on a public address is the audit's to decide. OCSP is judged in `ocsp.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.x509.ocsp import load_der_ocsp_response

from rules.cert_fields import MAX_TEXT, attempt
from rules.certificate import facts
from rules.display import display
from rules.failure import LOCAL_CODES, Code, Failure
from rules.kinds.crl import CrlJudgement, Held, digest_crl, judge_digest, read_crl
from rules.kinds.http_fetch import (
    BlockPage,
    HttpExchange,
    failure_text,
    header,
    is_html,
    looks_like_block_page,
    page_cause,
    page_text,
)
from rules.kinds.long_list import begins_as_list
from rules.kinds.ocsp import OcspJudgement, judge_ocsp, judge_staple, ocsp_get_target, ocsp_request
from rules.verdict import Status

__all__ = [
    "CrlJudgement", "Held", "OcspJudgement", "Sources", "digest_crl", "expires", "judge_crl", "judge_ocsp", "judge_staple",
    "ocsp_get_target", "ocsp_request", "sources", "split_url",
]  # fmt: skip

MAX_CERTIFICATES = 10  #: certificates of a chain whose sources are read

_HELD = Held()
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_Fault: TypeAlias = tuple[str, Status, str, BlockPage | None]


@dataclass(frozen=True, slots=True)
class Sources:
    """URLs that a chain's certificates name, in order, without repeats. `unusable`: (URL as found, why)."""

    crl: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    aia: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def sources(chain: tuple[bytes, ...]) -> Sources:
    """Revocation and issuer addresses of the leaf and the intermediates; a self-issued root has none that count."""
    certs = [facts(der) for der in chain[:MAX_CERTIFICATES]]
    certs = [cert for place, cert in enumerate(certs) if place == 0 or not cert.self_issued]
    unusable: dict[str, str] = {}

    def usable(urls: Iterable[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for url in urls:
            if split_url(url) is None:
                unusable.setdefault(url, "not plain HTTP to port 80 of a named host")
            else:
                found.setdefault(url)
        return tuple(found)

    return Sources(
        usable(url for cert in certs for url in cert.crl_urls),
        usable(url for cert in certs for url in cert.ocsp_urls),
        usable(url for cert in certs for url in cert.aia_urls),
        tuple(unusable.items()),
    )


def split_url(url: str) -> tuple[str, int, str] | None:
    """(host, 80, target) of a URL that may be fetched; None for every other scheme, port, form or character.

    The host is lower case and no address literal (also not written as a number); the target is as in the source.
    """
    if len(url) >= MAX_TEXT or not url.isascii() or any(c <= " " or c in '\x7f\\"<>#' for c in url):
        return None
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "http" or not separator:
        return None
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    host, colon, port = authority.lower().partition(":")
    if colon and port != "80":
        return None
    labels = host.split(".")
    named = len(labels) > 1 and len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    if (
        not named or labels[-1][0].isdigit()
    ):  # a last label that begins with a digit is an address in some form
        return None
    return host, 80, target if target.startswith("/") else f"/{target}"


def judge_crl(
    exchange: HttpExchange | None,
    failure: Failure | None,
    issuer_candidates: tuple[bytes, ...],
    serials: tuple[str, ...],
    now: float,
    host: str = "",
    held: Held = _HELD,
) -> CrlJudgement:
    """Judge the answer to a CRL fetch: the body where it was kept, otherwise what the recording kept of it.

    `issuer_candidates`: certificates (DER) of CAs that may have issued it; `serials`: hex, of certificates that this CA
    issued; `held`: the certificates that name the list. A listed serial counts only under a good signature.
    """
    if exchange is None or exchange.status is None:
        if (
            failure is not None and failure.code in LOCAL_CODES
        ):  # a fault of this host or of ours blocks nothing
            cause, why = LOCAL_CODES[failure.code]
            return CrlJudgement(cause, Status.INCONCLUSIVE, f"no CRL: {why}", reachable=False)
        return CrlJudgement(
            "crl.unreachable", Status.FAIL, f"no CRL: {failure_text(failure)}", reachable=False
        )
    fault = _not_the_document(exchange, failure, host)
    if fault is not None:
        cause, status, summary, page = fault
        return CrlJudgement(cause, status, summary, reachable=True, page=page)
    digest = exchange.digest
    document = exchange.long_list or exchange.body
    if document is not None:
        digest = digest_crl(document, issuer_candidates, serials)
    if digest is None and document is None and exchange.size:
        text = "the recording does not hold the document"
        return CrlJudgement("audit.not-recorded", Status.INCONCLUSIVE, text, reachable=True, valid=None)
    if digest is None:
        return CrlJudgement("crl.not-a-crl", Status.FAIL, _what_came(exchange), reachable=True)
    return judge_digest(digest, issuer_candidates, serials, now, held, exchange)


def _not_the_document(exchange: HttpExchange, failure: Failure | None, host: str) -> _Fault | None:
    """Why an HTTP answer is not the document that was asked for; None where it may be."""
    page = looks_like_block_page(exchange, host)
    if page is not None:
        cause = "crl.not-a-crl" if page.kind == "page" else page_cause(page)
        return cause, Status.FAIL, page_text(page, exchange.status), page
    if exchange.status != 200:
        location = display(header(exchange, "location"), 200)
        if location:
            return (
                "http.redirected",
                Status.FAIL,
                f"the request is sent elsewhere, to {location} (not followed)",
                None,
            )
        reason = f" {display(exchange.reason, 60)}" if exchange.reason else ""
        return "http.status", Status.FAIL, f"the host answers HTTP {exchange.status}{reason}", None
    encoding = header(exchange, "content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        text = f"unexpected encoding {display(encoding, 40)}: no compression was asked for, somebody rewrites answers"
        return "crl.not-a-crl", Status.FAIL, text, None
    cut = exchange.body is not None and exchange.size > len(exchange.body)
    if (
        failure is not None and failure.code in LOCAL_CODES
    ):  # a fault of this host or of ours is none of the list
        cause, why = LOCAL_CODES[failure.code]
        return cause, Status.INCONCLUSIVE, f"the document did not come whole: {why}", None
    if (cut and begins_as_list(exchange.body or b"")) or (
        failure is not None and failure.code is Code.TOO_LARGE
    ):
        text = f"more came than is read, and no whole list ({exchange.size} bytes): not judged"
        return "crl.too-large", Status.INCONCLUSIVE, text, None
    if failure is not None:
        text = f"the document did not come whole ({exchange.size} bytes): {failure_text(failure)}"
        return "crl.unreachable", Status.FAIL, text, None
    return None


def _what_came(exchange: HttpExchange) -> str:
    body = exchange.body or b""
    kind = header(exchange, "content-type")
    called = f", called {display(kind, 60)}" if kind else ""
    if is_html(exchange):
        return f"a web page came instead of a CRL{called}"
    start = f", beginning {body[:16].hex(' ')}" if body else ""
    return f"what came is no CRL: {exchange.size or len(body)} bytes{called}{start}"


def expires(exchange: HttpExchange, *, ocsp: bool = False) -> float | None:
    """When a list or an answer runs out (nextUpdate, Unix time); None where it is none or says no time. Never raises."""
    if exchange.digest is not None:
        return exchange.digest.next_update
    body = exchange.long_list or exchange.body
    if body is None or exchange.status != 200:
        return None
    until = (
        attempt(lambda: load_der_ocsp_response(exchange.body or b"").next_update_utc)[0]
        if ocsp
        else attempt(lambda: read_crl(body)[0].next_update_utc)[0]
    )
    return until.timestamp() if until is not None else None

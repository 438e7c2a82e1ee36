"""CRLs, and the addresses of revocation sources: reachable, valid and revoked are separate facts (RFC 5280 section 5).

The addresses come from certificates, so the peer chose them. `split_url` accepts only plain HTTP to port 80 of a
named host; the audit decides whether that host is on a public address. `ocsp.py` judges OCSP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.x509.ocsp import load_der_ocsp_response

from rules.http_answer.page import header, is_html, oddities
from rules.model import causes
from rules.model.failure import Failure
from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.crl import CrlJudgement, CrlSubject, digest_crl, judge_digest, read_crl
from rules.pki.crl_form import find_list
from rules.pki.document import Fault, answered
from rules.pki.fields import MAX_TEXT, try_read
from rules.pki.ocsp import OcspJudgement, judge_ocsp, judge_staple, ocsp_get_target, ocsp_request
from rules.text.display import display

__all__ = [
    "CrlJudgement", "CrlSubject", "OcspJudgement", "Sources", "digest_crl", "expires", "judge_crl", "judge_ocsp", "judge_staple",
    "ocsp_get_target", "ocsp_request", "sources", "split_url",
]  # fmt: skip

MAX_CERTIFICATES = 10  #: maximum of certificates of a chain whose sources are read

_HELD = CrlSubject()
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Sources:
    """URLs that a chain's certificates name, in order, without repeats. `unusable`: (URL as found, why)."""

    crl: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    aia: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def sources(chain: tuple[bytes, ...]) -> Sources:
    """Revocation and issuer addresses of the leaf and the intermediates; those of a self-issued root do not count."""
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
    held: CrlSubject = _HELD,
) -> CrlJudgement:
    """Judge the answer to a CRL fetch: the body if it was kept, otherwise the recorded facts.

    `issuer_candidates`: certificates (DER) of CAs that may have issued it; `serials`: hex, of certificates that this
    CA issued; `held`: the certificates that name the list. A listed serial counts only under a good signature.
    """
    found = answered(exchange, failure, host, "crl", "CRL")
    if isinstance(found, Fault):
        return CrlJudgement(
            found.cause,
            found.status,
            found.summary,
            found.reachable,
            page=found.page,
            circumstance=found.circumstance,
        )
    exchange = found
    digest = exchange.digest
    document = exchange.long_list or exchange.body
    if document is not None:
        digest = digest_crl(document, issuer_candidates, serials)
    if digest is None and document is None and exchange.size:
        text = "the recording does not hold the document"
        return CrlJudgement(causes.AUDIT_NOT_RECORDED, Status.INCONCLUSIVE, text, reachable=True, valid=None)
    if digest is None:
        return _no_list(exchange, issuer_candidates, serials, now, held)
    return _noted(exchange, judge_digest(digest, issuer_candidates, serials, now, held, exchange))


def _no_list(
    exchange: HttpExchange, issuers: tuple[bytes, ...], serials: tuple[str, ...], now: float, held: CrlSubject
) -> CrlJudgement:
    """The answer is no list in the form of RFC 5280. A list of another form with a valid signature is still its CA's
    statement: the fault is the publisher's, and the serials on it are revoked."""
    found = find_list(exchange)
    if found is None:
        return CrlJudgement(causes.CRL_NOT_A_CRL, Status.FAIL, _what_came(exchange), reachable=True)
    inside = digest_crl(found.der, issuers, serials) if found.der is not None else None
    judged = judge_digest(inside, issuers, serials, now, held, exchange) if inside is not None else None
    words = f"{found.words}{_type_text(exchange)}"
    if judged is not None and judged.revoked:
        return replace(judged, summary=f"{judged.summary}; {words}")
    proven = judged is not None and judged.signer is not None
    circumstance = "pem-unproved" if found.form == "pem" and not proven else found.form
    return CrlJudgement(causes.CRL_NOT_A_CRL, Status.FAIL, words, reachable=True, circumstance=circumstance)


def _type_text(exchange: HttpExchange) -> str:
    kind = header(exchange, "content-type")
    return f", called {display(kind, 60)}" if kind else ""


def _noted(exchange: HttpExchange, judged: CrlJudgement) -> CrlJudgement:
    """A good list in an answer whose header only lenient readers accept: a note, and no failure."""
    odd = oddities(exchange)
    if not odd or judged.status is not Status.PASS:
        return judged
    return replace(
        judged, cause=causes.HTTP_ODD_HEADER, status=Status.NOTICE, summary=f"{judged.summary}; {odd}"
    )


def _what_came(exchange: HttpExchange) -> str:
    body = exchange.body or b""
    called = _type_text(exchange)
    if is_html(exchange):
        return f"a web page came instead of a CRL{called}"
    start = f", beginning {body[:16].hex(' ')}" if body else ""
    return f"what came is no CRL: {exchange.size or len(body)} bytes{called}{start}"


def expires(exchange: HttpExchange, *, ocsp: bool = False) -> float | None:
    """The end of a list or an answer (nextUpdate, Unix time); None for another document or without an end. Never raises."""
    if exchange.digest is not None:
        return exchange.digest.next_update
    body = exchange.long_list or exchange.body
    if body is None or exchange.status != 200:
        return None
    until = (
        try_read(lambda: load_der_ocsp_response(exchange.body or b"").next_update_utc)[0]
        if ocsp
        else try_read(lambda: read_crl(body)[0].next_update_utc)[0]
    )
    return until.timestamp() if until is not None else None

"""CRLs, and where revocation sources are: reachable, valid and revoked are three facts, kept apart (RFC 5280 section 5).

The addresses come out of certificates, so the peer chose them: `split_url` lets through only what is plain HTTP to port 80
of a named host; whether that host is on a public address is the audit's to decide. OCSP is judged in `ocsp.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.ocsp import load_der_ocsp_response

from rules.cert_fields import MAX_TEXT, attempt
from rules.certificate import CertFacts, Signature, check_signature_bits, facts, public_key, verify
from rules.display import display
from rules.failure import LOCAL_CODES, Code, Failure
from rules.kinds.http_fetch import (
    BlockPage,
    CrlDigest,
    HttpExchange,
    failure_text,
    header,
    is_html,
    looks_like_block_page,
    page_cause,
    page_text,
)
from rules.kinds.long_list import LongList, begins_as_list
from rules.kinds.ocsp import OcspJudgement, judge_ocsp, judge_staple, ocsp_get_target, ocsp_request
from rules.verdict import Status

__all__ = [
    "CrlJudgement", "OcspJudgement", "Sources", "digest_crl", "expires", "judge_crl", "judge_ocsp", "judge_staple",
    "ocsp_get_target", "ocsp_request", "sources", "split_url",
]  # fmt: skip

MAX_CERTIFICATES = 10  #: certificates of a chain whose sources are read
CLOCK_TOLERANCE = 300.0  #: seconds by which a document may begin in the future

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


@dataclass(frozen=True, slots=True)
class CrlJudgement:
    """What one CRL fetch showed. `reachable`: HTTP answered; `valid`: it is a current CRL with its issuer's signature
    (None: no certificate of that issuer is at hand); `revoked`: those of the serials asked that it lists (hex).

    `status` is a hint for this document alone. `issuer` (Name, DER), dates (Unix time) and `signer` (hex SHA-256 of the
    SPKI) are the document's where there is one.
    """

    cause: str
    status: Status
    summary: str
    reachable: bool
    valid: bool | None = False
    revoked: tuple[str, ...] = ()
    page: BlockPage | None = None
    issuer: bytes | None = None
    this_update: float | None = None
    next_update: float | None = None
    signer: str | None = None


def judge_crl(
    exchange: HttpExchange | None,
    failure: Failure | None,
    issuer_candidates: tuple[bytes, ...],
    serials: tuple[str, ...],
    now: float,
    host: str = "",
) -> CrlJudgement:
    """Judge the answer to a CRL fetch: the body where it was kept, otherwise what the recording kept of it.

    `issuer_candidates`: certificates (DER) of CAs that may have issued it; `serials`: hex, of certificates that this CA
    issued. A listed serial counts only under a good signature.
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
    return _judge_digest(digest, issuer_candidates, serials, now)


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


def digest_crl(
    body: bytes | LongList, issuers: tuple[bytes, ...], serials: tuple[str, ...]
) -> CrlDigest | None:
    """The facts of a CRL that judgements ask for; None where `body` is none. Never raises.

    `signer` is set when a CA of `issuers` that bears the CRL's name and may sign CRLs (RFC 5280 section 4.2.1.3) made the
    signature. SHA-1 counts here: nobody can choose both the old and the new list.
    """
    return attempt(lambda: _digest(body, issuers, serials))[0]


def _digest(body: bytes | LongList, issuers: tuple[bytes, ...], serials: tuple[str, ...]) -> CrlDigest:
    crl, name = _crl(body)
    until = crl.next_update_utc
    signer = next((c.spki_sha256 for c in _of_name(issuers, name) if _signed(body, c)), None)
    listed = tuple(s for s in serials if _lists(body, s))
    return CrlDigest(
        name, crl.last_update_utc.timestamp(), until.timestamp() if until else None, signer, listed, serials
    )


def _crl(body: bytes | LongList) -> tuple[x509.CertificateRevocationList, bytes]:
    """The list and its issuer's Name. One list is asked about by every chain that names it, and is read once."""
    return _read(body if isinstance(body, bytes) else body.skeleton)


@lru_cache(maxsize=32)
def _read(der: bytes) -> tuple[x509.CertificateRevocationList, bytes]:
    crl = x509.load_der_x509_crl(der)
    check_signature_bits(der)
    return crl, crl.issuer.public_bytes()


def _lists(body: bytes | LongList, serial: str) -> bool:
    if isinstance(body, LongList):  # no cache: it would keep the list in memory
        number = int(serial, 16)
        return body.lists(number) or _finds(body, number)
    known = _answers(body)
    if serial not in known:
        known[serial] = _finds(body, int(serial, 16))
    return known[serial]


def _finds(body: bytes | LongList, serial: int) -> bool:
    return _crl(body)[0].get_revoked_certificate_by_serial_number(serial) is not None


@lru_cache(maxsize=32)
def _answers(_body: bytes) -> dict[str, bool]:
    """Whether a list holds a serial, by serial: beside the list and not beside each answer, which would keep it longer."""
    return {}


def _of_name(issuers: tuple[bytes, ...], name: bytes) -> tuple[CertFacts, ...]:
    return tuple(
        c for c in map(facts, issuers) if c.subject == name and c.may_sign_crls is not False and c.is_ca
    )


def _signed(body: bytes | LongList, issuer: CertFacts) -> bool:
    """Whether the issuer's key made the signature on the list."""
    return _verified(body, issuer) if isinstance(body, bytes) else _verify(body, issuer)


@lru_cache(maxsize=32)
def _verified(body: bytes, issuer: CertFacts) -> bool:
    return _verify(body, issuer)


def _verify(body: bytes | LongList, issuer: CertFacts) -> bool:
    crl, _ = _crl(body)
    found, _ = attempt(lambda: verify(public_key(issuer), crl.signature, *_what_was_signed(body, crl)))
    return found in (Signature.GOOD, Signature.WEAK)


def _what_was_signed(
    body: bytes | LongList, crl: x509.CertificateRevocationList
) -> tuple[bytes, object, object]:
    """What the signature is on, its hash and its parameters."""
    algorithm, parameters = crl.signature_hash_algorithm, crl.signature_algorithm_parameters
    if isinstance(body, bytes):
        return crl.tbs_certlist_bytes, algorithm, parameters
    if algorithm is None or algorithm.name != body.hash_name:
        raise ValueError("another hash than the one that was made")
    hashed = Prehashed(algorithm)
    return body.signed, hashed, ec.ECDSA(hashed) if isinstance(parameters, ec.ECDSA) else parameters


def _judge_digest(
    digest: CrlDigest, issuers: tuple[bytes, ...], serials: tuple[str, ...], now: float
) -> CrlJudgement:
    named = _of_name(issuers, digest.issuer)
    keys = {cert.spki_sha256 for cert in named}
    signed = digest.signer is not None and (digest.signer in keys or not keys)
    listed = tuple(s for s in serials if s in digest.revoked)
    late = digest.next_update is not None and now > digest.next_update
    early = digest.this_update > now + CLOCK_TOLERANCE
    fresh = not late and not early
    name = _issuer_text(named, digest.issuer)
    cause, status, summary = "ok", Status.PASS, f"a current CRL of {name}, signed by it"
    if keys and not signed:
        cause, status = "crl.bad-signature", Status.FAIL
        summary = f"the CRL bears the name of {name} and is not signed by its key"
    elif signed and listed:
        cause, status = "crl.revoked", Status.FAIL
        summary = f"{name} has revoked the certificate with serial {', '.join(listed[:3])}"
    elif not fresh:
        cause, status = "crl.stale", Status.FAIL if late else Status.WARN
        summary = f"the CRL of {name} " + (
            "ran out: an old copy is served" if late else "begins in the future"
        )
    elif not signed:
        cause, status = "crl.unverified", Status.NOTICE
        summary = f"a current CRL of {name}; no certificate of that CA is at hand to check its signature"
    elif not set(serials) <= set(digest.asked):
        cause, status = "audit.not-recorded", Status.INCONCLUSIVE
        summary = "the recording does not tell whether these certificates are revoked"
    valid = None if not signed and not keys else signed and fresh
    return CrlJudgement(
        cause, status, summary, True, valid, listed if signed else (), None,
        digest.issuer, digest.this_update, digest.next_update, digest.signer if signed else None,
    )  # fmt: skip


def _issuer_text(named: tuple[CertFacts, ...], name: bytes) -> str:
    if named:
        return display(named[0].subject_cn or named[0].subject_text, 100)
    parsed, _ = attempt(lambda: x509.Name.from_bytes(name).rfc4514_string())
    return display(parsed or "an unnamed issuer", 100)


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
        else attempt(lambda: _crl(body)[0].next_update_utc)[0]
    )
    return until.timestamp() if until is not None else None

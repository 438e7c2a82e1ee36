"""The OCSP request, and the judgement of an answer (RFC 6960, RFC 5019): reachable, valid and revoked are separate
facts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal, TypeAlias
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rules.http_answer.cache import late_by
from rules.http_answer.page import header, oddities
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import Failure
from rules.model.kinds.http_fetch import BlockPage, HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import CertFacts, check_signature_bits, facts
from rules.pki.der import dotted, element, tlv
from rules.pki.document import Fault, answered
from rules.pki.fields import try_read
from rules.pki.ocsp_signer import Fault as SignerFault
from rules.pki.ocsp_signer import key_bits, signer_fault
from rules.text.display import display

MAX_ANSWERS = 100  #: maximum of single answers read of a response
CLOCK_TOLERANCE = 300.0  #: seconds by which an answer may begin in the future
#: Seconds for which an answer without nextUpdate counts. RFC 6960 section 3.2 wants it "sufficiently recent"; public
#: CAs answer for ten days at most (CA/Browser Forum, Baseline Requirements, section 4.9.10).
LONGEST_OPEN = 864_000.0
#: Extensions of an answer without an effect for us: nonce, CRL references, archive cutoff, extended revoke (RFC 6960
#: section 4.4), certificate transparency (RFC 6962), and those of CRL entries (RFC 5280 section 5.3).
_PROCESSED = frozenset(
    {*(f"1.3.6.1.5.5.7.48.1.{n}" for n in (2, 3, 6, 9)), "1.3.6.1.4.1.11129.2.4.5", "2.5.29.21", "2.5.29.24"}
)

CertStatus: TypeAlias = Literal["good", "revoked", "unknown"]

#: OCSPResponseStatus (RFC 6960 section 4.2.1); 4 is not used.
_STATUSES = {1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}
_WORDS: dict[ocsp.OCSPCertStatus, CertStatus] = {
    ocsp.OCSPCertStatus.GOOD: "good",
    ocsp.OCSPCertStatus.REVOKED: "revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}
_HASHES: dict[str, Callable[[bytes], bytes]] = {
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha384": lambda data: hashlib.sha384(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
}


@dataclass(frozen=True, slots=True)
class OcspJudgement:
    """The result of one OCSP answer. `reachable`: HTTP answered; `valid`: a current answer about this certificate,
    signed by its issuer or by a responder that the issuer appointed; `certificate`: the status it gives, only if
    valid.

    `status` is a hint for this answer alone. `response`: the responder's status word ("successful", "tryLater",
    "status 4").
    """

    cause: Cause
    status: Status
    summary: str
    reachable: bool
    valid: bool = False
    certificate: CertStatus | None = None
    response: str = ""
    page: BlockPage | None = None
    this_update: float | None = None
    next_update: float | None = None
    revoked_at: float | None = None
    circumstance: str = ""  # the observed fact about the cause ("cached", "late", "no-certificate")

    @property
    def revoked(self) -> bool:
        return self.certificate == "revoked"


def ocsp_request(leaf: bytes, issuer: bytes) -> bytes | None:
    """A DER request for `leaf`, SHA-1 CertID and no nonce, as responders expect it (RFC 5019 section 2.1.1).

    None if one of the certificates is unreadable, or has a serial number below zero. The request needs only parts
    that are read of every certificate (RFC 6960 section 4.1.1), whatever else is wrong with it.
    """
    below, above = facts(leaf), facts(issuer)

    def build() -> bytes:
        _, bits = element(above.spki or b"", 0).children()
        name, key = (
            hashlib.sha1(part, usedforsecurity=False).digest()
            for part in (above.subject or b"", bits.value[1:])
        )
        sha1 = hashes.SHA1()  # noqa: S303  # an identifier, no proof of anything
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, int(below.serial, 16), sha1)
        return builder.build().public_bytes(Encoding.DER)

    return try_read(build)[0] if below.loads and above.loads else None


def ocsp_get_target(base: str, request: bytes) -> str:
    """The address (URL or path) of a GET: the request in base64, percent-encoded (RFC 6960 appendix A.1)."""
    return f"{base.rstrip('/')}/{quote(base64.b64encode(request).decode(), safe='')}"


def judge_ocsp(
    exchange: HttpExchange | None,
    failure: Failure | None,
    leaf: bytes,
    issuer: bytes,
    now: float,
    host: str = "",
) -> OcspJudgement:
    """Judge the answer to a request about `leaf`, issued by `issuer` (DER). The content type is noted, never trusted."""
    found = answered(exchange, failure, host, "ocsp", "OCSP answer")
    if isinstance(found, Fault):
        return OcspJudgement(
            found.cause,
            found.status,
            found.summary,
            found.reachable,
            page=found.page,
            circumstance=found.circumstance,
        )
    exchange = found
    if exchange.body is None:
        text = "the recording does not hold the answer"
        return OcspJudgement(causes.AUDIT_NOT_RECORDED, Status.INCONCLUSIVE, text, True)
    kind = header(exchange, "content-type")
    judged = judge_staple(exchange.body, leaf, issuer, now, f", called {display(kind, 60)}" if kind else "")
    begins, ends = judged.this_update, judged.next_update
    if judged.cause == causes.OCSP_STALE and judged.circumstance == "late" and begins is not None:
        by, clause = late_by(exchange, begins, begins + LONGEST_OPEN if ends is None else ends, now)
        return replace(judged, circumstance=by, summary=f"{judged.summary}; {clause}")
    odd = oddities(exchange)
    if odd and judged.status is Status.PASS:  # only lenient readers accept its header: a note, and no failure
        text = f"{judged.summary}; {odd}"
        return replace(judged, cause=causes.HTTP_ODD_HEADER, status=Status.NOTICE, summary=text)
    return judged


@lru_cache(maxsize=1024)
def judge_staple(body: bytes, leaf: bytes, issuer: bytes, now: float, called: str = "") -> OcspJudgement:
    """Judge a DER response, stapled (RFC 6066 section 8) or fetched. Never raises."""
    number = _response_status(body)
    if number is None:
        text = f"what came is no OCSP answer: {len(body)} bytes{called}"
        return OcspJudgement(causes.OCSP_NOT_OCSP, Status.FAIL, text, True)
    if number != 0:
        word = _STATUSES.get(number, f"status {number}")
        cause = causes.OCSP_UNAUTHORIZED if number == 6 else causes.OCSP_STATUS
        text = f"the responder is reached and declines: {word}"
        return OcspJudgement(cause, Status.WARN, text, True, response=word)
    loaded, why = try_read(lambda: _load(body))
    if loaded is None:
        text = f"the OCSP answer cannot be read: {display(why, 120)}"
        return OcspJudgement(causes.OCSP_NOT_OCSP, Status.FAIL, text, True, response="successful")
    judged, why = try_read(lambda: _judge_response(*loaded, leaf, issuer, now))
    if judged is None:
        text = f"the OCSP answer cannot be read: {display(why, 120)}"
        return OcspJudgement(causes.OCSP_NOT_OCSP, Status.FAIL, text, True, response="successful")
    return judged


@lru_cache(maxsize=1024)
def says_revoked(body: bytes) -> bool:
    """Whether an answer, verified or not, calls some certificate revoked. Never raises."""

    def read() -> bool:
        singles = zip(range(MAX_ANSWERS), ocsp.load_der_ocsp_response(body).responses, strict=False)
        return any(s.certificate_status is ocsp.OCSPCertStatus.REVOKED for _, s in singles)

    return try_read(read)[0] or False


def _load(body: bytes) -> tuple[ocsp.OCSPResponse, bytes]:
    """The response, whose signature must be whole octets, and its AlgorithmIdentifier. Raises what the library raises."""
    response = ocsp.load_der_ocsp_response(body)
    at = tlv(body, tlv(body, tlv(body, 0)[1])[2])[1]  # past the status, into the ResponseBytes
    _, start, end = tlv(body, tlv(body, tlv(body, at)[1])[2])  # past its type, the BasicOCSPResponse
    check_signature_bits(body[start:end])
    algorithm = tlv(body, tlv(body, start)[1])[2]
    return response, body[algorithm : tlv(body, algorithm)[2]]


def _judge_response(
    response: ocsp.OCSPResponse, algorithm: bytes, leaf: bytes, issuer: bytes, now: float
) -> OcspJudgement:
    singles = _singles(response, facts(leaf), facts(issuer))
    if not singles:
        text = "the answer is about another certificate than the one that was asked for"
        return OcspJudgement(causes.OCSP_NOT_OCSP, Status.FAIL, text, True, response="successful")
    single = _worst(singles, now)
    begins, ends = _times(single)
    fault = signer_fault(response, algorithm, issuer, now) or _critical(response)
    if fault is not None:
        cause, status, text, circumstance = fault
        return OcspJudgement(
            cause, status, text, True, False, None, "successful", None, begins, ends, None, circumstance
        )
    cause, status, valid, circumstance = causes.OK, Status.PASS, True, ""
    word = _WORDS[single.certificate_status]
    text = f"the responder says: {word}"
    at = single.revocation_time_utc.timestamp() if single.revocation_time_utc else None
    if word == "revoked":
        cause, status = causes.OCSP_REVOKED, Status.FAIL
        text = "the issuer has revoked the certificate"
        if any(_WORDS[s.certificate_status] != word for s in singles):
            text += "; the same answer says otherwise as well, and a revocation is not taken back by it"
    elif _outdated(single, now):
        cause, status, valid = causes.OCSP_STALE, Status.FAIL, False
        circumstance = "late" if begins <= now else "early"
        text = "the answer " + ("ran out: an old copy is served" if begins <= now else "begins in the future")
    elif word == "unknown":
        cause, status = causes.OCSP_UNKNOWN, Status.WARN
        text = "the responder does not know the certificate"
    known = word if valid else None
    return OcspJudgement(
        cause, status, text, True, valid, known, "successful", None, begins, ends, at, circumstance
    )


def _times(single: ocsp.OCSPSingleResponse) -> tuple[float, float | None]:
    ends = single.next_update_utc
    return single.this_update_utc.timestamp(), ends.timestamp() if ends else None


def _outdated(single: ocsp.OCSPSingleResponse, now: float) -> bool:
    """Expired, not yet begun, or, without an end, too old."""
    begins, ends = _times(single)
    return begins > now + CLOCK_TOLERANCE or now > (begins + LONGEST_OPEN if ends is None else ends)


def _worst(singles: tuple[ocsp.OCSPSingleResponse, ...], now: float) -> ocsp.OCSPSingleResponse:
    """Of several answers about one certificate the one that counts.

    RFC 6960 is silent. A revocation counts first, because a checker must not accept what the CA has revoked; then a
    current answer, "unknown" before "good", the newest.
    """

    def rank(single: ocsp.OCSPSingleResponse) -> tuple[bool, bool, bool, float]:
        word = _WORDS[single.certificate_status]
        return word == "revoked", not _outdated(single, now), word == "unknown", _times(single)[0]

    return max(singles, key=rank)


def _critical(response: ocsp.OCSPResponse) -> SignerFault | None:
    """A critical extension that is not processed here: the answer must not be used (RFC 6960 section 4.4)."""
    found, why = try_read(lambda: [e.oid.dotted_string for e in response.extensions if e.critical])
    inner, reason = try_read(lambda: _critical_of_singles(response.tbs_response_bytes))
    unknown = [oid for oid in (*(found or ()), *(inner or ())) if oid not in _PROCESSED]
    if found is not None and inner is not None and not unknown:
        return None
    what = ", ".join(unknown[:4]) or f"they cannot be read: {display(why or reason, 100)}"
    text = f"the answer has critical extensions that are not known here ({what}): it tells nothing"
    return causes.OCSP_UNVERIFIED, Status.WARN, text, "critical"


def _critical_of_singles(tbs: bytes) -> list[str]:
    """Critical extensions of the single answers, by OID; the library gives them only if there is one single answer."""
    at = tlv(tbs, 0)[1]
    if tbs[at] == 0xA0:  # version
        at = tlv(tbs, at)[2]
    at = tlv(tbs, tlv(tbs, at)[2])[2]  # past responderID and producedAt
    at, end = tlv(tbs, at)[1:]
    found: list[str] = []
    for _ in range(MAX_ANSWERS):
        if at >= end:
            break
        parts = _elements(tbs, *tlv(tbs, at)[1:])
        for tag, start, after in parts[3:]:  # certID, certStatus, thisUpdate, then optional parts
            for _, begins, ends in (
                _elements(tbs, *tlv(tbs, start)[1:]) if tag == 0xA1 and after > start else ()
            ):
                _, oid, past = tlv(tbs, begins)
                if tbs[past] == 0x01 and past < ends and tbs[tlv(tbs, past)[1]]:
                    found.append(dotted(tbs[oid:past]))
        at = tlv(tbs, at)[2]
    return found


def _elements(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Tag, content and end of the elements between two places."""
    found = []
    while at < end:
        found.append(tlv(data, at))
        at = found[-1][2]
    return found


def _hash_name(single: ocsp.OCSPSingleResponse) -> str:
    return single.hash_algorithm.name


def _singles(
    response: ocsp.OCSPResponse, leaf: CertFacts, issuer: CertFacts
) -> tuple[ocsp.OCSPSingleResponse, ...]:
    """The answers about `leaf`: their CertID has the issuer's name and key, and the serial (RFC 6960 section 4.1.1)."""
    if issuer.subject is None or issuer.spki is None:
        return ()
    serial, key = int(leaf.serial or "0", 16), key_bits(issuer.spki)
    found = []
    for _, single in zip(range(MAX_ANSWERS), response.responses, strict=False):
        name, _ = try_read(partial(_hash_name, single))
        digest = _HASHES.get(name or "")
        if digest is None or single.serial_number != serial:
            continue
        if single.issuer_key_hash == digest(key) and single.issuer_name_hash == digest(leaf.issuer or b""):
            found.append(single)
    return tuple(found)


def _response_status(body: bytes) -> int | None:
    """The responseStatus number. The library refuses 4 and everything over 6, and the report shows the number."""
    if len(body) < 5 or body[0] != 0x30:
        return None
    at = 2 if body[1] < 0x80 else 2 + (body[1] & 0x7F)
    return body[at + 2] if body[at : at + 2] == b"\x0a\x01" and len(body) > at + 2 else None

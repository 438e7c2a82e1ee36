"""OCSP: the request, and an answer judged (RFC 6960, RFC 5019): reachable, valid and revoked are kept apart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rules.cert_fields import attempt
from rules.certificate import (
    CertFacts,
    Signature,
    check_signature_bits,
    facts,
    public_key,
    signature,
    verify,
)
from rules.der import element, tlv
from rules.display import display
from rules.failure import LOCAL_CODES, Failure
from rules.kinds.http_fetch import (
    BlockPage,
    HttpExchange,
    failure_text,
    header,
    looks_like_block_page,
    page_cause,
    page_text,
)
from rules.verdict import Status

MAX_RESPONDERS = 10  #: certificates of an answer that are tried as its signer
MAX_ANSWERS = 100  #: single answers of a response that are looked through
CLOCK_TOLERANCE = 300.0  #: seconds by which an answer may begin in the future

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
    """What one OCSP answer showed. `reachable`: HTTP answered; `valid`: a current answer about this certificate, signed
    by its issuer or by a responder that the issuer appointed; `certificate`: the status it gives, only where valid.

    `status` is a hint for this answer alone. `response`: the responder's word ("successful", "tryLater", "status 4").
    """

    cause: str
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

    @property
    def revoked(self) -> bool:
        return self.certificate == "revoked"


def ocsp_request(leaf: bytes, issuer: bytes) -> bytes | None:
    """A DER request for `leaf`, SHA-1 CertID and no nonce, as responders expect it (RFC 5019 section 2.1.1).

    None where one of the certificates cannot be read, or has a serial number below zero. Only those parts are needed that
    are read of every certificate (RFC 6960 section 4.1.1), whatever else is wrong with it.
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

    return attempt(build)[0] if below.loads and above.loads else None


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
    if exchange is None or exchange.status is None:
        if (
            failure is not None and failure.code in LOCAL_CODES
        ):  # a fault of this host or of ours blocks nothing
            cause, why = LOCAL_CODES[failure.code]
            return OcspJudgement(cause, Status.INCONCLUSIVE, f"no answer: {why}", reachable=False)
        return OcspJudgement(
            "ocsp.unreachable", Status.FAIL, f"no answer: {failure_text(failure)}", reachable=False
        )
    page = looks_like_block_page(exchange, host)
    if page is not None:
        cause = "ocsp.not-ocsp" if page.kind == "page" else page_cause(page)
        return OcspJudgement(cause, Status.FAIL, page_text(page, exchange.status), True, page=page)
    if exchange.status != 200:
        location = display(header(exchange, "location"), 200)
        if location:
            text = f"the request is sent elsewhere, to {location} (not followed)"
            return OcspJudgement("http.redirected", Status.FAIL, text, True)
        return OcspJudgement(
            "http.status", Status.FAIL, f"the responder answers HTTP {exchange.status}", True
        )
    encoding = header(exchange, "content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        text = f"unexpected encoding {display(encoding, 40)}: somebody rewrites answers"
        return OcspJudgement("ocsp.not-ocsp", Status.FAIL, text, True)
    if failure is not None:
        text = f"the answer did not come whole ({exchange.size} bytes): {failure_text(failure)}"
        return OcspJudgement("ocsp.unreachable", Status.FAIL, text, True)
    if exchange.body is None:
        text = "the recording does not hold the answer"
        return OcspJudgement("audit.not-recorded", Status.INCONCLUSIVE, text, True)
    kind = header(exchange, "content-type")
    return judge_staple(exchange.body, leaf, issuer, now, f", called {display(kind, 60)}" if kind else "")


@lru_cache(maxsize=1024)
def judge_staple(body: bytes, leaf: bytes, issuer: bytes, now: float, called: str = "") -> OcspJudgement:
    """Judge a DER response, stapled (RFC 6066 section 8) or fetched. Never raises."""
    number = _response_status(body)
    if number is None:
        text = f"what came is no OCSP answer: {len(body)} bytes{called}"
        return OcspJudgement("ocsp.not-ocsp", Status.FAIL, text, True)
    if number != 0:
        word = _STATUSES.get(number, f"status {number}")
        cause = "ocsp.unauthorized" if number == 6 else "ocsp.status"
        text = f"the responder is reached and declines: {word}"
        return OcspJudgement(cause, Status.WARN, text, True, response=word)
    response, why = attempt(lambda: _load(body))
    if response is None:
        text = f"the OCSP answer cannot be read: {display(why, 120)}"
        return OcspJudgement("ocsp.not-ocsp", Status.FAIL, text, True, response="successful")
    judged, why = attempt(lambda: _judge_response(response, leaf, issuer, now))
    if judged is None:
        text = f"the OCSP answer cannot be read: {display(why, 120)}"
        return OcspJudgement("ocsp.not-ocsp", Status.FAIL, text, True, response="successful")
    return judged


def _load(body: bytes) -> ocsp.OCSPResponse:
    """The response, its signature being whole octets. Raises what the library raises."""
    response = ocsp.load_der_ocsp_response(body)
    at = tlv(body, tlv(body, tlv(body, 0)[1])[2])[1]  # past the status, into the ResponseBytes
    _, start, end = tlv(body, tlv(body, tlv(body, at)[1])[2])  # past its type, the BasicOCSPResponse
    check_signature_bits(body[start:end])
    return response


def _judge_response(response: ocsp.OCSPResponse, leaf: bytes, issuer: bytes, now: float) -> OcspJudgement:
    single = _single(response, facts(leaf), facts(issuer))
    if single is None:
        text = "the answer is about another certificate than the one that was asked for"
        return OcspJudgement("ocsp.not-ocsp", Status.FAIL, text, True, response="successful")
    begins = single.this_update_utc.timestamp()
    ends = single.next_update_utc.timestamp() if single.next_update_utc else None
    signer = _signed(response, issuer, now)
    if signer:
        return OcspJudgement(
            "ocsp.bad-signature", Status.FAIL, signer, True, False, None, "successful", None, begins, ends
        )
    cause, status, valid = "ok", Status.PASS, True
    word = _WORDS[single.certificate_status]
    text = f"the responder says: {word}"
    at = single.revocation_time_utc.timestamp() if single.revocation_time_utc else None
    if word == "revoked":
        cause, status = "ocsp.revoked", Status.FAIL
        text = "the issuer has revoked the certificate"
    elif (ends is not None and now > ends) or begins > now + CLOCK_TOLERANCE:
        cause, status, valid = "ocsp.stale", Status.FAIL, False
        text = "the answer " + ("ran out: an old copy is served" if begins <= now else "begins in the future")
    elif word == "unknown":
        cause, status = "ocsp.unknown", Status.WARN
        text = "the responder does not know the certificate"
    known = word if valid else None
    return OcspJudgement(cause, status, text, True, valid, known, "successful", None, begins, ends, at)


def _single(
    response: ocsp.OCSPResponse, leaf: CertFacts, issuer: CertFacts
) -> ocsp.OCSPSingleResponse | None:
    """The answer about `leaf`: its CertID names the issuer by name and key, and the serial (RFC 6960 section 4.1.1)."""
    if issuer.subject is None or issuer.spki is None:
        return None
    serial, key = int(leaf.serial or "0", 16), _key_bits(issuer.spki)
    for _, single in zip(range(MAX_ANSWERS), response.responses, strict=False):
        digest = _HASHES.get(single.hash_algorithm.name)
        if digest is None or single.serial_number != serial:
            continue
        if single.issuer_key_hash == digest(key) and single.issuer_name_hash == digest(leaf.issuer or b""):
            return single
    return None


def _key_bits(spki: bytes) -> bytes:
    """The subjectPublicKey's bits: what a CertID hashes, without algorithm, tag, length and count of unused bits."""
    at = 1 + (1 if spki[1] < 0x80 else 1 + (spki[1] & 0x7F))
    at += (
        2 + spki[at + 1]
    )  # the algorithm identifier is shorter than 128 bytes for every key that is verified here
    head = 2 if spki[at + 1] < 0x80 else 2 + (spki[at + 1] & 0x7F)
    return spki[at + head + 1 :]


def _signed(response: ocsp.OCSPResponse, issuer: bytes, now: float) -> str:
    """ "" where the issuer, or a responder that it appointed (RFC 6960 section 4.2.2.2), signed; else why not."""
    if _verify(response, facts(issuer)) is Signature.GOOD:
        return ""
    why = "the answer is not signed by the certificate's issuer, nor by a responder that it appointed"
    for cert in response.certificates[:MAX_RESPONDERS]:
        der = cert.public_bytes(Encoding.DER)
        responder = facts(der)
        if _verify(response, responder) is not Signature.GOOD:
            continue
        if signature(der, issuer) is not Signature.GOOD or not responder.ocsp_signing:
            why = f"the answer is signed by {display(responder.subject_text, 100)}, which the issuer did not appoint"
        elif not (responder.not_before or 0.0) <= now <= (responder.not_after or 0.0):
            why = f"the responder's certificate ({display(responder.subject_text, 100)}) is out of date"
        else:
            return ""
    return why


def _verify(response: ocsp.OCSPResponse, signer: CertFacts) -> Signature:
    key = public_key(signer)
    algorithm = response.signature_hash_algorithm
    parameters: object = None
    if isinstance(key, rsa.RSAPublicKey):
        parameters = padding.PKCS1v15()
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        parameters = ec.ECDSA(algorithm)
    found, _ = attempt(
        lambda: verify(key, response.signature, response.tbs_response_bytes, algorithm, parameters)
    )
    return found or Signature.UNKNOWN


def _response_status(body: bytes) -> int | None:
    """The responseStatus number. The library refuses 4 and everything over 6, and a person wants to see which it was."""
    if len(body) < 5 or body[0] != 0x30:
        return None
    at = 2 if body[1] < 0x80 else 2 + (body[1] & 0x7F)
    return body[at + 2] if body[at : at + 2] == b"\x0a\x01" and len(body) > at + 2 else None

"""Who signed an OCSP answer, and whether that counts (RFC 6960 sections 3.2 and 4.2.2.2).

An answer counts when the certificate's issuer signed it, or a responder with a certificate from the same issuer for
this purpose (id-kp-OCSPSigning). Any other signer is a fault of the responder's operator: nothing shows that the
answer was changed.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.verdict import Status
from rules.pki.certificate import CertFacts, Signature, facts, public_key, signature, verify
from rules.pki.crl_scope import same_name
from rules.pki.der import tlv
from rules.pki.fields import try_read
from rules.pki.signature_algorithm import signature_algorithm
from rules.text.display import display

MAX_RESPONDERS = 10  #: maximum of certificates of an answer that are tried as its signer

#: Cause, status, summary, circumstance.
Fault: TypeAlias = tuple[Cause, Status, str, str]


def signer_fault(response: ocsp.OCSPResponse, algorithm: bytes, issuer: bytes, now: float) -> Fault | None:
    """None if the issuer, or a responder that it appointed, signed; else the fault and its owner.

    `algorithm`: the answer's AlgorithmIdentifier (DER); `issuer`: the certificate (DER) of the CA that issued the
    certificate in question; `now`: Unix time. Raises what the library raises on an unreadable answer.
    """
    above = facts(issuer)
    found, why = _verify(response, algorithm, above)
    if found is Signature.GOOD:
        return None
    if found is not Signature.BAD:
        return _unchecked(found, why)
    named = _names(response, above)
    for cert in response.certificates[:MAX_RESPONDERS]:
        der = cert.public_bytes(Encoding.DER)
        responder = facts(der)
        found, why = _verify(response, algorithm, responder)
        if found in (Signature.WEAK, Signature.UNKNOWN):
            return _unchecked(found, why)
        if found is Signature.GOOD:
            return _appointed(der, responder, issuer, now)
        named = named or _names(response, responder)
    if named:
        text = "the answer is not signed by the key of the one that it names as its signer"
        return causes.OCSP_BAD_SIGNATURE, Status.FAIL, text, ""
    text = (
        "the answer is not signed by the certificate's issuer, and no certificate of its signer came with it"
    )
    return causes.OCSP_RESPONDER, Status.FAIL, text, "no-certificate"


def _unchecked(found: Signature, why: str) -> Fault:
    if found is Signature.WEAK:
        text = "the answer is signed over SHA-1 or MD5, which proves nothing"
        return causes.OCSP_UNVERIFIED, Status.INCONCLUSIVE, text, "weak"
    text = f"the signature on the answer cannot be checked here ({display(why, 120)})"
    return causes.OCSP_UNVERIFIED, Status.INCONCLUSIVE, text, "algorithm"


def _appointed(der: bytes, responder: CertFacts, issuer: bytes, now: float) -> Fault | None:
    """Whether the issuer made the responder's certificate, for this purpose, and it is valid now."""
    name = display(responder.subject_text, 100)
    made = signature(der, issuer)
    if made is Signature.BAD:
        text = f"the answer is signed by {name}, whose certificate the issuer of the certificate asked about did not sign"
        return causes.OCSP_RESPONDER, Status.FAIL, text, "other-ca"
    if made is not Signature.GOOD:
        return _unchecked(made, "the signature on the responder's certificate")
    if not responder.ocsp_signing:
        text = f"the answer is signed by {name}, whose certificate is not for signing OCSP answers (id-kp-OCSPSigning)"
        return causes.OCSP_RESPONDER, Status.FAIL, text, "no-purpose"
    if not (responder.not_before or 0.0) <= now <= (responder.not_after or 0.0):
        return (
            causes.OCSP_RESPONDER,
            Status.FAIL,
            f"the responder's certificate ({name}) is out of date",
            "expired",
        )
    return None


def _names(response: ocsp.OCSPResponse, cert: CertFacts) -> bool:
    """Whether the answer's ResponderID is this certificate's name or key (RFC 6960 section 4.2.1)."""
    if response.responder_key_hash is not None:
        key = key_bits(cert.spki) if cert.spki else b""
        return response.responder_key_hash == hashlib.sha1(key, usedforsecurity=False).digest()
    name = response.responder_name
    return name is not None and same_name(name.public_bytes(), cert.subject)


def _verify(response: ocsp.OCSPResponse, algorithm: bytes, signer: CertFacts) -> tuple[Signature, str]:
    def check() -> Signature:
        made = signature_algorithm(algorithm)
        signed, key = response.tbs_response_bytes, public_key(signer)
        return verify(key, response.signature, signed, made.hash, made.parameters)

    found, why = try_read(check)
    return found or Signature.UNKNOWN, why or "its key is not supported"


def key_bits(spki: bytes) -> bytes:
    """The subjectPublicKey's bits, which a CertID and a ResponderID hash. ValueError if `spki` is invalid."""
    _, bits, end = tlv(spki, tlv(spki, tlv(spki, 0)[1])[2])
    return spki[bits + 1 : end]

"""Whether the one who signed an OCSP answer may do so (RFC 6960 section 4.2.2.2)."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.der import tlv
from rules.pki.ocsp import OcspJudgement, judge_staple
from rules.pki.ocsp_signer import key_bits
from tests.lab.pki import AUTHORITIES, OCSP02, derived_key
from tests.lab.revocation_forms import ECDSA_SHA256, assembled, delegated, several
from tests.lab.revocation_forms import tlv as element
from tests.rules.certs import DAY, NOW, PKI, WHEN, ca, chain, make, rsa_key

LEAF, ISSUER = chain(OCSP02)[0], ca(OCSP02)
AUTHORITY = AUTHORITIES[OCSP02]


def builder(
    leaf: bytes = LEAF, issuer: bytes = ISSUER, status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
) -> ocsp.OCSPResponseBuilder:
    load = x509.load_der_x509_certificate
    revoked = WHEN - DAY if status is ocsp.OCSPCertStatus.REVOKED else None
    return ocsp.OCSPResponseBuilder().add_response(
        load(leaf), load(issuer), hashes.SHA1(), status, WHEN - DAY, WHEN + DAY, revoked, None
    )


def judged(body: bytes, leaf: bytes = LEAF, issuer: bytes = ISSUER) -> OcspJudgement:
    return judge_staple(body, leaf, issuer, NOW)


@pytest.mark.parametrize("form", ["appointed", "pss", "ecdsa"])
def test_a_responder_that_the_issuer_appointed_with_any_usual_scheme(form: str) -> None:
    found = judged(delegated(PKI, AUTHORITY, builder(), form))
    assert (found.cause.word, found.certificate) == ("ok", "good")


@pytest.mark.parametrize("form", ["no-certificate", "expired", "no-purpose", "other-ca"])
def test_a_responder_that_is_not_set_up_right_is_its_operator_s_affair(form: str) -> None:
    found = judged(delegated(PKI, AUTHORITY, builder(), form))
    assert (found.cause.word, found.circumstance, found.status) == ("ocsp.responder", form, Status.FAIL)
    assert (found.valid, found.certificate) == (False, None)


def test_a_changed_answer_under_rsassa_pss_is_not_good() -> None:
    body = bytearray(delegated(PKI, AUTHORITY, builder(), "pss"))
    at = bytes(body).index(b"\x80\x00", 40)  # certStatus good
    body[at] = 0x82  # unknown
    assert judged(bytes(body)).cause.word == "ocsp.bad-signature"


def test_ed25519() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    issuer = make("ed", "ed", key=key, signer=key, is_ca=True, algorithm=None)
    leaf = make("leaf", "ed", signer=key, algorithm=None)
    made = builder(leaf, issuer).responder_id(
        ocsp.OCSPResponderEncoding.NAME, x509.load_der_x509_certificate(issuer)
    )
    assert judged(made.sign(key, None).public_bytes(Encoding.DER), leaf, issuer).cause.word == "ok"


def test_an_algorithm_that_nothing_here_knows_is_our_limit_and_no_accusation() -> None:
    signed = builder().responder_id(ocsp.OCSPResponderEncoding.HASH, x509.load_der_x509_certificate(ISSUER))
    tbs = signed.sign(derived_key(OCSP02), hashes.SHA256()).tbs_response_bytes
    found = judged(assembled(tbs, bytes.fromhex("300506032a0304"), b"signature"))
    assert (found.cause.word, found.circumstance, found.status) == (
        "ocsp.unverified",
        "algorithm",
        Status.INCONCLUSIVE,
    )


def test_a_signature_over_sha_1_proves_nothing() -> None:
    key = rsa_key()
    issuer = make("r", "r", key=key, signer=key, is_ca=True)
    leaf = make("leaf", "r", signer=key)
    made = builder(leaf, issuer).responder_id(
        ocsp.OCSPResponderEncoding.NAME, x509.load_der_x509_certificate(issuer)
    )
    tbs = made.sign(key, hashes.SHA256()).tbs_response_bytes
    value = key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    found = judged(assembled(tbs, bytes.fromhex("300d06092a864886f70d0101050500"), value), leaf, issuer)
    assert (found.cause.word, found.circumstance) == ("ocsp.unverified", "weak")


# --- several answers in one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_good_and_revoked_in_one_answer_is_revoked(order: int) -> None:
    """RFC 6960 is silent; a checker must not call good what its CA has called revoked."""
    issuer = x509.load_der_x509_certificate(ISSUER)
    made = [
        builder(status=status).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        .sign(derived_key(OCSP02), hashes.SHA256())
        for status in (ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED)
    ][::order]  # fmt: skip
    found = judged(several(made, derived_key(OCSP02)))
    assert (found.cause.word, found.revoked) == ("ocsp.revoked", True)
    assert "otherwise as well" in found.summary


def test_good_and_unknown_in_one_answer_is_not_good() -> None:
    issuer = x509.load_der_x509_certificate(ISSUER)
    made = [
        builder(status=status).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        .sign(derived_key(OCSP02), hashes.SHA256())
        for status in (ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.UNKNOWN)
    ]  # fmt: skip
    assert judged(several(made, derived_key(OCSP02))).cause.word == "ocsp.unknown"


def test_a_critical_extension_that_nobody_knows() -> None:
    issuer = x509.load_der_x509_certificate(ISSUER)
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
    for critical, cause in ((True, "ocsp.unverified"), (False, "ok")):
        made = builder().responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).add_extension(odd, critical)
        found = judged(made.sign(derived_key(OCSP02), hashes.SHA256()).public_bytes(Encoding.DER))
        assert (found.cause.word, found.certificate) == (cause, None if critical else "good")
    nonce = builder().responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
    nonce = nonce.add_extension(x509.OCSPNonce(b"12345678"), critical=True)
    assert (
        judged(nonce.sign(derived_key(OCSP02), hashes.SHA256()).public_bytes(Encoding.DER)).cause.word == "ok"
    )


def test_a_critical_extension_of_a_single_answer() -> None:
    issuer = x509.load_der_x509_certificate(ISSUER)
    signed = builder().responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
    tbs = signed.sign(derived_key(OCSP02), hashes.SHA256()).tbs_response_bytes
    for critical, cause in ((True, "ocsp.unverified"), (False, "ok")):
        changed = with_single_extension(tbs, critical)
        value = derived_key(OCSP02).sign(changed, ec.ECDSA(hashes.SHA256()))
        body = assembled(changed, ECDSA_SHA256, value)
        assert judged(body).cause.word == cause


def with_single_extension(tbs: bytes, critical: bool) -> bytes:
    """A ResponseData with one single answer, which gets an unknown extension."""
    at = tlv(tbs, 0)[1]
    begins = at
    while tbs[at] != 0x30:
        at = tlv(tbs, at)[2]
    single = tbs[slice(*tlv(tbs, tlv(tbs, at)[1])[1:])]
    flag = b"\x01\x01\xff" if critical else b""
    extension = element(0x30, bytes.fromhex("06082b0601040183b203") + flag + element(4, b"\x05\x00"))
    made = element(0x30, single + element(0xA1, element(0x30, extension)))
    return element(0x30, tbs[begins:at] + element(0x30, made))


def test_the_bits_of_a_key() -> None:
    spki = facts(ISSUER).spki
    assert spki is not None
    assert key_bits(spki)[0] == 4, "an uncompressed point"
    with pytest.raises((ValueError, IndexError)):
        key_bits(b"\x30\x00")

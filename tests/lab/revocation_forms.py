"""CRLs and OCSP answers in every form that a CA or a forger may use (RFC 5280 section 5, RFC 6960)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.lab.pki import Authority, Pki, derived_key

DAY = datetime.timedelta(days=1)
Builder = x509.CertificateRevocationListBuilder

#: RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 octets of salt (RFC 4055).
PSS_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d"
    "06096086480165030402010500a203020120"
)
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def tlv(tag: int, content: bytes) -> bytes:
    """A DER element."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


# --- lists ----------------------------------------------------------------------------------------------------------


def printable(name: x509.Name) -> x509.Name:
    """The same name with its texts as PrintableString, in capitals and with more spaces: equal by RFC 5280 section
    7.1."""
    return x509.Name(
        [
            x509.NameAttribute(
                a.oid, str(a.value).upper().replace(" ", "  "), _type=_ASN1Type.PrintableString
            )
            if a.oid != NameOID.COUNTRY_NAME
            else a
            for a in name
        ]
    )


def point(url: str = "", **limits: object) -> x509.IssuingDistributionPoint:
    """An IssuingDistributionPoint, for `url` if it is given."""
    values: dict[str, object] = {
        "full_name": [x509.UniformResourceIdentifier(url)] if url else None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(values | limits))  # type: ignore[arg-type]  # a test's short hand


UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
#: Extensions by form, all of them critical.
EXTENSIONS: dict[str, Callable[[str], x509.ExtensionType]] = {
    "delta": lambda url: x509.DeltaCRLIndicator(4_000),
    "critical": lambda url: UNHEARD_OF,
    "other-partition": lambda url: point(
        "http://crl.example/another_Partition00099.crl", only_contains_user_certs=True
    ),
    "only-ca": lambda url: point(only_contains_ca_certs=True),
    "only-user": lambda url: point(only_contains_user_certs=True),
    "only-attribute": lambda url: point(only_contains_attribute_certs=True),
    "some-reasons": lambda url: point(url, only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
    "indirect": lambda url: point(url, indirect_crl=True),
}


def formed(builder: Builder, form: str, url: str, others: tuple[int, ...] = ()) -> Builder:
    """The list with its form's critical extension. `others`: serials of an indirect list's entries about another CA."""
    builder = builder.add_extension(EXTENSIONS[form](url), critical=True)
    for serial in others if form == "indirect" else ():
        about = x509.CertificateIssuer(
            [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Another CA")]))]
        )
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(datetime.datetime(2026, 1, 1))
        )
        builder = builder.add_revoked_certificate(entry.add_extension(about, critical=True).build())
    return builder


def forged_list() -> bytes:
    """A list of an invented CA, "CN=x", with a random signature: the minimum that parses as a list."""
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03") + tlv(0x0C, b"x"))))
    dates = tlv(0x17, b"260101000000Z") + tlv(0x17, b"490101000000Z")
    signed = tlv(0x30, tlv(2, b"\1") + ECDSA_SHA256 + name + dates)
    return tlv(0x30, signed + ECDSA_SHA256 + tlv(3, b"\0" + b"\x5a" * 70))


# --- OCSP -----------------------------------------------------------------------------------------------------------


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def responder(
    pki: Pki,
    authority: Authority,
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    *,
    purpose: bool = True,
    ends: datetime.timedelta = 30 * DAY,
    signer: str = "",
) -> x509.Certificate:
    """The certificate of a responder that `authority` appointed (RFC 6960 section 4.2.2.2), or a certificate with a
    fault."""
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if purpose else ExtendedKeyUsageOID.CODE_SIGNING
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Responder of {authority.name}"[:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(0x0C5B)
        .not_valid_before(pki.now - 60 * DAY)
        .not_valid_after(pki.now + ends)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    return made.sign(derived_key(signer or authority.label), hashes.SHA256())


def delegated(pki: Pki, authority: Authority, builder: ocsp.OCSPResponseBuilder, form: str) -> bytes:
    """The answer of a responder with its own certificate, as `form` says."""
    if form == "pss":
        return pss(builder, responder(pki, authority, rsa_key().public_key()))
    key = derived_key(f"responder of {authority.label}")
    how = {
        "expired": {"ends": -DAY},
        "no-purpose": {"purpose": False},
        "other-ca": {"signer": "another CA"},
    }.get(form) or {}
    cert = responder(pki, authority, key.public_key(), **how)  # type: ignore[arg-type]  # a test's short hand
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, cert)
    if form != "no-certificate":
        builder = builder.certificates([cert])
    return builder.sign(key, hashes.SHA384() if form == "ecdsa" else hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def pss(builder: ocsp.OCSPResponseBuilder, cert: x509.Certificate) -> bytes:
    """The answer signed with RSASSA-PSS, which the library cannot write."""
    made = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, cert).sign(rsa_key(), hashes.SHA256())
    signed = made.tbs_response_bytes
    value = rsa_key().sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return assembled(signed, PSS_SHA256, value, cert)


def assembled(signed: bytes, algorithm: bytes, value: bytes, *certs: x509.Certificate) -> bytes:
    """A successful OCSPResponse from its parts (RFC 6960 section 4.2.1)."""
    sent = b"".join(c.public_bytes(serialization.Encoding.DER) for c in certs)
    tail = tlv(0xA0, tlv(0x30, sent)) if certs else b""
    basic = tlv(0x30, signed + algorithm + tlv(3, b"\0" + value) + tail)
    inner = tlv(0x30, bytes.fromhex("06092b0601050507300101") + tlv(4, basic))
    return tlv(0x30, b"\x0a\x01\x00" + tlv(0xA0, inner))


def several(answers: list[ocsp.OCSPResponse], key: ec.EllipticCurvePrivateKey) -> bytes:
    """One answer that contains the single answers of `answers`, in this order, signed again."""
    first = answers[0].tbs_response_bytes
    starts = [_responses(a.tbs_response_bytes) for a in answers]
    singles = b"".join(
        a.tbs_response_bytes[begin:end] for a, (_, begin, end) in zip(answers, starts, strict=True)
    )
    head = first[_head(first, 0) : starts[0][0]]
    signed = tlv(0x30, head + tlv(0x30, singles))
    return assembled(signed, ECDSA_SHA256, key.sign(signed, ec.ECDSA(hashes.SHA256())))


def _head(data: bytes, at: int) -> int:
    """The position where the content of the element at `at` begins."""
    return at + 2 + (data[at + 1] & 0x7F if data[at + 1] & 0x80 else 0)


def _end(data: bytes, at: int) -> int:
    start = _head(data, at)
    size = int.from_bytes(data[at + 2 : start]) if data[at + 1] & 0x80 else data[at + 1]
    return start + size


def _responses(signed: bytes) -> tuple[int, int, int]:
    """The position of `responses` in a ResponseData, and the start and end of its content."""
    at = _head(signed, 0)
    while signed[at] != 0x30:  # version, responderID, producedAt
        at = _end(signed, at)
    return at, _head(signed, at), _end(signed, at)

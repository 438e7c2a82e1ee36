"""Facts of a certificate (RFC 5280), each read alone, and the two questions that need more than one field.

A peer chooses every byte here. An unreadable field is named in `CertFacts.unreadable` and never stops the rest.
Strings are kept as found (cut to a bound); only `display()` makes them harmless. Results are cached by content,
because an audit sees the same few intermediates in every handshake.
"""

from __future__ import annotations

import hashlib
import ipaddress
import warnings
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from service_identity import hazmat
from service_identity.exceptions import CertificateError

from rules.pki.der import (
    BIT_STRING,
    INTEGER,
    SEQUENCE,
    Element,
    expect_tag,
    integer,
    moment,
    only_element,
    tlv,
)
from rules.pki.distinguished_name import NameFacts, name_facts
from rules.pki.fields import MAX_TEXT, FieldReader, extension_facts, try_read
from rules.pki.public_key import describe_key, load_key
from rules.pki.signature_algorithm import SignatureAlgorithm, signature_algorithm

#: Attackers can make collisions, so these prove nothing (RFC 6151, RFC 9155).
WEAK_HASHES = frozenset({"md5", "sha1"})
#: Of an RSA key: a chain of keys with exponents as long as their moduli would cost seconds. OpenSSL's own limit for
#: moduli over 3,072 bits; every CA uses 65537.
MAX_EXPONENT_BITS = 64


#: Keys whose scheme has its own hash (RFC 8410, RFC 9881).
_HASHLESS = (
    ed25519.Ed25519PublicKey, ed448.Ed448PublicKey, mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey,
)  # fmt: skip


class Signature(StrEnum):
    """The result of a signature check. Only `GOOD` proves anything about the issuer."""

    GOOD = "good"
    BAD = "bad"  # the issuer's key did not make it
    WEAK = "weak"  # it verifies, over MD5 or SHA-1
    UNKNOWN = "unknown"  # cannot be checked here (algorithm, key, structure): neither proof nor accusation


@dataclass(frozen=True, slots=True)
class CertFacts:
    """The facts of one certificate, unverified.

    Hashes, `ski`, `aki` and `serial` are lower-case hex. `subject`, `issuer` and `spki` are the DER as it is in the
    certificate (None if unreadable). Dates are Unix time in seconds. `is_ca` is None where the extensions are
    unreadable. `unreadable` holds (field, why).
    """

    sha256: str
    sha1: str = ""
    spki: bytes | None = None
    spki_sha256: str | None = None
    subject: bytes | None = None
    issuer: bytes | None = None
    subject_text: str = ""
    issuer_text: str = ""
    subject_cn: str = ""
    issuer_cn: str = ""
    issuer_o: str = ""
    issuer_ou: str = ""
    serial: str = ""
    not_before: float | None = None
    not_after: float | None = None
    dns_names: tuple[str, ...] = ()
    ip_names: tuple[str, ...] = ()
    is_ca: bool | None = None
    path_length: int | None = None
    may_sign_certificates: bool | None = None  # keyCertSign; None: no KeyUsage extension
    may_sign_crls: bool | None = None  # cRLSign; None: no KeyUsage extension
    server_auth: bool | None = None  # id-kp-serverAuth or any purpose; None: no ExtendedKeyUsage extension
    ocsp_signing: bool = False  # id-kp-OCSPSigning (RFC 6960 section 4.2.2.2)
    ski: str | None = None
    aki: str | None = None
    ocsp_urls: tuple[str, ...] = ()
    aia_urls: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    signature_hash: str = ""  # "sha256", ...; "" for schemes without one
    key: str = ""  # "RSA 2048", "EC secp256r1", "Ed25519"
    self_issued: bool = False  # subject and issuer are the same name; this says nothing about the signature
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def loads(self) -> bool:
        """Whether it is a certificate at all."""
        return self.subject is not None and self.issuer is not None

    @property
    def issuer_like(self) -> bool:
        """Whether it may sign certificates of servers (RFC 5280 sections 4.2.1.3, 4.2.1.9 and 4.2.1.12)."""
        return bool(self.is_ca) and self.may_sign_certificates is not False and self.server_auth is not False


@dataclass(frozen=True, slots=True)
class _Outline:
    """The parts of a certificate in its own bytes (RFC 5280 section 4.1). `after`: bytes that follow it."""

    signed: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes
    signature: bytes  # the BIT STRING's content: the count of unused bits, then the octets
    version: Element | None
    serial: Element
    issuer: bytes
    validity: Element
    subject: bytes
    spki: bytes
    extensions: Element | None
    after: int


@lru_cache(maxsize=4096)
def facts(der: bytes) -> CertFacts:
    """The facts of the certificate `der`; never raises, whatever the bytes are."""
    # The library warns of odd texts and serial numbers, and a peer must not write to stderr.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _facts(der)


def _facts(der: bytes) -> CertFacts:
    bare = CertFacts(hashlib.sha256(der).hexdigest())
    outline, why = try_read(lambda: _outline(der))
    if outline is None:
        return replace(bare, unreadable=(("certificate", why),))
    reader = FieldReader()
    if outline.after:
        reader.fail("certificate", f"{outline.after} bytes follow it")
    subject = reader.read("subject", lambda: name_facts(outline.subject)) or _NAMELESS
    issuer = reader.read("issuer", lambda: name_facts(outline.issuer)) or _NAMELESS
    reader.read("version", lambda: _version(outline.version))
    begins, ends = reader.read("validity", lambda: _two(outline.validity)) or (None, None)
    key = reader.read("public_key", lambda: describe_key(outline.spki)) or ""
    algorithm = reader.read("signature_algorithm", lambda: signature_algorithm(outline.outer_algorithm))
    found = reader.read("extensions", lambda: _extensions(outline, reader)) or {}
    if outline.inner_algorithm != outline.outer_algorithm:
        reader.fail("signature_algorithm", "the inner and the outer algorithm differ")
    return CertFacts(
        sha256=bare.sha256,
        sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        spki=outline.spki,
        spki_sha256=hashlib.sha256(outline.spki).hexdigest(),
        subject=outline.subject,
        issuer=issuer.der or outline.issuer,
        subject_text=subject.text,
        issuer_text=issuer.text,
        subject_cn=subject.cn,
        issuer_cn=issuer.cn,
        issuer_o=issuer.o,
        issuer_ou=issuer.ou,
        serial=(reader.read("serial", lambda: format(integer(outline.serial.value), "x")) or "")[:MAX_TEXT],
        not_before=reader.read("not_before", lambda: moment(begins)) if begins else None,
        not_after=reader.read("not_after", lambda: moment(ends)) if ends else None,
        signature_hash=algorithm.hash.name if algorithm is not None and algorithm.hash is not None else "",
        key=key,
        self_issued=outline.subject == outline.issuer,
        unreadable=tuple(reader.unreadable),
        **found,
    )


def _version(found: Element | None) -> None:
    """Refuse an invalid version: 0, 1 and 2 are v1, v2 and v3 (RFC 5280 section 4.1.2.1)."""
    number = integer(only_element(found.value, INTEGER).value) if found is not None else 0
    if not 0 <= number <= 2:
        raise ValueError(f"{number if abs(number) < 2**32 else 'a long number'} is no version of X.509")


def _two(validity: Element) -> tuple[Element, Element]:
    begins, ends = validity.children()
    return begins, ends


def _extensions(outline: _Outline, reader: FieldReader) -> dict[str, Any]:
    """The extensions of any version: v1 allows none, and readers accept them all the same."""
    if outline.extensions is None:
        return {"is_ca": False}
    return extension_facts(only_element(outline.extensions.value, SEQUENCE), reader)


def same_name(child: CertFacts, issuer: CertFacts) -> bool:
    """Whether `child` names `issuer` as its issuer (RFC 5280 section 7.1: without regard to case and spacing)."""
    if child.issuer is None or issuer.subject is None:
        return False
    if child.issuer == issuer.subject:
        return True
    text = fold_text(child.issuer_text)
    return bool(text) and len(text) < MAX_TEXT and text == fold_text(issuer.subject_text)


def fold_text(text: str) -> str:
    """`text` for comparison: trimmed, single spaces, without regard to case."""
    return " ".join(text.split()).casefold()


@lru_cache(maxsize=8192)
def signature(child: bytes, issuer: bytes) -> Signature:
    """Whether the key in `issuer` made the signature on `child`. Names and dates are not looked at; never raises."""
    above = facts(issuer)
    if above.spki is None:
        return Signature.UNKNOWN
    spki = above.spki
    return try_read(lambda: _signature(child, spki))[0] or Signature.UNKNOWN


def _signature(child: bytes, spki: bytes) -> Signature:
    """By the algorithm that the certificate names outside its signed part.

    Some breaches of RFC 5280 allow a verifier to stop: an inner algorithm that differs (section 4.1.1.2), or a
    signature that is not whole octets. Then a matching signature proves nothing, and one that matches neither
    algorithm is bad.
    """
    outline, key = _outline(child), load_key(spki)
    named = dict.fromkeys((outline.outer_algorithm, outline.inner_algorithm))
    found = [_fits(key, outline, signature_algorithm(algorithm)) for algorithm in named]
    if len(found) > 1 or outline.signature[:1] != b"\0":
        return Signature.BAD if set(found) == {Signature.BAD} else Signature.UNKNOWN
    return found[0]


def _fits(key: object, outline: _Outline, algorithm: SignatureAlgorithm) -> Signature:
    return verify(key, outline.signature[1:], outline.signed, algorithm.hash, algorithm.parameters)


def signed_by(child: bytes, issuer: bytes) -> bool:
    """Whether the key in `issuer` is proved to have signed `child`; MD5 and SHA-1 prove nothing. Never raises."""
    return signature(child, issuer) is Signature.GOOD


def verify(key: object, value: bytes, signed: bytes, algorithm: object, parameters: object) -> Signature:
    """Check the signature `value` on `signed`, made with pyca's `algorithm` (a hash) and `parameters`, under `key`.

    A key of another kind than the algorithm's cannot have made it: `BAD`. Raises what the library raises on keys and
    parameters that it does not support.
    """
    name = str(getattr(algorithm, "name", ""))
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if key.public_numbers().e.bit_length() > MAX_EXPONENT_BITS:
                return Signature.UNKNOWN
            if parameters is None and name == "md5":
                parameters = padding.PKCS1v15()  # the library names no parameters for md5WithRSAEncryption
            if not isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                return Signature.BAD
            key.verify(value, signed, parameters, algorithm)  # type: ignore[arg-type]  # a hash beside RSA padding
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(parameters, ec.ECDSA):
                return Signature.BAD
            key.verify(value, signed, parameters)
        elif isinstance(key, dsa.DSAPublicKey):
            if parameters is not None or not isinstance(algorithm, hashes.HashAlgorithm):
                return Signature.BAD
            key.verify(value, signed, algorithm)
        elif isinstance(key, _HASHLESS):
            if parameters is not None:
                return Signature.BAD
            key.verify(value, signed)
        else:
            return Signature.UNKNOWN
    except InvalidSignature:
        return Signature.BAD
    return Signature.WEAK if name in WEAK_HASHES else Signature.GOOD


def covers_name(cert: CertFacts, host: str) -> bool:
    """Whether its subjectAltName covers `host`; a wildcard stands for one whole label (RFC 9525 section 6)."""
    return _covers(cert.dns_names, cert.ip_names, host)


@lru_cache(maxsize=4096)
def _covers(dns_names: tuple[str, ...], ip_names: tuple[str, ...], host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _covers_dns(dns_names, host.rstrip("."))
    return str(address) in ip_names


def _covers_dns(dns_names: tuple[str, ...], host: str) -> bool:
    try:
        wanted = hazmat.DNS_ID(host)
    except (ValueError, TypeError):  # idna's errors are ValueErrors
        return False
    name = wanted.hostname.decode("ascii")
    # The only possible matches: thousands of others are not worth parsing.
    near = (
        name,
        f"*.{name.partition('.')[2]}",
    )
    return any(wanted.verify(p) for n in dns_names if n.lower() in near and (p := _pattern(n)))


def _pattern(name: str) -> hazmat.DNSPattern | None:
    """The name as a pattern; None where it is not a valid one ("*", "f*o.example.com", an address, not ASCII)."""
    if "*" in name and not name.startswith("*."):
        return None
    try:
        return hazmat.DNSPattern.from_bytes(name.encode("ascii"))
    except (CertificateError, UnicodeError):
        return None


def public_key(cert: CertFacts) -> object | None:
    """The certificate's public key as the library has it; None where it cannot be read."""
    spki = cert.spki
    return try_read(lambda: load_key(spki))[0] if spki else None


_NAMELESS = NameFacts()


@lru_cache(maxsize=64)
def _outline(der: bytes) -> _Outline:
    """The parts of `der`, whatever they contain. Raises ValueError or IndexError if it is no certificate."""
    outer = only_element(der, SEQUENCE)
    parts = list(outer.children())
    if len(parts) != 3:
        raise ValueError(f"a certificate has three parts, and this has {len(parts)}")
    signed, algorithm, signature = parts
    parts = list(expect_tag(signed, SEQUENCE).children())
    version = parts.pop(0) if parts and parts[0].tag == 0xA0 else None
    serial, inner, issuer, validity, subject, spki, *rest = parts
    for part in (algorithm, inner, issuer, validity, subject, spki):
        expect_tag(part, SEQUENCE)
    return _Outline(
        signed.raw,
        inner.raw,
        algorithm.raw,
        expect_tag(signature, BIT_STRING).value,
        version,
        expect_tag(serial, INTEGER),
        issuer.raw,
        validity,
        subject.raw,
        spki.raw,
        next((part for part in rest if part.tag == 0xA3), None),
        len(der) - outer.after,
    )


def check_signature_bits(signed: bytes) -> None:
    """Refuse a signed structure (to be signed, algorithm, signature) whose signature is not whole octets.

    The library accepts such a count of unused bits: the same signature in other bytes. Raises ValueError.
    """
    start = tlv(signed, 0)[1]
    for _ in range(2):
        start = tlv(signed, start)[2]
    tag, content, end = tlv(signed, start)
    if tag != 0x03 or content == end or signed[content] != 0:
        raise ValueError("the signature is not whole octets")

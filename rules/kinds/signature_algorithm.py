"""Signature algorithms read by hand, where the library reads none (RFC 5280 section 4.1.1.2, RFC 4055, RFC 5758, RFC 8410).

The library names the hash of an OCSP answer's signature and not its padding, and refuses RSASSA-PSS there altogether.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from rules.der import tlv

#: A hash (None where the scheme has its own) and the library's parameters.
Algorithm: TypeAlias = tuple[hashes.HashAlgorithm | None, padding.PKCS1v15 | padding.PSS | ec.ECDSA | None]

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
    "2.16.840.1.101.3.4.2.4": hashes.SHA224,
    "2.16.840.1.101.3.4.2.8": hashes.SHA3_256,
    "2.16.840.1.101.3.4.2.9": hashes.SHA3_384,
    "2.16.840.1.101.3.4.2.10": hashes.SHA3_512,
}
_RSA: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.113549.1.1.4": hashes.MD5,
    "1.2.840.113549.1.1.5": hashes.SHA1,
    "1.3.14.3.2.29": hashes.SHA1,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
    "1.2.840.113549.1.1.14": hashes.SHA224,
    "2.16.840.1.101.3.4.3.14": hashes.SHA3_256,
    "2.16.840.1.101.3.4.3.15": hashes.SHA3_384,
    "2.16.840.1.101.3.4.3.16": hashes.SHA3_512,
}
_ECDSA: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.10045.4.1": hashes.SHA1,
    "1.2.840.10045.4.3.1": hashes.SHA224,
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
    "2.16.840.1.101.3.4.3.10": hashes.SHA3_256,
    "2.16.840.1.101.3.4.3.11": hashes.SHA3_384,
    "2.16.840.1.101.3.4.3.12": hashes.SHA3_512,
}
_PSS, _MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_OWN_HASH = frozenset({"1.3.101.112", "1.3.101.113"})  # Ed25519, Ed448
MAX_SALT = 512  #: octets; no RSA key in use has room for more


@lru_cache(maxsize=64)
def read_algorithm(der: bytes) -> Algorithm:
    """The algorithm that an AlgorithmIdentifier (DER) names. ValueError, or IndexError, where it names none that is known."""
    oid, parameters = _identifier(der)
    if oid in _RSA:
        return _RSA[oid](), padding.PKCS1v15()
    if oid in _ECDSA:
        made = _ECDSA[oid]()
        return made, ec.ECDSA(made)
    if oid in _OWN_HASH:
        return None, None
    if oid == _PSS:
        return _pss(parameters)
    raise ValueError(f"the signature algorithm {oid} is not supported here")


def _identifier(der: bytes) -> tuple[str, bytes]:
    """The OID and what follows it."""
    tag, start, end = tlv(der, 0)
    if tag != 0x30 or der[start] != 0x06:
        raise ValueError("not an AlgorithmIdentifier")
    _, content, after = tlv(der, start)
    return oid_text(der[content:after]), der[after:end]


def oid_text(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content as dotted text (X.690 section 8.19)."""
    if not content or len(content) > 32 or content[-1] & 0x80:
        raise ValueError("not an object identifier")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return x509.ObjectIdentifier(".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))).dotted_string


def _pss(der: bytes) -> Algorithm:
    """RSASSA-PSS-params (RFC 4055 section 3.1): what is left out is SHA-1, MGF1 with SHA-1, 20 octets of salt."""
    signed: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303  # the default of the format
    masked: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303
    salt = 20
    at, end = tlv(der, 0)[1:]
    while at < end:
        tag, start, after = tlv(der, at)
        inner = der[start:after]
        if tag == 0xA0:
            signed = _hash(_identifier(inner)[0])
        elif tag == 0xA1:
            oid, rest = _identifier(inner)
            if oid != _MGF1:
                raise ValueError(f"the mask generation function {oid} is not supported here")
            masked = _hash(_identifier(rest)[0])
        elif tag == 0xA2:
            _, number, last = tlv(inner, 0)
            salt = int.from_bytes(inner[number:last])
        elif inner != b"\x02\x01\x01":  # trailerField: 1 is the only one
            raise ValueError("the trailer of RSASSA-PSS is not supported here")
        at = after
    if salt > MAX_SALT:
        raise ValueError("a salt longer than any key has room for")
    return signed, padding.PSS(padding.MGF1(masked), salt)


def _hash(oid: str) -> hashes.HashAlgorithm:
    if oid not in _HASHES:
        raise ValueError(f"the hash {oid} is not supported here")
    return _HASHES[oid]()

"""The hash and the scheme of an AlgorithmIdentifier (RFC 4055, RFC 5480, RFC 8410, RFC 9881)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from rules.pki.der import INTEGER, OID, SEQUENCE, dotted, element, expect_tag, integer, only_element

MAX_SALT = 1024  #: maximum of bytes of a salt: no hash has as many

_SHA1, _SHA256, _SHA384, _SHA512 = hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()  # noqa: S303  # read, not used to sign
_SHA224, _SHA512_224, _SHA512_256 = hashes.SHA224(), hashes.SHA512_224(), hashes.SHA512_256()
_SHA3 = (hashes.SHA3_224(), hashes.SHA3_256(), hashes.SHA3_384(), hashes.SHA3_512())
_NIST = "2.16.840.1.101.3.4"
_RSA = "1.2.840.113549.1.1"

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.2.5": hashes.MD5(),  # noqa: S303  # read, not used to sign
    "1.3.14.3.2.26": _SHA1,
    f"{_NIST}.2.1": _SHA256,
    f"{_NIST}.2.2": _SHA384,
    f"{_NIST}.2.3": _SHA512,
    f"{_NIST}.2.4": _SHA224,
    f"{_NIST}.2.5": _SHA512_224,
    f"{_NIST}.2.6": _SHA512_256,
    **{f"{_NIST}.2.{7 + n}": value for n, value in enumerate(_SHA3)},
}
_PKCS1: dict[str, hashes.HashAlgorithm] = {
    f"{_RSA}.4": _HASHES["1.2.840.113549.2.5"],
    f"{_RSA}.5": _SHA1,
    "1.3.14.3.2.29": _SHA1,
    f"{_RSA}.11": _SHA256,
    f"{_RSA}.12": _SHA384,
    f"{_RSA}.13": _SHA512,
    f"{_RSA}.14": _SHA224,
    f"{_RSA}.15": _SHA512_224,
    f"{_RSA}.16": _SHA512_256,
    **{f"{_NIST}.3.{13 + n}": value for n, value in enumerate(_SHA3)},
}
_ECDSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.10045.4.1": _SHA1,
    "1.2.840.10045.4.3.1": _SHA224,
    "1.2.840.10045.4.3.2": _SHA256,
    "1.2.840.10045.4.3.3": _SHA384,
    "1.2.840.10045.4.3.4": _SHA512,
    **{f"{_NIST}.3.{9 + n}": value for n, value in enumerate(_SHA3)},
}
_DSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.10040.4.3": _SHA1,
    "1.3.14.3.2.27": _SHA1,
    f"{_NIST}.3.1": _SHA224,
    f"{_NIST}.3.2": _SHA256,
    f"{_NIST}.3.3": _SHA384,
    f"{_NIST}.3.4": _SHA512,
}
_WITHOUT_HASH = frozenset({"1.3.101.112", "1.3.101.113", f"{_NIST}.3.17", f"{_NIST}.3.18", f"{_NIST}.3.19"})
_PSS = f"{_RSA}.10"
_MGF1 = f"{_RSA}.8"


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """In the form of the `cryptography` library: `hash` is None for schemes with their own, `parameters` gives the
    scheme of RSA and EC keys and is None for DSA, EdDSA and ML-DSA."""

    hash: hashes.HashAlgorithm | None
    parameters: padding.PKCS1v15 | padding.PSS | ec.ECDSA | None


@lru_cache(maxsize=128)
def signature_algorithm(identifier: bytes) -> SignatureAlgorithm:
    """The algorithm of an AlgorithmIdentifier (DER). ValueError, with its number, if it is unknown here.

    Parameters count for RSASSA-PSS only: other schemes have none, or a NULL that some writers leave out.
    """
    name, rest = _identifier(identifier)
    if name == _PSS:
        return _pss(rest)
    if name in _PKCS1:
        return SignatureAlgorithm(_PKCS1[name], padding.PKCS1v15())
    if name in _ECDSA:
        return SignatureAlgorithm(_ECDSA[name], ec.ECDSA(_ECDSA[name]))
    if name in _DSA:
        return SignatureAlgorithm(_DSA[name], None)
    if name in _WITHOUT_HASH:
        return SignatureAlgorithm(None, None)
    raise ValueError(f"the signature algorithm {name} is not known here")


def _identifier(identifier: bytes) -> tuple[str, bytes]:
    """An AlgorithmIdentifier's number, and its parameters unchanged."""
    outer = only_element(identifier, SEQUENCE)
    number = expect_tag(element(identifier, outer.content, outer.end), OID)
    return dotted(number.value), identifier[number.after : outer.end]


def _pss(parameters: bytes) -> SignatureAlgorithm:
    """RSASSA-PSS (RFC 4055 section 3.1): hash, mask and salt length, each with its default."""
    algorithm: hashes.HashAlgorithm = _SHA1
    mask: hashes.HashAlgorithm = _SHA1
    salt = 20
    if not parameters:
        raise ValueError("RSASSA-PSS without parameters")  # for keys only (section 3.1)
    for part in only_element(parameters, SEQUENCE).children():
        if part.tag == 0xA0:
            algorithm = _hash(part.value)
        elif part.tag == 0xA1:
            name, inner = _identifier(part.value)
            if name != _MGF1:
                raise ValueError(f"RSASSA-PSS with the mask generation {name}")
            mask = _hash(inner)
        elif part.tag == 0xA2:
            salt = integer(only_element(part.value, INTEGER).value)
        elif part.tag != 0xA3 or integer(only_element(part.value, INTEGER).value) != 1:
            raise ValueError("RSASSA-PSS with parameters that are not known here")
    if not 0 <= salt <= MAX_SALT:
        raise ValueError(f"RSASSA-PSS with a salt of {salt if salt < 0 else 'too many'} bytes")
    return SignatureAlgorithm(algorithm, padding.PSS(padding.MGF1(mask), salt))


def _hash(identifier: bytes) -> hashes.HashAlgorithm:
    name = _identifier(identifier)[0]
    if name not in _HASHES:
        raise ValueError(f"RSASSA-PSS with the hash {name}")
    return _HASHES[name]

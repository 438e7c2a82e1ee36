"""A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) as a key, and its kind and size for people."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from rules.pki.der import BIT_STRING, INTEGER, OID, SEQUENCE, dotted, element, expect_tag, only_element
from rules.pki.fields import try_read

_RSA = "1.2.840.113549.1.1.1"


@lru_cache(maxsize=512)
def load_key(spki: bytes) -> object:
    """The key, as the library has it. ValueError, with the kind of key, if it cannot be used here.

    An RSA key that the library refuses for its form is read as OpenSSL reads it: numbers without a sign.
    """
    key, _ = try_read(lambda: load_der_public_key(spki))
    if key is not None:
        return key
    algorithm, bits = only_element(spki, SEQUENCE).children()
    number = dotted(
        expect_tag(element(spki, expect_tag(algorithm, SEQUENCE).content, algorithm.end), OID).value
    )
    if number != _RSA:
        raise ValueError(f"a key of kind {number} cannot be used here")
    modulus, exponent = (
        int.from_bytes(expect_tag(part, INTEGER).value)
        for part in only_element(expect_tag(bits, BIT_STRING).value[1:], SEQUENCE).children()
    )
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def describe_key(spki: bytes) -> str:
    """Kind and size of a key, "RSA 2048"."""
    key = load_key(spki)
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")

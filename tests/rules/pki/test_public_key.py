from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rules.pki.public_key import describe_key, load_key
from tests.rules.certs import rsa_key


def spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


RSA = spki(rsa_key().public_key())


def test_kinds_and_sizes() -> None:
    assert describe_key(RSA) == "RSA 2048"
    assert describe_key(spki(ec.generate_private_key(ec.SECP384R1()).public_key())) == "EC secp384r1"


def test_an_rsa_key_in_another_form_is_the_same_key() -> None:
    """A modulus without its leading zero byte, as some devices write it; parameters that are missing."""
    numbers = rsa_key().public_key().public_numbers()
    null = bytes.fromhex("06092a864886f70d0101010500")
    without = b"\x30" + bytes([len(null) - 2]) + null[:-2]
    unsigned = numbers.n.to_bytes(256)
    pair = b"\x02\x82\x01\x00" + unsigned + b"\x02\x03\x01\x00\x01"
    bits = b"\x30\x82" + len(pair).to_bytes(2) + pair
    content = without + b"\x03\x82" + (len(bits) + 1).to_bytes(2) + b"\0" + bits
    odd = load_key(b"\x30\x82" + len(content).to_bytes(2) + content)
    assert isinstance(odd, rsa.RSAPublicKey)
    assert odd.public_numbers() == numbers


def test_a_kind_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match=r"1\.2\.840\.113549\.1\.1\.127"):
        load_key(RSA.replace(bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01017f")))


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_an_exponent_that_proves_nothing_makes_no_key(exponent: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_key(RSA[:-3] + exponent.to_bytes(3))


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", RSA[:-1], b"<html>"])
def test_what_is_no_key_is_refused(junk: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        load_key(junk)

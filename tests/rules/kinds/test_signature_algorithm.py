"""Signature algorithms read out of their DER."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import given
from hypothesis import strategies as st

from rules.cert_fields import attempt
from rules.kinds.signature_algorithm import oid_text, read_algorithm
from tests.lab.revocation_forms import PSS_SHA256, tlv


def identifier(oid: str, rest: str = "") -> bytes:
    return tlv(0x30, tlv(6, bytes.fromhex(oid)) + bytes.fromhex(rest))


@pytest.mark.parametrize(
    ("der", "hashed", "kind"),
    [
        (identifier("2a864886f70d01010b", "0500"), "sha256", padding.PKCS1v15),
        (identifier("2a864886f70d01010d", "0500"), "sha512", padding.PKCS1v15),
        (identifier("2a8648ce3d040302"), "sha256", ec.ECDSA),
        (identifier("2a8648ce3d040304"), "sha512", ec.ECDSA),
        (PSS_SHA256, "sha256", padding.PSS),
        (identifier("2a864886f70d01010a", "3000"), "sha1", padding.PSS),
    ],
)
def test_what_they_name(der: bytes, hashed: str, kind: type) -> None:
    found, parameters = read_algorithm(der)
    assert found is not None
    assert found.name == hashed
    assert isinstance(parameters, kind)


def test_a_scheme_with_a_hash_of_its_own() -> None:
    assert read_algorithm(identifier("2b6570")) == (None, None)


def test_the_salt_and_the_mask_of_rsassa_pss() -> None:
    _, parameters = read_algorithm(PSS_SHA256)
    assert isinstance(parameters, padding.PSS)
    assert parameters._salt_length == 32
    assert isinstance(parameters.mgf, padding.MGF1)
    assert isinstance(parameters.mgf._algorithm, hashes.SHA256)


@pytest.mark.parametrize(
    "der",
    [
        b"", b"\x30\x00", b"\x05\x00", identifier("2a0304"), identifier("2a864886f70d01010a"),
        identifier("2a864886f70d01010a", "3006a2040202ffff"), identifier("2a864886f70d01010a", "3005a303020102"),
        PSS_SHA256.replace(bytes.fromhex("2a864886f70d010108"), bytes.fromhex("2a864886f70d010107")),
    ],
)  # fmt: skip
def test_what_is_not_known_or_none_is_refused(der: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_algorithm(der)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_in_words(der: bytes) -> None:
    found, why = attempt(lambda: read_algorithm(der))
    assert found is not None or why


def test_identifiers_as_text() -> None:
    assert oid_text(bytes.fromhex("2a864886f70d01010b")) == "1.2.840.113549.1.1.11"
    assert oid_text(bytes.fromhex("551d1b")) == "2.5.29.27"

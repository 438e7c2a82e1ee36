from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from rules.pki.certificate import Signature, facts, signature
from rules.pki.fields import try_read
from rules.pki.signature_algorithm import SignatureAlgorithm, signature_algorithm
from tests.lab.revocation_forms import PSS_SHA256
from tests.rules.certs import WHEN, make, rsa_key

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "r")])
HASHES = [
    hashes.SHA224(),
    hashes.SHA256(),
    hashes.SHA384(),
    hashes.SHA512(),
    hashes.SHA3_256(),
    hashes.SHA3_512(),
]


def self_signed(key: object, algorithm: object, pad: object = None) -> bytes:
    made = (
        x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).serial_number(5)
        .not_valid_before(WHEN).not_valid_after(WHEN).public_key(key.public_key())  # type: ignore[attr-defined]
        .sign(key, algorithm, rsa_padding=pad)  # type: ignore[arg-type]
    )  # fmt: skip
    return made.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        (kind, algorithm)
        for kind in ("PKCS1", "PSS", "PSS, a short salt", "EC", "DSA")
        for algorithm in HASHES
        if kind != "DSA" or not algorithm.name.startswith("sha3")  # the library signs none
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_scheme_is_read_and_verifies(kind: str, algorithm: hashes.HashAlgorithm) -> None:
    key: object = rsa_key()
    pad: object = None
    if kind.startswith("PSS"):
        salt = padding.PSS.DIGEST_LENGTH if kind == "PSS" else 5
        pad = padding.PSS(padding.MGF1(algorithm), salt)
    elif kind == "EC":
        key = ec.generate_private_key(ec.SECP384R1())
    elif kind == "DSA":
        key = dsa.generate_private_key(1024)
    der = self_signed(key, algorithm, pad)
    assert signature(der, der) is Signature.GOOD
    assert signature(der, make("other", "other", key=rsa_key(), signer=rsa_key())) is (
        Signature.GOOD if kind.startswith("P") else Signature.BAD
    )
    assert facts(der).signature_hash == algorithm.name


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey, mldsa.MLDSA65PrivateKey])
def test_schemes_with_a_hash_of_their_own(kind: type) -> None:
    key, other = kind.generate(), kind.generate()  # type: ignore[attr-defined]
    der = self_signed(key, None)
    assert signature(der, der) is Signature.GOOD
    assert signature(der, self_signed(other, None)) is Signature.BAD
    assert signature(der, make("r", "r")) is Signature.BAD
    assert facts(der).signature_hash == ""


def identifier(text: str, parameters: str = "") -> bytes:
    content = bytes.fromhex(f"06{len(text) // 2:02x}{text}{parameters}")
    return bytes([0x30, len(content)]) + content


@pytest.mark.parametrize(
    ("made", "name", "kind"),
    [
        (identifier("2a864886f70d01010b", "0500"), "sha256", padding.PKCS1v15),
        (identifier("2a864886f70d01010d", "0500"), "sha512", padding.PKCS1v15),
        (identifier("2a8648ce3d040302"), "sha256", ec.ECDSA),
        (identifier("2a8648ce3d040304"), "sha512", ec.ECDSA),
        (PSS_SHA256, "sha256", padding.PSS),
    ],
)
def test_what_they_name(made: bytes, name: str, kind: type) -> None:
    found = signature_algorithm(made)
    assert found.hash is not None
    assert found.hash.name == name
    assert isinstance(found.parameters, kind)


def test_a_scheme_with_a_hash_of_its_own_has_neither() -> None:
    assert signature_algorithm(identifier("2b6570")) == SignatureAlgorithm(None, None)


def test_the_salt_and_the_mask_of_rsassa_pss() -> None:
    parameters = signature_algorithm(PSS_SHA256).parameters
    assert isinstance(parameters, padding.PSS)
    assert parameters._salt_length == 32
    assert isinstance(parameters.mgf, padding.MGF1)
    assert isinstance(parameters.mgf._algorithm, hashes.SHA256)


@pytest.mark.parametrize(
    "made",
    [
        b"", b"\x30\x00", b"\x05\x00", identifier("2a0304"), identifier("2a864886f70d01010a"),
        identifier("2a864886f70d01010a", "3006a2040202ffff"), identifier("2a864886f70d01010a", "3005a303020102"),
        PSS_SHA256.replace(bytes.fromhex("2a864886f70d010108"), bytes.fromhex("2a864886f70d010107")),
    ],
)  # fmt: skip
def test_what_is_not_known_or_none_is_refused(made: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        signature_algorithm(made)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_in_words(made: bytes) -> None:
    found, why = try_read(lambda: signature_algorithm(made))
    assert found is not None or why


@pytest.mark.parametrize("parameters", ["", "0500", "3000"])
def test_a_null_or_none_says_nothing(parameters: str) -> None:
    ecdsa = signature_algorithm(identifier("2a8648ce3d040302", parameters))
    assert isinstance(ecdsa.parameters, ec.ECDSA)
    assert isinstance(
        signature_algorithm(identifier("2a864886f70d01010b", parameters)).parameters, padding.PKCS1v15
    )


def test_pss_has_defaults() -> None:
    found = signature_algorithm(identifier("2a864886f70d01010a", "3000"))
    assert isinstance(found.hash, hashes.SHA1)
    assert isinstance(found.parameters, padding.PSS)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (identifier("2a850302020 3".replace(" ", "")), "1.2.643.2.2.3"),
        (identifier("2a864886f70d010102"), "1.2.840.113549.1.1.2"),
        (identifier("2a864886f70d01010a"), "without parameters"),
        (
            identifier("2a864886f70d01010a", "3009a1073005060355 1d11".replace(" ", "")),
            "mask generation 2.5.29.17",
        ),
        (identifier("2a864886f70d01010a", "3009a0073005060355 1d11".replace(" ", "")), "hash 2.5.29.17"),
        (identifier("2a864886f70d01010a", "3006a20402027fff"), "salt"),
        (identifier("2a864886f70d01010a", "3005a2030201ff"), "salt of -1"),
        (identifier("2a864886f70d01010a", "3005a303020102"), "parameters"),
        (b"\x30\x00", "cut off"),
    ],
)
def test_what_is_not_known_is_refused_with_its_number(made: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        signature_algorithm(made)

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.pki.certificate import (
    CertFacts,
    Signature,
    covers_name,
    facts,
    fold_text,
    public_key,
    same_name,
    signature,
    signed_by,
    verify,
)
from rules.pki.fields import MAX_TEXT
from tests.lab.pki import AUTHORITIES, G2, OCSP02, TLSG2, X1, derived_key, spki_sha256
from tests.rules.certs import (
    DAY,
    HOST,
    NOW,
    PKI,
    WHEN,
    ca,
    chain,
    leaf_of,
    make,
    replace_once,
    rsa_key,
    with_weak_hash,
)

LEAF = chain(OCSP02)[0]
PKI_CRL = (
    x509.CertificateRevocationListBuilder(x509.Name([]), WHEN, WHEN, [])
    .sign(derived_key(OCSP02), hashes.SHA256())
    .public_bytes(Encoding.DER)
)


def test_the_facts_of_a_leaf() -> None:
    cert = x509.load_der_x509_certificate(LEAF)
    found = facts(LEAF)
    assert found.sha256 == hashlib.sha256(LEAF).hexdigest()
    assert found.sha1 == hashlib.sha1(LEAF).hexdigest()
    assert found.spki_sha256 == spki_sha256(cert)
    assert (found.subject, found.issuer) == (cert.subject.public_bytes(), cert.issuer.public_bytes())
    assert (found.subject_cn, found.issuer_cn, found.issuer_o) == (HOST, OCSP02, "Microsoft Corporation")
    assert found.serial == format(cert.serial_number, "x")
    assert (found.not_before, found.not_after) == (NOW - 30 * 86400, NOW + 150 * 86400)
    assert (found.dns_names, found.ip_names, found.is_ca, found.server_auth) == ((HOST,), (), False, True)
    assert found.aki == facts(ca(OCSP02)).ski
    assert (found.crl_urls, found.aia_urls, found.ocsp_urls) == (
        AUTHORITIES[OCSP02].sources.crls, AUTHORITIES[OCSP02].sources.issuers, AUTHORITIES[OCSP02].sources.ocsp,
    )  # fmt: skip
    assert (found.signature_hash, found.key, found.self_issued, found.unreadable) == (
        "sha256",
        "EC secp256r1",
        False,
        (),
    )


def test_the_facts_of_a_root() -> None:
    found = facts(ca(G2))
    assert (found.is_ca, found.may_sign_certificates, found.may_sign_crls, found.self_issued) == (True,) * 4
    assert found.issuer_like


def test_facts_are_kept_by_content() -> None:
    assert facts(bytes(bytearray(LEAF))) is facts(LEAF)


def junk() -> dict[str, bytes]:
    return {
        "nothing": b"",
        "truncated": LEAF[:-5],
        "another kind of element": b"\x31" + LEAF[1:],
        "indefinite length without an end": b"\x30\x80" + LEAF[4:],
        "html": b"<html>blocked</html>",
        "length past the end": b"\x30\x84\xff\xff\xff\xff",
        "a CRL": PKI_CRL,
        "no key": b"\x30\x06\x30\x00\x30\x00\x03\x00",
    }


@pytest.mark.parametrize("which", sorted(junk()))
def test_what_does_not_load_has_its_fingerprint_and_a_reason(which: str) -> None:
    der = junk()[which]
    found = facts(der)
    assert found.sha256 == hashlib.sha256(der).hexdigest()
    assert not found.loads
    assert [field for field, _ in found.unreadable] == ["certificate"]
    assert found == CertFacts(found.sha256, unreadable=found.unreadable)
    assert not signed_by(der, ca(OCSP02))
    assert not signed_by(LEAF, der)


def odd() -> dict[str, tuple[bytes, str, Signature]]:
    """LEAF with one thing wrong: (DER, the field that is named, what its signature proves)."""
    key, issued = bytes.fromhex("06072a8648ce3d0201"), b"261002120000Z"
    at = LEAF.rindex(bytes.fromhex("06082a8648ce3d040302"))
    value = x509.load_der_x509_certificate(LEAF).signature
    good, bad, unknown = Signature.GOOD, Signature.BAD, Signature.UNKNOWN
    return {
        "bytes that follow": (LEAF + b"\0", "certificate", good),
        "an indefinite length": (b"\x30\x80" + LEAF[4:] + b"\0\0", "", good),
        "version 7": (_with("a003020102", "a003020106"), "version", bad),
        "month 13": (replace_once(LEAF, issued, b"261302120000Z"), "not_before", bad),
        "a time without a zone": (replace_once(LEAF, issued, b"2610021200000"), "not_before", bad),
        "an unknown algorithm": (LEAF[: at + 9] + b"\x7f" + LEAF[at + 10 :], "signature_algorithm", unknown),
        "a kind of key that is none": (replace_once(LEAF, key, b"\x06\x07" + b"\xff" * 7), "public_key", bad),
        "no such point": (_with("03420004", "03420009"), "public_key", bad),
        "no such curve": (_with("06082a8648ce3d030107", "06082a8648ce3d03017f"), "public_key", bad),
        "twice the same extension": (_with("0603551d11", "0603551d13"), "extensions", bad),
        "a character that its string may not hold": (replace_once(LEAF, b"\x0c\x1ften", b"\x13\x1f*_!"), "", bad),
        "text that is none": (replace_once(LEAF, b"\x0c\x1ften", b"\x0c\x1f\xff\xfe!"), "", bad),
        "a signature of half an octet": (replace_once(LEAF, b"\0" + value, b"\4" + value), "", unknown),
    }  # fmt: skip


def _with(old: str, new: str) -> bytes:
    return replace_once(LEAF, bytes.fromhex(old), bytes.fromhex(new))


@pytest.mark.parametrize("which", sorted(odd()))
def test_a_field_that_cannot_be_read_is_named_and_leaves_the_others(which: str) -> None:
    der, field, proof = odd()[which]
    found, before = facts(der), facts(LEAF)
    assert field in [name for name, _ in found.unreadable] or not (field or found.unreadable)
    assert found.issuer_cn == OCSP02
    assert found.subject_cn.endswith("ant.bootstrap.msappproxy.net")
    assert (found.not_after, found.serial) == (before.not_after, before.serial)
    assert found.dns_names == (() if which.startswith("twice") else (HOST,))
    assert (found.spki_sha256 == before.spki_sha256) is (field != "public_key")
    assert signature(der, ca(OCSP02)) is proof
    assert signature(der, ca(X1)) is (Signature.UNKNOWN if field == "signature_algorithm" else Signature.BAD)


def test_a_serial_of_any_sign_is_read() -> None:
    serial = x509.load_der_x509_certificate(LEAF).serial_number
    length = serial.bit_length() // 8 + 1
    old = bytes([2, length]) + serial.to_bytes(length)
    assert facts(replace_once(LEAF, old, bytes([2, length]) + bytes(length))).serial == "0"
    assert (
        facts(replace_once(LEAF, old, bytes([2, length]) + b"\xff" * (length - 1) + b"\xfe")).serial == "-2"
    )


def test_limits_that_cannot_be_read_make_no_ca() -> None:
    constraints = bytes.fromhex("0603551d130101ff0405")
    found = facts(replace_once(ca(G2), constraints + b"\x30", constraints + b"\x31"))
    assert (found.is_ca, found.issuer_like) == (None, False)


def test_texts_are_kept_as_found_and_cut() -> None:
    hostile = "<script>=HYPERLINK()\x1b[2J\u202egnp.exe"
    assert facts(make(hostile, hostile)).subject_cn == hostile
    with pytest.warns(UserWarning, match="length"):
        long = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 1_000_000, _validate=False)])
    found = facts(make(long, "a"))
    assert (len(found.subject_cn), len(found.subject_text)) == (MAX_TEXT, MAX_TEXT)


def test_dates_at_the_ends_of_the_calendar() -> None:
    late = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    found = facts(make("a", "a", starts=WHEN, ends=late))
    assert found.not_after == late.timestamp()
    year_0 = replace_once(make("a", "a", starts=WHEN, ends=late), b"99991231235959Z", b"00001231235959Z")
    assert facts(year_0).not_after is None


@pytest.mark.parametrize(
    "key", [rsa_key(), ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()]
)
def test_kinds_of_keys(key: object) -> None:
    edwards = not hasattr(key, "key_size")
    root = make("r", "r", key=key, signer=key, is_ca=True, algorithm=None if edwards else hashes.SHA384())
    assert signature(root, root) is Signature.GOOD
    assert signature(leaf_of("r", signer="other"), root) is Signature.BAD
    assert signature(root, leaf_of("r")) is Signature.BAD
    assert facts(root).signature_hash == ("" if edwards else "sha384")
    assert facts(root).key.split()[0] in ("RSA", "Ed25519", "Ed448")


@pytest.mark.parametrize("weak", [hashes.SHA1(), hashes.MD5()])
def test_weak_hashes_verify_and_prove_nothing(weak: hashes.SHA1 | hashes.MD5) -> None:
    root = make("r", "r", key=rsa_key(), signer=rsa_key(), is_ca=True)
    leaf = with_weak_hash(make("a", "r", signer=rsa_key()), rsa_key(), weak)
    assert signature(leaf, root) is Signature.WEAK
    assert not signed_by(leaf, root)
    assert facts(leaf).signature_hash == weak.name


def test_signatures_by_rsa_pss_are_verified() -> None:
    key, data = rsa_key(), b"data"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    value = key.sign(data, pss, hashes.SHA256())
    assert verify(key.public_key(), value, data, hashes.SHA256(), pss) is Signature.GOOD
    assert verify(key.public_key(), value, data, hashes.SHA256(), padding.PKCS1v15()) is Signature.BAD
    assert verify(key.public_key(), value, data, hashes.SHA256(), ec.ECDSA(hashes.SHA256())) is Signature.BAD
    assert verify(object(), value, data, hashes.SHA256(), pss) is Signature.UNKNOWN


def test_inner_and_outer_algorithm_that_differ() -> None:
    at = LEAF.rindex(bytes.fromhex("06082a8648ce3d040302"))
    mixed = LEAF[:at] + bytes.fromhex("06082a8648ce3d040303") + LEAF[at + 10 :]
    assert signature(mixed, ca(OCSP02)) is Signature.UNKNOWN
    assert "signature_algorithm" in dict(facts(mixed).unreadable)


def test_names_play_no_part_in_a_signature() -> None:
    renamed = make("another name", "x", key=OCSP02, is_ca=True)
    assert signed_by(LEAF, renamed)
    assert not same_name(facts(LEAF), facts(renamed))
    assert same_name(facts(LEAF), facts(ca(OCSP02)))
    assert signed_by(ca(TLSG2, G2), ca(G2))
    assert not signed_by(LEAF, ca(X1))


def test_names_of_what_cannot_be_read_match_nothing() -> None:
    assert not same_name(facts(b""), facts(b""))
    assert fold_text("  A  b\tC ") == "a b c"


def test_public_keys() -> None:
    key = public_key(facts(LEAF))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert public_key(facts(b"")) is None
    assert facts(make("r", "r", key=rsa_key(), signer=rsa_key())).key == "RSA 2048"
    assert key.public_numbers() != derived_key(OCSP02).public_key().public_numbers()


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (["a.example.com"], "a.example.com", True),
        (["A.EXAMPLE.com"], "a.example.COM.", True),
        (["*.example.com"], "a.example.com", True),
        (["*.example.com"], "a.b.example.com", False),
        (["*.example.com"], "example.com", False),
        (["*"], "com", False),
        (["*.com"], "example.com", False),
        (["f*.example.com"], "foo.example.com", False),
        (["a.*.com"], "a.example.com", False),
        (["*.example.com"], "xn--bcher-kva.example.com", False),
        (["xn--bcher-kva.example.com"], "xn--bcher-kva.example.com", True),
        (["evil.example", "\x00a.example.com"], "a.example.com", False),
        ([" "], "a.example.com", False),
        ([], "a.example.com", False),
        (["192.0.2.1"], "192.0.2.1", False),
        (["a.example.com"], "", False),
        (["a.example.com"], "a example.com", False),
    ],
)
def test_rfc_9525_names(names: list[str], host: str, covered: bool) -> None:
    found = facts(make("a.example.com", "x", names=[x509.DNSName(n) for n in names]))
    assert covers_name(found, host) is covered


def test_addresses_are_names_too() -> None:
    entries = [x509.IPAddress(ipaddress.ip_address(a)) for a in ("192.0.2.1", "2001:db8::1")]
    found = facts(make("a", "x", names=entries))
    assert covers_name(found, "192.0.2.1")
    assert covers_name(found, "2001:DB8:0::1")
    assert not covers_name(found, "192.0.2.2")


def test_ten_thousand_names_are_searched() -> None:
    entries = [x509.DNSName(f"n{n}.example.com") for n in range(3000)]
    assert covers_name(facts(make("a", "x", names=entries)), "n2999.example.com")


def test_a_key_whose_exponent_is_as_long_as_its_modulus_is_not_computed() -> None:
    """200 signatures of such keys would cost two seconds; 10 ms each at 3,072 bits."""
    modulus, exponent = (1 << 3071) | (1 << 1000) | 1, (1 << 3000) | 1
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    bits = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    small = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (
        verify(load_der_public_key(small), b"x" * 256, b"", hashes.SHA256(), padding.PKCS1v15())
        is Signature.BAD
    )
    assert (
        verify(load_der_public_key(bits), b"x" * 384, b"", hashes.SHA256(), padding.PKCS1v15())
        is Signature.UNKNOWN
    )


@settings(max_examples=300)
@given(st.integers(0, len(LEAF) - 1), st.integers(1, 255), st.booleans())
def test_changed_bytes_never_raise_and_never_stay_signed(at: int, by: int, cut: bool) -> None:
    changed = bytearray(LEAF)
    changed[at] ^= by
    der = bytes(changed[:at] if cut else changed)
    assert facts(der).sha256 == hashlib.sha256(der).hexdigest()
    assert not signed_by(der, ca(OCSP02))
    assert not covers_name(facts(der), "never.example.org")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_at_all(one: bytes, other: bytes) -> None:
    assert signature(one, other) is Signature.UNKNOWN
    assert not facts(one).loads


def test_the_leafs_validity_is_what_the_lab_wrote() -> None:
    assert PKI.now == WHEN
    assert (facts(LEAF).not_after or 0) > (WHEN + 149 * DAY).timestamp()


def test_certificates_as_large_as_tls_lets_them_be_cost_little() -> None:
    """5,000 names, 5,000 extensions, 3,000 revocation addresses, 4,000 parts of a name: each near 100 KiB."""
    oid = x509.ObjectIdentifier
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(f"http://a{n}.example/")], None, None, None)
        for n in range(3_000)
    ]
    parts = x509.Name(
        [x509.RelativeDistinguishedName([x509.NameAttribute(oid(f"1.2.3.{n}"), "x") for n in range(4_000)])]
    )
    served = [
        make("names", "ca", names=[x509.DNSName(f"h{n}.example.com") for n in range(5_000)]),
        make(
            "ext", "ca", extensions=[x509.UnrecognizedExtension(oid(f"1.2.3.{n}"), b"") for n in range(5_000)]
        ),
        make("cdp", "ca", extensions=[x509.CRLDistributionPoints(points)]),
        make(parts, "ca"),
    ]
    begin = time.process_time()
    found = [facts(der) for der in served]
    assert covers_name(found[0], "h4999.example.com")
    assert not covers_name(found[0], "h5000.example.com")
    assert time.process_time() - begin < 1
    assert (len(found[0].dns_names), len(found[2].crl_urls), len(found[3].subject_text)) == (
        5_000,
        16,
        MAX_TEXT,
    )
    assert all(one.unreadable == () for one in found)

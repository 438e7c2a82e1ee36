"""Names, scopes and entries of lists, read from what a peer wrote."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from rules.model.kinds.http_fetch import CrlScope
from rules.pki.crl_scope import (
    canonical_uri,
    names_crl_issuer,
    odd_entries,
    out_of_scope,
    points_of,
    read_scope,
    same_name,
)
from tests.lab.pki import AUTHORITIES, OCSP02
from tests.lab.revocation import Flaws, crl
from tests.rules.certs import PKI, chain, make

URL = AUTHORITIES[OCSP02].sources.crls[0]


def name(*values: tuple[str, _ASN1Type]) -> bytes:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, text, _type=kind) for text, kind in values]
    return x509.Name(attributes).public_bytes()


UTF8, PRINTABLE, BMP = _ASN1Type.UTF8String, _ASN1Type.PrintableString, _ASN1Type.BMPString


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (name(("Issuing CA", PRINTABLE)), True),
        (name(("issuing  ca", UTF8)), True),
        (name((" Issuing CA ", UTF8)), True),
        (name(("Issuing CA", BMP)), True),
        (name(("\uff29ssuing CA", UTF8)), True),  # a full-width letter (RFC 4518 section 2.3)
        (name(("IssuingCA", UTF8)), False),
        (name(("Issuing CA 2", UTF8)), False),
        (name(("Issuing CA", UTF8), ("Issuing CA", UTF8)), False),
        (x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Issuing CA")]).public_bytes(), False),
        (b"junk", False),
        (None, False),
    ],
)
def test_names_are_compared_by_their_text(other: bytes | None, same: bool) -> None:
    """RFC 5280 section 7.1; Windows was seen to compare bytes."""
    assert same_name(name(("Issuing CA", UTF8)), other) is same
    assert same_name(other, name(("Issuing CA", UTF8))) is same


def test_a_name_that_nobody_can_read_is_the_same_byte_by_byte_only() -> None:
    assert same_name(b"junk", b"junk")
    assert not same_name(b"junk", b"junK")
    assert not same_name(b"", b"")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_have_a_comparison(one: bytes, other: bytes) -> None:
    assert same_name(one, other) == same_name(other, one)


def test_an_address_is_compared_without_its_case_and_its_escapes() -> None:
    assert canonical_uri("HTTP://CRL.Example/a%20b.crl") == canonical_uri("http://crl.example/a b.crl")
    assert canonical_uri("http://crl.example/A.crl") != canonical_uri("http://crl.example/a.crl")
    assert canonical_uri("http://crl.example/a.crl") != canonical_uri("http://crl.example:8080/a.crl")
    assert (
        canonical_uri("http://crl.example.:80/a.crl")
        == canonical_uri("http://crl.example/a.crl")
        == canonical_uri("http://crl.example:/a.crl")
    )
    assert canonical_uri("http://crl.example") == canonical_uri("http://crl.example/")
    assert (
        canonical_uri("https://crl.example:443/a.crl")
        == canonical_uri("https://crl.example/a.crl")
        != canonical_uri("https://crl.example:80/a.crl")
    )
    assert (
        canonical_uri("http://[2001:db8::80]/a")
        != canonical_uri("http://[2001:db8::]/a")
        == canonical_uri("http://[2001:db8::]:80/a")
    )
    assert all(canonical_uri(odd).startswith("uri:") for odd in ("http://[::1", "ldap:///CN=x", "x" * 9000))


def test_the_points_of_a_certificate() -> None:
    assert points_of(chain(OCSP02)[0]) == {canonical_uri(url) for url in AUTHORITIES[OCSP02].sources.crls}
    assert points_of(b"junk") == frozenset()
    urls = [f"http://a{n}.example/x.crl" for n in range(41)]
    several = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls
    ]
    assert points_of(make("a", "b", extensions=[x509.CRLDistributionPoints(several)])) == set(
        map(canonical_uri, urls)
    )
    directory = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CRL1")]))
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "CRL1")])
    points = [
        x509.DistributionPoint([directory], None, None, None),
        x509.DistributionPoint(None, relative, None, None),
    ]
    found = points_of(make("a", "b", extensions=[x509.CRLDistributionPoints(points)]))
    assert sorted(p.partition(":")[0] for p in found) == ["dir", "other"]
    assert not names_crl_issuer(chain(OCSP02)[0], b"junk")


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (CrlScope(), ""),
        (CrlScope(unread="why"), "unreadable"),
        (CrlScope(delta=True, only="ca"), "delta"),
        (CrlScope(unknown=("1.2.3",)), "critical"),
        (CrlScope(only="user"), ""),
        (CrlScope(only="ca"), "only-ca"),
        (CrlScope(only="attribute"), "only-attribute"),
        (CrlScope(named=True, points=("uri:a", "uri:mine")), ""),
        (CrlScope(named=True, points=("uri:a",)), "partition"),
        (CrlScope(named=True), "partition"),
        (CrlScope(some_reasons=True), "some-reasons"),
        (CrlScope(indirect=True), ""),
    ],
)
def test_why_a_list_does_not_speak_of_a_server_s_certificate(scope: CrlScope, why: str) -> None:
    assert out_of_scope(scope, False, frozenset({"uri:mine"})) == why


def test_what_is_not_known_of_the_certificate_is_not_held_against_the_list() -> None:
    assert out_of_scope(CrlScope(only="ca"), None, frozenset()) == ""
    assert out_of_scope(CrlScope(named=True, points=("uri:a",)), False, frozenset()) == "partition-unknown"


def test_a_list_of_thousands_of_plain_entries_is_not_read_entry_by_entry() -> None:
    body = crl(PKI, AUTHORITIES[OCSP02], URL, Flaws(), 2_000)
    assert not odd_entries(body), "the critical extension of the list itself is none of an entry"
    assert read_scope(x509.load_der_x509_crl(body)).points == (canonical_uri(URL),)

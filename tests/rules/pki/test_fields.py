from __future__ import annotations

from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

from rules.pki.certificate import facts
from rules.pki.der import only_element
from rules.pki.fields import MAX_NOTES, MAX_TEXT, MAX_URLS, FieldReader, extension_facts, try_read
from tests.rules.certs import make


class PanicException(BaseException):
    """Named like what the parser raises on a bug of its own."""


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("a  bad\nvalue"), "ValueError: a bad value"),
        (
            x509.InvalidVersion("7 is not a valid X509 version", 7),
            "InvalidVersion: 7 is not a valid X509 version",
        ),
        (TypeError(), "TypeError"),
        (PanicException("unwrap"), "PanicException: unwrap"),
    ],
)
def test_whatever_a_parser_raises_becomes_a_reason(error: BaseException, why: str) -> None:
    assert try_read(lambda: fail(error)) == (None, why)


def test_a_reason_is_short() -> None:
    assert len(try_read(lambda: fail(ValueError("x" * 10_000)))[1]) == 200


def test_an_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        try_read(lambda: fail(KeyboardInterrupt()))


def test_a_value_has_no_reason() -> None:
    assert try_read(lambda: 7) == (7, "")


def test_the_reader_keeps_what_it_could_not_read() -> None:
    reader = FieldReader()
    assert reader.read("good", lambda: 1) == 1
    assert reader.read("bad", lambda: fail(ValueError("why"))) is None
    assert reader.unreadable == [("bad", "ValueError: why")]


def extensions_of(*extensions: x509.ExtensionType) -> dict[str, object]:
    made = [raw(e.oid, e.public_bytes()) for e in extensions]
    found, unreadable = read(*made)
    assert unreadable == []
    return found


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content).to_bytes(4)
    return bytes([tag, 0x84]) + size + content


def raw(oid: x509.ObjectIdentifier, value: bytes, critical: bytes = b"") -> bytes:
    """An extension as it stands in a certificate."""
    return tlv(0x30, der_oid(oid), critical, tlv(0x04, value))


def der_oid(oid: x509.ObjectIdentifier) -> bytes:
    return x509.ExtendedKeyUsage([oid]).public_bytes()[2:]


def read(*extensions: bytes) -> tuple[dict[str, object], list[tuple[str, str]]]:
    reader = FieldReader()
    return extension_facts(only_element(tlv(0x30, *extensions), 0x30), reader), reader.unreadable


def by_library(cert: x509.Certificate) -> dict[str, object]:
    """What the library reads of the fields that `CertFacts` has as well. Raises what it raises."""
    found: dict[str, object] = {
        "serial": format(cert.serial_number, "x"),
        "not_before": cert.not_valid_before_utc.timestamp(),
        "not_after": cert.not_valid_after_utc.timestamp(),
        "is_ca": False,
    }
    if cert.signature_hash_algorithm is not None:
        found["signature_hash"] = cert.signature_hash_algorithm.name
    for extension in cert.extensions:
        match extension.value:
            case x509.BasicConstraints() as basic:
                found |= {"is_ca": basic.ca, "path_length": basic.path_length}
            case x509.KeyUsage() as usage:
                found |= {"may_sign_certificates": usage.key_cert_sign, "may_sign_crls": usage.crl_sign}
            case x509.ExtendedKeyUsage() as purposes:
                server = {Eku.SERVER_AUTH, Eku.ANY_EXTENDED_KEY_USAGE} & set(purposes)
                found |= {"server_auth": bool(server), "ocsp_signing": Eku.OCSP_SIGNING in purposes}
            case x509.SubjectAlternativeName() as names:
                found["dns_names"] = tuple(names.get_values_for_type(x509.DNSName))
                found["ip_names"] = tuple(map(str, names.get_values_for_type(x509.IPAddress)))
            case x509.SubjectKeyIdentifier() as key:
                found["ski"] = key.digest.hex()
            case x509.AuthorityKeyIdentifier() as key:
                found["aki"] = key.key_identifier.hex() if key.key_identifier else None
            case x509.AuthorityInformationAccess() as accesses:
                for method, field in ((Aia.OCSP, "ocsp_urls"), (Aia.CA_ISSUERS, "aia_urls")):
                    places = [a.access_location for a in accesses if a.access_method == method]
                    found[field] = urls(places)
            case x509.CRLDistributionPoints() as points:
                found["crl_urls"] = urls([n for p in points for n in p.full_name or ()])
    return found


def urls(names: list[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(n.value for n in names if isinstance(n, x509.UniformResourceIdentifier))[:MAX_URLS]


def test_a_made_certificate_is_read_as_the_library_reads_it() -> None:
    der = make("a", "b", names=[x509.DNSName("a.example"), x509.IPAddress(ip_address("2001:db8::1"))])
    expected = by_library(x509.load_der_x509_certificate(der))
    assert {field: getattr(facts(der), field) for field in expected} == expected


SAN, BASIC, USAGE = (x509.ObjectIdentifier(f"2.5.29.{n}") for n in (17, 19, 15))


def test_one_that_cannot_be_read_leaves_the_others() -> None:
    san = tlv(0x30, tlv(0x82, b"a.example"))
    found, unreadable = read(raw(x509.ObjectIdentifier("2.5.29.14"), b"\x04\x05x"), raw(SAN, san))
    assert found["dns_names"] == ("a.example",)
    assert [field for field, _ in unreadable] == ["2.5.29.14"]
    broken, unreadable = read(raw(SAN, san), b"\x30\x7f")
    assert broken["dns_names"] == ("a.example",)
    assert [field for field, _ in unreadable] == ["extensions"]


def test_names_are_read_up_to_the_broken_one_and_entries_of_other_kinds_are_passed_over() -> None:
    entries = [
        tlv(0xA0, b"\xff\xff"),
        tlv(0xA3, b""),
        tlv(0xA5),
        tlv(0x82, b"a.example"),
        tlv(0x87, b"12345"),
    ]
    entries.append(tlv(0x82, "ü.example".encode()))
    found, unreadable = read(raw(SAN, tlv(0x30, *entries)))
    assert (found["dns_names"], found["ip_names"]) == (("a.example", "ü.example"), ())
    assert [field for field, _ in unreadable] == ["subjectAltName"]
    found, unreadable = read(raw(SAN, tlv(0x30, tlv(0x82, b"a.example"), b"\x82\x7f")))
    assert found["dns_names"] == ("a.example",)
    assert [field for field, _ in unreadable] == ["2.5.29.17"]
    assert read(raw(SAN, tlv(0x30)))[0]["dns_names"] == ()


def test_the_first_of_two_counts() -> None:
    first, second = (raw(SAN, tlv(0x30, tlv(0x82, name))) for name in (b"a.example", b"b.example"))
    found, unreadable = read(first, second)
    assert found["dns_names"] == ("a.example",)
    assert unreadable == [("extensions", "2.5.29.17 stands there twice: the first one counts")]


@pytest.mark.parametrize("oid", [BASIC, USAGE, x509.ObjectIdentifier("2.5.29.37")])
def test_limits_that_cannot_be_read_make_no_ca(oid: x509.ObjectIdentifier) -> None:
    ca = raw(BASIC, bytes.fromhex("30030101ff"), critical=bytes.fromhex("0101ff"))
    assert read(ca)[0]["is_ca"] is True
    assert read(raw(oid, b"\x02\x01"), *(() if oid == BASIC else (ca,)))[0]["is_ca"] is None


def test_notes_are_few_however_many_fields_are_broken() -> None:
    _, unreadable = read(*[tlv(0x30, b"\x05\x00")] * 1000)
    assert len(unreadable) == MAX_NOTES


def test_no_basic_constraints_is_no_ca() -> None:
    assert extensions_of() == {"is_ca": False}


def test_purposes() -> None:
    assert extensions_of(x509.ExtendedKeyUsage([Eku.EMAIL_PROTECTION]))["server_auth"] is False
    assert extensions_of(x509.ExtendedKeyUsage([Eku.ANY_EXTENDED_KEY_USAGE]))["server_auth"] is True
    assert extensions_of(x509.ExtendedKeyUsage([Eku.OCSP_SIGNING]))["ocsp_signing"] is True


def test_addresses_are_capped_in_number_and_length() -> None:
    url = "http://c.example/" + "x" * 5000
    access = [x509.AccessDescription(Aia.CA_ISSUERS, x509.UniformResourceIdentifier(url))] * 50
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(f"{n}{url}")], None, None, None)
        for n in range(50)
    ]
    found = extensions_of(x509.AuthorityInformationAccess(access), x509.CRLDistributionPoints(points))
    assert found["aia_urls"] == (url[:MAX_TEXT],) * MAX_URLS
    crls = found["crl_urls"]
    assert isinstance(crls, tuple)
    assert len(crls) == MAX_URLS


def test_names_that_are_no_address_are_left_out() -> None:
    directory = x509.DirectoryName(x509.Name([]))
    access = x509.AuthorityInformationAccess([x509.AccessDescription(Aia.OCSP, directory)])
    point = x509.DistributionPoint([directory], None, None, None)
    found = extensions_of(access, x509.CRLDistributionPoints([point]))
    assert (found["ocsp_urls"], found["aia_urls"], found["crl_urls"]) == ((), (), ())

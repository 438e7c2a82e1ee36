from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

from rules.cert_fields import MAX_TEXT, MAX_URLS, FieldReader, attempt, extension_facts
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
    assert attempt(lambda: fail(error)) == (None, why)


def test_a_reason_is_short() -> None:
    assert len(attempt(lambda: fail(ValueError("x" * 10_000)))[1]) == 200


def test_an_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt(lambda: fail(KeyboardInterrupt()))


def test_a_value_has_no_reason() -> None:
    assert attempt(lambda: 7) == (7, "")


def test_the_reader_keeps_what_it_could_not_read() -> None:
    reader = FieldReader()
    assert reader.read("good", lambda: 1) == 1
    assert reader.read("bad", lambda: fail(ValueError("why"))) is None
    assert reader.unreadable == [("bad", "ValueError: why")]


def extensions_of(*extensions: x509.ExtensionType) -> dict[str, object]:
    cert = x509.load_der_x509_certificate(make("a", "a", is_ca=None, extensions=extensions))
    reader = FieldReader()
    found = extension_facts(cert.extensions, reader)
    assert reader.unreadable == []
    return found


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

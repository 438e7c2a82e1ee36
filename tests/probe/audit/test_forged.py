"""Certificates of the invented device, read by the library that reads real ones."""

from __future__ import annotations

from cryptography import x509

from probe.audit.forged import CA_NAME, Forger
from rules.pki.certificate import covers_name, facts

MOMENT = 1_793_610_845.0
NAME = "cwap-eur1-weur2.servicebus.windows.net"


def test_a_chain_is_a_leaf_for_the_name_under_the_invented_ca() -> None:
    leaf, authority = Forger(MOMENT).chain(NAME)
    assert covers_name(facts(leaf), NAME)
    assert facts(leaf).issuer_cn == facts(authority).subject_cn == CA_NAME
    x509.load_der_x509_certificate(leaf).verify_directly_issued_by(x509.load_der_x509_certificate(authority))
    for der in (leaf, authority):
        made = x509.load_der_x509_certificate(der)
        assert made.not_valid_before_utc.timestamp() < MOMENT < made.not_valid_after_utc.timestamp()


def test_long_names_have_a_certificate_too() -> None:
    name = f"{'a' * 60}.{'b' * 60}.example.com"
    assert covers_name(facts(Forger(MOMENT).chain(name)[0]), name)


def test_two_devices_have_different_keys() -> None:
    assert len({facts(Forger(MOMENT).chain(NAME)[1]).spki_sha256 for _ in range(2)}) == 2

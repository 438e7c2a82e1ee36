"""Certificates of an invented inspecting device, for `wayclear rehearse --inspect`. Nothing of them leaves the process."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rules.text.moments import utc

CA_NAME = "Invented Inspection CA (rehearsal)"


class Forger:
    """Signs a certificate for any name, valid at `moment` (Unix time). Its keys are made anew for each rehearsal."""

    def __init__(self, moment: float) -> None:
        self._now = utc(moment).replace(microsecond=0)
        self._ca_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self._name = _named(CA_NAME)
        self._ca = (
            self._builder(self._name, 3650)
            .public_key(self._ca_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._ca_key, hashes.SHA256())
        )

    def chain(self, name: str) -> tuple[bytes, ...]:
        """A leaf for `name` and the CA's certificate (DER)."""
        leaf = (
            self._builder(_named(name[:64]), 90)
            .public_key(self._key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._ca_key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.DER), self._ca.public_bytes(Encoding.DER)

    def _builder(self, subject: x509.Name, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - datetime.timedelta(days=1))
            .not_valid_after(self._now + datetime.timedelta(days=days))
        )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

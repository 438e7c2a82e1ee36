"""Certificates for tests: roots, issuing CAs, leaves, CRLs and OCSP responses, made for the day.

root = authority("Test Root")
issuing = authority("Test Issuing CA", root)
leaf = issuing.leaf(["example.test"])
leaf.chain            # (leaf, issuing) as DER, the root left out
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyKind: TypeAlias = Literal["ec", "rsa"]
_DAY = datetime.timedelta(days=1)


def today() -> datetime.datetime:
    """Now, to the second, in UTC."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@cache
def private_key(kind: KeyKind, label: str) -> PrivateKey:
    """A key for `label`, made once in this process: RSA keys are slow to make."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def der(certificate: x509.Certificate) -> bytes:
    """The certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def common_name(text: str) -> x509.Name:
    """A Name of a CN alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server certificate with its key and what a well-kept server sends after it."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...]

    @property
    def chain(self) -> tuple[bytes, ...]:
        """As served: DER, leaf first, without the root."""
        return tuple(der(c) for c in (self.certificate, *self.above))

    def write(self, directory: Path, name: str = "server") -> tuple[Path, Path]:
        """Write the chain and the key as PEM; returns (chain file, key file)."""
        chain, key = directory / f"{name}.pem", directory / f"{name}.key"
        chain.write_bytes(
            b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (self.certificate, *self.above))
        )
        key.write_bytes(key_pem(self.key))
        return chain, key


def key_pem(key: PrivateKey) -> bytes:
    """The key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate, its key, and the CA above it (None for a root)."""

    certificate: x509.Certificate
    key: PrivateKey
    issuer: Authority | None = None

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """What a server sends of this CA: itself and those above it, without the root."""
        return () if self.issuer is None else (self.certificate, *self.issuer.path)

    def leaf(
        self,
        names: Sequence[str],
        kind: KeyKind = "ec",
        *,
        starts: datetime.timedelta = -_DAY,
        ends: datetime.timedelta = 90 * _DAY,
        extensions: Iterable[x509.ExtensionType] = (),
        issuer: x509.Name | None = None,
    ) -> Leaf:
        """A server certificate for DNS `names`, valid from `starts` to `ends` as seen from now.

        `issuer` is written as the issuer's name instead of this CA's own.
        """
        key = private_key(kind, f"leaf {kind}")
        builder = (
            _builder(common_name(names[0][:64]), issuer or self.certificate.subject, key, starts, ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return Leaf(builder.sign(self.key, hashes.SHA256()), key, self.path)

    def crl(
        self,
        revoked: Iterable[int] = (),
        *,
        age: datetime.timedelta = _DAY,
        life: datetime.timedelta = 7 * _DAY,
    ) -> x509.CertificateRevocationList:
        """A CRL of `age` that lists the serials `revoked` and is good for `life` from its issue."""
        issued = today() - age
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(issued)
            .next_update(issued + life)
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(issued).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256())

    def ocsp(
        self,
        leaf: Leaf,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        age: datetime.timedelta = _DAY,
    ) -> ocsp.OCSPResponse:
        """A response about `leaf`, signed by this CA itself."""
        issued = today() - age
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=leaf.certificate,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=issued,
            next_update=issued + 7 * _DAY,
            revocation_time=issued if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        return builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(
            self.key, hashes.SHA256()
        )


def authority(name: str, issuer: Authority | None = None, kind: KeyKind = "ec") -> Authority:
    """A root, or with `issuer` an issuing CA under it."""
    key = private_key(kind, f"authority {name}")
    above = common_name(name) if issuer is None else issuer.certificate.subject
    builder = _builder(common_name(name), above, key, -_DAY, 3650 * _DAY).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    signer = key if issuer is None else issuer.key
    return Authority(builder.sign(signer, hashes.SHA256()), key, issuer)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    starts: datetime.timedelta,
    ends: datetime.timedelta,
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(today() + starts)
        .not_valid_after(today() + ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )

"""The lab's own certificate hierarchy, shaped like the one that Microsoft publishes for its services.

Every key is derived from its CA's name. So a checkout needs no key files, two processes agree without communication,
and a report recorded on one machine gets the same verdicts on another. These keys are public by construction and
protect nothing.
Shapes (names, cross-sign, CDP, AIA and OCSP addresses): Microsoft, "Azure Certificate Authority details", 2025-11.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
CA_FROM = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
CA_UNTIL = datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)
MICROSOFT = ("US", "Microsoft Corporation")
DIGICERT = ("US", "DigiCert Inc")


def derived_key(label: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key that belongs to `label`, the same on every machine."""
    seed = int.from_bytes(hashlib.sha384(b"wayclear lab key: " + label.encode()).digest())
    return ec.derive_private_key(1 + seed % (_ORDER - 1), ec.SECP256R1())


def spki_sha256(cert: x509.Certificate) -> str:
    """Hex SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    der = cert.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def pem(*certs: x509.Certificate) -> str:
    """The certificates one after another as PEM."""
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certs)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@dataclass(frozen=True, slots=True)
class Sources:
    """Addresses that a CA writes into its certificates: complete URLs, already escaped."""

    crls: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA of the lab. `key_label` differs from `name` only for an impostor that copies the name."""

    name: str
    owner: tuple[str, str]
    issuer: str  # name of the CA that signed `certificate`; its own for a root
    role: str  # root | cross | issuing | foreign
    sources: Sources = field(default_factory=Sources)  # written into the certificates that it issues
    key_label: str = ""
    published: bool = True  # whether it is in the audit's CA set

    @property
    def label(self) -> str:
        return self.key_label or self.name

    @property
    def subject(self) -> x509.Name:
        country, organisation = self.owner
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, country),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, self.name),
            ]
        )


def _microsoft(name: str, partition: str = "", issuer_file: str = "") -> Sources:
    crl = quote(f"partition/{name}_Partition{partition}" if partition else name)
    issuer = quote(issuer_file or name)
    return Sources(
        crls=(
            f"http://www.microsoft.com/pkiops/crl/{crl}.crl",
            f"http://crl2.microsoft.com/pkiops/crl/{crl}.crl",
        ),
        issuers=(
            f"http://www.microsoft.com/pkiops/certs/{issuer}.crt",
            f"http://caissuers.microsoft.com/pkiops/certs/{issuer}.crt",
        ),
        ocsp=("http://oneocsp.microsoft.com/ocsp",),
    )


def _digicert(file: str) -> Sources:
    return Sources(
        crls=(f"http://crl3.digicert.com/{file}.crl", f"http://crl4.digicert.com/{file}.crl"),
        issuers=(f"http://cacerts.digicert.com/{file}.crt",),
        ocsp=("http://ocsp.digicert.com",),
    )


G2 = "DigiCert Global Root G2"
RSA2017 = "Microsoft RSA Root Certificate Authority 2017"
TLSG2 = "Microsoft TLS RSA Root G2"
OCSP02 = "Microsoft TLS G2 RSA CA OCSP 02"
OCSP04 = "Microsoft TLS G2 RSA CA OCSP 04"
OCSP98 = "Microsoft TLS G2 RSA CA OCSP 98"  # new: signed by the expected root, in no published list
AZURE03 = "Microsoft Azure RSA TLS Issuing CA 03"
DIGICERT_TLS = "DigiCert Global G2 TLS RSA SHA256 2020 CA1"
X1 = "Example Public Root X1"
X1_ISSUING = "Example Public CA R10"
X2 = "Example New Public Root X2"
X2_ISSUING = "Example New Public CA R1"
CORPORATE = "Contoso TLS Inspection CA"
PRIVATE = "Fabrikam Internal CA"

AUTHORITIES: dict[str, Authority] = {
    a.name: a
    for a in (
        Authority(G2, DIGICERT, G2, "root", _digicert("DigiCertGlobalRootG2")),
        Authority(RSA2017, MICROSOFT, RSA2017, "root", _microsoft(RSA2017)),
        Authority(TLSG2, MICROSOFT, TLSG2, "root", _microsoft(TLSG2, issuer_file=f"{TLSG2} - xsign")),
        Authority(OCSP02, MICROSOFT, TLSG2, "issuing", _microsoft(OCSP02, "00017")),
        Authority(OCSP04, MICROSOFT, TLSG2, "issuing", _microsoft(OCSP04, "00073")),
        Authority(OCSP98, MICROSOFT, TLSG2, "issuing", _microsoft(OCSP98, "00001"), published=False),
        Authority(AZURE03, MICROSOFT, RSA2017, "issuing", _microsoft(AZURE03, "00002")),
        Authority(DIGICERT_TLS, DIGICERT, G2, "issuing", _digicert("DigiCertGlobalG2TLSRSASHA2562020CA1-1")),
        Authority(X1, ("US", "Example Trust"), X1, "foreign"),
        Authority(
            X1_ISSUING,
            ("US", "Example Trust"),
            X1,
            "foreign",
            Sources(("http://c.example-trust.net/r10.crl",), ("http://i.example-trust.net/r10.crt",)),
        ),
        Authority(X2, ("US", "Example New Trust"), X2, "foreign"),
        Authority(X2_ISSUING, ("US", "Example New Trust"), X2, "foreign"),
        Authority(CORPORATE, ("DE", "Contoso GmbH"), CORPORATE, "foreign"),
        Authority(PRIVATE, ("DE", "Fabrikam AG"), PRIVATE, "foreign"),
    )
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server certificate, its key, and the certificates that the server sends after it."""

    cert: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]


def _serial(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:15]) | 1 << 112


class Pki:
    """Certificates of the hierarchy at `now`; made on first use, a few tenths of a millisecond each."""

    def __init__(self, now: datetime.datetime) -> None:
        self.now = now.replace(microsecond=0)
        self._made: dict[tuple[str, str], x509.Certificate] = {}

    def ca(self, name: str, issuer: str = "") -> x509.Certificate:
        """The certificate of CA `name`, signed by its own issuer or, for a cross-sign, by `issuer`."""
        subject = AUTHORITIES[name]
        above = AUTHORITIES[issuer or subject.issuer]
        made = self._made.get((name, above.name))
        if made is None:
            made = self._made[name, above.name] = self.sign_ca(subject, above)
        return made

    def sign_ca(self, subject: Authority, above: Authority) -> x509.Certificate:
        """A CA certificate for `subject`'s key under `above`'s key."""
        public = derived_key(subject.label).public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject.subject)
            .issuer_name(above.subject)
            .public_key(public)
            .serial_number(_serial(f"{subject.label} by {above.label}"))
            .not_valid_before(CA_FROM)
            .not_valid_after(CA_UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_ca_usage(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if subject.label != above.label:
            builder = _add_sources(builder, above, above.sources)
        return builder.sign(derived_key(above.label), hashes.SHA256())

    @cached_property
    def cross(self) -> x509.Certificate:
        """Microsoft TLS RSA Root G2, cross-signed by DigiCert Global Root G2."""
        return self.ca(TLSG2, G2)

    def chain_of(self, issuer: str) -> tuple[x509.Certificate, ...]:
        """The certificates that a correct server sends above a leaf of `issuer`, without the self-signed root."""
        if issuer in (OCSP02, OCSP04, OCSP98):
            return (self.ca(issuer), self.cross)
        if AUTHORITIES[issuer].issuer == issuer:
            return ()
        return (self.ca(issuer),)

    def leaf(
        self,
        names: Sequence[str],
        issuer: str,
        *,
        starts: datetime.timedelta = datetime.timedelta(days=-30),
        ends: datetime.timedelta = datetime.timedelta(days=150),
        authority: Authority | None = None,
        sources: Sources | None = None,
    ) -> Leaf:
        """A server certificate for `names`. `authority` replaces the issuer's name and key (an impostor)."""
        above = authority or AUTHORITIES[issuer]
        key = derived_key(f"leaf {names[0]} {above.label}")
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][-64:])]))
            .issuer_name(above.subject)
            .public_key(key.public_key())
            .serial_number(_serial(f"{names[0]} by {above.label}"))
            .not_valid_before(self.now + starts)
            .not_valid_after(self.now + ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        builder = _add_sources(builder, above, above.sources if sources is None else sources)
        cert = builder.sign(derived_key(above.label), hashes.SHA256())
        return Leaf(cert, key, () if authority else self.chain_of(issuer))

    def public_roots(self) -> str:
        """The certificates that replace certifi's. As in certifi 2026.5, Microsoft TLS RSA Root G2 is not among
        them."""
        return pem(*(self.ca(n) for n in (G2, RSA2017, X1, X2)))

    def system_store(self, *extra: str) -> str:
        """The certificates that replace the operating system's store; `extra` are CAs that an administrator added."""
        return pem(*(self.ca(n) for n in (G2, RSA2017, TLSG2, X1, X2, *extra)))


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _add_sources(
    builder: x509.CertificateBuilder, above: Authority, sources: Sources
) -> x509.CertificateBuilder:
    public = derived_key(above.label).public_key()
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
    )
    access = [
        x509.AccessDescription(Aia.OCSP, x509.UniformResourceIdentifier(url)) for url in sources.ocsp
    ] + [
        x509.AccessDescription(Aia.CA_ISSUERS, x509.UniformResourceIdentifier(url)) for url in sources.issuers
    ]
    if access:
        builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
    if sources.crls:
        points = [x509.UniformResourceIdentifier(url) for url in sources.crls]
        point = x509.DistributionPoint(points, None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder

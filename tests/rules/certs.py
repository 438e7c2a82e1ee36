"""Certificates and stores for the judgements' tests, out of the lab's hierarchy and, for what is odd, made by hand."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rules.model.kinds.trust_store import TrustRoots
from rules.model.ruleset import CaSet, Citation, ExpectedCa
from rules.pki.certificate import facts
from tests.lab.pki import AUTHORITIES, G2, RSA2017, X1, Authority, Pki, derived_key, spki_sha256

WHEN = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
NOW = WHEN.timestamp()
PKI = Pki(WHEN)
HOST = "tenant.bootstrap.msappproxy.net"
DAY = datetime.timedelta(days=1)
CITATION = Citation("ca", "Azure Certificate Authority details", "https://learn.microsoft.com/", WHEN.date())


_SHA256 = hashes.SHA256()


def der(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(Encoding.DER)


def ca(name: str, issuer: str = "") -> bytes:
    return der(PKI.ca(name, issuer))


@lru_cache(maxsize=256)
def chain(issuer: str, host: str = HOST, authority: Authority | None = None) -> tuple[bytes, ...]:
    """What a server with a certificate of `issuer` serves; the same bytes each time."""
    leaf = PKI.leaf([host], issuer, authority=authority)
    return (der(leaf.cert), *map(der, leaf.chain))


def expected(name: str) -> ExpectedCa:
    known = AUTHORITIES[name]
    return ExpectedCa(name, known.role, known.issuer, CITATION, spki_sha256(PKI.ca(name)))


CAS = (
    CaSet(
        "microsoft",
        "CAs of Microsoft's services",
        "1",
        WHEN.date(),
        tuple(expected(a.name) for a in AUTHORITIES.values() if a.role != "foreign" and a.published),
    ),
)


def stores(public: Sequence[bytes] = (), system: Sequence[bytes] = ()) -> dict[bytes, TrustRoots]:
    """What the stores hold, by subject; names that are not in them are left out."""
    found: dict[bytes, TrustRoots] = {}
    for root in (*public, *system):
        subject = facts(root).subject
        assert subject is not None
        found[subject] = TrustRoots(_named(public, subject), _named(system, subject))
    return found


def _named(ders: Sequence[bytes], subject: bytes) -> tuple[bytes, ...]:
    return tuple(d for d in ders if facts(d).subject == subject)


PUBLIC = stores([ca(G2), ca(RSA2017), ca(X1)])


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make(
    subject: str | x509.Name,
    issuer: str | x509.Name,
    *,
    key: object = None,
    signer: object = None,
    is_ca: bool | None = False,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = _SHA256,
    names: Sequence[x509.GeneralName] = (),
    starts: datetime.datetime = WHEN - 30 * DAY,
    ends: datetime.datetime = WHEN + 150 * DAY,
    extensions: Sequence[x509.ExtensionType] = (),
    path_length: int | None = None,
    serial: int = 4711,
) -> bytes:
    """A certificate as the arguments say, the same bytes each time for EC keys.

    Keys are labels ("a" is the same key everywhere) or objects of the library; by default the label is the name.
    """
    mine, above = _key(key, subject), _key(signer, issuer)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject) if isinstance(subject, str) else subject)
        .issuer_name(name(issuer) if isinstance(issuer, str) else issuer)
        .public_key(mine.public_key())
        .serial_number(serial)
        .not_valid_before(starts)
        .not_valid_after(ends)
    )
    if is_ca is not None:
        constraints = x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None)
        builder = builder.add_extension(constraints, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    same = True if isinstance(above, ec.EllipticCurvePrivateKey) else None
    return der(builder.sign(above, algorithm, ecdsa_deterministic=same))


def _key(key: object, owner: str | x509.Name) -> CertificateIssuerPrivateKeyTypes:
    if hasattr(key, "public_key"):
        return cast("CertificateIssuerPrivateKeyTypes", key)
    return derived_key(str(key or (owner if isinstance(owner, str) else owner.rfc4514_string())))


@lru_cache(maxsize=8)
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """An RSA key; another `number` is another key. Made once a run."""
    return rsa.generate_private_key(65537, bits)


def with_weak_hash(signed: bytes, key: rsa.RSAPrivateKey, algorithm: hashes.SHA1 | hashes.MD5) -> bytes:
    """An RSA certificate signed again over MD5 or SHA-1, which the builder refuses (RFC 3279 section 2.2.1)."""
    number = 5 if isinstance(algorithm, hashes.SHA1) else 4
    prefix = bytes.fromhex("2a864886f70d0101")
    old = x509.load_der_x509_certificate(signed)
    tbs = replace_once(old.tbs_certificate_bytes, prefix + b"\x0b", prefix + bytes([number]))
    made = signed.replace(old.tbs_certificate_bytes, tbs).replace(prefix + b"\x0b", prefix + bytes([number]))
    return made.replace(old.signature, key.sign(tbs, padding.PKCS1v15(), algorithm))


def leaf_of(issuer: str, host: str = HOST, *, signer: str = "", is_ca: bool = False) -> bytes:
    return make(host, issuer, names=[x509.DNSName(host)], signer=signer or None, is_ca=is_ca)


def impostor(known: str, key_label: str) -> Authority:
    """A CA with the whole name of `known` and a key of its own."""
    real = AUTHORITIES[known]
    return Authority(real.name, real.owner, real.issuer, "foreign", real.sources, key_label, published=False)


def replace_once(data: bytes, old: bytes, new: bytes) -> bytes:
    """`data` with one occurrence of `old` replaced by something as long."""
    assert data.count(old) >= 1
    assert len(old) == len(new)
    return data.replace(old, new, 1)

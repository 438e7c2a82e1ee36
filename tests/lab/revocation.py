"""The documents on the lab's port-80 hosts: CRLs, CA certificates and OCSP answers (RFC 5280, RFC 6960)."""

from __future__ import annotations

import base64
import datetime
import urllib.parse
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from tests.lab.pki import AUTHORITIES, G2, Authority, Pki, derived_key
from tests.lab.revocation_forms import EXTENSIONS, delegated, formed, printable, several

OCSP_TYPE = "application/ocsp-response"
HOUR = datetime.timedelta(hours=1)
LARGE_CRL_ENTRIES = 4_000  # makes about 88 KiB: more than the 64 KiB of a body that a report keeps


@dataclass(frozen=True, slots=True)
class Document:
    """A body with its media type."""

    body: bytes
    media_type: str
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flaws:
    """The faults in the revocation data of this lab."""

    stale: tuple[str, ...] = ()  # CAs whose CRL expired a day ago
    forged: tuple[str, ...] = ()  # CAs whose CRL is signed by another key
    revoked: tuple[int, ...] = ()  # serial numbers that every CRL and OCSP answer lists as revoked
    ocsp_unknown: bool = False
    ocsp_bad_signature: bool = False
    ocsp_unauthorized: bool = False
    form: str = ""  # of the CRLs of the CAs in `formed`: "name" or a key of revocation_forms.EXTENSIONS
    formed: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()  # header lines of every CRL and OCSP answer
    ocsp_form: str = (
        ""  # who signs and how: "pss", "ecdsa", "no-certificate", "expired", ...; "good-and-revoked"
    )
    ocsp_revoked: tuple[int, ...] = ()  # serial numbers that only OCSP answers list as revoked
    ocsp_stale: bool = False
    rekeyed: tuple[str, ...] = ()  # CAs whose CRL is signed by another of their keys, and says so


def crl(pki: Pki, authority: Authority, url: str, flaws: Flaws, entries: int = 3) -> bytes:
    """A DER CRL of `authority`; partitioned if the address says so (IssuingDistributionPoint)."""
    stale, forged = authority.name in flaws.stale, authority.name in flaws.forged
    begins = pki.now - (9 * 24 * HOUR if stale else 24 * HOUR)
    ends = pki.now - 24 * HOUR if stale else pki.now + 7 * 24 * HOUR
    odd = authority.name in flaws.rekeyed
    public = derived_key("another key of it" if odd else authority.label).public_key()
    form = flaws.form if authority.name in flaws.formed else ""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(printable(authority.subject) if form == "name" else authority.subject)
        .last_update(begins)
        .next_update(ends)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(x509.CRLNumber(4711), critical=False)
    )
    if form in EXTENSIONS:
        builder = formed(builder, form, url, flaws.revoked)
    if "partition/" in url and form not in _POINTS:
        point = x509.IssuingDistributionPoint(
            full_name=[x509.UniformResourceIdentifier(url)],
            relative_name=None,
            only_contains_user_certs=True,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        builder = builder.add_extension(point, critical=True)
    revoked = () if form in ("delta", "indirect") else flaws.revoked
    for serial in (*revoked, *range(1_000_000, 1_000_000 + entries)):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begins)
        builder = builder.add_revoked_certificate(entry.build())
    key = derived_key("another key of it" if odd else "somebody else" if forged else authority.label)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


#: Forms with their own IssuingDistributionPoint.
_POINTS = frozenset(EXTENSIONS) - {"delta", "critical"}


class Library:
    """The documents by address, made on the first request."""

    def __init__(self, pki: Pki, flaws: Flaws) -> None:
        self.pki = pki
        self.flaws = flaws
        self._made: dict[tuple[str, str], Document | None] = {}
        self._crls = {u: a for a in AUTHORITIES.values() for u in a.sources.crls}
        self._issuers = {
            u: (a.name, G2 if "xsign" in u else a.issuer)
            for a in AUTHORITIES.values()
            for u in a.sources.issuers
        }

    def get(self, host: str, target: str) -> Document | None:
        """The document at http://`host``target`, or None. It compares paths decoded and without case."""
        key = (host.lower(), urllib.parse.unquote(target).lower())
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(self, host: str, path: str) -> Document | None:
        wanted = f"http://{host}{path}"
        for url, authority in self._crls.items():
            if urllib.parse.unquote(url).lower() == wanted:
                large = authority.name == G2
                body = crl(self.pki, authority, url, self.flaws, LARGE_CRL_ENTRIES if large else 3)
                return Document(body, "application/pkix-crl", self.flaws.headers)
        for url, (name, issuer) in self._issuers.items():
            if urllib.parse.unquote(url).lower() == wanted:
                der = self.pki.ca(name, issuer).public_bytes(serialization.Encoding.DER)
                return Document(der, "application/pkix-cert")
        return None


class Responder:
    """An OCSP responder for every CA of the lab; the CA itself signs the answers (RFC 6960 section 4.2.2.2)."""

    def __init__(self, pki: Pki, flaws: Flaws) -> None:
        self.pki = pki
        self.flaws = flaws
        self._keys = {
            _key_hash(a, h): a for a in AUTHORITIES.values() for h in (hashes.SHA1(), hashes.SHA256())
        }

    def from_target(self, target: str) -> Document:
        """The answer to a GET whose last path part is the base64 of the request (RFC 6960 appendix A.1)."""
        encoded = target.removeprefix("/ocsp").lstrip("/")
        try:
            return self.answer(base64.b64decode(urllib.parse.unquote(encoded), validate=True))
        except ValueError:
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)

    def answer(self, request_der: bytes) -> Document:
        """The answer to a DER request; `unauthorized` for an issuer that is not the lab's."""
        try:
            request = ocsp.load_der_ocsp_request(request_der)
            authority = self._keys.get(request.issuer_key_hash)
        except ValueError:
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if authority is None or self.flaws.ocsp_unauthorized:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        form = self.flaws.ocsp_form
        revoked = request.serial_number in (*self.flaws.revoked, *self.flaws.ocsp_revoked)
        status = ocsp.OCSPCertStatus.GOOD
        if revoked:
            status = ocsp.OCSPCertStatus.REVOKED
        elif self.flaws.ocsp_unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        if form == "good-and-revoked" and revoked:
            both = [self._answer(authority, request, s) for s in (ocsp.OCSPCertStatus.GOOD, status)]
            both_said = several([b.sign(derived_key(authority.label), hashes.SHA256()) for b in both],
                           derived_key(authority.label))  # fmt: skip
            return Document(both_said, OCSP_TYPE, self.flaws.headers)
        if form and form != "good-and-revoked":
            builder = self._builder(request, status)
            return Document(delegated(self.pki, authority, builder, form), OCSP_TYPE, self.flaws.headers)
        made = self._answer(authority, request, status).sign(derived_key(authority.label), hashes.SHA256())
        body = bytearray(made.public_bytes(serialization.Encoding.DER))
        if self.flaws.ocsp_bad_signature:
            body[-1] ^= 1  # the last byte belongs to the signature: no certificates follow
        return Document(bytes(body), OCSP_TYPE, self.flaws.headers)

    def _answer(
        self, authority: Authority, request: ocsp.OCSPRequest, status: ocsp.OCSPCertStatus
    ) -> ocsp.OCSPResponseBuilder:
        """An answer that the CA itself will sign."""
        return self._builder(request, status).responder_id(
            ocsp.OCSPResponderEncoding.HASH, self.pki.ca(authority.name)
        )

    def _builder(self, request: ocsp.OCSPRequest, status: ocsp.OCSPCertStatus) -> ocsp.OCSPResponseBuilder:
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        late = 96 * HOUR if self.flaws.ocsp_stale else 0 * HOUR
        return ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            serial_number=request.serial_number,
            algorithm=request.hash_algorithm,
            cert_status=status,
            this_update=self.pki.now - HOUR - late,
            next_update=self.pki.now + 72 * HOUR - late,
            revocation_time=self.pki.now - 48 * HOUR if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> Document:
    made = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return Document(made.public_bytes(serialization.Encoding.DER), "application/ocsp-response")


def _key_hash(authority: Authority, algorithm: hashes.HashAlgorithm) -> bytes:
    point = (
        derived_key(authority.label)
        .public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    digest = hashes.Hash(algorithm)
    digest.update(point)
    return digest.finalize()

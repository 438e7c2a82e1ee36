"""Which certificates a CRL covers, and whether two Names are the same (RFC 5280 sections 5.2, 5.3, 6.3.3 and 7.1).

A list that a CA has signed proves nothing about a certificate outside its scope: a delta list, another partition, a
list of CA certificates only. Windows also refuses a list with an unknown critical extension (Microsoft,
"Troubleshooting Certificate Status and Revocation"); how it treats the other limits is not documented.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache, partial
from itertools import islice
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from rules.model.kinds.http_fetch import CrlScope
from rules.pki.certificate import facts, fold_text
from rules.pki.der import tlv
from rules.pki.fields import MAX_NAMES, MAX_TEXT, try_read
from rules.text.display import display

#: Extensions of a list that are processed here, or have no effect for us (RFC 5280 section 5.2).
_LIST = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
        ExtensionOID.FRESHEST_CRL,
    }
)
# Of RFC 3280; withdrawn, and irrelevant for whether a certificate is revoked.
_HOLD_INSTRUCTION = x509.ObjectIdentifier("2.5.29.23")
_ENTRY = frozenset(
    {
        CRLEntryExtensionOID.CRL_REASON,
        CRLEntryExtensionOID.INVALIDITY_DATE,
        CRLEntryExtensionOID.CERTIFICATE_ISSUER,
        _HOLD_INSTRUCTION,
    }
)
#: Contents of entries that must be read one by one: a critical extension (after its identifier BOOLEAN TRUE and an
#: OCTET STRING) or certificateIssuer. So must all entries of a list in which one takes a certificate back.
_ODD = (b"\x01\x01\xff\x04", b"\x06\x03\x55\x1d\x1d")
#: An entry that takes a certificate off the list, removeFromCRL (section 5.3.1): its reason, plain and critical.
_REMOVES = (bytes.fromhex("0603551d1504030a0108"), bytes.fromhex("0603551d150101ff04030a0108"))
MAX_UNKNOWN = 8  #: maximum of unknown critical extensions named
#: Maximum of names read of a list's distribution point. If there are more, a name that is not found may be among the
#: rest.
MAX_POINTS = 256

_Folded: TypeAlias = tuple[frozenset[tuple[str, str]], ...]


def same_name(one: bytes | None, other: bytes | None) -> bool:
    """Whether two Names (DER) are the same (RFC 5280 section 7.1).

    The attributes are compared without case, spacing and string type. Never raises; unreadable Names are the same
    only if their bytes are.
    """
    if not one or not other:
        return False
    if one == other:
        return True
    folded = _folded(one)
    return folded is not None and folded == _folded(other)


@lru_cache(maxsize=512)
def _folded(der: bytes) -> _Folded | None:
    return try_read(lambda: _fold_name(x509.Name.from_bytes(der)))[0]


def _fold_name(name: x509.Name) -> _Folded:
    return tuple(
        frozenset((a.oid.dotted_string, _fold_value(a.value)) for a in relative) for relative in name.rdns
    )


def _fold_value(value: str | bytes) -> str:
    return fold_text(unicodedata.normalize("NFKC", value)) if isinstance(value, str) else value.hex()


def read_scope(crl: x509.CertificateRevocationList) -> CrlScope:
    """The list's own extensions. `unknown` does not include the extensions of its entries (`read_entries`). Never
    raises."""
    found, why = try_read(lambda: _read_scope(crl))
    return found if found is not None else CrlScope(unread=why or "unreadable")


def _read_scope(crl: x509.CertificateRevocationList) -> CrlScope:
    unknown: list[str] = []
    point: x509.IssuingDistributionPoint | None = None
    delta, number, key_id = False, "", ""
    for extension in crl.extensions:
        value = extension.value
        if extension.critical and extension.oid not in _LIST:
            unknown.append(extension.oid.dotted_string)
        if isinstance(value, x509.IssuingDistributionPoint):
            point = value
        elif extension.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            delta = True
        elif isinstance(value, x509.CRLNumber):
            number = format(value.crl_number, "x")[:64]
        elif isinstance(value, x509.AuthorityKeyIdentifier) and value.key_identifier:
            key_id = value.key_identifier.hex()[:MAX_TEXT]
    bare = CrlScope(delta=delta, unknown=tuple(unknown[:MAX_UNKNOWN]), number=number, key_id=key_id)
    return bare if point is None else _limited(bare, point)


def _limited(bare: CrlScope, point: x509.IssuingDistributionPoint) -> CrlScope:
    names = [_general(n) for n in islice(point.full_name or (), MAX_POINTS)]
    if point.relative_name is not None:
        names.append(_relative(point.relative_name))
    return CrlScope(
        only=(
            "attribute"
            if point.only_contains_attribute_certs
            else "ca"
            if point.only_contains_ca_certs
            else "user"
            if point.only_contains_user_certs
            else ""
        ),
        named=bool(names),
        points=tuple(names[:MAX_POINTS]),  # with repeats: their number shows whether all were read
        some_reasons=point.only_some_reasons is not None,
        indirect=point.indirect_crl,
        delta=bare.delta,
        unknown=bare.unknown,
        number=bare.number,
        key_id=bare.key_id,
    )


#: The default port of a scheme.
_PORTS = {"http": "80", "https": "443", "ldap": "389", "ldaps": "636"}
_HOST_AND_PORT = re.compile(r"(.*?)(?::([0-9]*))?", re.DOTALL)


@lru_cache(maxsize=1024)
def canonical_uri(url: str) -> str:
    """A URL in the form in which names of distribution points are compared; percent-encoding stays as written.

    The scheme's default port and an empty path make no difference (RFC 3986 section 6.2.3), nor does the root dot of
    a name (RFC 3986 section 3.2.2).
    """
    parts, _ = try_read(lambda: urlsplit(url))
    if parts is None:
        return f"uri:{url}"[:MAX_TEXT]
    scheme = parts.scheme.lower()
    rest = unquote(url[len(parts.scheme) + 3 + len(parts.netloc) :]) if parts.netloc else unquote(parts.path)
    if parts.netloc and scheme in ("http", "https") and not rest.startswith("/"):
        rest = f"/{rest}"
    return f"uri:{scheme}://{_authority(parts.netloc.lower(), scheme)}{rest}"[:MAX_TEXT]


def _authority(netloc: str, scheme: str) -> str:
    user, at, rest = netloc.rpartition("@")
    found = _HOST_AND_PORT.fullmatch(rest)
    host, port = found.groups() if found is not None else (rest, None)
    return f"{user}{at}{host.removesuffix('.')}{f':{port}' if port and port != _PORTS.get(scheme) else ''}"


def _general(name: x509.GeneralName) -> str:
    if isinstance(name, x509.UniformResourceIdentifier):
        return canonical_uri(name.value)
    if isinstance(name, x509.DirectoryName):
        return f"dir:{_text(_fold_name(name.value))}"[:MAX_TEXT]
    return f"other:{name.value}"[:MAX_TEXT]


def _relative(name: x509.RelativeDistinguishedName) -> str:
    return f"other:{sorted((a.oid.dotted_string, _fold_value(a.value)) for a in name)}"[:MAX_TEXT]


def _text(name: _Folded) -> str:
    return ", ".join("+".join(f"{oid}={value}" for oid, value in sorted(relative)) for relative in name)


@lru_cache(maxsize=1024)
def points_of(certificate: bytes) -> frozenset[str]:
    """The names of the distribution points in a certificate (DER), in the form of `CrlScope.points`. Never raises."""
    points = _points(certificate)
    names = [_general(n) for n in islice((n for point in points for n in point.full_name or ()), MAX_NAMES)]
    names += [_relative(point.relative_name) for point in points if point.relative_name is not None]
    return frozenset((*names, *map(canonical_uri, facts(certificate).crl_urls)))


def names_crl_issuer(certificate: bytes, issuer: bytes) -> bool:
    """Whether the certificate names `issuer` (Name, DER) as its CRL's issuer: cRLIssuer of RFC 5280 section 4.2.1.13."""
    folded = _folded(issuer)
    named = (name for point in _points(certificate) for name in point.crl_issuer or ())
    return any(isinstance(n, x509.DirectoryName) and _fold_name(n.value) == folded for n in named)


@lru_cache(maxsize=256)
def _points(certificate: bytes) -> tuple[x509.DistributionPoint, ...]:
    def read() -> tuple[x509.DistributionPoint, ...]:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        value = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        return tuple(point for point, _ in zip(value, range(MAX_NAMES), strict=False))

    return try_read(read)[0] or ()


def odd_entries(body: bytes) -> bool:
    """Whether an entry may have an extension that matters. Cheap, because a list may have a million entries."""
    begins, ends = _entries(body)
    return any(body.find(mark, begins, ends) >= 0 for mark in (*_ODD, *_REMOVES))


def has_removal(body: bytes) -> bool:
    """Whether an entry takes a certificate off the list, as only a delta list may (RFC 5280 section 5.3.1)."""
    begins, ends = _entries(body)
    return any(body.find(mark, begins, ends) >= 0 for mark in _REMOVES)


def _entries(body: bytes) -> tuple[int, int]:
    """Where revokedCertificates begins and ends (RFC 5280 section 5.1); two equal places without it."""
    at = tlv(body, tlv(body, 0)[1])[1]
    end_of_list = tlv(body, tlv(body, 0)[1])[2]
    if body[at] == 0x02:  # version
        at = tlv(body, at)[2]
    for _ in range(2):  # signature, issuer
        at = tlv(body, at)[2]
    while at < end_of_list and body[at] in (0x17, 0x18):  # thisUpdate, nextUpdate
        at = tlv(body, at)[2]
    if at >= end_of_list or body[at] != 0x30:
        return at, at
    return tlv(body, at)[1:]


def _extensions(entry: x509.RevokedCertificate) -> list[x509.Extension[x509.ExtensionType]]:
    return list(entry.extensions)


def read_entries(
    crl: x509.CertificateRevocationList, issuer: bytes, serials: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(unknown critical extensions of entries, those of `serials` that an entry about this CA's own certificates lists,
    those that such an entry takes off the list).

    An entry without certificateIssuer is about the CA of the entry before it, the first about the list's own issuer
    (RFC 5280 section 5.3.3).
    """
    wanted = {int(serial, 16): serial for serial in serials}
    unknown: dict[str, None] = {}
    listed: dict[str, None] = {}
    back: dict[str, None] = {}
    own = True
    for entry in crl:
        extensions, _ = try_read(partial(_extensions, entry))
        for extension in extensions or ():
            if isinstance(extension.value, x509.CertificateIssuer):
                names = (n for n in extension.value if isinstance(n, x509.DirectoryName))
                own = any(same_name(n.value.public_bytes(), issuer) for n in names)
            elif extension.critical and extension.oid not in _ENTRY:
                unknown[extension.oid.dotted_string] = None
        if extensions is None:
            unknown["unreadable"] = None
        if own and entry.serial_number in wanted:
            (back if is_removal(entry) else listed)[wanted[entry.serial_number]] = None
    return tuple(unknown)[:MAX_UNKNOWN], tuple(listed), tuple(back)


def is_removal(entry: x509.RevokedCertificate) -> bool:
    """Whether the entry takes a certificate off the list (removeFromCRL). An unreadable one does not."""
    reason, _ = try_read(lambda: entry.extensions.get_extension_for_class(x509.CRLReason).value.reason)
    return reason is x509.ReasonFlags.remove_from_crl


def out_of_scope(scope: CrlScope, ca: bool | None, points: frozenset[str]) -> str:
    """Why the list does not cover a certificate: "only-ca", "partition", ...; "" if it does (section 6.3.3 (b)(2)).

    `ca`: whether the certificate is a CA's, None if unknown; `points`: the names of its distribution points, empty if
    unknown.
    """
    if scope.unread:
        return "unreadable"
    if scope.delta:
        return "delta"
    if scope.unknown:
        return "critical"
    if scope.only == "attribute" or (ca is not None and scope.only == ("user" if ca else "ca")):
        return f"only-{scope.only}"
    apart = scope.named and points.isdisjoint(scope.points)
    if apart and points and len(scope.points) < MAX_POINTS:
        return "partition"
    if scope.some_reasons:
        return "some-reasons"
    return "partition-unknown" if apart else ""


_TEXTS = {
    "unreadable": "the extensions of the CRL of {name} cannot be read{what}",
    "delta": "a delta list of {name} stands where its complete list belongs",
    "critical": "the CRL of {name} has a critical extension that is not known here ({what})",
    "only-user": "the CRL of {name} is about certificates of end entities only",
    "only-ca": "the CRL of {name} is about certificates of CAs only",
    "only-attribute": "the CRL of {name} is about attribute certificates only",
    "partition": "the CRL of {name} is for another distribution point ({what}) than the certificates name",
    "some-reasons": "the CRL of {name} is about some reasons of revocation only",
}


def scope_text(scope: CrlScope | None, why: str, name: str) -> str:
    """The result of `out_of_scope` for a list of `name`, in a phrase."""
    return _TEXTS[why].format(name=name, what=_what(scope, why) if scope is not None else "")


def _what(scope: CrlScope, why: str) -> str:
    if why == "unreadable":
        return f" ({display(scope.unread, 100)})"
    return ", ".join(scope.unknown) if why == "critical" else point_text(scope)


def point_text(scope: CrlScope | None) -> str:
    """The distribution point of the list."""
    return (
        display(scope.points[0].partition(":")[2], 200)
        if scope is not None and scope.points
        else "without a name"
    )

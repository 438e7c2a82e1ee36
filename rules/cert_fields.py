"""Reading what a peer wrote, field by field: one that cannot be read is noted and never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

MAX_TEXT = 1024  #: characters kept of a string
MAX_NAMES = 10_000  #: names kept of a certificate; the 100 KiB of a TLS certificate message hold fewer
MAX_URLS = 16  #: URLs kept of each kind

_T = TypeVar("_T")


def attempt(get: Callable[[], _T]) -> tuple[_T | None, str]:
    """`get()` and "", or None and the reason in a line.

    For reading a peer's bytes only. The parser raises many kinds (ValueError, InvalidVersion, UnsupportedAlgorithm,
    TypeError, DuplicateExtension, ...) and, on a bug of its own, a panic that is no Exception. Anything else that is no
    Exception (an interrupt) passes through.
    """
    try:
        return get(), ""
    except BaseException as error:  # see above: unreadable is a finding, not a failure
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        text = " ".join(str(error).split())
        return None, f"{type(error).__name__}: {text}"[:200].removesuffix(": ")


class FieldReader:
    """Reads fields one by one and notes those that cannot be read."""

    def __init__(self) -> None:
        self.unreadable: list[tuple[str, str]] = []

    def read(self, field: str, get: Callable[[], _T]) -> _T | None:
        """`get()`, or None with a note."""
        value, why = attempt(get)
        if why:
            self.fail(field, why)
        return value

    def fail(self, field: str, why: str) -> None:
        self.unreadable.append((field, why))


@lru_cache(maxsize=512)
def one_copy(text: str) -> str:
    """`text` as it was met before: what a CA writes into each of its certificates would else be kept as often."""
    return text


def _strings(values: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(v[:MAX_TEXT] for _, v in zip(range(limit), values, strict=False))


def _urls(values: Iterable[str]) -> tuple[str, ...]:
    """URLs of the CA."""
    return tuple(map(one_copy, _strings(values, MAX_URLS)))


def extension_facts(extensions: x509.Extensions, reader: FieldReader) -> dict[str, Any]:
    """What the extensions say, under the names that `CertFacts` gives it; one that cannot be read is noted, by its OID."""
    found: dict[str, Any] = {"is_ca": False}
    for extension in extensions:
        read = _EXTENSIONS.get(type(extension.value))
        if read is not None:
            more = reader.read(extension.oid.dotted_string, lambda r=read, e=extension: r(e.value))  # type: ignore[misc]
            found.update(more or {})
    return found


def _basic_constraints(value: x509.BasicConstraints) -> dict[str, Any]:
    return {"is_ca": value.ca, "path_length": value.path_length}


def _key_usage(value: x509.KeyUsage) -> dict[str, Any]:
    return {"may_sign_certificates": value.key_cert_sign, "may_sign_crls": value.crl_sign}


def _extended_key_usage(value: x509.ExtendedKeyUsage) -> dict[str, Any]:
    purposes = set(value)
    server = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return {
        "server_auth": not server.isdisjoint(purposes),
        "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING in purposes,
    }


def _subject_alternative_name(value: x509.SubjectAlternativeName) -> dict[str, Any]:
    addresses = (str(a) for a in value.get_values_for_type(x509.IPAddress))
    return {
        "dns_names": _strings(value.get_values_for_type(x509.DNSName), MAX_NAMES),
        "ip_names": _strings(addresses, MAX_NAMES),
    }


def _subject_key_identifier(value: x509.SubjectKeyIdentifier) -> dict[str, Any]:
    return {"ski": value.digest.hex()[:MAX_TEXT]}


def _authority_key_identifier(value: x509.AuthorityKeyIdentifier) -> dict[str, Any]:
    return {"aki": one_copy(value.key_identifier.hex()[:MAX_TEXT]) if value.key_identifier else None}


def _authority_information_access(value: x509.AuthorityInformationAccess) -> dict[str, Any]:
    urls: dict[x509.ObjectIdentifier, list[str]] = {}
    for access in value:
        if isinstance(access.access_location, x509.UniformResourceIdentifier):
            urls.setdefault(access.access_method, []).append(access.access_location.value)
    return {
        "ocsp_urls": _urls(urls.get(AuthorityInformationAccessOID.OCSP, ())),
        "aia_urls": _urls(urls.get(AuthorityInformationAccessOID.CA_ISSUERS, ())),
    }


def _crl_distribution_points(value: x509.CRLDistributionPoints) -> dict[str, Any]:
    names = (name for point in value for name in point.full_name or ())
    urls = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return {"crl_urls": _urls(urls)}


_EXTENSIONS: dict[type[x509.ExtensionType], Callable[..., dict[str, Any]]] = {
    x509.BasicConstraints: _basic_constraints,
    x509.KeyUsage: _key_usage,
    x509.ExtendedKeyUsage: _extended_key_usage,
    x509.SubjectAlternativeName: _subject_alternative_name,
    x509.SubjectKeyIdentifier: _subject_key_identifier,
    x509.AuthorityKeyIdentifier: _authority_key_identifier,
    x509.AuthorityInformationAccess: _authority_information_access,
    x509.CRLDistributionPoints: _crl_distribution_points,
}

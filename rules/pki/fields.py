"""Read peer data field by field: an unreadable field is noted and never stops the others.

Extensions are read from their bytes and not by the `cryptography` library. The library refuses all of them if one
breaks a rule, and some of them for entries that no judgement needs (a signed timestamp, a policy's text).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from itertools import islice
from typing import Any, TypeVar

from rules.pki.der import (  # fmt: skip
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Element,
    dotted,
    expect_tag,
    integer,
    only_element,
    text,
)

MAX_TEXT = 1024  #: characters kept of a string
MAX_NAMES = 10_000  #: names kept of a certificate; the 100 KiB of a TLS certificate message hold fewer
MAX_NOTES = 20  #: maximum of fields named as unreadable: a peer can write thousands
MAX_URLS = 16  #: URLs kept of each kind

_T = TypeVar("_T")


def try_read(get: Callable[[], _T]) -> tuple[_T | None, str]:
    """`get()` and "", or None and the reason in a line.

    Only for reading a peer's bytes. The parser raises many kinds of errors (ValueError, InvalidVersion,
    UnsupportedAlgorithm, TypeError, DuplicateExtension, ...) and, on a bug of its own, a panic that is not an
    Exception. Every other BaseException (an interrupt) passes through.
    """
    try:
        return get(), ""
    except BaseException as error:  # see above: unreadable is a finding, not a failure
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        text = " ".join(str(error).split())
        return None, f"{type(error).__name__}: {text}"[:200].removesuffix(": ")


class FieldReader:
    """Reads fields one by one and notes the unreadable ones."""

    def __init__(self) -> None:
        self.unreadable: list[tuple[str, str]] = []

    def read(self, field: str, get: Callable[[], _T]) -> _T | None:
        """`get()`, or None with a note."""
        value, why = try_read(get)
        if why:
            self.fail(field, why)
        return value

    def fail(self, field: str, why: str) -> None:
        if len(self.unreadable) < MAX_NOTES:
            self.unreadable.append((field, why))


def _strings(values: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(v[:MAX_TEXT] for _, v in zip(range(limit), values, strict=False))


def extension_facts(extensions: Element, reader: FieldReader) -> dict[str, Any]:
    """The facts of the extensions, under their names in `CertFacts`; an unreadable one is noted by its OID.

    Of a repeated extension (RFC 5280 section 4.2 forbids it) the first counts. If the extensions that limit a CA are
    unreadable, `is_ca` is None.
    """
    found: dict[str, Any] = {"is_ca": False}
    seen: set[bytes] = set()
    limits_known = True
    for extension in _as_far_as(expect_tag(extensions, SEQUENCE), reader, "extensions"):
        parts = reader.read("extensions", partial(_extension, extension))
        if parts is None:
            continue
        kind, value = parts
        read = _EXTENSIONS.get(kind)
        if kind in seen:
            reader.fail("extensions", f"{dotted(kind)} stands there twice: the first one counts")
        elif read is not None:
            more = reader.read(dotted(kind), partial(read, value, reader))
            limits_known = limits_known and (more is not None or kind not in _LIMITS)
            found.update(more or {})
        seen.add(kind)
    return found if limits_known else {**found, "is_ca": None}


def _as_far_as(parts: Element, reader: FieldReader, field: str) -> Iterator[Element]:
    """The elements inside, up to the first invalid one, which is noted."""
    children = parts.children()
    while (child := reader.read(field, lambda: next(children, None))) is not None:
        yield child


def _extension(found: Element) -> tuple[bytes, bytes]:
    """Its number and the DER in its OCTET STRING; whether it is critical does not matter here."""
    kind, *flag, value = expect_tag(found, SEQUENCE).children()
    if len(flag) > 1 or (flag and flag[0].tag != BOOLEAN):
        raise ValueError("an extension with parts that none has")
    return expect_tag(kind, OID).value, expect_tag(value, OCTET_STRING).value


def _basic_constraints(value: bytes, _: FieldReader) -> dict[str, Any]:
    found: dict[str, Any] = {"is_ca": False, "path_length": None}
    for part in only_element(value, SEQUENCE).children():
        if expect_tag(part, BOOLEAN, INTEGER).tag == BOOLEAN:
            found["is_ca"] = any(part.value)
        else:
            found["path_length"] = integer(part.value)
    return found


def _key_usage(value: bytes, _: FieldReader) -> dict[str, Any]:
    bits = only_element(value, BIT_STRING).value
    first = bits[1] if len(bits) > 1 else 0
    return {"may_sign_certificates": bool(first & 0x04), "may_sign_crls": bool(first & 0x02)}


_ANY_PURPOSE, _SERVER_AUTH = bytes.fromhex("551d2500"), bytes.fromhex("2b06010505070301")
_OCSP_SIGNING = bytes.fromhex("2b06010505070309")


def _extended_key_usage(value: bytes, _: FieldReader) -> dict[str, Any]:
    purposes = {expect_tag(purpose, OID).value for purpose in only_element(value, SEQUENCE).children()}
    return {
        "server_auth": not purposes.isdisjoint((_SERVER_AUTH, _ANY_PURPOSE)),
        "ocsp_signing": _OCSP_SIGNING in purposes,
    }


_DNS_NAME, _URI, _IP_ADDRESS = 0x82, 0x86, 0x87  #: kinds of GeneralName (RFC 5280 section 4.2.1.6)


def _ip_name(value: bytes) -> str:
    return str(ip_address(value))


def _subject_alternative_name(value: bytes, reader: FieldReader) -> dict[str, Any]:
    """Entries of a kind that no judgement needs are skipped, and an invalid address is noted."""
    names: list[str] = []
    addresses: list[str] = []
    for name in islice(_as_far_as(only_element(value, SEQUENCE), reader, "2.5.29.17"), MAX_NAMES):
        if name.tag == _DNS_NAME:
            names.append(text(name.value)[:MAX_TEXT])
        elif name.tag == _IP_ADDRESS:
            address = reader.read("subjectAltName", partial(_ip_name, name.value))
            addresses.extend([address] if address else [])
    return {"dns_names": tuple(names), "ip_names": tuple(addresses)}


def _subject_key_identifier(value: bytes, _: FieldReader) -> dict[str, Any]:
    return {"ski": only_element(value, OCTET_STRING).value.hex()[:MAX_TEXT]}


def _authority_key_identifier(value: bytes, _: FieldReader) -> dict[str, Any]:
    key = next((part.value for part in only_element(value, SEQUENCE).children() if part.tag == 0x80), b"")
    return {"aki": key.hex()[:MAX_TEXT] if key else None}


_OCSP, _CA_ISSUERS = bytes.fromhex("2b06010505073001"), bytes.fromhex("2b06010505073002")


def _authority_information_access(value: bytes, reader: FieldReader) -> dict[str, Any]:
    urls: dict[bytes, list[str]] = {}
    for access in _as_far_as(only_element(value, SEQUENCE), reader, "1.3.6.1.5.5.7.1.1"):
        method, location = expect_tag(access, SEQUENCE).children()
        if location.tag == _URI:
            urls.setdefault(expect_tag(method, OID).value, []).append(text(location.value))
    return {
        "ocsp_urls": _strings(urls.get(_OCSP, ()), MAX_URLS),
        "aia_urls": _strings(urls.get(_CA_ISSUERS, ()), MAX_URLS),
    }


def _crl_distribution_points(value: bytes, reader: FieldReader) -> dict[str, Any]:
    """The URLs of the full names, [0] in [0] of each point (RFC 5280 section 4.2.1.13)."""
    urls = (
        text(name.value)
        for point in _as_far_as(only_element(value, SEQUENCE), reader, "2.5.29.31")
        for place in expect_tag(point, SEQUENCE).children()
        if place.tag == 0xA0
        for full in place.children()
        if full.tag == 0xA0
        for name in full.children()
        if name.tag == _URI
    )
    return {"crl_urls": _strings(urls, MAX_URLS)}


_KEY_USAGE, _BASIC_CONSTRAINTS, _PURPOSES = (bytes.fromhex(f"551d{n}") for n in ("0f", "13", "25"))
_LIMITS = frozenset({_KEY_USAGE, _BASIC_CONSTRAINTS, _PURPOSES})  #: permissions and limits of a CA
_EXTENSIONS: dict[bytes, Callable[[bytes, FieldReader], dict[str, Any]]] = {
    _BASIC_CONSTRAINTS: _basic_constraints,
    _KEY_USAGE: _key_usage,
    _PURPOSES: _extended_key_usage,
    bytes.fromhex("551d11"): _subject_alternative_name,
    bytes.fromhex("551d0e"): _subject_key_identifier,
    bytes.fromhex("551d23"): _authority_key_identifier,
    bytes.fromhex("2b06010505070101"): _authority_information_access,
    bytes.fromhex("551d1f"): _crl_distribution_points,
}

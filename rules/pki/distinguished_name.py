"""The parts of a Name (RFC 5280 section 4.1.2.4) that are shown and compared, for any kind of string."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from rules.pki.der import OID, SEQUENCE, SET, dotted, element, expect_tag, only_element, string
from rules.pki.fields import MAX_TEXT, try_read

_COMMON_NAME, _ORGANIZATION, _UNIT = "2.5.4.3", "2.5.4.10", "2.5.4.11"
#: Short names (RFC 4514 section 3); every other type is written as its number.
_SHORT = {
    _COMMON_NAME: "CN", "2.5.4.7": "L", "2.5.4.8": "ST", _ORGANIZATION: "O", _UNIT: "OU", "2.5.4.6": "C",
    "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}  # fmt: skip
_ESCAPED = {ord(c): f"\\{c}" for c in '\\"+,;<>'} | {0: "\\00"}


@dataclass(frozen=True, slots=True)
class NameFacts:
    """A Name as found (`der`), in the form of RFC 4514 (`text`), and its last, most specific parts."""

    der: bytes = b""
    text: str = ""
    cn: str = ""
    o: str = ""
    ou: str = ""


@lru_cache(maxsize=256)
def name_facts(der: bytes) -> NameFacts:
    """The parts of a Name; cached, because a few CAs issue nearly everything. ValueError if `der` is no Name.

    The library reads it if it can. It refuses a Name for one character that its kind of string forbids, and Windows
    itself writes such Names. This module reads those.
    """
    read, _ = try_read(lambda: _by_library(x509.Name.from_bytes(der)))
    parts, text = read if read is not None else _by_element(der)
    last = dict(parts)
    return NameFacts(
        der,
        text[:MAX_TEXT],
        *(last.get(kind, "")[:MAX_TEXT] for kind in (_COMMON_NAME, _ORGANIZATION, _UNIT)),
    )


def _by_library(name: x509.Name) -> tuple[list[tuple[str, str]], str]:
    """(type, value) of every part, and the whole as text."""
    parts = [
        (part.oid.dotted_string, part.value if isinstance(part.value, str) else part.value.decode("latin-1"))
        for part in name
    ]
    return parts, name.rfc4514_string()


def _by_element(der: bytes) -> tuple[list[tuple[str, str]], str]:
    sets = [
        [
            _part(expect_tag(pair, SEQUENCE).data, pair.content, pair.end)
            for pair in expect_tag(several, SET).children()
        ]
        for several in only_element(der, SEQUENCE).children()
    ]
    text = ",".join(
        "+".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in several)
        for several in reversed(sets)
    )
    return [part for several in sets for part in several], text


def _part(data: bytes, at: int, end: int) -> tuple[str, str]:
    kind = expect_tag(element(data, at, end), OID)
    return dotted(kind.value), string(element(data, kind.after, end))


def _escaped(value: str) -> str:
    """RFC 4514 section 2.4, as the library writes it."""
    value = value.translate(_ESCAPED)
    if value[:1] == "#" or (value[:1] == " " and len(value) > 1):
        value = "\\" + value
    return value[:-1] + "\\ " if value[-1:] == " " else value

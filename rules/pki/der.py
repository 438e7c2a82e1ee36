"""Elements of ASN.1 in certificates: X.690's BER, bounded, without a judgement of their form.

The `cryptography` library refuses a whole certificate if one field breaks a rule (a `*` in a PrintableString, a date
without seconds). Other readers, Windows among them, accept such certificates, so this module reads them as far as
possible. It reads elements only; `rules.pki.fields` interprets them. Every function raises ValueError or IndexError
on bytes that it cannot read. Its cost is proportional to the bytes.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_NESTING = 8  #: maximum of nested indefinite lengths
MAX_OID = 64  #: maximum of bytes of an object identifier written out

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x01, 0x02, 0x03, 0x04, 0x06
SEQUENCE, SET = 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_CONSTRUCTED = 0x20

#: Years of two digits: 1950 to 2049 (RFC 5280 section 4.1.2.5.1).
_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?()(Z|[+-]\d{4})", re.ASCII)
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?([.,]\d{1,9})?(Z|[+-]\d{4})", re.ASCII)


class Element(NamedTuple):
    """One element of `data`: it begins at `start`, its content is `data[content:end]`, the next one begins at `after`.

    A named tuple, because a certificate has about sixty: all of its facts take 132 us, and 150 us with a frozen
    dataclass.
    """

    data: bytes
    tag: int
    start: int
    content: int
    end: int
    after: int

    @property
    def raw(self) -> bytes:
        """The whole element, with tag and length."""
        return self.data[self.start : self.after]

    @property
    def value(self) -> bytes:
        return self.data[self.content : self.end]

    def children(self) -> Iterator[Element]:
        """The elements inside, which must fill it."""
        at = self.content
        while at < self.end:
            child = element(self.data, at, self.end)
            yield child
            at = child.after


def tlv(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start of content and end of the DER element at `at` (X.690 section 8.1, definite lengths only)."""
    tag, first, start = data[at], data[at + 1], at + 2
    if first < 0x80:
        length = first
    elif 0x80 < first <= 0x84:
        start += first & 0x7F
        length = int.from_bytes(data[at + 2 : start])
    else:
        raise ValueError("not a definite DER length")
    if start + length > len(data):
        raise ValueError("an element runs past the end")
    return tag, start, start + length


def element(data: bytes, at: int, limit: int | None = None) -> Element:
    """The element at `at`, which must end before `limit`; lengths may be indefinite (X.690 section 8.1.3.6)."""
    limit = len(data) if limit is None else limit
    if at + 2 > limit:
        raise ValueError("an element is cut off")
    if data[at] & 0x1F == 0x1F:
        raise ValueError("a tag of several bytes")
    if data[at + 1] == 0x80:
        end = _end_of_contents(data, at, limit, MAX_NESTING)
        return Element(data, data[at], at, at + 2, end, end + 2)
    tag, content, end = tlv(data, at)
    if end > limit:
        raise ValueError("an element runs past the one that holds it")
    return Element(data, tag, at, content, end, end)


def _end_of_contents(data: bytes, at: int, limit: int, nesting: int) -> int:
    """The position of the two zero bytes that end the element of indefinite length at `at`."""
    if not data[at] & _CONSTRUCTED or not nesting:
        raise ValueError("an indefinite length where none may be")
    at += 2
    while at + 2 <= limit:
        if data[at] == 0 and data[at + 1] == 0:
            return at
        at = _end_of_contents(data, at, limit, nesting - 1) + 2 if data[at + 1] == 0x80 else tlv(data, at)[2]
    raise ValueError("an indefinite length without an end")


def only_element(data: bytes, tag: int) -> Element:
    """The element with tag `tag` at the beginning of `data`."""
    return expect_tag(element(data, 0), tag)


def expect_tag(found: Element, *tags: int) -> Element:
    """`found`, which must have one of these tags."""
    if found.tag not in tags:
        raise ValueError(f"an element of kind 0x{found.tag:02x} where 0x{tags[0]:02x} belongs")
    return found


def integer(value: bytes) -> int:
    """An INTEGER's value; ValueError without any bytes. Superfluous leading bytes are accepted."""
    if not value:
        raise ValueError("a number without digits")
    return int.from_bytes(value, signed=True)


def dotted(value: bytes) -> str:
    """An OBJECT IDENTIFIER as text, "1.2.840.113549.1.1.11"; in hex if it is invalid or very long."""
    if not value or len(value) > MAX_OID or value[-1] & 0x80:
        return value[:MAX_OID].hex()
    arcs, arc = [], 0
    for byte in value:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def moment(found: Element) -> float:
    """The Unix time of a UTCTime or GeneralizedTime.

    RFC 5280 section 4.1.2.5 requires seconds and "Z". Other unambiguous forms of X.680 sections 46 and 47 are read
    too: without seconds, with a fraction, with an offset. A time without a zone is refused.
    """
    form = _UTC if expect_tag(found, UTC_TIME, GENERALIZED_TIME).tag == UTC_TIME else _GENERALIZED
    parts = form.fullmatch(found.value)
    if parts is None:
        raise ValueError(f"no time of RFC 5280: {found.value[:40]!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
    if form is _UTC:
        year += 1900 if year >= 50 else 2000
    if parts[7] and not (parts[5] and parts[6]):
        raise ValueError(f"a fraction of no second: {found.value[:40]!r}")
    zone = parts[8]
    offset = (
        0 if zone == b"Z" else (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60) * (-1 if zone[:1] == b"-" else 1)
    )
    if abs(offset) >= 86400:
        raise ValueError(f"no zone: {found.value[:40]!r}")
    whole = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp()
    return whole - offset + float("0." + parts[7][1:].decode() if parts[7] else 0)


#: Kinds of strings other than UTF-8: T61 is read as Latin-1, as OpenSSL and Windows do.
_ENCODINGS = {0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_STRINGS = frozenset({0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B, 0x1C, 0x1E})


def string(found: Element) -> str:
    """The text of a string of any kind. Bytes that are invalid for their kind are read as Latin-1; another element
    becomes "#" and its bytes in hex (RFC 4514 section 2.4). Never raises."""
    if found.tag not in _STRINGS:
        return "#" + found.value[:512].hex()
    return text(found.value, _ENCODINGS.get(found.tag, "utf-8"))


def text(value: bytes, encoding: str = "utf-8") -> str:
    """`value` as text; as Latin-1 if it is not valid in `encoding`. Never raises."""
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return value.decode("latin-1")

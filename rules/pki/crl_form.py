"""A list in another form than DER: as text, cut short, or with bytes after its end.

Windows expects one list in DER (RFC 5280 section 4.2.1.13), which none of these is. A web page instead of a list
comes from a network device. A list in another form comes from its publisher, and a broken transfer cuts a list short.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.model.kinds.http_fetch import HttpExchange
from rules.pki.der import INTEGER, SEQUENCE, tlv
from rules.pki.fields import try_read

Form: TypeAlias = Literal["pem", "cut", "more"]

#: RFC 7468 section 6. Text before it explains the list, and does not count.
_PEM = re.compile(rb"-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----")
_BEGINS = b"-----BEGIN X509 CRL-----"
_TIMES = (0x17, 0x18)


@dataclass(frozen=True, slots=True)
class OddList:
    """A list in another form. `words`: its form, in a phrase; `der`: the list itself if it is complete."""

    form: Form
    words: str
    der: bytes | None = None


def find_list(exchange: HttpExchange) -> OddList | None:
    """The list in an answer, None without one. Of a long body the beginning is enough. Never raises."""
    body = exchange.body or b""
    if _BEGINS in body:
        return _text(body, exchange.size)
    whole = declared_length(body)
    if whole is None or whole == exchange.size:
        return None
    if whole > exchange.size:
        return OddList("cut", f"a list came cut short: {exchange.size} of its {whole} bytes")
    more = exchange.size - whole
    words = f"a list of {whole} bytes came, and {more} more byte{'s' * (more > 1)} after its end"
    return OddList("more", words, body[:whole] if whole <= len(body) else None)


def declared_length(body: bytes) -> int | None:
    """A list's length by its own header; None if `body` does not begin like a list (RFC 5280 section 5.1)."""
    return try_read(lambda: _length(body))[0]


def _length(body: bytes) -> int | None:
    at, whole = _into(body, 0)
    at, end = _into(body, at)
    if body[at] == INTEGER:  # version
        at = tlv(body, at)[2]
    for _ in range(2):  # signature, issuer
        if body[at] != SEQUENCE:
            return None
        at = tlv(body, at)[2]
    return whole if body[at] in _TIMES and at < end < whole else None


def _into(body: bytes, at: int) -> tuple[int, int]:
    """Where the content of a SEQUENCE begins and ends, even if not all of it has arrived. Raises for anything else."""
    first = body[at + 1]
    count = first & 0x7F if first > 0x7F else 0
    begins = at + 2 + count
    if body[at] != SEQUENCE or first == 0x80 or count > 4 or begins > len(body):
        raise ValueError("no SEQUENCE of a known length")
    return begins, begins + (int.from_bytes(body[at + 2 : begins]) if count else first)


def _text(body: bytes, size: int) -> OddList:
    match = _PEM.search(body)
    der = try_read(lambda: base64.b64decode(b"".join(match[1].split()), validate=True))[0] if match else None
    return OddList("pem", f"a list came as text (PEM) and not in DER: {size or len(body)} bytes", der)

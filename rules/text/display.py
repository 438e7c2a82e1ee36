"""Peer text made harmless: everything shown to a person goes through `display`.

A peer writes the names in certificates, headers, DNS answers and block pages. Printed unchanged, they can clear a
terminal, hide a line, reverse a host name or forge one. After `display()` a text is a single line of printable
characters that every UTF-8 sink accepts; the other characters appear as backslash escapes.
"""

from __future__ import annotations

import hashlib
import unicodedata

SHOWN = 256  #: maximum of characters of peer text shown
STORED = 1024  #: maximum of characters of peer text kept
MARKS = 4  #: maximum of combining marks on one character; more would cover the neighbouring lines

#: Printable by category, but blank or without effect on paper: fillers, joiners, variation selectors.
INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)


def display(text: str | bytes, limit: int = SHOWN) -> str:
    """`text` as one harmless line: at most `limit` characters, then `…(+N, sha256 abcd…)` of what was left out.

    Bytes are read as UTF-8; what is not becomes `\\xNN`. Control characters (C0, DEL, C1), bidi controls, zero-width
    and other invisible characters, line and paragraph separators and lone surrogates become backslash escapes. The
    hash is of the whole text, N counts its characters that are not shown. A backslash stays as it is: a text that
    only looks escaped does no harm, and `CORP\\svc` stays readable.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text  # true for nearly all of them
    shown: list[str] = []
    room, marks = limit, 0
    for position, char in enumerate(text):
        marks = marks + 1 if unicodedata.combining(char) else 0
        piece = _harmless(char) if marks <= MARKS else _escape(char)
        if len(piece) > room:
            return "".join(shown) + _cut_mark(text, len(text) - position)
        shown.append(piece)
        room -= len(piece)
    return "".join(shown)


def stored(text: str | bytes) -> str:
    """`text` as `display` shows it, at most 1,024 characters in total: the form in which records keep peer text."""
    whole = display(text, STORED)
    if len(whole) <= STORED:
        return whole
    return display(text, STORED - 48)  # the longest tail: "…(+", 20 digits, ", sha256 ", 8 + "…)"


def _harmless(char: str) -> str:
    """A character as it is if it is visible, otherwise its escape."""
    return char if char.isprintable() and char not in INVISIBLE else _escape(char)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cut_mark(text: str, left_out: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"…(+{left_out}, sha256 {digest[:8]}…)"

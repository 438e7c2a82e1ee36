"""The text of an answer over port 80, whatever its bytes and headers are. Never raises; reads at most `SNIFFED` bytes.

The words that matter are ASCII on nearly every page, so bytes are read as UTF-8, and others become `\\xNN`. In UTF-16
and UTF-32 these words would be missed. A byte order mark shows these codings; so do zeros in the first characters (a
page begins with `<` or an ASCII word), or the charset of `content-type` if the bytes contain zeros at all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from rules.text.display import display

Headers: TypeAlias = tuple[tuple[str, str], ...]

SNIFFED = 16_384  #: bytes of a body that are searched for signs of a page
SENTENCE = 160  #: maximum of characters shown of a page's text

#: Byte order marks, the longer first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
#: Positions of the zeros in the first four bytes of a page of ASCII words.
_ZEROS = {
    "000x": "utf-32-be",
    "x000": "utf-32-le",
    "0x0x": "utf-16-be",
    "x0x0": "utf-16-le",
}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?(utf-?(?:16|32))", re.IGNORECASE)

_TAGS = re.compile(
    r"<(script|style|title)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)|<[^<>]*>", re.DOTALL | re.IGNORECASE
)


def first_bytes(headers: Headers, body: bytes | None) -> bytes:
    """The first bytes of a body without a byte order mark; UTF-16 and UTF-32 become UTF-8."""
    start = (body or b"")[:SNIFFED]
    for mark, coding in _MARKS:
        if start.startswith(mark):
            start = start[len(mark) :]
            return start if coding == "utf-8" else _narrow(start, coding)
    coding = _coding(headers, start) if b"\x00" in start else ""
    return _narrow(start, coding) if coding else start


def body_text(headers: Headers, body: bytes | None) -> str:
    """The same as text, not yet harmless: see `display`. Binary bytes grow fourfold, so the text is cut too."""
    return first_bytes(headers, body).decode("utf-8", "backslashreplace")[:SNIFFED]


def title(text: str) -> str:
    """The title of a page in one line, "" without one. Not yet harmless: see `display`."""
    lower = text.lower()
    start = lower.find("<title")
    start = lower.find(">", start) + 1 if start >= 0 else 0
    end = lower.find("</title", start)
    return " ".join(text[start:end].split()) if start and end > start else ""


@lru_cache(8)  # one judgement uses it five times
def visible_text(text: str) -> str:
    """The visible text of a page, in one line: no tags, scripts, comments or title."""
    return " ".join(_TAGS.sub(" ", text).split())


def first_sentence(text: str) -> str:
    """The beginning of an answer's text, in one line and harmless; "" for binary bytes."""
    if not text or "\x00" in text or text.count("\\x") > len(text) // 40:
        return ""
    return display(visible_text(text), SENTENCE)


def _coding(headers: Headers, start: bytes) -> str:
    first = start[:4]
    found = _ZEROS.get("".join("x" if byte else "0" for byte in first), "")
    if found and all(byte == 0 or 32 <= byte < 127 or byte in b"\t\r\n" for byte in first):
        return found
    called = next((value for name, value in headers if name == "content-type"), "")
    match = _CHARSET.search(called[:1024])
    if match is None:
        return ""
    width = 4 if match[1].endswith("32") else 2
    low = sum(byte == 0 for byte in start[::width]) > sum(byte == 0 for byte in start[width - 1 :: width])
    return f"utf-{8 * width}-{'be' if low else 'le'}"  # the zeros of ASCII characters are their high bytes


def _narrow(start: bytes, coding: str) -> bytes:
    return start.decode(coding, "backslashreplace").encode("utf-8", "backslashreplace")

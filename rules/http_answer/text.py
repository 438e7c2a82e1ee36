"""The text of an answer over port 80, whatever its bytes and its headers are: never raises, and never looks beyond `SNIFFED`.

The words that matter are ASCII on nearly every page, so this reads bytes as UTF-8 and writes the others as `\\xNN`. UTF-16 and
UTF-32 would hide their words. A byte order mark shows them, or the zeros in the first characters (a page begins with `<` or a
word of ASCII), or the charset of `content-type` where the bytes have zeros at all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from rules.text.display import display

Headers: TypeAlias = tuple[tuple[str, str], ...]

SNIFFED = 16_384  #: bytes of a body that are looked at for signs of a page
SENTENCE = 160  #: characters of a page's text that are shown

#: Marks of byte orders, the longer first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
#: Where the zeros stand in four bytes that begin a page of ASCII words.
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
    """The first bytes of a body, in UTF-8 where they came in UTF-16 or UTF-32, without a mark of the byte order."""
    start = (body or b"")[:SNIFFED]
    for mark, coding in _MARKS:
        if start.startswith(mark):
            start = start[len(mark) :]
            return start if coding == "utf-8" else _narrow(start, coding)
    coding = _coding(headers, start) if b"\x00" in start else ""
    return _narrow(start, coding) if coding else start


def decoded_text(headers: Headers, body: bytes | None) -> str:
    """The same as text, not yet harmless: see `display`. Bytes that are no text grow fourfold, and that text is cut as well."""
    return first_bytes(headers, body).decode("utf-8", "backslashreplace")[:SNIFFED]


def title(text: str) -> str:
    """The title of a page in one line, "" where it has none. Not yet harmless: see `display`."""
    lower = text.lower()
    start = lower.find("<title")
    start = lower.find(">", start) + 1 if start >= 0 else 0
    end = lower.find("</title", start)
    return " ".join(text[start:end].split()) if start and end > start else ""


@lru_cache(8)  # one judgement asks for it five times
def visible_text(text: str) -> str:
    """What a reader sees of a page, in one line: no tags, scripts, comments or title."""
    return " ".join(_TAGS.sub(" ", text).split())


def first_sentence(text: str) -> str:
    """How the text of an answer begins, in one line and harmless; "" where the bytes are no text."""
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

"""Corrects header lines that lenient clients accept and h11 refuses, and names each oddity.

Windows' WinHTTP and curl ignore an odd header line, so a browser or a certificate check gets its answer, and such an answer is
not broken. Ambiguous heads are not changed, and h11 refuses them: two different lengths, a length that is not a number,
codings that were not requested, NUL, a malformed status line.

| oddity | what is read |
| --- | --- |
| blanks before the colon (RFC 9112 section 5.1: a proxy removes them) | the name without them |
| a line without a colon, with an empty name, with a name that is no token (a blank in it, say) | the rest, without the line |
| `Transfer-Encoding: identity` (RFC 2616 section 3.6, gone since RFC 7230), alone or before `chunked` | without `identity` |
| a continued line (obs-fold, RFC 9112 section 5.2) | joined with a blank; a first line that continues nothing is left out |
| a line that ends in LF alone (RFC 9112 section 2.2) | like CRLF |
| the same Content-Length twice (RFC 9110 section 8.6), Content-Length beside chunked (RFC 9112 section 6.3) | once; as chunked |
| more than one blank in the status line, or none before an empty reason | as if there were one |
| a control character in a value | a blank |
"""

from __future__ import annotations

import re

MOST = 4  #: most oddities that are named

_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"(HTTP/[0-9]\.[0-9])([ \t]+)([0-9]{3})(?:([ \t]+)(.*))?")
_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")


class HeadReader:
    """Reads the bytes of a connection and returns them with corrected heads. `most`: bytes of one head; a longer head is
    returned unchanged."""

    def __init__(self, most: int) -> None:
        self.oddities: tuple[str, ...] = ()
        self._most = most
        self._held: bytearray | None = bytearray()  # of an incomplete head; None: the body has started
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that are complete now. b"", the end of the connection, returns the rest."""
        if self._held is None:
            return data
        if not data:
            return self._rest()
        self._held += data
        given = bytearray()
        while found := _END.search(self._held, self._searched):
            head = bytes(self._held[: found.end()])
            del self._held[: found.end()]
            self._searched = 0
            plain, odd = plain_head(head) if len(head) <= self._most else (head, ())
            self.oddities = tuple(dict.fromkeys((*self.oddities, *odd)))[:MOST]
            given += plain
            if not _interim(plain):
                return bytes(given) + self._rest()
        self._searched = max(0, len(self._held) - 2)
        if len(self._held) > self._most:
            given += self._rest()
        return bytes(given)

    def _rest(self) -> bytes:
        held, self._held = bytes(self._held or b""), None
        return held


def plain_head(head: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A corrected head (status line to blank line) and its oddities. Anything else is returned unchanged."""
    lines = head.split(b"\n")
    odd: dict[str, None] = {}
    if any(not line.endswith(b"\r") for line in lines[:-1]):
        odd["a line ends in LF alone"] = None
    lines = [line.removesuffix(b"\r") for line in lines[:-2]]
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        return head, ()
    if status[2] != b" " or (status[4] or b" ") != b" ":
        odd["blanks in the status line"] = None
    made = [b" ".join(part for part in (status[1], status[3], status[5] or b"") if part)]
    for line in _unfolded(lines[1:], odd):
        read = _field(line, odd)
        if read is not None:
            made.append(read)
    _lengths(made, odd)
    return b"\r\n".join(made) + b"\r\n\r\n", tuple(odd)


def _unfolded(lines: list[bytes], odd: dict[str, None]) -> list[bytes]:
    fields: list[list[bytes]] = []
    for line in lines:
        if not line.startswith((b" ", b"\t")):
            fields.append([line])
            continue
        odd["a folded line"] = None
        if fields:
            fields[-1].append(line.strip(b" \t"))
    return [b" ".join(parts) for parts in fields]


def _field(line: bytes, odd: dict[str, None]) -> bytes | None:
    """The corrected line; None to omit it. A line with NUL is unchanged, so that h11 refuses it."""
    name, colon, value = line.partition(b":")
    stripped = name.rstrip(b" \t")
    if b"\x00" in line:
        return line
    if not colon:
        odd["a line without a colon"] = None
        return None
    if not stripped:
        odd["an empty name"] = None
        return None
    if not _TOKEN.fullmatch(stripped):
        odd["a name with a blank" if b" " in stripped else "a name that is none"] = None
        return None
    if stripped != name:
        odd["a blank before the colon"] = None
    if _CONTROL.search(value):
        odd["a control character"] = None
        value = _CONTROL.sub(b" ", value)
    if stripped.lower() == b"transfer-encoding":
        codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
        if b"identity" in codings:
            odd["Transfer-Encoding: identity"] = None
            value = b", ".join(coding for coding in codings if coding != b"identity")
            if not value:
                return None
    return stripped + b": " + value.strip(b" \t")


def _lengths(made: list[bytes], odd: dict[str, None]) -> None:
    """Name repeated lengths; h11 refuses two different ones."""
    names = [line.partition(b":")[0].lower() for line in made[1:]]
    if names.count(b"content-length") > 1:
        odd["Content-Length more than once"] = None
    if b"content-length" in names and b"transfer-encoding" in names:
        odd["Content-Length beside Transfer-Encoding"] = None


def _interim(head: bytes) -> bool:
    """Whether another head follows: after 1xx but 101, which another protocol follows (RFC 9110 section 15.2)."""
    return head[9:10] == b"1" and head[9:12] != b"101"

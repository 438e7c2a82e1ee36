"""Checks the head of a request strictly before aiohttp's parser gets it, one complete head at a time.

It accepts HTTP/1.1 as RFC 9110 and RFC 9112 describe it, without forms that only help attackers: bare line feeds,
folded headers (RFC 9112 sections 2.2 and 5.2), HTTP/0.9. An accepted head contains no second request and has a bounded
length.
"""

from __future__ import annotations

import re

from probe.web.messages import METHODS, HttpLimits, Refusal

_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/(\d)\.(\d)\r")
_LOOSE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|\0")
_TLS_RECORD = 0x16
_LINE_ROOM = 32  # bytes of a request line without the URL


def head_end(buffer: bytearray, limits: HttpLimits) -> int:
    """The length of the request's head at the start of `buffer`; 0 while it is not complete. Refusal if it is bad."""
    newline = buffer.find(b"\n", 0, limits.url_bytes + _LINE_ROOM)
    if newline < 0:
        if buffer[:1] == bytes((_TLS_RECORD,)):
            raise Refusal(400, "this port speaks HTTP without TLS")
        if len(buffer) >= limits.url_bytes + _LINE_ROOM:
            raise Refusal(414, f"the URL is longer than {limits.url_bytes} bytes")
        return 0
    _check_line(buffer, newline, limits)
    end = buffer.find(b"\r\n\r\n", newline - 1, limits.head_bytes)
    if end < 0:
        if len(buffer) >= limits.head_bytes:
            raise Refusal(431, f"the headers are longer than {limits.head_bytes} bytes")
        return 0
    if _LOOSE.search(buffer, 0, end + 4):
        raise Refusal(400, "line ends must be CR LF, headers on one line each")
    if buffer.count(b"\r\n", 0, end + 4) > limits.headers + 2:
        raise Refusal(431, f"more than {limits.headers} headers")
    return end + 4


def _check_line(buffer: bytearray, newline: int, limits: HttpLimits) -> None:
    """Refusal for a request line that this server does not support."""
    line = _LINE.fullmatch(buffer, 0, newline)
    if line is None:
        raise Refusal(400, "not a request of HTTP/1.1")
    if line[3] != b"1" or line[4] not in b"01":
        raise Refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if (method := line[1].decode()) not in METHODS:
        raise Refusal(405, f"{method} is not offered here", (("Allow", ", ".join(METHODS)),))
    if not line[2].startswith(b"/"):  # RFC 9112 section 3.2.1
        raise Refusal(400, "the request must name a path: this is no proxy")
    if len(line[2]) > limits.url_bytes:
        raise Refusal(414, f"the URL is longer than {limits.url_bytes} bytes")

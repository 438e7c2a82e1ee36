"""What the web server takes and gives: requests, answers, its limits, and how strictly a request is read.

HTTP/1.1 as RFC 9110 and RFC 9112 describe it, without what only helps attackers: bare line feeds, folded headers, both
kinds of framing at once (RFC 9112 sections 2.2, 5.2 and 6.3), HTTP/0.9.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

import h11

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD", "POST", "PUT")
_LINE = re.compile(rb"([A-Z]{1,20}) (\S+) HTTP/(\d)\.(\d)\r")
_LOOSE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|\0")
_TLS_RECORD = 0x16
_LINE_ROOM = 32  # bytes of a request line besides the URL
_MOST_PARAMETERS = 32
_LONGEST_ACCEPT = 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds, counts and bytes that nobody on the network can exceed."""

    head: float = 5.0  #: until a request is complete, from its first byte or from the connection's begin
    idle: float = 30.0  #: between two requests
    write: float = 10.0  #: for one answer
    handler: float = 60.0  #: for the work behind one answer
    handshake: float = 5.0  #: for TLS
    linger: float = 1.0  #: reading on after a refusal, so that the client sees it
    in_flight: int = 40  #: requests that are worked on or written
    connections: int = 256
    handshakes: int = 64  #: TLS handshakes under way
    head_bytes: int = 64 * 1024
    url_bytes: int = 8 * 1024
    headers: int = 100
    body_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body. `headers` have names in lower case; `peer` is the address, `user` "" for nobody."""

    method: str
    path: str  # percent-decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `gzip_body` is the same body packed: sent to whoever takes gzip."""

    status: int
    body: bytes = b""
    content_type: str = PLAIN
    headers: tuple[tuple[str, str], ...] = ()
    gzip_body: bytes | None = None


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):  # noqa: N818 - an answer, no fault of ours
    """A request that is not handled: the status and one line that tells the client why."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers

    def response(self) -> Response:
        return Response(self.status, f"{self.text}\n".encode(), PLAIN, self.headers)


def head_end(buffer: bytearray, limits: HttpLimits) -> int:
    """The length of the request's head at the begin of `buffer`; 0 while it is not complete. Refusal when it is bad."""
    newline = buffer.find(b"\n", 0, limits.url_bytes + _LINE_ROOM)
    if newline < 0:
        if buffer[:1] == bytes((_TLS_RECORD,)):
            raise Refusal(400, "this port speaks HTTP without TLS")
        if len(buffer) >= limits.url_bytes + _LINE_ROOM:
            raise Refusal(414, f"the URL is longer than {limits.url_bytes} bytes")
        return 0
    line = _LINE.fullmatch(buffer, 0, newline)
    if line is None:
        raise Refusal(400, "not a request of HTTP/1.1")
    if line[3] != b"1" or line[4] not in b"01":
        raise Refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if len(line[2]) > limits.url_bytes:
        raise Refusal(414, f"the URL is longer than {limits.url_bytes} bytes")
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


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as it was read; `length` is that of the body, None for a chunked one."""

    method: str
    target: str
    headers: Mapping[str, str]
    length: int | None
    expects_continue: bool = False


def read_head(event: h11.Request, limits: HttpLimits) -> Head:
    """The head that h11 read, once more with a stricter eye. Refusal for framing that two readers could read two ways.

    h11 itself refuses lengths that differ, repeated Host and Transfer-Encoding headers, and codings but `chunked`.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    chunked = "transfer-encoding" in headers
    if chunked and ("content-length" in headers or event.http_version != b"1.1"):
        raise Refusal(400, "transfer-encoding together with another kind of framing")
    length = None if chunked else int(headers.get("content-length", "0"))
    if length is not None and length > limits.body_bytes:
        raise Refusal(413, f"the body is longer than {limits.body_bytes} bytes")
    expects = headers.get("expect", "").lower() == "100-continue" and event.http_version == b"1.1"
    return Head(event.method.decode("ascii"), event.target.decode("ascii"), headers, length, expects)


def read_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request's target in origin form (RFC 9112 section 3.2.1). Refusal for anything else."""
    if not target.startswith("/"):
        raise Refusal(400, "the request must name a path: this is no proxy")
    path, _, query = target.partition("?")
    try:
        path = unquote(path, errors="strict")
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise Refusal(400, "the URL is not UTF-8, or has too many parameters") from None
    if not path.isprintable():
        raise Refusal(400, "the path holds control characters")
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise Refusal(400, "a parameter is given twice")
    return path, parameters


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sent this Accept-Encoding takes gzip (RFC 9110 section 12.5.3)."""
    if len(accept_encoding) > _LONGEST_ACCEPT:
        return False
    weights: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = not re.fullmatch(r"q=0(\.0{0,3})?", parameter.strip())
    return weights.get("gzip", weights.get("*", False))

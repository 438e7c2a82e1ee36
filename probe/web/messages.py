"""The values between the web server and its pages: requests, answers, refusals, and the server's limits."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD", "POST", "PUT")
_MOST_PARAMETERS = 32
_LONGEST_ACCEPT = 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits in seconds, counts and bytes."""

    head: float = 5.0  #: until a request is complete, from its first byte or from the connection's start
    idle: float = 30.0  #: between two requests
    write: float = 10.0  #: for one answer
    handler: float = 60.0  #: for the work that produces one answer
    handshake: float = 5.0  #: for TLS
    linger: float = 1.0  #: reading after a refusal, so that the client receives it
    in_flight: int = (
        40  #: requests of each class (scrapes, `/-/`, the other pages) that are worked on or written
    )
    connections: int = 256
    handshakes: int = 64  #: running TLS handshakes
    head_bytes: int = 64 * 1024
    url_bytes: int = 8 * 1024
    headers: int = 100
    body_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body. `headers` have names in lower case; `peer` is the address; `user` is "" without
    one."""

    method: str
    path: str  # as it was sent, not decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `gzip_body` is the same body compressed, for clients that accept gzip."""

    status: int
    body: bytes = b""
    content_type: str = PLAIN
    headers: tuple[tuple[str, str], ...] = ()
    gzip_body: bytes | None = None


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A refused request: the status and one line for the client with the reason."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers

    def response(self) -> Response:
        return Response(self.status, f"{self.text}\n".encode(), PLAIN, self.headers)


def read_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request's target in origin form. Refusal for ambiguous parameters.

    The path is as the client sent it, not decoded: if a reverse proxy blocks `/-/reload`, a client must not get past it
    with `/%2d/reload`. No page of this server has a name that needs an escape.
    """
    path, _, query = target.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise Refusal(400, "the URL is not UTF-8, or has too many parameters") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise Refusal(400, "a parameter is given twice")
    return path, parameters


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sent this Accept-Encoding accepts gzip (RFC 9110 section 12.5.3)."""
    if len(accept_encoding) > _LONGEST_ACCEPT:
        return False
    weights: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = not re.fullmatch(r"q=0(\.0{0,3})?", parameter.strip())
    return weights.get("gzip", weights.get("*", False))

"""One connection of the web server: aiohttp's protocol with one request at a time and a time limit for each stage.

aiohttp parses requests, reads bodies and frames answers. It has no limit for a slow head, a slow body or a slow reader, and it
parses all bytes after a request. So this module passes a head to aiohttp only when it is complete and strictly valid, and
later bytes only after the answer is written. After a body or a refusal it passes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http.client
import logging
import ssl
from enum import Enum, auto
from typing import Protocol

from aiohttp import HttpVersion11, StreamReader, web
from multidict import CIMultiDict

from probe.web.messages import HttpLimits, Refusal, Response, takes_gzip
from probe.web.request_head import head_end
from probe.web.tls import client_sans

READ_AT_ONCE = 16 * 1024  #: bytes
WRITTEN_AT_ONCE = 64 * 1024  #: bytes: also the most that this process keeps for a slow reader
_DISCARDED = (
    1024 * 1024
)  # most bytes to read after a refusal, so that the client gets its text before a reset
_NEVER = float("inf")
_log = logging.getLogger("wayclear.http")


class State(Enum):
    FRESH = auto()  # connected, no complete request yet
    IDLE = auto()  # between two requests
    BUSY = auto()  # a request is handled or answered
    BODY = auto()  # the body of that request is read
    ENDING = auto()  # after the last answer; further bytes are dropped


class Owner(Protocol):
    """The part of the server that a connection needs."""

    limits: HttpLimits
    received: memoryview  # READ_AT_ONCE bytes that all connections share; each uses it during one event only
    stopping: bool

    def opened(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def headers(self, response: Response) -> list[tuple[str, str]]: ...


class Connection(web.RequestHandler, asyncio.BufferedProtocol):
    """The protocol of one connection. `server` calls the handler with each request.

    It is also a BufferedProtocol, because otherwise asyncio reads up to 256 KiB at once for each connection.
    """

    def __init__(self, owner: Owner, server: web.Server) -> None:
        limits = owner.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle,
            tcp_keepalive=False,
            logger=_log,
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for none
            max_line_size=limits.head_bytes,
            max_field_size=limits.head_bytes,
            max_headers=limits.headers + 1,
            lingering_time=limits.linger,
            auto_decompress=False,
        )
        self._owner = owner
        self._buffer = bytearray()  # of the next request
        self._timer: asyncio.TimerHandle | None = None
        self._eof = False  # the client sends nothing more
        self._last = False  # no further request is answered
        self._dropped = 0
        self._wire: asyncio.Transport | None = None  # aiohttp forgets its own when it begins to close
        self._body: StreamReader | None = None
        self.state = State.FRESH
        self.since = 0.0  #: loop time of the connection's start or of its last answer
        self.stalled_since = _NEVER  #: loop time since when the client has read nothing of an answer
        self.peer = ""
        self.sans: frozenset[str] | None = None

    # --- what asyncio calls ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self._wire = transport
        self.since = self._loop.time()
        transport.set_write_buffer_limits(high=WRITTEN_AT_ONCE, low=0)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else ""
        tls = transport.get_extra_info("ssl_object")
        self._tls = isinstance(tls, ssl.SSLObject)
        if isinstance(tls, ssl.SSLObject) and (certificate := tls.getpeercert(binary_form=True)):
            self.sans = client_sans(certificate)
        self._limit(self._owner.limits.head)
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._owner.received

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._owner.received[:nbytes]))

    def data_received(self, data: bytes) -> None:
        match self.state:
            case State.BODY:
                self._read_body(data)
            case State.ENDING:
                self._dropped += len(data)
                if self._dropped > _DISCARDED:
                    self.abort()
            case State.BUSY:
                if data and self._wire is not None:  # pipelined: it waits, and reading stops
                    self._buffer += data
                    self._wire.pause_reading()
            case State.FRESH | State.IDLE:
                if self.state is State.IDLE and data and not self._buffer:
                    self._limit(self._owner.limits.head)
                self._buffer += data
                self._read_head()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to stay open
        """A client that closed only its sending half still gets its answer; TLS has no half-closed state."""
        self._eof = True
        return self.state is State.BUSY and not self._tls

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stalled_since = self._loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stalled_since = _NEVER

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._unlimit()
        self._wire = None  # over TLS it refers to 256 KiB of buffers, which refer to this object
        self._owner.closed(self)

    # --- what the server calls -------------------------------------------------------------------------------------

    def finish(self) -> None:
        """The server stops: end an idle connection now, a busy one after its answer."""
        self._last = True
        if self.state not in (State.BUSY, State.BODY):
            self.force_close()

    def force_close(self) -> None:
        """Close it after a short time for written bytes."""
        super().force_close()
        self.state = State.ENDING
        self._limit(self._owner.limits.linger)

    def abort(self) -> None:
        """End it at once."""
        self.state = State.ENDING
        if self._wire is not None:
            self._wire.abort()

    async def read_body(self, request: web.BaseRequest) -> None:
        """Read and drop the body of a request, which is then the last one. Refusal if it is long, slow or malformed."""
        limits = self._owner.limits
        self._last = True
        self.state = State.BODY
        self._body = request.content
        began, self._buffer = bytes(self._buffer), bytearray()
        self._read_body(began)
        if self._wire is not None:
            self._wire.resume_reading()
        if "Transfer-Encoding" in request.headers and request.version != HttpVersion11:
            raise Refusal(400, "transfer-encoding together with another kind of framing")
        if (request.content_length or 0) > limits.body_bytes:
            raise Refusal(413, f"the body is longer than {limits.body_bytes} bytes")
        expects = request.headers.get("Expect", "").lower() == "100-continue"
        if expects and not began and request.version == HttpVersion11 and self._wire is not None:
            self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        received = 0
        try:
            async with asyncio.timeout(limits.head):
                async for piece in request.content.iter_any():
                    received += len(piece)
                    if received > limits.body_bytes:
                        raise Refusal(413, f"the body is longer than {limits.body_bytes} bytes")
        except TimeoutError:
            raise Refusal(408, "the request took too long") from None
        except web.RequestPayloadError:
            raise Refusal(400, "the body is not framed as HTTP/1.1 says") from None
        self.state = State.BUSY

    async def answer(self, request: web.BaseRequest, response: Response) -> None:
        """Write the answer in pieces, within its time limit (else TimeoutError), and go on to the next request."""
        headers = self._owner.headers(response)
        body = response.body
        if response.gzip_body is not None:
            headers.append(("Vary", "Accept-Encoding"))
            if takes_gzip(", ".join(request.headers.getall("Accept-Encoding", ()))):
                body = response.gzip_body
                headers.append(("Content-Encoding", "gzip"))
        half_closed = self._eof and not self._buffer
        if self._owner.stopping or half_closed or not request.keep_alive or request.version != HttpVersion11:
            self._last = True
        headers += self._framing(response, len(body))
        until = self._loop.time() + self._owner.limits.write
        async with asyncio.timeout_at(until):
            await self._write(request, response.status, headers, body if request.method != "HEAD" else b"")
        if self._wire is None or self._wire.is_closing():
            return
        if self._last:
            unsent = self._wire.get_write_buffer_size() > 0
            self._end(until - self._loop.time() if unsent else 0.0)
        else:
            self._next()

    def keeps_alive(self) -> bool:
        """Whether another request may follow the answer that was written."""
        return not self._last

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a head that aiohttp's parser refuses."""
        self._last = True
        return Answer(self, Refusal(400, "not a sound request of HTTP/1.1").response())

    # --- parts -----------------------------------------------------------------------------------------------------

    def _read_head(self) -> None:
        """Give aiohttp the next request if its head is complete."""
        try:
            length = head_end(self._buffer, self._owner.limits)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if length:
            head = bytes(self._buffer[:length])
            del self._buffer[:length]
            self.state = State.BUSY
            self._unlimit()  # the server limits the handler
            super().data_received(head)

    def _read_body(self, data: bytes) -> None:
        """Give aiohttp a part of the body. It queues a framing error as a new message, so check for one."""
        super().data_received(data)
        if self._messages and self._body is not None and not self._body.is_eof():
            self._body.set_exception(web.RequestPayloadError())

    def _refuse(self, refusal: Refusal) -> None:
        """Answer an invalid request, and end the connection."""
        assert self._wire is not None
        self._last = True
        self._buffer.clear()
        response = refusal.response()
        headers = self._owner.headers(response) + self._framing(response, len(response.body))
        lines = (
            f"HTTP/1.1 {_reason(refusal.status)}",
            *(f"{name}: {value}" for name, value in headers),
            "",
            "",
        )
        self._wire.write("\r\n".join(lines).encode() + response.body)
        self._end(0.0)

    def _framing(self, response: Response, length: int) -> list[tuple[str, str]]:
        headers = [("Date", email.utils.formatdate(usegmt=True))]
        if response.body or response.status not in (204, 304):
            headers += [("Content-Type", response.content_type), ("Content-Length", str(length))]
        if self._last:
            headers.append(("Connection", "close"))
        return headers

    async def _write(
        self, request: web.BaseRequest, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        writer = request.writer
        await writer.write_headers(f"HTTP/1.1 {_reason(status)}", CIMultiDict(headers))
        view = memoryview(body)
        for begin in range(0, len(body), WRITTEN_AT_ONCE):
            await writer.write(view[begin : begin + WRITTEN_AT_ONCE])
            await writer.drain()
        await writer.write_eof()

    def _next(self) -> None:
        """Wait for the next request, or start with one that has arrived."""
        self.state = State.IDLE
        self.since = self._loop.time()
        if self._wire is not None:
            self._wire.resume_reading()
        if self._buffer:
            self._limit(self._owner.limits.head)
            self._read_head()
        if self._eof and self.state is State.IDLE:  # the client closed within a request
            self.force_close()

    def _end(self, seconds: float) -> None:
        """Let aiohttp close the transport; written bytes have `seconds`, at least `linger`, to be sent."""
        moment = self._owner.limits.linger
        if self.state is State.BODY:
            moment *= 2  # aiohttp reads on in the body for as long as it lingers
        else:
            self.state = State.ENDING
        self._limit(max(moment, seconds))
        if self._wire is not None and self._wire.can_write_eof():
            with contextlib.suppress(OSError):  # the client is gone, and its reset has not been read yet
                self._wire.write_eof()

    def _limit(self, seconds: float) -> None:
        """Limit the time of the present state."""
        self._unlimit()
        self._timer = self._loop.call_later(seconds, self._expire)

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if self.state in (State.ENDING, State.BODY):
            self.abort()
        elif self._buffer:
            self._refuse(Refusal(408, "the request took too long"))
        else:
            self.force_close()


class Answer(web.StreamResponse):
    """Writes an answer with exactly our headers, once, when aiohttp prepares it."""

    def __init__(self, connection: Connection, response: Response) -> None:
        super().__init__(status=response.status)
        self._connection = connection
        self._response: Response | None = response

    @property
    def keep_alive(self) -> bool:
        return self._connection.keeps_alive()

    async def prepare(self, request: web.BaseRequest) -> None:
        response, self._response = self._response, None
        if response is not None:
            await self._connection.answer(request, response)

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: `prepare` has written everything."""


def _reason(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}"

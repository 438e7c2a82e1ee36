"""One connection of the web server: bytes in, requests to the handler one after the other, answers out.

h11 reads and writes HTTP; what it forgives is refused before it sees it. After a request with a body, and after any
refusal of one that was not understood, the connection ends: nothing behind it is ever taken for a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http.client
import ssl
import time
from enum import Enum, auto
from functools import lru_cache
from typing import Protocol

import h11

from probe.web.messages import (
    METHODS,
    Head,
    HttpLimits,
    Refusal,
    Response,
    head_end,
    read_head,
    read_target,
    takes_gzip,
)
from probe.web.tls import client_sans

READ_AT_ONCE = 16 * 1024  #: bytes
WRITTEN_AT_ONCE = 64 * 1024  #: bytes: also what may wait in this process for a slow reader
_DISCARDED = 1024 * 1024  # bytes that are read after a refusal, so that its text arrives before a reset
_NEVER = float("inf")


class State(Enum):
    FRESH = auto()  # connected, nothing complete yet
    IDLE = auto()  # between two requests
    BODY = auto()  # the head was read, the body comes
    BUSY = auto()  # the handler works
    WRITING = auto()
    LINGERING = auto()  # answered for the last time; what still comes is dropped
    CLOSED = auto()


class Owner(Protocol):
    """What a connection needs of its server."""

    limits: HttpLimits
    scratch: memoryview  # READ_AT_ONCE bytes; between two events nothing in it is anybody's
    stopping: bool

    def opened(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def look_at(self, when: float) -> None: ...
    def run(self, connection: Connection, head: Head) -> asyncio.Task[None]: ...
    def headers(self, response: Response) -> list[tuple[str, str]]: ...


class Connection(asyncio.BufferedProtocol):
    """The protocol of one connection. Every state has a deadline (loop time); the server calls `expire()` past it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=owner.limits.head_bytes)
        self._buffer = bytearray()
        self._head: Head | None = None
        self._received = 0
        self._last = False  # no further request is answered
        self._eof = False  # the client has said all
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self.stalled_since = _NEVER  #: since when the client takes nothing
        self._answering = False
        self._write_until = 0.0
        self.state = State.FRESH
        self._deadline = _NEVER
        self.since = 0.0  #: of the connection, or of its last answer: the oldest idle one is closed first
        self.peer = ""
        self.sans: frozenset[str] | None = None

    @property
    def deadline(self) -> float:
        """Loop time at which the present state has lasted too long."""
        return self._deadline

    @deadline.setter
    def deadline(self, when: float) -> None:
        self._deadline = when
        self._owner.look_at(when)

    # --- what asyncio calls ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.since = self._loop.time()
        self.deadline = self.since + self._owner.limits.head
        transport.set_write_buffer_limits(high=WRITTEN_AT_ONCE, low=0)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else ""
        tls = transport.get_extra_info("ssl_object")
        self._tls = isinstance(tls, ssl.SSLObject)
        if isinstance(tls, ssl.SSLObject) and (certificate := tls.getpeercert(binary_form=True)):
            self.sans = client_sans(certificate)
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._owner.scratch

    def buffer_updated(self, nbytes: int) -> None:
        match self.state:
            case State.CLOSED:
                return
            case State.LINGERING:
                self._received += nbytes
                if self._received > _DISCARDED:
                    self.abort()
                return
            case State.BODY:
                self._take_body(bytes(self._owner.scratch[:nbytes]))
                return
        if not self._buffer and self.state is State.IDLE:
            self.deadline = self._loop.time() + self._owner.limits.head
        self._buffer += self._owner.scratch[:nbytes]
        if self.state in (State.FRESH, State.IDLE):
            self._advance()
        else:  # pipelined: it waits its turn, and no more is read than that
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that only closed its sending half still gets the answer it waits for; over TLS there is no half."""
        self._eof = True
        return self.state in (State.BUSY, State.WRITING) and not self._tls

    def pause_writing(self) -> None:
        self.stalled_since = self._loop.time()
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        self.stalled_since = _NEVER
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def connection_lost(self, exc: Exception | None) -> None:
        reads_only = self._head is not None and self._head.method in ("GET", "HEAD")
        self.state = State.CLOSED
        if self._drained is not None and not self._drained.done():
            self._drained.cancel()
        if self._task is not None and (reads_only or self._answering):
            self._task.cancel()  # nobody waits for the answer any more
        self._owner.closed(self)

    # --- what the server calls -------------------------------------------------------------------------------------

    def expire(self) -> None:
        """The deadline of the state has passed."""
        if self.state is State.BODY or (self.state in (State.FRESH, State.IDLE) and self._buffer):
            self._refuse(Refusal(408, "the request took too long"))
        elif self.state is not State.WRITING and not self._transport.is_closing():
            self.close()
        else:
            self.abort()

    def close(self) -> None:
        """End it politely: what was written still goes out, within the time for writing."""
        self._end_soon()
        self._transport.close()

    def finish(self) -> None:
        """The server stops: an idle connection ends now, another one after its answer."""
        self._last = True
        if self.state in (State.FRESH, State.IDLE, State.LINGERING):
            self.close()

    def abort(self) -> None:
        """End it at once."""
        self.state = State.CLOSED
        self._transport.abort()

    async def answer(self, response: Response) -> None:
        """Write the answer to the request and make ready for the next one."""
        head = self._head
        if self.state is State.CLOSED or head is None:
            return
        self.state = State.WRITING
        self._answering = True
        self.deadline = self._write_until = self._loop.time() + self._owner.limits.write
        body = response.body
        headers = self._owner.headers(response)
        if response.gzip_body is not None:
            headers.append(("Vary", "Accept-Encoding"))
            if takes_gzip(head.headers.get("accept-encoding", "")):
                body = response.gzip_body
                headers.append(("Content-Encoding", "gzip"))
        wire = self._start(response, headers, len(body))
        if head.method != "HEAD":
            self._send(h11.Data(data=body))
        else:
            body = b""
        self._send(h11.EndOfMessage())
        await self._write(wire, body)
        self._next()

    # --- reading ---------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Begin with the next request where its head is complete."""
        limits = self._owner.limits
        try:
            length = head_end(self._buffer, limits)
            if not length:
                return
            self._h11.receive_data(bytes(self._buffer[:length]))
            del self._buffer[:length]
            event = self._h11.next_event()
            if not isinstance(event, h11.Request):
                raise Refusal(400, "not a request of HTTP/1.1")
            self._head = read_head(event, limits)
        except Refusal as refusal:
            self._refuse(refusal)
        except h11.RemoteProtocolError as error:
            self._refuse(Refusal(error.error_status_hint, "not a sound request of HTTP/1.1"))
        else:
            if self._head.length == 0:
                self._h11.next_event()  # the end of the message
                self._begin(self._head)
            else:
                self._begin_body(self._head)

    def _begin_body(self, head: Head) -> None:
        self._last = True
        self._received = 0
        self.state = State.BODY
        self.deadline = self._loop.time() + self._owner.limits.head
        if head.expects_continue and not self._buffer:
            self._transport.write(self._send(h11.InformationalResponse(status_code=100, headers=[])))
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._take_body(rest)

    def _take_body(self, data: bytes) -> None:
        """Count and drop it."""
        assert self._head is not None
        try:
            if data:
                self._h11.receive_data(data)
            while True:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    return
                if isinstance(event, h11.Data):
                    self._received += len(event.data)
                    if self._received > self._owner.limits.body_bytes:
                        raise Refusal(413, f"the body is longer than {self._owner.limits.body_bytes} bytes")
                else:
                    break
        except Refusal as refusal:
            self._refuse(refusal)
        except h11.RemoteProtocolError:
            self._refuse(Refusal(400, "the body is not framed as HTTP/1.1 says"))
        else:
            self._begin(self._head)

    def _begin(self, head: Head) -> None:
        self.state = State.BUSY
        self.deadline = _NEVER  # the server limits the handler
        self._task = self._owner.run(self, head)

    # --- writing ---------------------------------------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, and end the connection."""
        self._last = True
        self._buffer.clear()
        response = refusal.response()
        with contextlib.suppress(h11.LocalProtocolError):  # where an answer cannot be begun any more
            wire = self._start(response, self._owner.headers(response), len(response.body))
            if self._head is None or self._head.method != "HEAD":
                wire += self._send(h11.Data(data=response.body))
            self._transport.write(wire)
        self._linger()

    def _start(self, response: Response, headers: list[tuple[str, str]], length: int) -> bytes:
        """The head of an answer. h11 refuses what would break out of a header."""
        headers.append(("Date", _date(int(time.time()))))
        if response.body or response.status not in (204, 304):
            headers += [("Content-Type", response.content_type), ("Content-Length", str(length))]
        if self._last or self._owner.stopping or (self._eof and not self._buffer):
            self._last = True
            headers.append(("Connection", "close"))
        reason = http.client.responses.get(response.status, "")
        return self._send(h11.Response(status_code=response.status, headers=headers, reason=reason))

    def _send(self, event: h11.Event) -> bytes:
        return self._h11.send(event) or b""

    async def _write(self, wire: bytes, body: bytes) -> None:
        view = memoryview(body)
        self._transport.write(b"".join((wire, view[:WRITTEN_AT_ONCE])))
        for begin in range(WRITTEN_AT_ONCE, len(body), WRITTEN_AT_ONCE):
            if self._drained is not None:
                await self._drained
            self._transport.write(view[begin : begin + WRITTEN_AT_ONCE])
        if self._drained is not None:
            await self._drained

    def _next(self) -> None:
        """Another request on this connection, or its end."""
        self._task = None
        self._answering = False
        if self.state is State.CLOSED:
            return
        if self._last or self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            self._linger()
            return
        self._h11.start_next_cycle()
        self._head = None
        self.state = State.IDLE
        now = self.since = self._loop.time()
        self.deadline = now + (self._owner.limits.head if self._buffer else self._owner.limits.idle)
        self._transport.resume_reading()
        if self._buffer:
            self._advance()
        if self._eof and self.state is State.IDLE:  # it ended within a request
            self.close()

    def _linger(self) -> None:
        """No more requests: what still comes is read and dropped for a moment, or a reset would eat the answer."""
        if self.state is State.CLOSED:
            return
        self._transport.resume_reading()
        self._received = 0
        self._end_soon()
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the client is gone, and its reset has not been read yet
                self._transport.write_eof()

    def _end_soon(self) -> None:
        """A moment is left, or what is left of the time for writing where not all is written."""
        self.state = State.LINGERING
        self.deadline = self._loop.time() + self._owner.limits.linger
        if self._transport.get_write_buffer_size():
            self.deadline = max(self.deadline, self._write_until)


@lru_cache(maxsize=2)
def _date(now: int) -> str:
    return email.utils.formatdate(now, usegmt=True)


def check_method(head: Head) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request whose method is one of ours. Refusal otherwise."""
    if head.method not in METHODS:
        raise Refusal(405, f"{head.method} is not offered here", (("Allow", ", ".join(METHODS)),))
    return read_target(head.target)

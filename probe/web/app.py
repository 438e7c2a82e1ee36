"""The web server of the appliance: HTTP/1.1 by aiohttp, over TCP or TLS, for a few scrapers and browsers.

A handler gives the answers; the server limits everything else. Each stage of a connection has a time limit, and connections,
handshakes and running requests have a maximum number. Above it the server refuses or closes the least useful ones. Scrapes
and the service's own paths have reserved places, so requests for other pages cannot block them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import traceback
from collections.abc import Iterable, Sequence
from enum import Enum, auto

from aiohttp import web

from probe.errors import CommandError
from probe.web.accept import Acceptor
from probe.web.access import AccessControl, host_name
from probe.web.connection import READ_AT_ONCE, Answer, Connection, State
from probe.web.exporter_toolkit import Loaded, WebConfigFile
from probe.web.listen import (
    LOOPBACK,
    bound_address,
    check_exposure,
    missing_protection,
    open_sockets,
    parse_addresses,
)
from probe.web.messages import Handler, HttpLimits, Refusal, Request, Response, read_target
from rules.files.fields import BadFile
from rules.text.display import display
from rules.text.hostname import shown

_STALLED = 1.0  # seconds without progress after which a slow reader may lose its place
_AFTER_ABORT = 1.0  # seconds in which asyncio reports that aborted connections are gone
_BUSY = (("Retry-After", "1"),)
_log = logging.getLogger("wayclear.http")


class RequestClass(Enum):
    """Classes of requests. Each has `HttpLimits.in_flight` places."""

    SCRAPE = auto()  # /metrics
    CONTROL = auto()  # /-/healthy, /-/ready, /-/reload
    PAGE = auto()  # the rest


def class_of(path: str) -> RequestClass:
    """The class of a path as the client sent it: an encoded path is not the plain path."""
    if path == "/metrics":
        return RequestClass.SCRAPE
    return RequestClass.CONTROL if path.startswith("/-/") else RequestClass.PAGE


class HttpServer:
    """Serves `handler` at `listen`. `hosts`: further names, beyond the machine's own, that a browser may use.

    `start()` opens the sockets. Beyond loopback the server listens only with TLS and users or verified client certificates,
    unless `allow_insecure` is set.
    """

    def __init__(
        self,
        handler: Handler,
        listen: Sequence[str] = LOOPBACK,
        web_config: WebConfigFile | None = None,
        hosts: Iterable[str] = (),
        allow_insecure: bool = False,
        limits: HttpLimits | None = None,
    ) -> None:
        self.limits = limits or HttpLimits()
        self.received = memoryview(bytearray(READ_AT_ONCE))
        self.stopping = False
        self._handler = handler
        self._listen = tuple(listen)
        self._web_config = web_config
        self._hosts = tuple(hosts)
        self._allow_insecure = allow_insecure
        self._tls = False
        self._access = AccessControl(web_config)
        self._server: web.Server | None = None
        self._acceptor = Acceptor(self.limits, self._connection, self._context, self._make_room)
        self._connections: dict[Connection, None] = {}
        self._places: dict[RequestClass, dict[Connection, None]] = {one: {} for one in RequestClass}
        self._changes: set[asyncio.Task[Response]] = set()  # requests that finish although the client leaves
        self._gone = asyncio.Event()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that it listens on, as in a URL: "127.0.0.1:19115", "[::1]:19115"."""
        return tuple(bound_address(sock) for sock in self._acceptor.sockets)

    @property
    def in_flight(self) -> int:
        """Requests that are handled or answered now."""
        return sum(map(len, self._places.values()))

    @property
    def connections(self) -> int:
        """Open connections, without those in their TLS handshake."""
        return len(self._connections)

    @property
    def handshakes(self) -> int:
        """Connections in their TLS handshake."""
        return self._acceptor.handshakes

    async def start(self) -> None:
        """Listen. CommandError with what to do about it for a bad configuration, a taken port, or one that is too open."""
        loaded = self._load()
        wanted = parse_addresses(self._listen)
        check_exposure(wanted, loaded.config if loaded else None, self._allow_insecure)
        self._tls = loaded is not None and loaded.tls is not None
        if self._web_config is not None:
            beyond = not all(place.address.is_loopback for place in wanted) and not self._allow_insecure
            self._web_config.accept_only(lambda new: self._lacks(new, beyond))
        self._access = AccessControl(self._web_config, self._names())
        self._server = web.Server(self._handle, handler_cancellation=True)
        self._acceptor.open(open_sockets(wanted))

    async def stop(self, timeout: float = 2.0) -> None:
        """Close the ports, let running answers finish within `timeout` seconds, then end the rest."""
        self.stopping = True
        await self._acceptor.close()
        for connection in tuple(self._connections):
            connection.finish()
        await self._wait_until_gone(timeout)
        for connection in tuple(self._connections):
            connection.abort()
        changes = tuple(self._changes)
        for task in changes:
            task.cancel()
        await asyncio.gather(*changes, return_exceptions=True)
        await self._wait_until_gone(_AFTER_ABORT)
        if self._server is not None:
            await self._server.shutdown(_AFTER_ABORT)
        self._access.close()

    # --- what a connection calls -----------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """A connection has opened. If there are too many, close the least useful one."""
        if self.stopping:
            connection.abort()
        self._connections[connection] = None
        if len(self._connections) > self.limits.connections:
            self._make_room(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if not self._connections:
            self._gone.set()

    def headers(self, response: Response) -> list[tuple[str, str]]:
        return self._access.headers(response)

    # --- one request -----------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a connection; aiohttp calls it."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        kind = None
        try:
            try:
                if request.body_exists:
                    await connection.read_body(request)
                asked = await self._admit(request, connection)
                kind = self._take_place(connection, class_of(asked.path))
                response = await self._respond(asked)
            except Refusal as refusal:
                response = refusal.response()
            answer = Answer(connection, response)
            await answer.prepare(request)
            return answer
        except ConnectionError:
            raise  # the client is gone: aiohttp closes
        except TimeoutError:  # a reader that is too slow
            connection.abort()
            raise ConnectionAbortedError from None
        except Exception as error:  # noqa: BLE001 - one bad answer must not cost the server
            _log.error("an answer could not be sent: %s", _described(error))
            connection.abort()
            raise ConnectionAbortedError from None
        finally:
            if kind is not None:
                self._places[kind].pop(connection, None)

    async def _admit(self, request: web.BaseRequest, connection: Connection) -> Request:
        """The request if it is allowed, else Refusal."""
        path, query = read_target(request.raw_path)
        names = dict.fromkeys(name.lower() for name in request.headers)
        headers = {name: ", ".join(request.headers.getall(name)) for name in names}
        if "host" not in headers and request.version >= (1, 1):
            raise Refusal(400, "the Host header is missing")
        asked = Request(request.method, path, query, headers, connection.peer)
        return await self._access.admit(asked, connection.sans)

    def _take_place(self, connection: Connection, kind: RequestClass) -> RequestClass:
        """Give a request a place. If all are taken, a stalled reader loses its place, else Refusal 503."""
        taken = self._places[kind]
        if len(taken) >= self.limits.in_flight:
            slowest = min(taken, key=lambda one: one.stalled_since)
            if slowest.stalled_since > asyncio.get_running_loop().time() - _STALLED:
                raise Refusal(503, "too many requests are under way", _BUSY)
            slowest.abort()
            del taken[slowest]
        taken[connection] = None
        return kind

    async def _respond(self, asked: Request) -> Response:
        """The handler's answer. A request that changes something finishes even if the client disconnects."""
        if asked.method in ("GET", "HEAD"):
            return await self._call_handler(asked)
        task = asyncio.create_task(self._call_handler(asked))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _call_handler(self, asked: Request) -> Response:
        try:
            async with asyncio.timeout(self.limits.handler):
                return await self._handler(asked)
        except TimeoutError:
            _log.error("%s %s took more than %g s", asked.method, display(asked.path), self.limits.handler)
            return Response(503, b"the answer took too long\n", headers=_BUSY)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and the client learns nothing of it
            _log.error("%s %s failed: %s", asked.method, display(asked.path), _described(error))
            return Response(500, b"an error of this program: its log tells more\n")

    # --- connections -----------------------------------------------------------------------------------------------

    def _connection(self) -> Connection:
        assert self._server is not None
        return Connection(self, self._server)

    def _context(self) -> ssl.SSLContext | None:
        loaded = self._access.current()
        return loaded.tls.context if loaded is not None and loaded.tls is not None else None

    def _make_room(self, newest: Connection | None = None) -> None:
        """Close one connection: one that is ending, else one without a request yet, else an idle one; the oldest first."""
        for state in (State.ENDING, State.FRESH, State.BODY, State.IDLE):
            found = [one for one in self._connections if one.state is state and one is not newest]
            if found:
                min(found, key=lambda one: one.since).abort()
                return
        if newest is not None:
            newest.abort()

    async def _wait_until_gone(self, seconds: float) -> None:
        if not self._connections:
            return
        self._gone.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)

    # --- the web configuration -------------------------------------------------------------------------------------

    def _load(self) -> Loaded | None:
        if self._web_config is None:
            return None
        try:
            loaded = self._web_config.current()
        except BadFile as error:
            raise CommandError(
                f"the web configuration cannot be used: {error}", "docs/web-config.md tells its format"
            ) from None
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        return loaded

    def _names(self) -> frozenset[str]:
        """The names of this server: the host's own and those of the configuration."""
        for host in self._hosts:
            if not host_name(host):
                raise CommandError(
                    f"{shown(host)} is no name of a host", 'write it as in "connector-1.example.com"'
                )
        own = socket.gethostname()
        return frozenset(host_name(name) for name in (*self._hosts, own, own.partition(".")[0]))

    def _lacks(self, new: Loaded, beyond: bool) -> str:
        """Why a new version of the web configuration cannot replace the present one while this server listens."""
        if (new.tls is not None) != self._tls:
            return "TLS cannot be switched on or off while the program runs: restart it"
        lacking = missing_protection(new.config) if beyond else ""
        return f"{lacking}, and the server listens beyond loopback" if lacking else ""


def _described(error: BaseException) -> str:
    """An exception in one line: its text and the last calls, innermost first."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-6:])
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in frames)
    return f"{type(error).__name__}: {display(str(error))} in {display(places, 1024)}"

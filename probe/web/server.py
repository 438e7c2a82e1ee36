"""The web server of the appliance: HTTP/1.1 on asyncio and h11, over TCP or TLS, for a few scrapers and browsers.

It answers with what a handler gives it and adds what keeps it standing: every state of a connection has a limit in
time, the number of connections, handshakes and requests under way has one too, and what is too much is refused or
closed, the least useful first. The gate in front is `probe.web.access`, the protocol `probe.web.connection`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import traceback
from collections.abc import Iterable, Sequence

from probe.errors import Trouble
from probe.web.acceptor import Door
from probe.web.access import Gate, host_name
from probe.web.connection import READ_AT_ONCE, Connection, State, check_method
from probe.web.exporter_toolkit import Loaded, WebConfigFile
from probe.web.listen import LOOPBACK, check_exposure, exposed, open_sockets, place_of, places
from probe.web.messages import Handler, Head, HttpLimits, Refusal, Request, Response
from rules.files.fields import BadFile
from rules.text.display import display
from rules.text.hostname import shown

__all__ = ["LOOPBACK", "Handler", "HttpLimits", "HttpServer", "Request", "Response"]

_SWEEP = 0.25  # seconds by which a deadline may be passed, at most
_STALLED = 1.0  # seconds without progress after which a slow reader makes room for somebody else
_AFTER_ABORT = 1.0  # seconds in which asyncio tells that aborted connections are gone
_BUSY = (("Retry-After", "1"),)
_log = logging.getLogger("wayclear.http")


class HttpServer:
    """Serves `handler` at `listen`. `hosts` are names besides the machine's own that a browser may ask for.

    Nothing is opened before `start()`. Beyond loopback it listens only with TLS and users or verified client
    certificates, unless `allow_insecure` is said.
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
        self.scratch = memoryview(bytearray(READ_AT_ONCE))
        self.stopping = False
        self._handler = handler
        self._listen = tuple(listen)
        self._web_config = web_config
        self._hosts = tuple(hosts)
        self._allow_insecure = allow_insecure
        self._tls = False
        self._gate = Gate(web_config)
        self._door = Door(self.limits, lambda: Connection(self), self._context, self._make_room)
        self._connections: dict[Connection, None] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._working: dict[Connection, None] = {}
        self._gone: asyncio.Event | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        shortest = min(self.limits.head, self.limits.idle, self.limits.write, self.limits.linger)
        self._apart = min(_SWEEP, shortest / 4)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, as in a URL: "127.0.0.1:19115", "[::1]:19115"."""
        return tuple(place_of(sock) for sock in self._door.sockets)

    @property
    def in_flight(self) -> int:
        """Requests that are worked on or written."""
        return len(self._working)

    @property
    def connections(self) -> int:
        """Open connections, without those in their TLS handshake."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Trouble with what to do about it for a bad configuration, a taken port, or one that is too open."""
        loaded = self._load()
        wanted = places(self._listen)
        check_exposure(wanted, loaded.config if loaded else None, self._allow_insecure)
        self._tls = loaded is not None and loaded.tls is not None
        if self._web_config is not None:
            beyond = not all(place.address.is_loopback for place in wanted) and not self._allow_insecure
            self._web_config.accept_only(lambda new: self._lacks(new, beyond))
        self._gate = Gate(self._web_config, self._names())
        self._gone = asyncio.Event()
        self._door.open(open_sockets(wanted))

    async def stop(self, timeout: float = 2.0) -> None:
        """Close the ports, let answers under way go out for `timeout` seconds, then end whatever is left."""
        self.stopping = True
        await self._door.close()
        for connection in tuple(self._connections):
            connection.finish()
        await self._wait_until_gone(timeout)
        for connection in tuple(self._connections):
            connection.abort()
        left = tuple(self._requests)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._wait_until_gone(_AFTER_ABORT)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._gate.close()

    # --- what a connection calls -----------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """One more; where they are too many, the least useful one is closed."""
        if self.stopping:
            connection.abort()
        self._connections[connection] = None
        if len(self._connections) > self.limits.connections:
            self._make_room(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if not self._connections and self._gone is not None:
            self._gone.set()

    def look_at(self, when: float) -> None:
        """Let deadlines be looked at then (loop time) or before, but not more often than need be."""
        loop = asyncio.get_running_loop()
        when = max(when, loop.time() + self._apart)
        if self._sweeper is not None and self._sweeper.when() <= when:
            return
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if when < float("inf"):
            self._sweeper = loop.call_at(when, self._sweep)

    def run(self, connection: Connection, head: Head) -> asyncio.Task[None]:
        task = asyncio.create_task(self._serve(connection, head))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return task

    def headers(self, response: Response) -> list[tuple[str, str]]:
        return self._gate.headers(response)

    # --- one request -----------------------------------------------------------------------------------------------

    async def _serve(self, connection: Connection, head: Head) -> None:
        try:
            try:
                path, query = check_method(head)
                user = await self._gate.admit(head, connection.peer, connection.sans)
                self._enter(connection)
                request = Request(head.method, path, query, head.headers, connection.peer, user)
                response = await self._handled(request)
            except Refusal as refusal:
                response = refusal.response()
            await connection.answer(response)
        except asyncio.CancelledError:
            connection.abort()
            raise
        except Exception as error:  # noqa: BLE001 - one bad answer must not cost the server
            _log.error("an answer could not be sent: %s", _told(error))
            connection.abort()
        finally:
            self._working.pop(connection, None)

    def _enter(self, connection: Connection) -> None:
        """Count a request in; where too many are under way, a reader that takes nothing loses its place."""
        if len(self._working) >= self.limits.in_flight:
            slowest = min(self._working, key=lambda one: one.stalled_since)
            if slowest.stalled_since > asyncio.get_running_loop().time() - _STALLED:
                raise Refusal(503, "too many requests are under way", _BUSY)
            slowest.abort()
            del self._working[slowest]
        self._working[connection] = None

    async def _handled(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self.limits.handler):
                return await self._handler(request)
        except TimeoutError:
            _log.error(
                "%s %s took more than %g s", request.method, display(request.path), self.limits.handler
            )
            return Response(503, b"the answer took too long\n", headers=_BUSY)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and the client learns nothing of it
            _log.error("%s %s failed: %s", request.method, display(request.path), _told(error))
            return Response(500, b"an error of this program: its log tells more\n")

    # --- connections -----------------------------------------------------------------------------------------------

    def _context(self) -> ssl.SSLContext | None:
        loaded = self._gate.current()
        return loaded.tls.context if loaded is not None and loaded.tls is not None else None

    def _make_room(self, newest: Connection | None = None) -> None:
        """Close a connection that has not asked anything yet, the oldest first, then one that asks nothing now."""
        for state in (State.LINGERING, State.FRESH, State.BODY, State.IDLE):
            found = [one for one in self._connections if one.state is state and one is not newest]
            if found:
                min(found, key=lambda one: one.since).abort()
                return
        if newest is not None:
            newest.abort()

    def _sweep(self) -> None:
        """End what is past its deadline."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._sweeper = None
        for connection in tuple(self._connections):
            if connection.deadline <= now:
                connection.expire()
        self.look_at(min((one.deadline for one in self._connections), default=float("inf")))

    async def _wait_until_gone(self, seconds: float) -> None:
        if self._gone is None or not self._connections:
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
            raise Trouble(
                f"the web configuration cannot be used: {error}", "docs/web-config.md tells its format"
            ) from None
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        return loaded

    def _names(self) -> frozenset[str]:
        """The names by which this server may be asked: the host's own and those of the configuration."""
        for host in self._hosts:
            if not host_name(host):
                raise Trouble(
                    f"{shown(host)} is no name of a host", 'write it as in "connector-1.example.com"'
                )
        own = socket.gethostname()
        return frozenset(host_name(name) for name in (*self._hosts, own, own.partition(".")[0]))

    def _lacks(self, new: Loaded, beyond: bool) -> str:
        """Why a new version of the web configuration cannot replace the present one while this server listens."""
        if (new.tls is not None) != self._tls:
            return "TLS cannot be switched on or off while the program runs: restart it"
        lacking = exposed(new.config) if beyond else ""
        return f"{lacking}, and the server listens beyond loopback" if lacking else ""


def _told(error: BaseException) -> str:
    """An exception in one line: what it says, and the calls that led to it, innermost first."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-6:])
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in frames)
    return f"{type(error).__name__}: {display(str(error))} in {display(places, 1024)}"

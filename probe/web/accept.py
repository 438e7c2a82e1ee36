"""Accepts connections for the web server and limits concurrent TLS handshakes.

asyncio's own server does neither: on Windows it closes the listener at the first failed accept, and it does not limit
handshakes. Here each accepted socket gets the present TLS context. If there are too many handshakes, the oldest one ends by
the shutdown of its socket: then asyncio releases all its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence

from probe.web import lost_accept
from probe.web.messages import HttpLimits
from rules.text.display import display

_PAUSE = 0.2  # seconds without accepting after descriptors have run out
_LOG_AGAIN = 60.0  # seconds
_log = logging.getLogger("wayclear.http")


class Acceptor:
    """Accepts on listening sockets. `protocol()` makes a connection, `context()` gives its TLS context or None.

    `make_room()` is called when descriptors have run out.
    """

    def __init__(
        self,
        limits: HttpLimits,
        protocol: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext | None],
        make_room: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._protocol = protocol
        self._context = context
        self._make_room = make_room
        self._logged_at = float("-inf")
        self._sockets: Sequence[socket.socket] = ()
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._handshakes: dict[
            asyncio.Task[None], socket.socket
        ] = {}  # the oldest first, without those that are ending

    @property
    def sockets(self) -> Sequence[socket.socket]:
        return self._sockets

    @property
    def handshakes(self) -> int:
        """Running handshakes, without those that are being ended."""
        return len(self._handshakes)

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on `sockets`, which this object closes."""
        self._sockets = sockets
        lost_accept.ignore_lost_accepts(asyncio.get_running_loop())
        self._accepting = [asyncio.create_task(self._accept(sock)) for sock in sockets]

    async def close(self) -> None:
        """Accept nothing more, and end running handshakes."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        while self._handshakes:
            self._end_oldest()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()
        self._sockets, self._accepting = (), []

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                if lost_accept.is_lost(error):
                    continue  # the client disconnected earlier
                if loop.time() - self._logged_at >= _LOG_AGAIN:
                    self._logged_at = loop.time()
                    _log.warning("no connection can be accepted: %s", error.strerror or error)
                self._make_room()
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._handshakes) >= self._limits.handshakes:
                self._end_oldest()
            task = asyncio.create_task(self._connect(sock, str(peer[0])))
            self._tasks.add(task)
            self._handshakes[task] = sock
            task.add_done_callback(self._connected)
            await asyncio.sleep(0)  # connected clients get their turn during a burst of new connections

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._handshakes.pop(task, None)

    def _end_oldest(self) -> None:
        sock = self._handshakes.pop(next(iter(self._handshakes)))
        with contextlib.suppress(OSError):  # the peer has reset it
            sock.shutdown(socket.SHUT_RDWR)

    async def _connect(self, sock: socket.socket, peer: str) -> None:
        """Make a connection of an accepted socket, with TLS by the present configuration."""
        context = self._context()
        tls = context is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                sock,
                ssl=context,
                ssl_handshake_timeout=self._limits.handshake if tls else None,
                ssl_shutdown_timeout=self._limits.linger if tls else None,
            )
        except OSError as error:  # also ssl.SSLError and TimeoutError
            _log.debug("no connection with %s: %s", peer, display(str(error)))
            # The error's frames refer to the error and to 256 KiB of buffers. Without the frames they are released now,
            # and not at the next full collection of cycles.
            error.__traceback__ = None

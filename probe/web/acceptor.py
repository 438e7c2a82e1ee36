"""The door of the web server: accepts sockets, bounds the handshakes under way, hands over finished connections.

asyncio's own server keeps a handshake as a task that nobody counts or ends, and its context for ever; here both are
ours, so that a crowd of half-open handshakes costs only half-open handshakes, and a new certificate holds at once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from probe.web import lost_accept
from probe.web.messages import HttpLimits
from rules.text.display import display

_OUT_OF_DESCRIPTORS = 0.2  # seconds of patience
_TOLD_AGAIN = 60.0  # seconds
_log = logging.getLogger("wayclear.http")


class Door:
    """Accepts on listening sockets: `protocol()` makes a connection, `context()` says how it speaks TLS, None for not.

    `make_room()` is called where descriptors have run out.
    """

    def __init__(
        self,
        limits: HttpLimits,
        protocol: Callable[[], asyncio.BufferedProtocol],
        context: Callable[[], ssl.SSLContext | None],
        make_room: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._protocol = protocol
        self._context = context
        self._make_room = make_room
        self._told = float("-inf")
        self._sockets: Sequence[socket.socket] = ()
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: dict[asyncio.Task[None], None] = {}

    @property
    def sockets(self) -> Sequence[socket.socket]:
        return self._sockets

    @property
    def handshakes(self) -> int:
        """Connections that are not finished yet."""
        return len(self._handshakes)

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on `sockets`, which are the door's to close from now on."""
        self._sockets = sockets
        lost_accept.silence(asyncio.get_running_loop())
        self._accepting = [asyncio.create_task(self._accept(sock)) for sock in sockets]

    async def close(self) -> None:
        """Nobody comes in any more; who stands in the door is turned away."""
        tasks = (*self._accepting, *self._handshakes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
                    continue  # it was gone before it was accepted
                if loop.time() - self._told >= _TOLD_AGAIN:
                    self._told = loop.time()
                    _log.warning("no connection can be accepted: %s", error.strerror or error)
                self._make_room()
                await asyncio.sleep(_OUT_OF_DESCRIPTORS)
                continue
            if len(self._handshakes) >= self._limits.handshakes:
                next(iter(self._handshakes)).cancel()  # the oldest
            task = asyncio.create_task(self._welcome(sock, str(peer[0])))
            self._handshakes[task] = None
            task.add_done_callback(partial(self._welcomed, sock))
            await asyncio.sleep(0)  # a crowd at the door must not keep those inside waiting

    def _welcomed(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        del self._handshakes[task]
        if task.cancelled():  # perhaps before it had begun
            sock.close()

    async def _welcome(self, sock: socket.socket, peer: str) -> None:
        """From an accepted socket to a connection, with TLS as the configuration says at this moment."""
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
        except OSError as error:  # also ssl.SSLError and TimeoutError: whoever does not finish is simply gone
            _log.debug("no connection with %s: %s", peer, display(str(error)))
            # asyncio's frames hold the error that holds them, and with it a quarter of a megabyte of buffers for each
            # handshake: without the frames all of it goes at once, and not when garbage is collected, which is rarely
            error.__traceback__ = None

"""TLS over memory buffers, so that a server can read the ClientHello first and misbehave at any byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress

CHUNK = 16_384


class TlsStream:
    """A server's side of one TLS connection over an asyncio stream pair, started with bytes already read."""

    def __init__(
        self,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        early: bytes,
    ) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._in.write(early)
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._reader, self._writer = reader, writer

    async def handshake(self, drip: float = 0.0) -> None:
        """Finish the handshake; `drip`: seconds between single sent bytes. Raises ssl.SSLError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(drip)
                await self._feed()
            except ssl.SSLError:
                await self._flush(0.0)
                raise
            else:
                return await self._flush(drip)

    async def read(self) -> bytes:
        """Some decrypted bytes; empty at the end."""
        while True:
            try:
                return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._feed()
            except ssl.SSLError:
                return b""

    async def write(self, data: bytes) -> None:
        """Encrypt and send."""
        self._tls.write(data)
        await self._flush(0.0)

    async def close(self) -> None:
        """Send close_notify."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush(0.0)

    async def _feed(self) -> None:
        data = await self._reader.read(CHUNK)
        if not data:
            self._in.write_eof()
            raise ConnectionResetError("the peer closed")
        self._in.write(data)

    async def _flush(self, drip: float) -> None:
        data = self._out.read()
        if drip:
            for byte in data:
                self._writer.write(bytes((byte,)))
                await self._writer.drain()
                await asyncio.sleep(drip)
        elif data:
            self._writer.write(data)
            await self._writer.drain()


def send_reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: linger on, zero seconds."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

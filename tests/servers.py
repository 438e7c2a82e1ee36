"""Servers on loopback for tests: well-behaved, broken and hostile ones.

`serving(talk)` runs an asyncio handler that writes raw bytes; `tls_serving(server_context)` runs Python's own TLS;
`openssl_serving(context, talk)` runs pyOpenSSL in a thread (staples, renegotiation, key updates).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from OpenSSL import SSL

from tests.pki import Leaf

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Place:
    """Where a server listens; `received` is what handlers chose to keep of their clients."""

    port: int
    address: str = "127.0.0.1"
    received: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextlib.asynccontextmanager
async def serving(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[Place]:
    """Run `talk` for every connection; on leaving, all of them are ended."""
    tasks: set[asyncio.Task[None]] = set()
    place = Place(0)

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        place.connections += 1
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context, limit=2**20)
    place.port = server.sockets[0].getsockname()[1]
    try:
        yield place
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, read, never answer."""
    while await reader.read(65536):
        pass


def saying(*pieces: bytes, pause: float = 0.0, then_reset: bool = False, hold: bool = False) -> Talk:
    """A server that waits for the client's first bytes, writes `pieces` and closes (or resets, or holds)."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if then_reset:
            reset(writer)
        elif hold:
            await silent(reader, writer)

    return talk


def endless(piece: bytes, first: bytes = b"", pause: float = 0.0) -> Talk:
    """A server that writes `first`, then `piece` again and again until the client goes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def server_context(
    leaf: Leaf,
    directory: Path,
    version: ssl.TLSVersion | None = None,
    ask_client: Path | None = None,
    require_client: bool = False,
) -> ssl.SSLContext:
    """Python's own TLS as a server. `ask_client`: CAs (PEM) whose client certificates are asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain, key = leaf.write(directory)
    context.load_cert_chain(chain, key)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if ask_client is not None:
        context.load_verify_locations(ask_client)
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    return context


def page(status: str = "200 OK", headers: str = "", body: bytes = b"") -> Talk:
    """A small HTTP server: reads one request, answers, closes."""
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()

    return talk


def openssl_context(leaf: Leaf, directory: Path, version: int, staple: bytes = b"") -> SSL.Context:
    """pyOpenSSL as a server of one TLS version, with a stapled OCSP response where there is one."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    chain, key = leaf.write(directory, "pyopenssl")
    context.use_certificate_chain_file(str(chain))
    context.use_privatekey_file(str(key))
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if staple:
        context.set_ocsp_server_callback(lambda _connection, _data: staple)
    return context


@contextlib.contextmanager
def openssl_serving(context: SSL.Context, talk: Callable[[SSL.Connection], None]) -> Iterator[Place]:
    """Shake hands with one client after another in a thread, then `talk`; blocking sockets of five seconds."""
    listener = socket.create_server(("127.0.0.1", 0))
    place = Place(listener.getsockname()[1])
    stop = threading.Event()

    def run() -> None:
        while True:
            peer, _ = listener.accept()
            with peer:
                if stop.is_set():
                    return
                place.connections += 1
                peer.settimeout(None)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
                conn = SSL.Connection(context, peer)
                conn.set_accept_state()
                with contextlib.suppress(SSL.Error, OSError):
                    conn.do_handshake()
                    talk(conn)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield place
    finally:
        stop.set()
        socket.create_connection(("127.0.0.1", place.port)).close()
        thread.join(10)
        listener.close()
        assert not thread.is_alive()

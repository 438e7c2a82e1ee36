"""Servers on loopback for tests: well-behaved, broken and hostile ones.

`serving(talk)` runs an asyncio handler: one that writes raw bytes (`saying`, `endless`, `silent`), a small HTTP server
(`page`, with `server_context` over Python's own TLS) or pyOpenSSL on memory BIOs (`openssl_talk`: staples, alerts,
renegotiation).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
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
    place = Place(0)

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if context is not None:
            await writer.start_tls(context)
        place.connections += 1
        await talk(reader, writer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        place.port = listener.getsockname()[1]
        async with answering(listener, run):
            yield place


@contextlib.asynccontextmanager
async def answering(listener: socket.socket, talk: Talk) -> AsyncIterator[None]:
    """Run `talk` for every connection of a listening socket; on leaving, every one is ended and its socket closed.

    With `asyncio.start_server`, a TLS connection whose client has not yet said goodbye stays open beyond the loop.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    connections: dict[socket.socket, asyncio.Transport] = {}  # the socket's own transport, below TLS

    async def converse(conn: socket.socket) -> None:
        writers: list[asyncio.StreamWriter] = []
        reader = asyncio.StreamReader(limit=2**20)
        protocol = asyncio.StreamReaderProtocol(reader, lambda _, writer: writers.append(writer))
        connections[conn], _ = await loop.connect_accepted_socket(lambda: protocol, conn)
        try:
            await talk(reader, writers[0])
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writers[0].close()

    def accept() -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            conn = listener.accept()[0]
            conn.setblocking(False)
            for ended in [known for known in connections if known.fileno() < 0]:
                del connections[ended]
            task = loop.create_task(converse(conn))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    loop.add_reader(listener, accept)
    try:
        yield
    finally:
        loop.remove_reader(listener)
        for _ in range(5):  # a task that is cancelled before it has its transport would leave its socket open
            await asyncio.sleep(0)
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in connections.values():
            transport.abort()
        while any(conn.fileno() >= 0 for conn in connections):  # noqa: ASYNC110 - closed in the next turn
            await asyncio.sleep(0)


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
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(1 << 16)  # SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION
    context.set_session_id(b"tests")  # without one OpenSSL refuses to ask for a certificate by renegotiation
    chain, key = leaf.write(directory, "pyopenssl")
    context.use_certificate_chain_file(str(chain))
    context.use_privatekey_file(str(key))
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if staple:
        context.set_ocsp_server_callback(lambda _connection, _data: staple)
    return context


async def pump(
    conn: SSL.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    call: Callable[[], object],
) -> object:
    """Make `call` of a pyOpenSSL connection on memory BIOs, moving bytes until it has its result."""
    while True:
        try:
            result = call()
        except SSL.WantReadError:
            await flush(conn, writer)
            data = await reader.read(65536)
            if not data:
                raise ConnectionResetError("the client went") from None
            conn.bio_write(data)
        except SSL.Error as error:
            await flush(conn, writer)
            raise ConnectionAbortedError(str(error)) from None
        else:
            await flush(conn, writer)
            return result


async def flush(conn: SSL.Connection, writer: asyncio.StreamWriter) -> None:
    """Send what OpenSSL has written."""
    with contextlib.suppress(SSL.WantReadError):
        while True:
            writer.write(conn.bio_read(65536))
    await writer.drain()


AfterHandshake: TypeAlias = Callable[
    [SSL.Connection, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


def openssl_talk(context: SSL.Context, then: AfterHandshake | None = None) -> Talk:
    """pyOpenSSL on memory BIOs: shakes hands, then `then`; without it waits for the client to go. Alerts are sent."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conn = SSL.Connection(context, None)
        conn.set_accept_state()
        await pump(conn, reader, writer, conn.do_handshake)
        if then is not None:
            await then(conn, reader, writer)
        else:
            await silent(reader, writer)

    return talk


def openssl_page(answer: bytes) -> AfterHandshake:
    """Reads one request inside the session and answers."""

    async def then(conn: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump(conn, reader, writer, lambda: conn.recv(65536))
        for start in range(0, len(answer), 16_384):
            await pump(conn, reader, writer, partial(conn.send, answer[start : start + 16_384]))

    return then


def u24(number: int) -> bytes:
    """A length of TLS handshake messages."""
    return number.to_bytes(3)


def message(kind: int, body: bytes) -> bytes:
    """A TLS handshake message."""
    return bytes([kind]) + u24(len(body)) + body


def record(kind: int, body: bytes) -> bytes:
    """A TLS record in plain."""
    return bytes([kind, 3, 3]) + len(body).to_bytes(2) + body


def server_hello(version: int = 0x0303, extensions: bytes = b"", random: bytes = bytes(32)) -> bytes:
    """A ServerHello that chooses ECDHE-ECDSA-AES128-GCM-SHA256."""
    body = (
        version.to_bytes(2)
        + random
        + b"\x04abcd"
        + b"\xc0\x2b\x00"
        + len(extensions).to_bytes(2)
        + extensions
    )
    return message(2, body)


def certificate_message(*ders: bytes) -> bytes:
    """A Certificate message of TLS 1.2."""
    listed = b"".join(u24(len(d)) + d for d in ders)
    return message(11, u24(len(listed)) + listed)

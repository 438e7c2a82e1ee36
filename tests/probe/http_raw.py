"""A web server under test, and clients that say exactly what a test wants them to."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from probe.web.app import HttpServer
from probe.web.messages import Handler, HttpLimits, Request, Response
from tests.pki import Authority, authority, common_name, key_pem, private_key, today

#: Short, so that a test sees each limit pass.
QUICK = HttpLimits(head=0.3, idle=0.5, write=0.5, handler=2.0, handshake=0.4, linger=0.3)
PATIENT = HttpLimits()


@dataclass(slots=True)
class Asked:
    """A handler that keeps what it was asked."""

    answer: Response = field(default_factory=lambda: Response(200, b"hello\n"))
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer


@contextlib.asynccontextmanager
async def web(handler: Handler, limits: HttpLimits = QUICK, **options: Any) -> AsyncIterator[HttpServer]:  # noqa: ANN401
    """A server on a port of its own; no task is left behind it."""
    before = asyncio.all_tasks()
    server = HttpServer(handler, **{"listen": ("127.0.0.1:0",), "limits": limits, **options})
    await server.start()
    try:
        yield server
    finally:
        await server.stop(1.0)
        assert asyncio.all_tasks() - before == set()
        assert server.connections == 0
        assert server.in_flight == 0


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look until it holds, where nothing tells that it does."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)


async def connect(
    server: HttpServer, context: ssl.SSLContext | None = None, limit: int = 2**16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.addresses[0].rsplit(":", 1)
    name = "localhost" if context else None
    return await asyncio.open_connection(
        host.strip("[]"), int(port), ssl=context, server_hostname=name, limit=limit
    )


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Leave without a word: a mere close could also be a client that has said all and still listens."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await gone(writer)


async def say(server: HttpServer, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Everything that the server answers until it closes, at most 5 seconds."""
    reader, writer = await connect(server, context)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(2**16), 60):
                received += piece
        return received
    finally:
        await gone(writer)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
    return Answer(int(first.split()[1]), headers, await asyncio.wait_for(reader.readexactly(length), 60))


def request(
    path: str = "/", method: str = "GET", headers: Iterable[str] = (), host: str = "localhost"
) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", "")).encode()


async def ask(
    server: HttpServer, path: str = "/", *headers: str, method: str = "GET", host: str = "localhost",
    context: ssl.SSLContext | None = None,
) -> Answer:  # fmt: skip
    """One request on a connection of its own."""
    reader, writer = await connect(server, context)
    try:
        writer.write(request(path, method, headers, host))
        return await read_answer(reader, method)
    finally:
        await gone(writer)


# --- certificates and users ----------------------------------------------------------------------------------------


def bcrypt_hash(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def client_certificate(directory: Path, ca: Authority, san: str) -> tuple[Path, Path]:
    """A certificate for a client, with one DNS name (or address, URI, e-mail) in it."""
    key = private_key("ec", "client")
    name: x509.GeneralName = x509.DNSName(san)
    if "://" in san:
        name = x509.UniformResourceIdentifier(san)
    elif "@" in san:
        name = x509.RFC822Name(san)
    else:
        with contextlib.suppress(ValueError):
            name = x509.IPAddress(ipaddress.ip_address(san))
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(common_name("client"))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today() - day)
        .not_valid_after(today() + day)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    pem, key_file = directory / "client.pem", directory / "client.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key_pem(key))
    return pem, key_file


def ca_file(directory: Path, ca: Authority, name: str = "ca.pem") -> Path:
    path = directory / name
    path.write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
    return path


@dataclass(frozen=True, slots=True)
class Pki:
    """A directory with a server's pair, its CA, and a web configuration."""

    directory: Path
    ca: Authority
    config: Path

    def client(self, san: str = "") -> ssl.SSLContext:
        """A client that trusts our CA; with `san` it has a certificate."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        if san:
            context.load_cert_chain(*client_certificate(self.directory, self.ca, san))
        return context

    def write(self, text: str) -> Pki:
        self.config.write_text(text, "utf-8")
        self.config.chmod(0o600)
        return self


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def pki(
    directory: Path, text: str = TLS, names: tuple[str, ...] = ("localhost", "prober.example.test")
) -> Pki:
    """Certificates for the day in `directory`, and `web.yml` with `text` (paths in it are relative)."""
    ca = authority("Web Test Root")
    _, key = ca.leaf(names).write(directory)
    key.chmod(0o600)
    ca_file(directory, ca)
    return Pki(directory, ca, directory / "web.yml").write(text)

"""All TLS and HTTP servers of the bench in one process: `python -m tests.bench.servers DIRECTORY COUNT`.

At the addresses of `server_address` one TLS server each for both kinds of key and both versions, COUNT of them; on the
wildcard address whatever endpoint SNI names; on port 80 the CRLs and an OCSP responder. Its CPU time is nobody's.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import sys
import urllib.parse
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp

from tests.bench.population import KINDS, VERSIONS, ZONE, Pki, server_address
from tests.pki import KeyKind

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Quiet(asyncio.Protocol):
    """Shakes hands and waits for the peer to go."""


class Documents(asyncio.Protocol):
    """HTTP: one request, one answer, then the end."""

    def __init__(self, pki: Pki, statuses: dict[int, bytes]) -> None:
        self._pki = pki
        self._statuses = statuses
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((int(x[15:]) for x in lines if x.startswith("content-length:")), 0)
        if end and len(body) >= length and self._transport is not None:
            method, path = head.decode("latin-1").split(" ")[:2]
            self._transport.write(self._answer(method, path, body))
            self._transport.close()

    def _answer(self, method: str, path: str, body: bytes) -> bytes:
        kind, found = "application/pkix-crl", self._pki.crls.get(path)
        if method == "POST":
            kind, found = "application/ocsp-response", self._status(body)
        elif path.startswith("/ocsp/"):
            request = base64.b64decode(urllib.parse.unquote(path.removeprefix("/ocsp/")))
            kind, found = "application/ocsp-response", self._status(request)
        status = "200 OK" if found else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(found or b'')}\r\n"
        return f"{head}Connection: close\r\n\r\n".encode() + (found or b"")

    def _status(self, request: bytes) -> bytes:
        """Signed beforehand and given to everybody until it is renewed, as responders do (RFC 5019 section 5)."""
        serial = ocsp.load_der_ocsp_request(request).serial_number
        if serial not in self._statuses:
            leaf, above = self._pki.by_serial[serial]
            self._statuses[serial] = above.ocsp(leaf).public_bytes(serialization.Encoding.DER)
        return self._statuses[serial]


class Contexts:
    """TLS contexts, made on first use."""

    def __init__(self, pki: Pki, directory: Path) -> None:
        self._pki = pki
        self._directory = directory
        self._named: dict[str, ssl.SSLContext] = {}

    def make(self, kind: KeyKind, address: str) -> ssl.SSLContext:
        """The context of the server at `address`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._pki.leaf(kind, address).write(self._directory, "being-loaded"))
        return context

    def by_name(self, sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        """The endpoint that SNI names (`h20-52-0-1.ZONE`)."""
        if name is not None and name.endswith(f".{ZONE}"):
            if name not in self._named:
                address = name.partition(".")[0].removeprefix("h").replace("-", ".")
                self._named[name] = self.make("ec", address)
            sock.context = self._named[name]


async def serve(directory: Path, count: int) -> None:
    """Listen, say so, and serve until killed."""
    loop = asyncio.get_running_loop()
    pki = Pki()
    pki.write(directory)
    contexts = Contexts(pki, directory)
    for kind in KINDS:
        for version in VERSIONS:
            for index in range(count):
                address = server_address(kind, version, index)
                context = contexts.make(kind, address)
                context.minimum_version = context.maximum_version = _VERSIONS[version]
                await loop.create_server(Quiet, address, 443, ssl=context, backlog=512, reuse_port=True)
    anyone = contexts.make("ec", "20.52.0.1")
    anyone.sni_callback = contexts.by_name
    await loop.create_server(Quiet, "0.0.0.0", 443, ssl=anyone, backlog=1024, reuse_port=True)
    statuses: dict[int, bytes] = {}
    await loop.create_server(lambda: Documents(pki, statuses), "0.0.0.0", 80, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

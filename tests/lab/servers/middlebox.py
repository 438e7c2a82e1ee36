"""Network devices in the firewall's namespace: `python -m tests.lab.servers.middlebox OPTIONS.json`.

`kind`: `forge` intercepts TLS with its own certificates, which copy the real issuers' names; `static` ends TLS with the
single certificate of its own page; `accept` accepts every connection and sends nothing; `sni-reset`, `sni-silent` act
on the name in the ClientHello; `pages` answers HTTP for every host. It forwards names outside `only` to their
destination. nftables redirects the connections (SO_ORIGINAL_DST).
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import socket
import ssl
import struct
import sys
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab import odd_certificates, pki, world
from tests.lab.servers import client_hello
from tests.lab.servers.client_certificate import ask
from tests.lab.servers.internet import bounded, plain_answer, read_request, response
from tests.lab.servers.tls_engine import TlsStream, send_reset

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h, the same number for IPv6
PATIENCE = 30.0


def original_destination(writer: asyncio.StreamWriter) -> tuple[str, int]:
    """The original destination of the redirected connection."""
    sock: socket.socket = writer.get_extra_info("socket")
    if sock.family == socket.AF_INET6 and not sock.getsockname()[0].startswith("::ffff:"):
        raw = sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack("!H", raw[2:4])[0]
    raw = sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack("!H", raw[2:4])[0]


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int], early: bytes
) -> None:
    """Join the two sides until both have ended."""
    there, back = await asyncio.open_connection(*target)
    back.write(early)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    try:
        await asyncio.gather(pump(reader, back), pump(there, writer))
    finally:
        back.close()


def impostor(name: str) -> pki.Authority:
    """The CA `name` with another key."""
    return dataclasses.replace(pki.AUTHORITIES[name], key_label=f"forged {name}")


def forged_leaf(made: pki.Pki, name: str, issuer: str) -> pki.Leaf:
    """A certificate for `name` whose chain has exactly the real names and is signed by other keys."""
    above = impostor(issuer)
    leaf = made.leaf([name, "*." + name.partition(".")[2]], issuer, authority=above)
    chain, current = [], above
    while current.name != current.issuer:
        higher = impostor(current.issuer)
        chain.append(made.sign_ca(current, higher))
        current = higher
    if current.name == pki.TLSG2:
        chain.append(made.sign_ca(current, impostor(pki.G2)))
    return pki.Leaf(leaf.cert, leaf.key, tuple(chain))


class Middlebox:
    """One device."""

    def __init__(self, options: dict[str, Any], directory: Path) -> None:
        self.options = options
        self.kind: str = options["kind"]
        self.only: tuple[str, ...] = tuple(options.get("only", ()))
        self.alternate: bool = options.get("alternate", False)  # a name's first connection, its third, ...
        self.requires: bool = options.get("requires", False)  # a client certificate, as the real server does
        self.met: Counter[str] = Counter()
        self.page: str = options.get("page", "html")
        self.file = directory / "forged.pem"
        self.pki = pki.Pki(datetime.datetime.now(datetime.UTC))
        self.issuers = (
            {h.name: h.issuer for h in world.build().hosts.values()} if self.kind == "forge" else {}
        )
        self.contexts: dict[str, ssl.SSLContext] = {}

    def concerns(self, name: str) -> bool:
        """Whether the device acts on this name."""
        return not self.only or any(name == o or name.endswith(o) for o in self.only)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One redirected connection."""
        if self.kind == "accept":
            await asyncio.sleep(PATIENCE)
            return
        if self.kind == "pages":
            if await read_request(reader) is not None:
                writer.write(plain_answer(self.page) or response("404 Not Found"))
                await writer.drain()
            return
        target, early, hello = original_destination(writer), b"", None
        while hello is None:
            piece = await reader.read(16_384)
            if not piece:
                return
            early += piece
            hello = client_hello.read(early)
        self.met[hello.sni] += 1
        if not self.concerns(hello.sni) or (self.alternate and self.met[hello.sni] % 2 == 0):
            await relay(reader, writer, target, early)
        elif self.kind == "sni-reset":
            send_reset(writer)
        elif self.kind == "sni-silent":
            await asyncio.sleep(PATIENCE)
        else:
            await self.forge(reader, writer, early, hello.sni or "unnamed.example.com")

    def leaf(self, name: str) -> pki.Leaf:
        """The certificate for a client that asks for `name`."""
        if self.kind == "forge":
            return forged_leaf(self.pki, name, self.issuers.get(name, pki.OCSP04))
        own = self.pki.leaf(["portal.hotel.example"], pki.PRIVATE)
        return pki.Leaf(own.cert, own.key, (self.pki.ca(pki.PRIVATE),))

    def odd(self, leaf: pki.Leaf, name: str) -> str:
        """The certificate in one of the odd forms, the same one for a name each time."""
        forms = odd_certificates.FORMS
        form = forms[zlib.crc32(name.encode()) % len(forms)]
        return odd_certificates.pem(leaf, form, impostor(self.issuers.get(name, pki.OCSP04)).label)

    async def forge(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes, name: str
    ) -> None:
        """End TLS here with an invented certificate, and answer the request with 403."""
        if name not in self.contexts:
            leaf = self.leaf(name)
            own = self.odd(leaf, name) if self.options.get("odd") else pki.pem(leaf.cert)
            self.file.write_text(pki.key_pem(leaf.key) + own + pki.pem(*leaf.chain))
            self.contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.contexts[name].load_cert_chain(self.file)
            if self.requires:
                ask(self.contexts[name], "requires-certificate", self.pki)
        stream = TlsStream(self.contexts[name], reader, writer, early)
        await stream.handshake()
        if await read_request(stream) is not None:
            await stream.write(response("403 Forbidden", b"", "text/plain"))
            await stream.close()


async def serve(file: Path) -> None:
    """Listen on both families, and report it."""
    options = json.loads(file.read_text())
    box = Middlebox(options, file.parent)
    for family in ("0.0.0.0", "::"):
        await asyncio.start_server(bounded(box.handle), family, options["port"], backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))

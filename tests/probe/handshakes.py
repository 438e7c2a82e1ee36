"""What the tests of TLS share: a leaf, a step, one handshake with a server that lives as long as it, deaf peers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.tls_handshake import measure
from probe.measure.limits import Limits
from probe.measure.network import NetworkError, Stream
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import Hello, TlsFacts, TlsHandshake
from rules.model.observation import Observation
from tests.pki import Leaf, authority
from tests.servers import Talk, record, reset, serving, silent

LIMITS = Limits(tcp=30.0, tls=30.0, first_byte=30.0)
STEP = TlsHandshake("127.0.0.1", 0, "app.example.test")
ROOT = authority("Root")
ISSUING = authority("Issuing CA", ROOT)
LEAF = ISSUING.leaf(["app.example.test"])
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nServer: bootstrap\r\nContent-Length: 0\r\n\r\n"
HELLOS: tuple[Hello, ...] = ("connector", "tls13", "large")


def handshake(
    talk: Talk, step: TlsHandshake = STEP, limits: Limits = LIMITS, context: ssl.SSLContext | None = None
) -> Observation:
    async def run() -> Observation:
        async with serving(talk, context) as place:
            observation = await measure(replace(step, port=place.port), HostNetwork(), limits)
        assert place.connections == 1
        return observation

    return asyncio.run(run())


def facts(observation: Observation) -> TlsFacts:
    assert isinstance(observation.evidence, TlsFacts)
    return observation.evidence


def asking(context: SSL.Context, required: bool) -> SSL.Context:
    """Let the server ask for a client certificate."""
    mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0)
    context.set_verify(mode, lambda *_: True)
    return context


Ending: TypeAlias = Literal["fin", "rst", "close_notify"] | int
"""How a server ends: with FIN, RST, the alert close_notify, or with a fatal alert of this number."""


def ending(context: SSL.Context, how: Ending, last: int = 14, at_once: bool = False) -> Talk:
    """A TLS 1.2 server whose first flight goes as far as the message of type `last` (14: ServerHelloDone), and then ends.

    It waits for what the client says to that, and reads it, unless it ends `at_once`.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conn = SSL.Connection(context, None)
        conn.set_accept_state()
        conn.bio_write(await reader.read(65_536))
        with contextlib.suppress(SSL.WantReadError):
            conn.do_handshake()
        flight = conn.bio_read(65_536)
        at, kind = 0, 0
        while kind != last:
            kind, end = flight[at + 5], at + 5 + int.from_bytes(flight[at + 3 : at + 5])
            writer.write(flight[at:end])
            at = end
        if not at_once:
            await writer.drain()
            await reader.read(65_536)
        if isinstance(how, int):
            writer.write(record(21, bytes((2, how))))
        elif how == "close_notify":
            writer.write(record(21, bytes((1, 0))))
        if how == "rst":
            await writer.drain()
            reset(writer)
        elif how == "close_notify":
            await silent(reader, writer)

    return talk


def stolen(leaf: Leaf, directory: Path) -> Path:
    """The key file of a device that has copied a P-256 certificate without its key: the right point, another number."""

    def der(key: object) -> bytes:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    known, other = der(leaf.key), der(ec.generate_private_key(ec.SECP256R1()))
    at = known.index(b"\x04\x20") + 2  # RFC 5915 section 3: the private key is an OCTET STRING of 32 bytes
    made = base64.encodebytes(known[:at] + other[at : at + 32] + known[at + 32 :])
    file = directory / "stolen.pem"
    file.write_bytes(b"-----BEGIN EC PRIVATE KEY-----\n" + made + b"-----END EC PRIVATE KEY-----\n")
    return file


class DeafPeers(HostNetwork):
    """Its peers no longer listen after so many sends, as when they answered and closed: the race, provoked."""

    def __init__(self, sends: int) -> None:
        super().__init__()
        self._sends = sends

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        """A real connection of which only the sending end breaks."""
        return _DeafPeer(await super().connect(address, port, timeout), self._sends)


class _DeafPeer:
    def __init__(self, stream: Stream, sends: int) -> None:
        self.local, self.connect_s = stream.local, stream.connect_s
        self.receive, self.close = stream.receive, stream.close
        self._stream, self._sends = stream, sends

    async def send(self, data: bytes) -> None:
        if self._sends == 0:
            raise NetworkError(Failure(Stage.TCP, Code.RESET), self.local)
        self._sends -= 1
        await self._stream.send(data)

"""What the tests of TLS share: a leaf, a step, one handshake with a server that lives as long as it, deaf peers."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from OpenSSL import SSL

from probe.host_network import HostNetwork
from probe.kinds.tls_handshake import measure
from probe.limits import Limits
from probe.network import NetworkError, Stream
from rules.failure import Code, Failure, Stage
from rules.kinds.tls_handshake import Hello, TlsFacts, TlsHandshake
from rules.observation import Observation
from tests.pki import authority
from tests.servers import Talk, serving

LIMITS = Limits(tcp=2.0, tls=2.0, first_byte=2.0)
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

"""What the tests of TLS share: a leaf, a step, and one handshake with a server that lives as long as it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from OpenSSL import SSL

from probe.host_network import HostNetwork
from probe.kinds.tls_handshake import measure
from probe.limits import Limits
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

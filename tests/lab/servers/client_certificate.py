"""Servers that ask for a client certificate, and the ways in which they end a TLS 1.2 handshake without one.

Behaviours of `Host.tls` that OpenSSL provides:

- `requires-certificate`: ends with its own alert (40 in TLS 1.2, 116 after the handshake in TLS 1.3);
- `requires-certificate-12`: the same, without TLS 1.3;
- `copied-chain`: like the first one, with the genuine chain and a key that does not belong to it.

In TLS 1.2 our own code ends the others: `asks, then END` after the client's second flight has arrived; `asks, END too
early` before it sends ServerHelloDone; `asks, END unheard` before it sends ServerHello. END is `alert N`,
`close_notify`, `fin` or `rst`. In TLS 1.3 these behave like the first one.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.lab import pki
from tests.lab.servers.tls_engine import CHUNK, send_reset

_BY_HAND = re.compile(r"asks, (then )?(alert [0-9]+|close_notify|fin|rst)( too early| unheard)?")
_DONE = bytes.fromhex("16 03 03 0004 0e 000000")  # ServerHelloDone in a separate record: only TLS 1.2 has it
_KEY = b"\x04\x20"  # RFC 5915 section 3: the private key of a P-256 key is an OCTET STRING of 32 bytes


def ask(context: ssl.SSLContext, behaviour: str, made: pki.Pki) -> None:
    """Make the context ask for a client certificate, if the behaviour is one of these."""
    if behaviour in ("requires-certificate", "requires-certificate-12", "copied-chain"):
        context.verify_mode = ssl.CERT_REQUIRED
    elif behaviour == "client-certificate" or _BY_HAND.fullmatch(behaviour):
        context.verify_mode = ssl.CERT_OPTIONAL
    else:
        return
    context.load_verify_locations(cadata=made.system_store())
    if behaviour == "requires-certificate-12":
        context.maximum_version = ssl.TLSVersion.TLSv1_2


def copied_key(key: ec.EllipticCurvePrivateKey) -> str:
    """A key file (PEM) with the public half of `key` and another private half, as with a copied certificate."""
    known, other = (
        k.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        for k in (key, pki.derived_key("whoever copied it"))
    )
    at, there = known.index(_KEY) + 2, other.index(_KEY) + 2
    made = base64.encodebytes(known[:at] + other[there : there + 32] + known[at + 32 :]).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{made}-----END EC PRIVATE KEY-----\n"


async def ended_by_hand(
    behaviour: str,
    context: ssl.SSLContext,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    early: bytes,
) -> bool:
    """End a TLS 1.2 handshake as the behaviour says. Returns False and sends nothing for another behaviour or TLS
    1.3."""
    known = _BY_HAND.fullmatch(behaviour)
    if known is None:
        return False
    came, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    came.write(early)
    tls = context.wrap_bio(came, out, server_side=True)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    flight = out.read()
    if not flight.endswith(_DONE):
        return False  # TLS 1.3
    if known[3] != " unheard":
        writer.write(flight.removesuffix(_DONE) if known[3] else flight)
    await writer.drain()
    if known[1]:
        await reader.read(CHUNK)
    end = known[2]
    if end == "rst":
        send_reset(writer)
        return True
    if end != "fin":
        level, number = (1, 0) if end == "close_notify" else (2, int(end.split()[1]))
        writer.write(bytes((21, 3, 3, 0, 2, level, number)))
        await writer.drain()
    return True

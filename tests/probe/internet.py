"""A small internet for tests of the appliance: resolvers, TLS and HTTP servers with real sockets, changed while it runs.

    net = Internet(tmp_path)
    net.zone["relay.svc.example"] = Name(("20.50.0.1",))
    net.places["20.50.0.1"] = "silent"            # but nothing is said there any more
    with running(net, net.looped()): ...          # on loopback, for `LoopProber`; or on a cell's sockets

In a cell (`tests/probe/cell.py`) the addresses are what they are called; on loopback 20.x.y.z is 127.x.y.z and the ports
are free ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket
from typing import Literal, TypeAlias, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.serialization import Encoding

from rules.pki.certificate import facts
from tests import pki
from tests.servers import answering, reset, silent

RESOLVERS = ("20.50.0.53", "20.50.0.54")
BOOT, RELAY, SIGN_IN, LISTS = (
    "boot.svc.example",
    "relay.svc.example",
    "login.svc.example",
    "lists.svc.example",
)
ZONE = {
    BOOT: ("20.50.1.1", "20.50.1.2"),
    RELAY: ("20.50.2.1", "20.50.2.2", "20.50.2.3"),
    SIGN_IN: ("20.50.3.1",),
    LISTS: ("20.50.4.1",),
}
CRL_PATH = "/issuing.crl"
PORTS = (443, 80)

Place: TypeAlias = Literal["genuine", "forged", "silent", "reset"]


@dataclass(slots=True)
class Name:
    """What resolvers say: addresses, over `aliases`; `ttl` seconds. `rcode`: "NXDOMAIN", or "" for silence."""

    v4: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    ttl: int = 0
    rcode: str = "NOERROR"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that came: when (monotonic), to which resolver."""

    at: float
    resolver: str
    name: str
    rtype: str


@dataclass(slots=True)
class Hit:
    """A connection that came: when (monotonic), where; the name in the hello and the path of a request, as far as it got."""

    at: float
    address: str
    port: int
    name: str = ""
    path: str = ""
    versions: str = ""


@dataclass(slots=True)
class Sockets:
    """Where it listens: a datagram socket for each resolver, a listening one for each port."""

    resolvers: dict[str, socket]
    ports: dict[int, socket]

    def close(self) -> None:
        for sock in (*self.resolvers.values(), *self.ports.values()):
            sock.close()


@dataclass(slots=True)
class Internet:
    """See the module. `asked` and `hits` tell what came; `dead`: resolvers that say nothing."""

    directory: Path
    zone: dict[str, Name] = field(default_factory=lambda: {name: Name(found) for name, found in ZONE.items()})
    places: dict[str, Place] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    cut: int = 0  # so many of the next requests inside TLS meet a reset
    asked: list[Asked] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    life: datetime.timedelta = datetime.timedelta(days=7)
    more: int = 0  # further names for sign-in, with an address each
    root: pki.Authority = field(default_factory=lambda: pki.authority("DigiCert Global Root G2"))
    _contexts: dict[tuple[Place, str], ssl.SSLContext] = field(default_factory=dict)
    _made: dict[str, pki.Authority] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.zone |= {f"h{n}.svc.example": Name((f"20.50.5.{n + 1}",)) for n in range(self.more)}

    @property
    def issuing(self) -> pki.Authority:
        return self._made.setdefault("issuing", pki.authority("Microsoft TLS Issuing CA 01", self.root))

    @property
    def forger(self) -> pki.Authority:
        """A device's CA that calls itself by the real issuing CA's name."""
        if "forger" not in self._made:
            self._made["forger"] = pki.authority("Corp Inspection CA")
        return self._made["forger"]

    # --- the files of an audit ---------------------------------------------------------------------------------------

    def write(self) -> None:
        """`rules.toml`, `cas.toml`, `roots.pem`, `resolv.conf`."""
        pem = self.root.certificate.public_bytes(Encoding.PEM)
        (self.directory / "roots.pem").write_bytes(pem)
        (self.directory / "cas.toml").write_text(ca_set(self.root, self.issuing))
        (self.directory / "rules.toml").write_text(rule_set(self.more))
        lines = [f"nameserver {address}" for address in RESOLVERS]
        (self.directory / "resolv.conf").write_text(
            "\n".join([*lines, "options timeout:1 attempts:1"]) + "\n"
        )

    def config(self, **tables: str) -> str:
        """A configuration with its first tables; `tables`: lines of further ones."""
        head = [
            f'rules = ["{self.directory}/rules.toml"]',
            f'ca_sets = ["{self.directory}/cas.toml"]',
            f"resolvers = {list(RESOLVERS)!r}".replace("'", '"'),
            f'public_roots = "{self.directory}/roots.pem"',
            f'os_store = "{self.directory}/roots.pem"',
            f'tenant = "{"1" * 8}-2222-3333-4444-{"5" * 12}"',
            f'control_name = "{SIGN_IN}"',
        ]
        head += [tables.pop("top")] if "top" in tables else []
        for name, lines in tables.items():
            head += [f"[{name}]", lines]
        return "\n".join(head) + "\n"

    # --- sockets -----------------------------------------------------------------------------------------------------

    @staticmethod
    def looped() -> Sockets:
        """On loopback, with free ports."""
        return Sockets(
            {address: _bound(SOCK_DGRAM, looped(address)) for address in RESOLVERS},
            {port: _bound(SOCK_STREAM, "0.0.0.0") for port in PORTS},
        )

    # --- what came ---------------------------------------------------------------------------------------------------

    def to(self, host: str) -> list[Hit]:
        """Connections to the addresses of a name, as the zone has them now."""
        return [hit for hit in self.hits if hit.address in self.zone[host].v4]

    # --- the servers -------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def served(self, sockets: Sockets) -> AsyncIterator[None]:
        """Serve on the running loop until left."""
        loop = asyncio.get_running_loop()
        transports: list[asyncio.DatagramTransport] = []
        for address, sock in sockets.resolvers.items():
            transport, _ = await loop.create_datagram_endpoint(partial(_Resolver, self, address), sock=sock)
            transports.append(transport)
        try:
            async with contextlib.AsyncExitStack() as servers:
                for port, sock in sockets.ports.items():
                    await servers.enter_async_context(answering(sock, partial(self._talk, port=port)))
                yield
        finally:
            for transport in transports:
                transport.close()
            sockets.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        hit = Hit(time.monotonic(), named(writer.get_extra_info("sockname")[0]), port)
        self.hits.append(hit)
        place = self.places.get(hit.address, "genuine")
        if place == "silent":
            await silent(reader, writer)
        elif place == "reset":
            reset(writer)
        else:
            if port == 443:
                await writer.start_tls(self._context(place, hit))
            hit.path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            if port == 443 and self.cut:
                self.cut -= 1
                reset(writer)
            else:
                writer.write(self._answer(port, hit.path))
                await writer.drain()

    def _answer(self, port: int, path: str) -> bytes:
        body, status = b"", "403 Forbidden"
        if port == 80:
            status = "404 Not Found"
            if path == CRL_PATH:
                status, body = "200 OK", self.issuing.crl(life=self.life).public_bytes(Encoding.DER)
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def _context(self, place: Place, hit: Hit) -> ssl.SSLContext:
        """A context that chooses its certificate by the name in the hello, and notes it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def chosen(conn: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            hit.name = name or ""
            conn.context = self._certified(place, hit.name)

        context.sni_callback = chosen
        return context

    def _certified(self, place: Place, name: str) -> ssl.SSLContext:
        made = self._contexts.get((place, name))
        if made is None:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority = self.forger if place == "forged" else self.issuing
            issuer = self.issuing.certificate.subject if place == "forged" else None
            chain, key = authority.leaf([name or "none.example"], issuer=issuer).write(
                self.directory, f"{place}-{name}"
            )
            made.load_cert_chain(chain, key)
            self._contexts[(place, name)] = made
        return made

    def answer(self, resolver: str, wire: bytes) -> bytes | None:
        """What a resolver says; None for nothing."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, rtype = (
            question.name.to_text(omit_final_dot=True).lower(),
            dns.rdatatype.to_text(question.rdtype),
        )
        self.asked.append(Asked(time.monotonic(), resolver, name, rtype))
        known = self.zone.get(name)
        if resolver in self.dead or (known is not None and not known.rcode):
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        owner = next((n for n in self.zone.values() if name in n.aliases), known)
        if owner is None or owner.rcode != "NOERROR":
            reply.set_rcode(dns.rcode.from_text(owner.rcode if owner else "NXDOMAIN"))
            return reply.to_wire()
        last = name
        names = owner.aliases if owner is known else owner.aliases[owner.aliases.index(name) + 1 :]
        for alias in names:
            reply.answer.append(dns.rrset.from_text(f"{last}.", owner.ttl, "IN", "CNAME", f"{alias}."))
            last = alias
        if rtype == "A" and owner.v4:
            reply.answer.append(dns.rrset.from_text(f"{last}.", owner.ttl, "IN", "A", *owner.v4))
        return reply.to_wire()


class _Resolver(asyncio.DatagramProtocol):
    def __init__(self, net: Internet, address: str) -> None:
        self._net, self._address = net, address
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._net.answer(self._address, data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        """The asker has gone."""


@contextlib.contextmanager
def running(net: Internet, sockets: Sockets) -> Iterator[None]:
    """Serve in a thread with a loop of its own, for tests of another process."""
    started = threading.Event()
    ended: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def whole() -> None:
        end = asyncio.Event()
        ended.append((asyncio.get_running_loop(), end))
        async with net.served(sockets):
            started.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(whole()))
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        loop, end = ended[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()


def looped(address: str) -> str:
    """Where an address is on loopback."""
    return f"127.{address.partition('.')[2]}" if address.startswith("20.") else address


def named(address: str) -> str:
    """How an address is called, wherever it is."""
    return f"20.{address.partition('.')[2]}" if address.startswith("127.") else address


def _bound(kind: int, address: str) -> socket:
    sock = socket(AF_INET, kind)
    sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    sock.bind((address, 0))
    if kind == SOCK_STREAM:
        sock.listen(128)
    sock.setblocking(False)
    return sock


def _dated() -> str:
    today = pki.today().date()
    cited = '[citations.made]\ntitle = "Made"\nurl = "https://example.com/"\n'
    return f'version = "{today}"\nreviewed = {today}\n{cited}date = {today}\n'


def rule_set(more: int = 0) -> str:
    """Two service names (one with a path), a sign-in name, a host of lists; `more` further sign-in names."""
    text = f'schema = "wayclear.ruleset/1"\nname = "small"\ntitle = "A small internet"\n{_dated()}'
    rows = [
        (BOOT, 443, "service"),
        (RELAY, 443, "service"),
        (SIGN_IN, 443, "sign-in"),
        (LISTS, 80, "cert-validation"),
    ]
    rows += [(f"h{n}.svc.example", 443, "sign-in") for n in range(more)]
    for host, port, group in rows:
        label = host.partition(".")[0]
        text += f'[[rule]]\nid = "{label}"\ntitle = "{label}"\nhost = "{host}"\nmatch = "exact"\nports = [{port}]\n'
        text += f'group = "{group}"\ncitations = ["made"]\n'
        if group == "sign-in":
            text += 'expect = "expected-ca"\n'
        if host == BOOT:
            text += f'[[rule.probe]]\nhost = "{host}"\nkind = "required"\ncitation = "made"\npath = "/"\n'
        if port == 80:
            text += (
                f'[[rule.document]]\nhost = "{host}"\npath = "{CRL_PATH}"\nkind = "crl"\ncitation = "made"\n'
            )
    return text


def ca_set(root: pki.Authority, issuing: pki.Authority) -> str:
    """Both as expected CAs."""
    text = f'schema = "wayclear.caset/1"\nname = "small"\ntitle = "CAs"\npki_hosts = ["{LISTS}"]\n{_dated()}'
    for made, role in ((root, "root"), (issuing, "issuing")):
        known = facts(pki.der(made.certificate))
        text += f'[[ca]]\nname = "{known.subject_cn}"\nrole = "{role}"\nissuer = "{known.issuer_cn}"\n'
        text += f'spki_sha256 = "{known.spki_sha256}"\ncitation = "made"\n'
        text += f"not_before = {made.certificate.not_valid_before_utc.date()}\n"
        text += f"not_after = {made.certificate.not_valid_after_utc.date()}\n"
    return text

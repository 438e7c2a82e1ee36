"""DNS servers on loopback: Debian's unbound for ordinary answers, small ones of our own for everything else."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import TypeAlias, cast

from probe.measure.direct_network import HostNetwork
from probe.measure.network import Datagrams, Stream, Unconnected
from tests.servers import Talk, serving


class Mapped(HostNetwork):
    """The host's network on which port 53 of every address is a port of this test."""

    def __init__(self, udp: int, tcp: int | None = None) -> None:
        super().__init__()
        self.udp, self.tcp = udp, udp if tcp is None else tcp

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        assert port == 53
        return await super().connect(address, self.tcp, timeout)

    async def datagrams(self, address: str, port: int) -> Datagrams:
        assert port == 53
        return await super().datagrams(address, self.udp)

    async def unconnected(self, address: str, port: int) -> Unconnected:
        assert port == 53
        return await super().unconnected(address, self.udp)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it arrived."""

    wire: bytes

    @property
    def number(self) -> int:
        return int.from_bytes(self.wire[:2], "big")

    @property
    def edns(self) -> bool:
        return self.wire[10:12] == b"\0\1"

    @property
    def question(self) -> bytes:
        return self.wire[12 : len(self.wire) - (11 if self.edns else 0)]

    def reply(
        self,
        answers: bytes = b"",
        count: int = 0,
        *,
        rcode: int = 0,
        flags: int = 0,
        number: int | None = None,
        question: bytes | None = None,
        additional: bytes = b"",
        additionals: int = 0,
    ) -> bytes:
        """A response to this query; every part can be spoilt."""
        header = struct.pack(
            "!HHHHHH",
            self.number if number is None else number,
            0x8180 | rcode | flags,
            1 if question is None or question else 0,
            count,
            0,
            additionals,
        )
        return header + (self.question if question is None else question) + answers + additional


TC, AD = 0x0200, 0x0020


def a_record(address: str = "192.0.2.1", ttl: int = 60, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack("!HHIH4B", 1, 1, ttl, 4, *map(int, address.split(".")))


def alias(target: bytes, ttl: int = 60, name: bytes = b"\xc0\x0c", kind: int = 5) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, ttl, len(target)) + target


def opt(options: bytes = b"", rcode_high: int = 0) -> bytes:
    return b"\0" + struct.pack("!HHIH", 41, 1232, rcode_high << 24, len(options)) + options


def wire_name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


Send: TypeAlias = Callable[[bytes], None]
Answer: TypeAlias = Callable[[Asked, Send], None]


@dataclass(slots=True)
class Hostile(asyncio.DatagramProtocol):
    """Calls `answer` for every query that comes in."""

    answer: Answer
    asked: list[Asked] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # Python 3.11's does not inherit it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = Asked(data)
        self.asked.append(asked)
        transport = self.transport
        assert transport is not None
        self.answer(asked, lambda wire: transport.sendto(wire, addr))

    def error_received(self, exc: Exception) -> None:
        """The asker has gone."""


@dataclass(slots=True)
class Server:
    """The way to a hostile server, and what it was asked."""

    network: Mapped
    asked: list[Asked]
    port: int


@contextlib.asynccontextmanager
async def hostile(answer: Answer, tcp: Talk | None = None) -> AsyncIterator[Server]:
    """A UDP server of `answer`; over TCP `tcp` talks, or nobody listens."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Hostile(answer), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    try:
        if tcp is None:
            yield Server(Mapped(port), protocol.asked, port)
        else:
            async with serving(tcp) as place:
                yield Server(Mapped(port, place.port), protocol.asked, port)
    finally:
        transport.close()


def free_port() -> int:
    with socket(AF_INET, SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def unbound(directory: Path, zone: str) -> Iterator[int]:
    """Debian's unbound on a free port of loopback with the `local-data` lines of `zone`."""
    port = free_port()
    config = directory / "unbound.conf"
    config.write_text(
        f"""
server:
    interface: 127.0.0.1
    port: {port}
    do-daemonize: no
    use-syslog: no
    logfile: ""
    verbosity: 1
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    num-threads: 1
    local-zone: "test." static
    local-zone: "refused.example." refuse
{zone}
"""
    )
    process = subprocess.Popen(["unbound", "-d", "-c", str(config)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "start of service" in line:
                break
        else:
            raise AssertionError("unbound did not start")
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=10)

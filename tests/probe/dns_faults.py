"""Faults of DNS servers: answers that break the protocol, and ways in which TCP 53 fails."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from tests.probe.dns_servers import TC, Asked, Send, a_record, alias, opt

BROKEN: dict[str, Callable[[Asked], bytes]] = {
    "a pointer to itself": lambda asked: alias((12 + len(asked.question) + 12 | 0xC000).to_bytes(2, "big")),
    "a pointer forward": lambda asked: (
        alias((12 + len(asked.question) + 13 | 0xC000).to_bytes(2, "big")) + b"\0"
    ),
    "a pointer past the end": lambda _asked: alias(b"\xff\xff"),
    "a pointer into the header": lambda _asked: alias(b"\xc0\x02"),
    "label type 0x40": lambda _asked: alias(b"\x41a\0"),
    "label type 0x80": lambda _asked: alias(b"\x81a\0"),
    "a name over 255 bytes": lambda _asked: alias(b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 4 + b"\0"),
    "a name longer than its record": lambda _asked: (
        b"\xc0\x0c" + bytes.fromhex("0005 0001 0000003c 0002") + b"\1a\0"
    ),
    "an address of five bytes": lambda _asked: (
        b"\xc0\x0c" + bytes.fromhex("0001 0001 0000003c 0005 0102030405")
    ),
    "a record cut short": lambda _asked: a_record()[:-1],
    "half a record": lambda _asked: a_record()[:7],
}


def fine(asked: Asked, send: Send) -> None:
    send(asked.reply(a_record(), 1, additional=opt() if asked.edns else b"", additionals=int(asked.edns)))


def cut(asked: Asked, send: Send) -> None:
    send(asked.reply(a_record(), 1, flags=TC))


async def query_of(reader: asyncio.StreamReader) -> Asked:
    length = int.from_bytes(await reader.readexactly(2), "big")
    return Asked(await reader.readexactly(length))


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await query_of(reader)
    writer.write(b"\0")


async def length_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await query_of(reader)
    writer.write(b"\0\x50")
    await reader.read(-1)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await query_of(reader)
    writer.write(b"\xff\xff")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await query_of(reader)
    writer.write(b"\0\x10" + b"HTTP/1.1 400 Bad")


async def other_id(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = await query_of(reader)
    reply = asked.reply(a_record(), 1, number=asked.number ^ 1)
    writer.write(len(reply).to_bytes(2, "big") + reply)

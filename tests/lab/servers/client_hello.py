"""Parses the part of a ClientHello (RFC 8446 section 4.1.2) that decides the certificate or the misbehaviour."""

from __future__ import annotations

from dataclasses import dataclass

RECORD_HEADER = 5


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`sni` is empty without SNI; `size` counts the bytes of the record with its header."""

    sni: str
    size: int


def read(buffer: bytes) -> ClientHello | None:
    """The ClientHello at the start of `buffer`; None while it is incomplete. ValueError: not a ClientHello."""
    if not buffer:
        return None
    if buffer[0] != 0x16:
        raise ValueError(f"not a TLS handshake record: first byte {buffer[0]:#x}")
    if len(buffer) < RECORD_HEADER or len(buffer) < (size := RECORD_HEADER + int.from_bytes(buffer[3:5])):
        return None
    return ClientHello(_sni(buffer[RECORD_HEADER:size]), size)


def _sni(body: bytes) -> str:
    try:
        at = 4 + 2 + 32
        at += 1 + body[at]  # session id
        at += 2 + int.from_bytes(body[at : at + 2])  # cipher suites
        at += 1 + body[at]  # compression methods
        end = at + 2 + int.from_bytes(body[at : at + 2])
        at += 2
        while at < end:
            kind, length = int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])
            if kind == 0:
                return body[at + 9 : at + 4 + length].decode("ascii", "replace").lower()
            at += 4 + length
    except IndexError:
        pass
    return ""

"""A bare TCP connect. Used for canaries; TLS and HTTP steps include their own connect."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.kind import Kind


@dataclass(frozen=True, slots=True)
class TcpConnect:
    """Open a TCP connection to `address` (IPv4 or IPv6 literal), then close it."""

    address: str
    port: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class TcpFacts:
    """`connect_s`: seconds from SYN to the established connection."""

    connect_s: float


KIND: Kind[TcpConnect, TcpFacts] = Kind(
    word="tcp_connect",
    step=TcpConnect,
    evidence=TcpFacts,
    queue="connection",
    place=lambda step: (step.address, step.port),
)

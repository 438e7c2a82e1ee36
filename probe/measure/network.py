"""The interface between measuring and the operating system: every byte passes through a `Network`.

`HostNetwork` (direct_network.py) connects directly. An outbound proxy would be another `Network` whose `connect` sends
CONNECT first; no kind of check would notice.
"""

from __future__ import annotations

from typing import Protocol

from rules.model.failure import Failure


class NetworkError(Exception):
    """A connection or datagram exchange that failed; carries the classified `Failure`."""

    def __init__(self, failure: Failure, local: tuple[str, int] | None = None) -> None:
        super().__init__(f"{failure.stage}: {failure.code} {failure.detail}".rstrip())
        self.failure = failure
        self.local = local


class Stream(Protocol):
    """An established connection. Every method raises `NetworkError`; deadlines are the caller's."""

    @property
    def local(self) -> tuple[str, int]: ...

    @property
    def connect_s(self) -> float: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self, limit: int = 65536) -> bytes:
        """Next bytes, b"" at the peer's FIN."""
        ...

    def close(self) -> None:
        """Close at once (an orderly FIN where possible, never waiting)."""
        ...


class Datagrams(Protocol):
    """A connected UDP socket: datagrams of other senders never arrive; ICMP errors raise `NetworkError`."""

    @property
    def local(self) -> tuple[str, int]: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...

    def close(self) -> None: ...


class Unconnected(Protocol):
    """A UDP socket that is not connected: any sender can reach its port, so nothing that arrives counts as an answer."""

    def send(self, data: bytes) -> None:
        """Send one datagram; errors are ignored."""
        ...

    def arrived(self) -> list[tuple[bytes, str, int]]:
        """Datagrams from other senders so far, without waiting: bytes, sender's address and port. Bounded."""
        ...

    def close(self) -> None: ...


class Network(Protocol):
    """Opens connections and UDP sockets."""

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        """TCP connection to an address literal within `timeout` seconds."""
        ...

    async def datagrams(self, address: str, port: int) -> Datagrams:
        """UDP socket connected to an address literal, with an unpredictable local port."""
        ...

    async def unconnected(self, address: str, port: int) -> Unconnected:
        """UDP socket that sends to an address literal and receives from all senders."""
        ...

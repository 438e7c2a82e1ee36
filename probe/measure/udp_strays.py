"""A UDP socket that is not connected, to see answers that come from another address than the one that was asked.

The kernel keeps such answers from a connected socket, which is right for an answer and wrong for a diagnosis: a server
with two addresses, or a port 53 that is redirected and whose way back is not translated, looks like silence.

It cannot show everything. A stateful firewall on this host or on the way drops what belongs to no flow of its table:
that stays silence. Over TCP an answer from another address belongs to no connection; the kernel resets it unseen. It
works alike for IPv4 and IPv6. On Windows, where the same calls exist, this project never ran it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

#: Datagrams that are looked at; the kernel's buffer bounds what waits.
LOOKED_AT = 100


class UnconnectedSocket:
    """See `probe.measure.network.Unconnected`. No call waits. `sock` is non-blocking and becomes this object's to close."""

    def __init__(self, sock: socket.socket, target: tuple[str | int, ...]) -> None:
        self._sock, self._target = sock, target
        self._asked = _plain(str(target[0])), target[1]

    def send(self, data: bytes) -> None:
        """One datagram; what the system refuses to send is not sent: the connected socket tells of it."""
        with contextlib.suppress(OSError):
            self._sock.sendto(data, self._target)

    def arrived(self) -> list[tuple[bytes, str, int]]:
        """What has come from elsewhere than the target so far: bytes, sender's address and port. Bounded."""
        found: list[tuple[bytes, str, int]] = []
        for _ in range(LOOKED_AT):
            try:
                data, sender = self._sock.recvfrom(65536)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # an ICMP message: the connected socket has it too
                continue
            address, port = str(sender[0]), int(sender[1])
            if (_plain(address), port) != self._asked:
                found.append((data, address, port))
        return found

    def close(self) -> None:
        """Close at once; closing twice is fine."""
        self._sock.close()


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A literal without its zone, however it is spelt."""
    return ipaddress.ip_address(address.partition("%")[0])

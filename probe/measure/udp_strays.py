"""A UDP socket that is not connected, to receive answers from another address than the one that was asked.

A connected socket does not get them. That is right for an answer and wrong for a diagnosis: a server with two addresses, or
a redirected port 53 whose answers are not translated back, looks like no answer.

It cannot show everything. A stateful firewall on this host or in the network drops packets without a flow in its table.
Over TCP an answer from another address belongs to no connection, and the kernel resets it. IPv4 and IPv6 work in the
same way. On
Windows, where the same calls exist, this project never ran it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

#: Most datagrams that are read; the kernel's buffer limits how many wait.
LOOKED_AT = 100


class UnconnectedSocket:
    """See `probe.measure.network.Unconnected`. No call waits. This object owns and closes `sock`, which is non-blocking."""

    def __init__(self, sock: socket.socket, target: tuple[str | int, ...]) -> None:
        self._sock, self._target = sock, target
        self._asked = _plain(str(target[0])), target[1]

    def send(self, data: bytes) -> None:
        """Send one datagram. Errors are ignored: the connected socket reports them."""
        with contextlib.suppress(OSError):
            self._sock.sendto(data, self._target)

    def arrived(self) -> list[tuple[bytes, str, int]]:
        """Datagrams from other senders than the target so far: bytes, sender's address and port. Bounded."""
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
    """The address of a literal without its zone, so that different spellings are equal."""
    return ipaddress.ip_address(address.partition("%")[0])

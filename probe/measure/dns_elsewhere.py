"""Finds which other address answers a DNS question when the resolver that was asked does not answer.

Programs do not get such an answer: their resolver drops what comes from another address or port (RFC 5452 section 4.1).
So it is evidence, never an answer. `probe/measure/udp_strays.py` says when it cannot be seen.
"""

from __future__ import annotations

import secrets

from probe.measure import dns_message
from probe.measure.network import Network, NetworkError, Unconnected

#: Most senders that are named.
NAMED = 4
_USUAL = 53


class UnconnectedQuestion:
    """One question with its own id, from a socket that is not connected."""

    def __init__(self, strays: Unconnected, asked: bytes) -> None:
        self._strays, self._asked = strays, asked
        self._number = secrets.randbelow(65536)
        strays.send(dns_message.make_query(asked, self._number, edns=False))

    def seen(self) -> tuple[tuple[str, ...], int]:
        """The other senders that answered so far ("address", "address port 5353"), and the number of other datagrams."""
        found: dict[str, None] = {}
        others = 0
        for wire, address, port in self._strays.arrived():
            if self._number in (
                dns_message.response_id(wire, self._asked),
                dns_message.questionless_id(wire),
            ):
                found[address if port == _USUAL else f"{address} port {port}"] = None
            else:
                others += 1
        named = tuple(found)
        more = (f"{len(named) - NAMED} more",) if len(named) > NAMED else ()
        return named[:NAMED] + more, others

    def close(self) -> None:
        """Close the socket; closing twice is fine."""
        self._strays.close()


async def ask_unconnected(
    network: Network, resolver: str, port: int, asked: bytes
) -> UnconnectedQuestion | None:
    """Ask the question `asked` again in this way; None if no socket can be opened."""
    try:
        return UnconnectedQuestion(await network.unconnected(resolver, port), asked)
    except NetworkError:
        return None

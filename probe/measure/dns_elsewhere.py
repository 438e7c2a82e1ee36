"""Who answers a DNS question without having been asked, once the one that was asked stays silent.

Programs of a host get nothing from such an answer, because their resolver drops what comes from another address or port
(RFC 5452 section 4.1). So it is evidence here and never an answer. `probe/measure/udp_strays.py` says where it cannot be seen.
"""

from __future__ import annotations

import secrets

from probe.measure import dns_message
from probe.measure.network import Network, NetworkError, Unconnected

#: Senders that are named.
NAMED = 4
_USUAL = 53


class UnconnectedQuestion:
    """One question from a socket that is not connected, under an id of its own."""

    def __init__(self, strays: Unconnected, asked: bytes) -> None:
        self._strays, self._asked = strays, asked
        self._number = secrets.randbelow(65536)
        strays.send(dns_message.make_query(asked, self._number, edns=False))

    def seen(self) -> tuple[tuple[str, ...], int]:
        """Who answered our question from elsewhere so far ("address", "address port 5353"), and how much else came."""
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
    """Ask the question `asked` once more in this way; None where no socket can be opened."""
    try:
        return UnconnectedQuestion(await network.unconnected(resolver, port), asked)
    except NetworkError:
        return None

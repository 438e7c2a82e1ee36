"""Reports every new connection that crosses the firewall: `python -m tests.lab.servers.syn_watch INTERFACE`.

One line each: monotonic seconds, source address and port, destination address and port. It reads the wire, so it does
not depend on the program's own counts.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

ETH_P_ALL = 3
SYN, ACK = 0x02, 0x10


def new_connection(frame: bytes) -> tuple[str, int, str, int] | None:
    """Source and destination of a frame that contains a first SYN (IPv4 or IPv6 without extension headers)."""
    kind = int.from_bytes(frame[12:14])
    if kind == 0x0800 and frame[23] == socket.IPPROTO_TCP:
        start = 14 + (frame[14] & 15) * 4
        source, target = (socket.inet_ntop(socket.AF_INET, frame[at : at + 4]) for at in (26, 30))
    elif kind == 0x86DD and frame[20] == socket.IPPROTO_TCP:
        start = 54
        source, target = (socket.inet_ntop(socket.AF_INET6, frame[at : at + 16]) for at in (22, 38))
    else:
        return None
    if frame[start + 13] & (SYN | ACK) != SYN:
        return None
    from_port, to_port = struct.unpack_from("!HH", frame, start)
    return source, from_port, target, to_port


def watch(interface: str) -> None:
    """Report until killed. It reports a repeated SYN of the same connection once."""
    assert sys.platform == "linux"
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        wire.bind((interface, 0))
        print("ready", flush=True)
        told: set[tuple[str, int, str, int]] = set()
        while True:
            found = new_connection(wire.recv(65_535))
            if found is not None and found not in told:
                told.add(found)
                print(f"{time.monotonic():.4f}", *found, flush=True)


if __name__ == "__main__":
    watch(sys.argv[1])

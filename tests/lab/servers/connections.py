"""What a firewall engineer would see: `python -m tests.lab.servers.connections OPTIONS.json`, in the firewall's namespace.

Prints one JSON list for each TCP segment that begins or ends a connection, as it comes from the connector's side or
goes to it: [kernel's time, "syn" | "end", address and port of the connector, address and port of the other end].
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
from pathlib import Path

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python does not name it
FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP = 6


def segment(frame: bytes) -> tuple[str, int, str, int, int] | None:
    """Source, its port, destination, its port and flags of an Ethernet frame with TCP in it."""
    kind, packet = frame[12:14], frame[14:]
    if kind == b"\x08\x00" and packet[9] == TCP:
        ends, tcp = (packet[12:16], packet[16:20]), packet[(packet[0] & 15) * 4 :]
    elif kind == b"\x86\xdd" and packet[6] == TCP:
        ends, tcp = (packet[8:24], packet[24:40]), packet[40:]
    else:
        return None
    source, destination = (str(ipaddress.ip_address(end)) for end in ends)
    return source, int.from_bytes(tcp[:2]), destination, int.from_bytes(tcp[2:4]), tcp[13]


def watch(interface: str, inside: list[str]) -> None:
    """Run until killed."""
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    listener.bind((interface, 0))
    print("ready", flush=True)
    while True:
        frame, ancillary, _, _ = listener.recvmsg(128, 64)
        found = segment(frame)
        if found is None:
            continue
        source, port, destination, other, flags = found
        begins = flags & SYN and not flags & ACK and source in inside
        if not begins and not flags & (FIN | RST):
            continue
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
        ends = [source, port, destination, other]
        if source not in inside:
            ends = [destination, other, source, port]
        print(json.dumps([seconds + nanoseconds / 1e9, "syn" if begins else "end", *ends]), flush=True)


if __name__ == "__main__":
    options = json.loads(Path(sys.argv[1]).read_text())
    watch(options["interface"], options["inside"])

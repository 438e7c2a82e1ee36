"""A wire with a delay: `python -m tests.bench.relay NEAR FAR SECONDS [DROPPED ...]`.

NEAR and FAR are open descriptors of network namespaces. A TUN device is made in each, and packets are carried between
them, each SECONDS after it came; those to or from the addresses DROPPED vanish.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress

from tests.bench.namespace import environment
from tests.lab import namespaces

TUN = "/dev/net/tun"
NEAR_ADDRESS, FAR_ADDRESS = "10.10.1.2", "10.10.1.1"
_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_BATCH = 64


def device(network: int, address: str, peer: str) -> int:
    """A TUN device in `network`, up, with the default route to the other side; its descriptor."""
    namespaces.enter(network)
    fd = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
    text = f"link set lo up\naddr add {address} peer {peer} dev wire\nlink set wire txqueuelen 10000 up\n"
    text += "route add default dev wire\n"
    subprocess.run(["ip", "-batch", "-"], input=text.encode(), check=True, env=environment())
    return fd


def carry(near: int, far: int, delay: float, dropped: frozenset[bytes]) -> None:
    """Carry packets for ever. Each direction is a queue: the delay is the same for all, so nothing overtakes."""
    ways: dict[int, tuple[int, deque[tuple[float, bytes]]]] = {near: (far, deque()), far: (near, deque())}
    while True:
        due = min((queue[0][0] for _, queue in ways.values() if queue), default=None)
        wait = None if due is None else max(0.0, due - time.monotonic())
        readable, _, _ = select.select(list(ways), [], [], wait)
        now = time.monotonic()
        for fd in readable:
            for packet in _read(fd):
                if packet[12:16] not in dropped and packet[16:20] not in dropped:
                    ways[fd][1].append((now + delay, packet))
        for out, queue in ways.values():
            while queue and queue[0][0] <= now:
                os.write(out, queue.popleft()[1])


def _read(fd: int) -> list[bytes]:
    packets: list[bytes] = []
    with suppress(BlockingIOError):
        packets.extend(os.read(fd, 65_536) for _ in range(_BATCH))
    return [
        p for p in packets if p[0] >> 4 == 4
    ]  # IPv4 only: what the kernel says by itself in v6 is not carried


def main(near: int, far: int, delay: float, dropped: list[str]) -> None:
    """Make both devices, say so, carry."""
    ends = device(near, NEAR_ADDRESS, FAR_ADDRESS), device(far, FAR_ADDRESS, NEAR_ADDRESS)
    print("ready", flush=True)
    carry(*ends, delay, frozenset(socket.inet_aton(a) for a in dropped))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])

"""Parses this host's addresses and on-link networks from the tables in Linux' /proc/net. Sends no packet."""

from __future__ import annotations

import ipaddress
import socket
import struct
from itertools import pairwise

_UP, _REJECT, _LOCAL = 0x0001, 0x0200, 0x80000000  # linux/route.h, linux/ipv6_route.h: RTF_*


def fib_trie_addresses(text: str) -> tuple[str, ...]:
    """IPv4 addresses of this host: the leaves of /proc/net/fib_trie that are a single local address."""
    lines = [line.strip() for line in text.splitlines()]
    found = [
        leaf.removeprefix("|--").strip()
        for leaf, kind in pairwise(lines)
        if leaf.startswith("|--") and kind == "/32 host LOCAL"
    ]
    return tuple(dict.fromkeys(a for a in found if _is_v4(a)))


def inet6_addresses(text: str) -> tuple[str, ...]:
    """IPv6 addresses of this host: the first column of /proc/net/if_inet6."""
    return tuple(dict.fromkeys(_v6(line[:32]) for line in text.splitlines() if len(line) > 32))


def route_networks(text: str) -> tuple[str, ...]:
    """IPv4 networks without a gateway (/proc/net/route), without the default route."""
    found: list[str] = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 8:
            continue
        destination, gateway, flags, mask = columns[1], columns[2], int(columns[3], 16), columns[7]
        if flags & _UP and not flags & _REJECT and int(gateway, 16) == 0 and int(mask, 16) != 0:
            prefix = int(mask, 16).bit_count()
            found.append(f"{socket.inet_ntoa(struct.pack('=I', int(destination, 16)))}/{prefix}")
    return tuple(dict.fromkeys(found))


def ipv6_route_networks(text: str) -> tuple[str, ...]:
    """IPv6 networks without a gateway (/proc/net/ipv6_route)."""
    found: list[str] = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 10:
            continue
        destination, prefix, gateway, flags, device = (
            columns[0],
            int(columns[1], 16),
            columns[4],
            int(columns[8], 16),
            columns[9],
        )
        usable = flags & _UP and not flags & (_REJECT | _LOCAL) and device != "lo"
        if usable and int(gateway, 16) == 0 and 0 < prefix < 128 and not destination.startswith("ff"):
            found.append(f"{_v6(destination)}/{prefix}")
    return tuple(dict.fromkeys(found))


def _v6(digits: str) -> str:
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))


def _is_v4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True

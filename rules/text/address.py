"""The class of an address: one table, from IANA's registries, that is the same on every Python.

Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its successors) and the multicast
registries, as of `TABLE_DATE`. `ipaddress.is_global` is not used: it differs between Python versions. An IPv4 address
inside an IPv6 one (mapped RFC 4291 section 2.5.5.2, NAT64 RFC 6052 and RFC 8215, 6to4 RFC 3056, ISATAP RFC 5214)
decides, because the packet ends there. Teredo and IPv4-translated addresses are never connected to, whatever is
inside. Addresses of clouds' metadata services come from the clouds' own documents, as of 2026-11.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: The table below holds the registries' entries up to this day; the newest is RFC 9780's of 2025-04.
TABLE_DATE = datetime.date(2025, 4, 30)


class AddressClass(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"  # RFC 1918, unique local (RFC 4193), the old site-local (RFC 3879)
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    METADATA = "metadata"  # services of a cloud's own hosts, which hold credentials
    MULTICAST = "multicast"  # and limited broadcast
    UNSPECIFIED = "unspecified"  # 0.0.0.0/8 and ::, what a sinkhole answers
    SYNTHETIC = (
        "synthetic"  # 100.64/10 (RFC 6598) and 198.18/15 (RFC 2544): an agent or proxy on the path answers
    )
    TUNNEL = "tunnel"  # leads into IPv4 through obsolete tunnels, past the firewall under test
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"


#: Never connected to, whatever a resolver answers and whatever the configuration calls public.
NEVER = frozenset(
    {
        AddressClass.LOOPBACK,
        AddressClass.LINK_LOCAL,
        AddressClass.METADATA,
        AddressClass.MULTICAST,
        AddressClass.UNSPECIFIED,
        AddressClass.TUNNEL,
    }
)

_V4: tuple[tuple[str, AddressClass], ...] = (
    ("0.0.0.0/8", AddressClass.UNSPECIFIED),  # RFC 791
    ("10.0.0.0/8", AddressClass.PRIVATE),  # RFC 1918
    ("100.64.0.0/10", AddressClass.SYNTHETIC),  # RFC 6598
    ("100.100.100.200/32", AddressClass.METADATA),  # instance metadata of Alibaba Cloud
    ("127.0.0.0/8", AddressClass.LOOPBACK),  # RFC 1122
    (
        "168.63.129.16/32",
        AddressClass.METADATA,
    ),  # Azure's wire server (Microsoft: what is IP address 168.63.129.16)
    ("169.254.0.0/16", AddressClass.LINK_LOCAL),  # RFC 3927
    (
        "169.254.169.254/32",
        AddressClass.METADATA,
    ),  # instance metadata of Azure, AWS, Google, Oracle and others
    ("169.254.170.2/32", AddressClass.METADATA),  # task credentials of AWS (ECS)
    ("169.254.170.23/32", AddressClass.METADATA),  # pod credentials of AWS (EKS)
    ("172.16.0.0/12", AddressClass.PRIVATE),  # RFC 1918
    ("192.0.0.0/24", AddressClass.RESERVED),  # RFC 6890
    ("192.0.0.9/32", AddressClass.PUBLIC),  # RFC 7723, globally reachable
    ("192.0.0.10/32", AddressClass.PUBLIC),  # RFC 8155, globally reachable
    ("192.0.0.192/32", AddressClass.METADATA),  # instance metadata of Oracle Cloud Classic
    ("192.0.2.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("192.88.99.0/24", AddressClass.RESERVED),  # RFC 7526, 6to4 relays, withdrawn
    ("192.168.0.0/16", AddressClass.PRIVATE),  # RFC 1918
    ("198.18.0.0/15", AddressClass.SYNTHETIC),  # RFC 2544
    ("198.51.100.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("203.0.113.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("224.0.0.0/4", AddressClass.MULTICAST),  # RFC 5771
    ("240.0.0.0/4", AddressClass.RESERVED),  # RFC 1112
    ("255.255.255.255/32", AddressClass.MULTICAST),  # limited broadcast, RFC 8190
)

# IANA has assigned 2000::/3 to global unicast; everything outside this table is reserved.
_V6: tuple[tuple[str, AddressClass], ...] = (
    ("::/0", AddressClass.RESERVED),
    ("::/128", AddressClass.UNSPECIFIED),  # RFC 4291
    ("::1/128", AddressClass.LOOPBACK),  # RFC 4291
    ("::ffff:0:0:0/96", AddressClass.TUNNEL),  # IPv4-translated, RFC 2765 section 2.1, obsolete
    ("2000::/3", AddressClass.PUBLIC),
    ("2001::/23", AddressClass.RESERVED),  # RFC 2928
    ("2001::/32", AddressClass.TUNNEL),  # Teredo, RFC 4380
    ("2001:1::1/128", AddressClass.PUBLIC),  # RFC 7723
    ("2001:1::2/128", AddressClass.PUBLIC),  # RFC 8155
    ("2001:1::3/128", AddressClass.PUBLIC),  # RFC 9665
    ("2001:3::/32", AddressClass.PUBLIC),  # RFC 7450
    ("2001:4:112::/48", AddressClass.PUBLIC),  # RFC 7535
    ("2001:20::/28", AddressClass.PUBLIC),  # RFC 7343
    ("2001:30::/28", AddressClass.PUBLIC),  # RFC 9374
    ("2001:db8::/32", AddressClass.DOCUMENTATION),  # RFC 3849
    ("3fff::/20", AddressClass.DOCUMENTATION),  # RFC 9637
    ("fc00::/7", AddressClass.PRIVATE),  # RFC 4193
    ("fd00:ec2::23/128", AddressClass.METADATA),  # pod credentials of AWS (EKS)
    ("fd00:ec2::254/128", AddressClass.METADATA),  # instance metadata of AWS
    ("fd20:ce::254/128", AddressClass.METADATA),  # instance metadata of Google Cloud
    ("fe80::/10", AddressClass.LINK_LOCAL),  # RFC 4291
    ("fec0::/10", AddressClass.PRIVATE),  # RFC 3879
    ("ff00::/8", AddressClass.MULTICAST),  # RFC 4291
)
# 100::/64 (RFC 6666), 100:0:0:1::/64 (RFC 9780) and 5f00::/16 (RFC 9602) lie outside 2000::/3 and so are reserved.

#: The narrowest network comes first, so that the first match decides.
_TABLE_V4 = sorted(((IPv4Network(n), c) for n, c in _V4), key=lambda row: -row[0].prefixlen)
_TABLE_V6 = sorted(((IPv6Network(n), c) for n, c in _V6), key=lambda row: -row[0].prefixlen)

_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 section 2.5.5.1, deprecated
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")  # RFC 2765 section 2.1
_TEREDO = IPv6Network("2001::/32")  # RFC 4380
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214 section 6.1: the upper half of the interface's part


def classify(address: str | Address, public_networks: Sequence[str] = ()) -> AddressClass:
    """The class of an address literal; ValueError for anything else.

    `public_networks` (CIDR) makes other addresses public, for test ranges: it takes precedence over everything but
    `NEVER`. It may name the IPv6 address itself or the IPv4 address inside it.
    """
    return _classified(address, tuple(public_networks))


@lru_cache(maxsize=4096)
def _classified(address: str | Address, public_networks: tuple[str, ...]) -> AddressClass:
    """Cached, because it is called again right before each packet."""
    given = parse_address(address)
    inner = embedded(given)
    found, outer = _lookup(inner or given), _lookup(given)
    if found in NEVER:
        return found
    if outer in NEVER:
        return outer
    if any(_within(one, _networks(public_networks)) for one in (given, inner) if one is not None):
        return AddressClass.PUBLIC
    return found


def never_connect(kind: AddressClass) -> bool:
    """Whether no packet may be sent to such an address, whoever asks for it."""
    return kind in NEVER


def is_own(address: str | Address, own: Iterable[str]) -> bool:
    """Whether the address is one of `own` (this host's), also where either is written inside an IPv6 one."""
    return effective_address(address) in {effective_address(one) for one in own}


def is_broadcast(address: str | Address, networks: Sequence[str]) -> bool:
    """Whether the address is the directed broadcast address of one of the on-link networks (RFC 919)."""
    end = effective_address(address)
    return any(
        isinstance(network, IPv4Network) and network.prefixlen < 31 and network.broadcast_address == end
        for network in _networks(tuple(networks))
    )


def same_network(one: str | Address, other: str | Address, v4: int = 24, v6: int = 64) -> bool:
    """Whether two addresses of one family share their first `v4` or `v6` bits: likely one place."""
    a, b = effective_address(one), effective_address(other)
    if a.version != b.version:
        return False
    rest = a.max_prefixlen - (v4 if a.version == 4 else v6)
    return int(a) >> rest == int(b) >> rest


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, translated, compatible, NAT64, 6to4, ISATAP or Teredo's client; None
    where there is none."""
    if isinstance(address, IPv4Address):
        return None
    value = int(address)
    isatap = value >> 32 & 0xFFFFFFFF in _ISATAP
    if address.ipv4_mapped is not None or address in _NAT64 or address in _TRANSLATED or isatap:
        return IPv4Address(value & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~value & 0xFFFFFFFF)  # section 4: obfuscated, every bit turned
    if address in _COMPATIBLE:
        return IPv4Address(value) if value > 1 else None
    if address in _NAT64_LOCAL:
        return _local_nat64(value)
    return address.sixtofour


def parse_address(address: str | Address) -> Address:
    """An address literal; a zone (`%eth0`) is dropped. ValueError for anything else."""
    if isinstance(address, str):
        return ip_address(address.partition("%")[0])
    if isinstance(address, IPv6Address) and address.scope_id:
        return IPv6Address(int(address))
    return address


def _local_nat64(value: int) -> IPv4Address:
    """The IPv4 address under 64:ff9b:1::/48; the address does not show where its operator put it.

    With a prefix of 48 bits it is in bits 48 to 63 and 72 to 87, and all further bits are zero (RFC 6052 section
    2.2). Otherwise the operator uses a /96 of it, and the IPv4 address is the last 32 bits.
    """
    if value & 0xFF_FFFF_FFFF:
        return IPv4Address(value & 0xFFFFFFFF)
    return IPv4Address((value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF)


def _lookup(address: Address) -> AddressClass:
    table: Sequence[tuple[Network, AddressClass]] = _TABLE_V4 if address.version == 4 else _TABLE_V6
    return next((kind for network, kind in table if address in network), AddressClass.PUBLIC)


def effective_address(address: str | Address) -> Address:
    """The address where a packet ends: the IPv4 address inside it, else itself."""
    given = parse_address(address)
    return embedded(given) or given


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


@lru_cache(maxsize=64)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Networks in CIDR notation; bits after the prefix may be set, as in the output of `ip addr`."""
    return tuple(ip_network(text, strict=False) for text in texts)

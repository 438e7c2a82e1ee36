"""Linux' tables of routes and addresses, as a kernel writes them and as it may never write them."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from probe.host import routes
from tests.probe.isolated import isolated

FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.9.0.0/24 2 0 2
        |-- 10.9.0.0
           /24 link UNICAST
        |-- 10.9.0.1
           /32 host LOCAL
        |-- 10.9.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.9.0.1
           /32 host LOCAL
"""
ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100090A\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t0000090A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00003214\t0200090A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
*\t00000114\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
ZERO = "0" * 32
IPV6_ROUTE = f"""fd090000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001     eth0
26000050000000000000000000000000 20 {ZERO} 00 fd090000000000000000000000000002 00000400 1 0 00000003     eth0
fd090000000000000000000000000001 80 {ZERO} 00 {ZERO} 00000000 00000002 00000000 80200001     eth0
ff000000000000000000000000000000 08 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001     eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""
INET6 = """fd090000000000000000000000000001 03 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_addresses_and_networks() -> None:
    assert routes.fib_trie_addresses(FIB_TRIE) == ("10.9.0.1", "127.0.0.1")
    assert routes.route_networks(ROUTE) == ("10.9.0.0/24",)
    assert routes.ipv6_route_networks(IPV6_ROUTE) == ("fd09::/64",)
    assert routes.inet6_addresses(INET6) == ("fd09::1", "::1")


def test_what_this_kernel_writes() -> None:
    setup = """
        ip link add near type veth peer name far; ip link set far up
        ip addr add 10.9.0.1/25 dev near; ip -6 addr add fd09::1/64 dev near nodad; ip link set near up
        ip addr add 10.9.0.3/25 dev near; ip route add default via 10.9.0.2; ip route add unreachable 20.1.0.0/24
    """
    body = """
        from pathlib import Path
        from probe.host import routes
        net = Path("/proc/net")
        show({
            "v4": sorted(routes.fib_trie_addresses((net / "fib_trie").read_text())),
            "v6": sorted(a for a in routes.inet6_addresses((net / "if_inet6").read_text()) if a[:4] != "fe80"),
            "on-link v4": routes.route_networks((net / "route").read_text()),
            "on-link v6": sorted(routes.ipv6_route_networks((net / "ipv6_route").read_text())),
        })
    """
    assert isolated(setup, body) == {
        "v4": ["10.9.0.1", "10.9.0.3", "127.0.0.1"],
        "v6": ["::1", "fd09::1"],
        "on-link v4": ["10.9.0.0/25"],
        "on-link v6": ["fd09::/64", "fe80::/64"],
    }


@given(st.text(max_size=200))
def test_other_texts_are_nothing_or_a_value_error(text: str) -> None:
    for parse in (
        routes.fib_trie_addresses,
        routes.inet6_addresses,
        routes.route_networks,
        routes.ipv6_route_networks,
    ):
        with contextlib.suppress(ValueError):
            assert isinstance(parse(text), tuple)

"""A network of a test's own: user and network namespaces, with the same rights for root and for everybody else."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: A router with a firewall between this namespace and 20.50.0.0/16, 2600:50::/32.
ROUTER = """
    ip netns add router
    sysctl -qw net.ipv6.conf.default.accept_dad=0
    ip netns exec router sysctl -qw net.ipv6.conf.default.accept_dad=0
    ip link add near type veth peer name far netns router
    ip addr add 10.9.0.1/24 dev near; ip -6 addr add fd09::1/64 dev near nodad; ip link set near up
    ip -n router addr add 10.9.0.2/24 dev far; ip -n router -6 addr add fd09::2/64 dev far nodad
    ip -n router link set far up
    ip route add 20.50.0.0/16 via 10.9.0.2; ip -6 route add 2600:50::/32 via fd09::2
    ip -n router route add default via 10.9.0.1; ip -n router -6 route add default via fd09::1
    ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip netns exec router sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
    ip netns exec router nft -f - <<'END'
    table inet firewall {
        chain forward {
            type filter hook forward priority 0;
            ip daddr 20.50.0.1 reject with icmp admin-prohibited
            ip daddr 20.50.0.2 reject with icmp port-unreachable
            ip daddr 20.50.0.3 reject with icmp net-unreachable
            ip daddr 20.50.0.4 meta l4proto tcp reject with tcp reset
            ip daddr 20.50.0.5 drop
            ip6 daddr 2600:50::1 reject with icmpv6 admin-prohibited
        }
    }
END
"""
#: Python that tells how a connect or a datagram to each of some addresses ended.
REPORT = """
    from probe.measure.direct_network import HostNetwork
    from probe.measure.network import NetworkError

    async def tcp(network, address):
        begun = time.monotonic()
        try:
            (await network.connect(address, 443, 2.0)).close()
        except NetworkError as error:
            return told(error, begun)

    async def udp(network, address):
        begun = time.monotonic()
        way = None
        try:
            way = await network.datagrams(address, 53)
            await way.send(b"?")
            async with asyncio.timeout(5):
                await way.receive()
        except NetworkError as error:
            return told(error, begun)
        finally:
            if way is not None:
                way.close()

    def told(error, begun):
        f = error.failure
        icmp = [f.icmp.type, f.icmp.code, f.icmp.sender] if f.icmp else None
        return [f.stage, f.code, icmp, bool(error.local), time.monotonic() - begun < 1]

    async def main(how, addresses):
        network = HostNetwork()
        return {a: await how(network, a) for a in addresses}
"""


def isolated(setup: str, body: str) -> object:
    """Run the shell lines `setup` and then the Python lines `body` in namespaces that end with them.

    `body` sees `show(value)`; what it shows last is returned, by way of JSON. `/run` is empty, for `ip netns add`.
    """
    prelude = "import asyncio, json, time\ndef show(value): print(json.dumps(value))\n"
    shell = (
        f'set -e\nmount -t tmpfs tmpfs /run\nip link set lo up\n{textwrap.dedent(setup)}\nexec "$0" -c "$1"'
    )
    done = subprocess.run(
        ["unshare", "-Urnm", "sh", "-c", shell, sys.executable, prelude + textwrap.dedent(body)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown: object = json.loads(done.stdout.splitlines()[-1])
    return shown

"""Configuration files of the foreign servers: nsd, unbound, nftables, ip and Squid."""

from __future__ import annotations

from pathlib import Path

from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan, Resolver
from tests.lab.world import AUTHORITATIVE, LOCAL_V4, LOCAL_V6, NAT64, World

SQUID_PORT = 3129
MITMPROXY_PORT = 3130
PYTHON_PORT = 3131  # forging, accepting and page servers
CERTIFICATE_HELPER = "/usr/lib/squid/security_file_certgen"
PORTS = {"squid": SQUID_PORT, "mitmproxy": MITMPROXY_PORT, "pages": 3132} | dict.fromkeys(
    ("forge", "static", "accept", "sni-reset", "sni-silent"), PYTHON_PORT
)

NSD = """\
server:
  ip-address: {address}
  username: ""
  zonesdir: "{directory}"
  zonelistfile: "{directory}/nsd.zonelist"
  xfrdir: "{directory}"
  database: ""
  pidfile: ""
  xfrdfile: ""
  server-count: 1
  hide-version: yes
  verbosity: 1
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
"""

UNBOUND = """\
server:
  interface: {address}
  port: 53
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  log-time-ascii: no
  verbosity: 1
  num-threads: 1
  prefer-ip4: yes
  do-daemonize: no
  module-config: "{modules}"
  root-hints: "{directory}/root.hints"
  outgoing-range: 512
  num-queries-per-thread: 256
  msg-cache-size: 1m
  rrset-cache-size: 2m
  cache-min-ttl: 0
  target-fetch-policy: "0 0 0 0 0"
  unwanted-reply-threshold: 0
  do-not-query-localhost: no
{lines}
remote-control:
  control-enable: no
"""

SQUID = """\
http_port 127.0.0.1:3128
https_port {port} intercept ssl-bump tls-cert={directory}/squid-ca.pem generate-host-certificates=on
sslcrtd_program /usr/lib/squid/security_file_certgen -s {directory}/ssl_db -M 4MB
sslcrtd_children 2 startup=1 idle=1
tls_outgoing_options cafile={directory}/system-store.pem
acl hello at_step SslBump1
acl bumped ssl::server_name {names}
ssl_bump peek hello
ssl_bump bump bumped
ssl_bump splice all
sslproxy_cert_error allow all
http_access allow all
host_verify_strict off
dns_nameservers {resolver}
cache deny all
cache_mem 1 MB
memory_pools off
access_log stdio:{directory}/squid-access.log
cache_log /dev/stderr
logfile_rotate 0
pid_filename none
coredump_dir {directory}
shutdown_lifetime 0 seconds
via off
forwarded_for delete
workers 1
netdb_filename none
pinger_enable off
visible_hostname proxy.contoso.example
"""


def write_dns(directory: Path, world: World) -> None:
    """Files of the authoritative server and the hints that lead resolvers to it."""
    (directory / "root.zone").write_text(world.zone())
    (directory / "nsd.conf").write_text(NSD.format(address=AUTHORITATIVE, directory=directory))
    (directory / "root.hints").write_text(
        f". NS a.root.lab-servers.net.\na.root.lab-servers.net. A {AUTHORITATIVE}\n"
    )


def write_unbound(directory: Path, resolver: Resolver, address: str, *, dns64: bool) -> Path:
    """unbound.conf of one resolver; `resolver.lines` go into its server clause."""
    modules, lines = "iterator", list(resolver.lines)
    if dns64:
        modules, lines = "dns64 iterator", [*lines, f"dns64-prefix: {NAT64}/96"]
    file = directory / f"unbound-{address}.conf"
    text = "\n".join(f"  {line}" for line in lines)
    file.write_text(UNBOUND.format(address=address, directory=directory, modules=modules, lines=text))
    return file


#: Instead of bumping: a firewall that lets allowed names pass unchanged, by the name in the ClientHello.
FILTER = """\
acl hello at_step SslBump1
{allowed}
ssl_bump peek hello
ssl_bump splice allowed
ssl_bump terminate all
"""


def write_squid(directory: Path, interceptor: Interceptor, resolver: str) -> Path:
    """squid.conf of an intercepting Squid that bumps some names or all."""
    names = " ".join(interceptor.only) or "--server-provided-regex ."
    lines = interceptor.options.get("allow")
    if lines is not None:
        begin, end = SQUID.index("acl hello"), SQUID.index("sslproxy_cert_error")
        text = SQUID[:begin] + FILTER.format(allowed="\n".join(lines)) + SQUID[end:]
    elif not interceptor.only:
        text = SQUID.replace("acl bumped ssl::server_name {names}", "acl bumped any-of all")
        text = text.replace("acl bumped any-of all\n", "").replace(
            "ssl_bump bump bumped", "ssl_bump bump all"
        )
        text = text.replace("ssl_bump splice all\n", "")
    else:
        text = SQUID
    file = directory / "squid.conf"
    file.write_text(text.format(port=SQUID_PORT, directory=directory, names=names, resolver=resolver))
    return file


def sysctls(network: str) -> str:
    """Shell text for the kernel's settings of a namespace: no duplicate address detection, because it takes a
    second."""
    settings = {
        "ipv6/conf/default/accept_dad": 0,
        "ipv6/conf/all/accept_dad": 0,
        "ipv6/conf/default/dad_transmits": 0,
    }
    if network == "firewall":
        settings |= {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1}
        settings |= {"ipv4/icmp_ratelimit": 0, "ipv6/icmp/ratelimit": 0}  # a reject must not turn into a drop
    return "set -e\n" + "".join(f"echo {value} > /proc/sys/net/{name}\n" for name, value in settings.items())


def links(plan: Plan) -> dict[str, str]:
    """`ip -batch` text by namespace. The firewall's namespace makes the links."""
    v4, v6 = plan.ipv4 == "working", plan.ipv6 != "absent"
    inside, outside = plans.FIREWALL_INSIDE, plans.FIREWALL_OUTSIDE
    firewall = [
        "link set lo up",
        "link add inside type veth peer name eth0 netns @connector",
        "link add outside type veth peer name eth0 netns @internet",
        f"addr add {inside[0]}/24 dev inside",
        f"addr add {inside[1]}/64 dev inside nodad",
        f"addr add {outside[0]}/30 dev outside",
        f"addr add {outside[1]}/64 dev outside nodad",
        *(f"addr add {r.address}/{128 if ':' in r.address else 32} dev lo" for r in plan.resolvers),
        f"addr add {plans.UPSTREAM}/32 dev lo",
        "link set inside up",
        "link set outside up",
        f"route add default via {plans.INTERNET[0]}",
        f"route add ::/0 via {plans.INTERNET[1]} dev outside",
    ]
    connector = ["link set lo up"]
    if v4:
        connector += [f"addr add {plans.CONNECTOR[0]}/24 dev eth0"]
    if v6:
        connector += [f"addr add {plans.CONNECTOR[1]}/64 dev eth0 nodad"]
    connector += ["link set eth0 up"]
    connector += [f"route add default via {inside[0]}"] if v4 else []
    connector += [f"route add ::/0 via {inside[1]} dev eth0"] if v6 else []
    internet = [
        "link set lo up",
        f"addr add {plans.INTERNET[0]}/30 dev eth0",
        f"addr add {plans.INTERNET[1]}/64 dev eth0 nodad",
        "link set eth0 up",
        *(f"route add local {prefix} dev lo" for prefix in (*LOCAL_V4, *LOCAL_V6)),
        f"route add 10.0.0.0/8 via {outside[0]}",
        f"route add 2a02:810:1::/64 via {outside[1]} dev eth0",
        "route add blackhole default",
    ]
    made = {"firewall": firewall, "connector": connector, "internet": internet}
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def beside(name: str, number: int) -> dict[str, str]:
    """`ip -batch` text that adds network `name`: behind the same firewall as the connector's, on a separate link."""
    v4, v6 = f"10.10.{number}", f"2a02:810:{number}:"
    firewall = [
        f"link add inside{number} type veth peer name eth0 netns @{name}",
        f"addr add {v4}.1/24 dev inside{number}",
        f"addr add {v6}:1/64 dev inside{number} nodad",
        f"link set inside{number} up",
    ]
    own = [
        "link set lo up",
        f"addr add {v4}.2/24 dev eth0",
        f"addr add {v6}:2/64 dev eth0 nodad",
        "link set eth0 up",
        f"route add default via {v4}.1",
        f"route add ::/0 via {v6}:1 dev eth0",
    ]
    internet = [f"route add {v6}:/64 via {plans.FIREWALL_OUTSIDE[1]} dev eth0"]
    made = {"firewall": firewall, name: own, "internet": internet}
    return {network: "\n".join(lines) + "\n" for network, lines in made.items()}


def ruleset(plan: Plan) -> str:
    """The firewall's nftables."""
    forward = list(plan.forward)
    if plan.ipv6 == "black-hole":
        forward.insert(0, "meta nfproto ipv6 drop")
    inbound = [
        *plan.inbound,
        *(f"{family(r.address)} daddr {r.address} drop" for r in plan.resolvers if r.dead),
    ]
    redirects = [
        f"iifname inside {i.match} redirect to :{PORTS[i.kind]}" for i in plan.interceptors if i.match
    ]
    chains = [
        *plan.tables,
        _chain("passing", "type filter hook forward priority 0; policy accept;", forward),
        _chain("own", "type filter hook input priority 0; policy accept;", inbound),
    ]
    if redirects:
        chains.append(_chain("divert", "type nat hook prerouting priority -100; policy accept;", redirects))
    return "table inet lab {\n" + "\n".join(chains) + "\n}\n"


def family(address: str) -> str:
    """nft's keyword for the family of an address."""
    return "ip6" if ":" in address else "ip"


def _chain(name: str, header: str, rules: list[str]) -> str:
    return "\n".join([f"  chain {name} {{", f"    {header}", *(f"    {r}" for r in rules), "  }"])

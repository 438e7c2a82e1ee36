"""The lab's internet as data: which names exist, how they resolve, who certifies them and how they answer.

The names come from the shipped rule set, so the lab always matches it; this module contains only the shapes of CNAME
chains.
They follow chains seen in public (Microsoft Tech Community, "Azure Relay IP and DNS changes", 2025-10).
"""

from __future__ import annotations

import itertools
import tomllib
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import pki
from tests.lab.revocation import Flaws

TENANT = "11111111-2222-3333-4444-555555555555"
TENANT_DOMAINS = ("contoso.com", "contoso.onmicrosoft.com")
RULE_SETS = Path(__file__).parents[2] / "rules" / "sets"
AUTHORITATIVE = "199.7.83.42"  # the root and everything below it
HOSTILE_AUTHORITATIVE = "199.7.83.66"
CANARY = "198.51.100.9:443"  # never on the lab's internet
NAT64 = "64:ff9b::"
LOCAL_V4 = (
    "20.50.0.0/16",
    "40.84.0.0/16",
    "40.126.0.0/16",
    "13.107.0.0/16",
    "23.55.0.0/16",
    "93.184.216.0/24",
    "199.7.83.0/24",
    "10.20.0.0/16",  # private addresses where the genuine relay answers
)
LOCAL_V6 = ("2603:1026::/32", "2620:1ec::/32", "2600:1400::/32", f"{NAT64}/96")


@dataclass(slots=True)
class Host:
    """One name of the lab's internet. `tls` and `http` name behaviours of the servers; `at` overrides per address."""

    name: str
    via: list[str] = field(default_factory=list)  # names between this one and its addresses
    v4: list[str] = field(default_factory=list)
    v6: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    issuer: str = pki.DIGICERT_TLS
    tls: str = "normal"
    http: str = "normal"  # inside TLS
    port80: str = "normal"
    cert: str = (
        "normal"  # normal | expired | not-yet-valid | wrong-name | self-signed | private | no-chain | huge
    )
    at: dict[str, str] = field(default_factory=dict)  # address -> `tls` behaviour there
    ttl: int = 300

    @property
    def addresses(self) -> list[str]:
        return self.v4 + self.v6


@dataclass(slots=True)
class World:
    """Everything that the servers of one lab instance need to know about the simulated internet."""

    hosts: dict[str, Host]
    flaws: Flaws = field(default_factory=Flaws)
    clock_ahead: float = 0.0  # seconds by which all other clocks are ahead of the connector's
    records: list[str] = field(default_factory=list)  # extra lines of the root zone
    hostile_zones: list[str] = field(default_factory=list)  # zones served by the hostile authoritative server
    hostile_rules: list[dict[str, Any]] = field(default_factory=list)  # its misbehaviour

    def remove(self, *names: str) -> None:
        """Remove names from the DNS (NXDOMAIN)."""
        for name in names:
            del self.hosts[name]

    def matching(self, suffix: str) -> list[Host]:
        """The hosts at or under `suffix` (of the shape `.servicebus.windows.net` or a full name)."""
        return [h for n, h in sorted(self.hosts.items()) if n == suffix or n.endswith(suffix)]

    def zone(self, *, everything: bool = False) -> str:
        """The root zone, without delegations except those of the hostile zones: one file is enough for a whole root.

        `everything`: with the names of the hostile zones, as their own server knows them.
        """
        lines = [
            "$TTL 300",
            ". SOA a.root.lab-servers.net. hostmaster.example.com. 2026112300 1800 900 604800 5",
            ". NS a.root.lab-servers.net.",
            f"a.root.lab-servers.net. A {AUTHORITATIVE}",
            f"ns.hostile-servers.net. A {HOSTILE_AUTHORITATIVE}",
        ]
        lines += [f"{zone}. NS ns.hostile-servers.net." for zone in self.hostile_zones if not everything]
        made: dict[str, None] = {}
        for host in self.hosts.values():
            names = [host.name, *host.via]
            for name, target in itertools.pairwise(names):
                made[f"{name}. {host.ttl} CNAME {target}."] = None
            made |= {f"{names[-1]}. {host.ttl} A {a}": None for a in host.v4}
            made |= {f"{names[-1]}. {host.ttl} AAAA {a}": None for a in host.v6}
        inside = [line for line in made if everything or not self._is_hostile(line.split(". ", 1)[0])]
        return "\n".join(lines + inside + self.records) + "\n"

    def _is_hostile(self, name: str) -> bool:
        return any(name == zone or name.endswith("." + zone) for zone in self.hostile_zones)


def rule_set_hosts(name: str = "entra-app-proxy", tenant: str = TENANT) -> dict[str, set[int]]:
    """Concrete names of a shipped rule set with their ports: exact rows, probes, known documents."""
    path = RULE_SETS / f"{name}.toml"
    found: dict[str, set[int]] = {}
    for table, ports in _walk(tomllib.loads(path.read_text(encoding="utf-8")), set()):
        host = table["host"].replace("{tenant}", tenant).lower()
        if "*" not in host:
            found.setdefault(host, set()).update(ports)
    return found


def _walk(node: Any, ports: set[int]) -> Iterator[tuple[dict[str, Any], set[int]]]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, ports)
    elif isinstance(node, dict):
        ports = set(node.get("ports", ())) or ports
        if isinstance(node.get("host"), str):
            yield node, ports
        for value in node.values():
            yield from _walk(value, ports)


def _sources_hosts() -> set[str]:
    urls = [
        u for a in pki.AUTHORITIES.values() for u in (*a.sources.crls, *a.sources.issuers, *a.sources.ocsp)
    ]
    return {urllib.parse.urlsplit(u).hostname or "" for u in urls}


def build() -> World:
    """The healthy internet: every name of the rule set and of the certificates, and a few common names."""
    ports = rule_set_hosts()
    for name in _sources_hosts():
        ports.setdefault(name, set()).add(80)
    ports.setdefault("login.microsoftonline.com", set()).add(443)
    ports.setdefault("download.msappproxy.net", set()).add(443)
    ports["example.com"] = ports["www.example.com"] = {80, 443}
    world = World({})
    for index, name in enumerate(sorted(ports)):
        world.hosts[name] = _place(name, index, sorted(ports[name]))
    return world


def _place(name: str, index: int, ports: list[int]) -> Host:
    first, _, rest = name.partition(".")
    host = Host(name, ports=ports)
    if name.endswith(".msappproxy.net"):
        kind = rest.split(".")[0] if rest.count(".") > 1 else first
        tail = f"{kind}-1.appproxy"
        host.via = [f"eur.{index}.{tail}.msidentity.com", f"www.tm.eur.{index}.{tail}.trafficmanager.net"]
        host.v4 = [
            f"20.50.{index}.{n}" for n in (11, 12, 13)[: 3 if kind in ("bootstrap", "registration") else 1]
        ]
        host.issuer = pki.OCSP04
    elif name.endswith(".servicebus.windows.net"):
        if not first.startswith("g"):
            host.via = [f"ns-prod-am3-vaz{index:04}.westeurope.cloudapp.azure.com"]
        host.v4 = [f"40.84.{index}.21"]
        host.issuer = pki.OCSP02
    elif name.startswith(("login.", "enterpriseregistration.", "management.", "autologon.")):
        host.via = [f"{first}.{index}.mso.msidentity.com", f"www.tm.{index}.prd.aadg.trafficmanager.net"]
        host.v4 = [f"40.126.{index}.{n}" for n in (31, 32, 33)]
        host.v6 = [f"2603:1026:3000:{index:x}::{n}" for n in (1, 2)]
    elif 80 in ports:
        host.via = [f"{name}.edgekey.net", f"e{10000 + index}.dscb.akamaiedge.net"]
        host.v4, host.v6 = [f"23.55.{index}.41"], [f"2600:1400:{index:x}::41"]
        host.issuer = pki.AZURE03
    else:
        host.via = [f"{name.replace('.', '-')}.azureedge.net", f"part-{index:04}.t-0009.t-msedge.net"]
        host.v4, host.v6 = [f"13.107.{index}.51"], [f"2620:1ec:{index:x}::51"]
        host.issuer = pki.X1_ISSUING if "msecnd" in name or "phonefactor" in name else pki.AZURE03
    if name.endswith("example.com"):
        host.via, host.v6, host.issuer = [], [], pki.X1_ISSUING
        host.v4 = ["93.184.216.34" if name == "example.com" else "93.184.216.35"]
    if name.endswith(".bootstrap.msappproxy.net"):
        host.tls, host.http = "client-certificate", "forbidden"
    return host

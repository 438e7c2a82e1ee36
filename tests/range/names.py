"""Which names the range's internet has, where they lead, and who answers for them.

The names come out of the shipped rule set; aliases go over four zones, and most addresses are shared by names that have
nothing to do with each other.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.range.authorities import P256, P384, RSA2, RSA3, Leaf

TENANT = "2f1c5d0e-7b4a-4c7e-9d11-5a3be0c4aa10"
RULE_SET = Path(__file__).parents[2] / "rules" / "sets" / "entra-app-proxy.toml"
#: Front ends by what they are: passed on by name (HAProxy), ended there (HAProxy), ended there (nginx), plain HTTP (nginx).
PASSED, ENDED, WEB, PLAIN = (
    ("20.60.0.11", "20.60.0.12", "20.60.0.13"),
    ("20.61.0.21", "20.61.0.22"),
    ("20.62.0.31", "20.62.0.32"),
    ("20.63.0.41", "20.63.0.42"),
)
ROOT_SERVER, ZONE_SERVER = "198.41.0.4", "203.119.1.1"
RESOLVER, CONNECTOR = "10.77.0.1", "10.77.0.2"
NETWORKS = ("20.60.0.0/14",)
BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net"
REGISTRATION = f"{TENANT}.registration.msappproxy.net"
RENEWAL = tuple(f"cwap-{region}.renewtrust.msappproxy.net" for region in ("weur-1", "eus-2", "seas-1"))
MORE_PLAIN = ("crl.publictrust.net", "ocsp.publictrust.net")

LEAVES = (
    Leaf(("*.bootstrap.msappproxy.net",), "s1", RSA2, part=1),
    Leaf((REGISTRATION,), "s1", P256, part=2),
    Leaf((RENEWAL[0],), "s2", P256),
    Leaf((RENEWAL[1],), "s2", RSA2),
    Leaf((RENEWAL[2],), "s1", P384, part=2),
    Leaf(("*.servicebus.windows.net",), "s2", P384),
    Leaf(("cwap-eur1-weur2.servicebus.windows.net",), "s1", RSA3),
    Leaf(("*.msappproxy.net", "msappproxy.net"), "s2", P256),
    Leaf(
        (
            "login.microsoftonline.com",
            "login.windows.net",
            "login.microsoftonline-p.com",
            "*.microsoftonline-p.com",
        ),
        "w1",
    ),
    Leaf(("*.aadcdn.microsoftonline-p.com",), "w1", P256),
    Leaf(("enterpriseregistration.windows.net", "management.azure.com"), "w1", P256),
    Leaf(("*.msauth.net", "*.msauthimages.net", "*.msftauth.net", "*.msftauthimages.net"), "w1"),
    Leaf(("*.vo.msecnd.net", "*.phonefactor.net"), "p2", RSA2),
    Leaf(("www.microsoft.com", "ctldl.windowsupdate.com", "*.dc.ad.msft.net"), "p2", P256),
)


@dataclass(frozen=True, slots=True)
class Name:
    """`aliases`: names between this one and its addresses, each in another zone."""

    name: str
    ports: tuple[int, ...]
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]


def in_rule_set() -> dict[str, set[int]]:
    """Every name that the shipped rule set tries, with its ports."""
    found: dict[str, set[int]] = {}
    for table, ports in _tables(tomllib.loads(RULE_SET.read_text("utf-8")), ()):
        host = table["host"].replace("{tenant}", TENANT).lower()
        if "*" not in host:
            found.setdefault(host, set()).update(ports)
    return found


def _tables(
    node: Mapping[str, Any] | list[Any], ports: tuple[int, ...]
) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    for item in node if isinstance(node, list) else node.values():
        if isinstance(item, dict):
            own = tuple(item.get("ports", ())) or ports
            if isinstance(item.get("host"), str):
                yield item, own
            yield from _tables(item, own)
        elif isinstance(item, list):
            yield from _tables(item, ports)


def names() -> tuple[Name, ...]:
    ports = in_rule_set() | {name: {80} for name in MORE_PLAIN}
    ports |= {"login.microsoftonline.com": {443}, "example.com": {80, 443}, "www.example.com": {80, 443}}
    return tuple(
        _placed(name, tuple(sorted(ports[name])), number) for number, name in enumerate(sorted(ports))
    )


def _placed(name: str, ports: tuple[int, ...], number: int) -> Name:
    if name in (BOOTSTRAP, REGISTRATION, *RENEWAL):
        tail = (
            f"a{number}.appproxy.msidentity.com",
            f"a{number}.eur.trafficmanager.net",
            f"a{number}.westeurope.cloudapp.azure.com",
        )
        return Name(name, ports, PASSED, tail)
    if name.endswith((".servicebus.windows.net", ".msappproxy.net")):
        return Name(name, ports, ENDED[number % 2 :][:1], (f"ns{number}.northeurope.cloudapp.azure.com",))
    if 80 in ports:
        tail = (f"{name}.edgekey.net", f"e{number}.dscd.akamaiedge.net", f"e{number}.cdn.fastedge.org")
        return Name(name, ports, PLAIN[number % 2 :][:1], tail)
    tail = (f"x{number}.azureedge.net", f"x{number}.t-msedge.net", f"x{number}.ax-msedge.org")
    return Name(name, ports, WEB if number % 3 else WEB[:1], tail)


def leaf_of(name: str) -> Leaf:
    """The certificate for `name`: its own, else one with a wildcard for its zone, else the web's."""
    wild = f"*.{name.partition('.')[2]}"
    found = [leaf for wanted in (name, wild) for leaf in LEAVES if wanted in leaf.names]
    return found[0] if found else LEAVES[-1]

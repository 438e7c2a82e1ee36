"""The description of one lab instance, as data that a scenario may change before the lab starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.lab import world as worlds
from tests.lab.world import World

RESOLVER = "10.0.0.53"
SECOND_RESOLVER = "10.0.0.54"
UPSTREAM = "10.0.0.60"  # a healthy unbound behind a hostile resolver
CONNECTOR = ("10.10.1.2", "2a02:810:1::2")
FIREWALL_INSIDE = ("10.10.1.1", "2a02:810:1::1")
FIREWALL_OUTSIDE = ("62.40.0.2", "2a02:810:ffff::2")
INTERNET = ("62.40.0.1", "2a02:810:ffff::1")


@dataclass(slots=True)
class Resolver:
    """A resolver of the customer's network. `lines` are unbound's; `behaviour` is for a hostile one."""

    address: str = RESOLVER
    lines: list[str] = field(default_factory=list)
    behaviour: dict[str, Any] = field(default_factory=dict)
    dead: bool = False  # no program listens or answers


@dataclass(slots=True)
class Interceptor:
    """A device that answers in place of the real server. `kind`: squid | mitmproxy | forge | static | accept | pages."""

    kind: str
    match: str = ""  # nft expression for the packets to redirect to it
    ca: str = ""  # the CA that signs its certificates
    only: tuple[str, ...] = ()  # names whose TLS it intercepts; empty: all
    options: dict[str, Any] = field(
        default_factory=dict
    )  # of a Squid: "allow", lines that name what alone may pass


@dataclass(slots=True)
class Plan:
    """The network of one scenario: healthy until the scenario changes it."""

    world: World = field(default_factory=worlds.build)
    resolvers: list[Resolver] = field(default_factory=lambda: [Resolver()])
    resolv_conf: list[str] | None = None  # addresses for the operating system; None: the same resolvers
    hosts: list[str] = field(default_factory=list)  # lines of /etc/hosts
    forward: list[str] = field(default_factory=list)  # nft rules of the firewall's forward chain
    tables: list[str] = field(default_factory=list)  # nft text inside the table (sets, chains)
    inbound: list[str] = field(
        default_factory=list
    )  # nft rules of the chain before the firewall's own services
    interceptors: list[Interceptor] = field(default_factory=list)
    ipv6: str = "working"  # working | absent | black-hole (address and route, no answers)
    ipv4: str = "working"  # working | absent
    dns64: bool = False
    os_store: tuple[str, ...] = ()  # CAs that the administrator put into the system's store
    config: dict[str, Any] = field(default_factory=dict)  # changes to the audit's configuration; None removes
    environment: dict[str, str] = field(default_factory=dict)
    descriptors: int = 0  # soft limit of open files for the audit; 0: as inherited
    arguments: list[str] = field(default_factory=list)


def _family(addresses: list[str]) -> str:
    return "ip6" if any(":" in a for a in addresses) else "ip"


def match(*, to: list[str] | None = None, port: int | None = None, protocol: str = "tcp") -> str:
    """An nft expression for packets to addresses of one family and a port; both optional."""
    parts = []
    if to:
        parts.append(f"{_family(to)} daddr {{ {', '.join(to)} }}")
    parts.append(f"{protocol} dport {port}" if port else f"meta l4proto {protocol}")
    return " ".join(parts)


def drop(**what: Any) -> str:
    """nft rule: drop silently."""
    return f"{match(**what)} drop"


def reset(**what: Any) -> str:
    """nft rule: the firewall answers with a RST."""
    return f"{match(**what)} reject with tcp reset"


def prohibit(**what: Any) -> str:
    """nft rule: answer with ICMP communication administratively prohibited (type 3, code 13; v6: type 1, code 1)."""
    return f"{match(**what)} reject with icmpx admin-prohibited"

"""This host: routes, addresses, resolvers, proxy settings, account. One step, the first of every audit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.model.kind import Interval, Kind, Needs

#: The source of a proxy setting, beside "environment HTTPS_PROXY" and the like.
CONNECTOR, UPDATER, MACHINE, WINHTTP = (
    "connector exe.config",
    "updater exe.config",
    "machine.config",
    "WinHTTP",
)


@dataclass(frozen=True, slots=True)
class LocalHost:
    """Ask the operating system about this host. Sends no packet."""

    attempt: int = 1


@dataclass(frozen=True, slots=True)
class ProxySetting:
    """A source's proxy setting. It is read and shown, and used only when the user asks for it.

    Without `address`, `automatic` and `faults` it states that no proxy is used.
    """

    source: str  # "environment HTTPS_PROXY", "WinHTTP", "connector exe.config", "updater exe.config", "machine.config"
    address: str  # "http://proxy.corp.example:8080", credentials masked; "" without one
    bypass: str = ""  # in the grammar of its source; for a .NET file the expressions, separated by ;
    automatic: str = ""  # how the program finds a proxy itself: "WPAD", "the script http://..."
    faults: tuple[str, ...] = ()  # parts that cannot be used, a sentence each


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The facts about this host from the operating system at the start of the audit."""

    host: str
    user: str  # the account of this process: proxy, DNS and certificate store may differ per account
    os: str
    sources: tuple[str, ...]  # source addresses of packets to the internet (v4, v6), by routing-table lookup
    addresses: tuple[str, ...]  # every address of this host: never connected to
    networks: tuple[str, ...]  # on-link networks in CIDR notation, where the platform gives them
    resolvers: tuple[str, ...]  # addresses of the configured resolvers, in order
    route_v4: bool
    route_v6: bool
    proxies: tuple[ProxySetting, ...] = ()
    tenant: str | None = None  # tenant id found in the connector's own files
    descriptors: int | None = None  # RLIMIT_NOFILE, where there is one
    utc_offset: int | None = None  # seconds that local time is ahead of UTC, at this moment


def _interval(_: LocalHost, _needs: Needs) -> Interval:
    return "host"


KIND: Kind[LocalHost, HostFacts] = Kind(
    word="local_host",
    step=LocalHost,
    evidence=HostFacts,
    queue="local",
    interval=_interval,
    significant=lambda facts: replace(
        facts, utc_offset=None
    ),  # summer time begins: nothing about the network changed
    literals=lambda facts: ((f"addresses[{at}]", value) for at, value in enumerate(facts.addresses)),
    stands=True,  # a failed look at this host does not mean that it lost its addresses
)

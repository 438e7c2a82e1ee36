"""This host, asked without sending a packet: account, addresses, routes, resolvers, proxies, tenant."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from probe import routing, windows_proxy
from rules.display import display
from rules.kinds.local_host import HostFacts, LocalHost, ProxySetting
from rules.observation import Observation

#: Addresses out of Microsoft's published ranges of Entra ID (Microsoft 365 endpoints, id 56). Never sent to: the
#: routing table is asked which of our addresses a packet to them would leave from.
ROUTE_V4, ROUTE_V6 = "20.190.128.1", "2603:1006:2000::1"
FILE_LIMIT = 1_048_576
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_GUID_AT_BOOTSTRAP = re.compile(
    rb"(?<![0-9a-f-])([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.bootstrap\.",
    re.IGNORECASE,
)
_ENDPOINTS = r"Endpoints\endpoints.txt"
_CONNECTORS = (
    r"Microsoft Entra private network connector\MicrosoftEntraPrivateNetworkConnectorService.exe.config",
    r"Microsoft AAD App Proxy Connector\ApplicationProxyConnectorService.exe.config",
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the facts are read. `of_host()` gives this system's; tests and other roots give their own."""

    environment: Mapping[str, str] = field(default_factory=dict)
    resolv_conf: Path | None = None
    proc_net: Path | None = None  # Linux' tables of routes and addresses
    endpoints: tuple[Path, ...] = ()  # the connector's own record of its endpoints
    connector_configs: tuple[Path, ...] = ()
    machine_config: Path | None = None
    winhttp: Callable[[], bytes | None] = windows_proxy.read_winhttp

    @classmethod
    def of_host(cls) -> Places:
        """The places of the running system."""
        environment = dict(os.environ)
        if sys.platform != "win32":
            proc = Path("/proc/net") if sys.platform == "linux" else None
            return cls(environment, Path("/etc/resolv.conf"), proc)
        data = Path(environment.get("PROGRAMDATA", r"C:\ProgramData")) / "Microsoft"
        programs = Path(environment.get("PROGRAMFILES", r"C:\Program Files"))
        windows = Path(environment.get("SYSTEMROOT", r"C:\Windows"))
        return cls(
            environment,
            endpoints=(
                data / "Microsoft Entra private network connector" / _ENDPOINTS,
                data / "Microsoft AAD Application Proxy Connector" / _ENDPOINTS,
            ),
            connector_configs=tuple(programs / name for name in _CONNECTORS),
            machine_config=windows / r"Microsoft.NET\Framework64\v4.0.30319\Config\machine.config",
        )


async def measure(step: LocalHost, places: Places | None = None) -> Observation:
    """The facts of this host. What cannot be read is left out: nothing here fails."""
    started, begun = time.time(), time.monotonic()
    places = places or Places.of_host()
    v4, v6 = source(ROUTE_V4), source(ROUTE_V6)
    sources = tuple(a for a in (v4, v6) if a)
    facts = HostFacts(
        host=display(socket.gethostname()),
        user=display(account(places.environment)),
        os=display(system()),
        sources=sources,
        addresses=addresses(places, sources),
        networks=networks(places),
        resolvers=resolvers(places),
        route_v4=v4 is not None,
        route_v6=v6 is not None,
        proxies=tuple(proxies(places)),
        tenant=tenant(places),
        descriptors=descriptors(),
    )
    return Observation(step, started, time.monotonic() - begun, None, facts)


def source(target: str) -> str | None:
    """Our address that packets to `target` would leave from; None without a route. connect() of UDP sends nothing."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((target, 443))
            return str(sock.getsockname()[0]).partition("%")[0]
    except OSError:
        return None


def account(environment: Mapping[str, str]) -> str:
    """The account that asks: DOMAIN\\user on Windows, the effective user elsewhere."""
    if sys.platform == "win32":
        domain, user = environment.get("USERDOMAIN", ""), environment.get("USERNAME", "")
        return _windows_account() or (f"{domain}\\{user}" if domain else user)
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid {os.geteuid()}"


def _windows_account() -> str:
    """GetUserNameExW(NameSamCompatible): also right for services, whose environment lies. Never run on Windows."""
    if sys.platform != "win32":
        return ""
    import ctypes

    size = ctypes.c_ulong(512)
    buffer = ctypes.create_unicode_buffer(size.value)
    try:
        known = ctypes.windll.secur32.GetUserNameExW(2, buffer, ctypes.byref(size))
    except (OSError, AttributeError):
        return ""
    return buffer.value if known else ""


def system() -> str:
    """The operating system in one line."""
    if sys.platform == "linux":
        try:
            name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
        except OSError:
            name = "Linux"
        return f"{name}, Linux {platform.release()} {platform.machine()}"
    return platform.platform()


def addresses(places: Places, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Every address of this host, as far as the platform tells."""
    found = list(sources)
    if places.proc_net is not None:
        found += _table(places.proc_net / "fib_trie", routing.fib_trie_addresses)
        found += _table(places.proc_net / "if_inet6", routing.inet6_addresses)
    else:  # elsewhere the system answers for its own name without asking anybody
        try:
            for entry in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
                found.append(str(entry[4][0]).partition("%")[0])
        except (OSError, UnicodeError):
            pass
    return tuple(dict.fromkeys(found))


def networks(places: Places) -> tuple[str, ...]:
    """On-link networks in CIDR notation; none where the platform does not tell."""
    if places.proc_net is None:
        return ()
    return (
        *_table(places.proc_net / "route", routing.route_networks),
        *_table(places.proc_net / "ipv6_route", routing.ipv6_route_networks),
    )


def resolvers(places: Places) -> tuple[str, ...]:
    """Addresses of the configured resolvers in order: resolv.conf(5), on Windows the registry as dnspython reads it."""
    if places.resolv_conf is not None:
        lines = _read(places.resolv_conf).decode("utf-8", "replace").splitlines()
        words = [line.split() for line in lines]
        named = [w[1] for w in words if len(w) >= 2 and w[0] == "nameserver"]
    elif sys.platform == "win32":
        named = _windows_resolvers()
    else:
        named = []
    return tuple(dict.fromkeys(a for a in named if _is_address(a)))


def _windows_resolvers() -> list[str]:
    """Never run on Windows by this project."""
    import dns.resolver

    try:
        return [str(server) for server in dns.resolver.Resolver(configure=True).nameservers]
    except (dns.resolver.NoResolverConfiguration, OSError):
        return []


def proxies(places: Places) -> Iterator[ProxySetting]:
    """Every proxy that is configured: environment, WinHTTP, and what the connector's service would take."""
    yield from environment_proxies(places.environment)
    value = places.winhttp()
    if value is not None and (found := windows_proxy.winhttp(value)) is not None:
        yield ProxySetting("WinHTTP", masked(found.address), display(found.bypass))
    for path in places.connector_configs:
        own = _dotnet(path)
        if own is not None:  # also one that says "no proxy": machine.config is not asked then
            if own.address:
                yield ProxySetting("connector exe.config", masked(own.address), display(own.bypass))
            return
    found = _dotnet(places.machine_config) if places.machine_config is not None else None
    if found is not None and found.address:
        yield ProxySetting("machine.config", masked(found.address), display(found.bypass))


def environment_proxies(environment: Mapping[str, str]) -> Iterator[ProxySetting]:
    """HTTPS_PROXY and its kin, in either case; a pair with one value is named once."""
    bypass = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for upper in PROXY_VARIABLES:
        seen: set[str] = set()
        for name in (upper, upper.lower()):
            value = environment.get(name, "").strip()
            if value and value not in seen:
                seen.add(value)
                yield ProxySetting(f"environment {name}", masked(value), display(bypass))


def masked(address: str) -> str:
    """A proxy's address without its credentials: everything before the last @ of the authority becomes ***."""
    scheme, mark, rest = address.rpartition("://")
    cut = min((i for i in (rest.find(c) for c in "/?#") if i > rest.rfind("@")), default=len(rest))
    authority, tail = rest[:cut], rest[cut:]
    if "@" in authority:
        authority = "***@" + authority.rpartition("@")[2]
    return display(scheme + mark + authority + tail)


def tenant(places: Places) -> str | None:
    """The tenant id in the address of the bootstrap service that the connector has written down."""
    for path in places.endpoints:
        found = _GUID_AT_BOOTSTRAP.search(
            _read(path).replace(b"\0", b"")
        )  # also where it was written as UTF-16
        if found:
            return found[1].decode("ascii").lower()
    return None


def descriptors() -> int | None:
    """The soft limit of open files; None where there is none."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _dotnet(path: Path) -> windows_proxy.ConfiguredProxy | None:
    document = _read(path)
    try:
        return windows_proxy.dotnet(document) if document else None
    except ValueError:
        return None


def _table(path: Path, parse: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return parse(_read(path).decode("ascii", "replace"))
    except ValueError:  # a kernel that writes the table otherwise
        return ()


def _read(path: Path) -> bytes:
    """At most 1 MiB of a regular file or of a table in /proc; nothing where there is none."""
    try:
        if not path.is_file():  # a FIFO would hold the loop for ever
            return b""
        with path.open("rb") as file:
            return file.read(FILE_LIMIT)
    except OSError:
        return b""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

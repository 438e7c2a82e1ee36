"""Facts of this host, without sending a packet: account, addresses, routes, resolvers, proxies, tenant."""

from __future__ import annotations

import datetime
import ipaddress
import os
import platform
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from probe.host import routes, windows_proxy
from probe.host.places import Places
from probe.measure.kind import Probe
from rules.model.failure import Stage
from rules.model.kinds.local_host import (
    CONNECTOR,
    KIND,
    MACHINE,
    UPDATER,
    WINHTTP,
    HostFacts,
    LocalHost,
    ProxySetting,
)
from rules.model.observation import Observation
from rules.text.display import display

#: Addresses out of Microsoft's published ranges of Entra ID (Microsoft 365 endpoints, id 56). Never sent to: the
#: routing table is asked which of our addresses a packet to them would leave from.
ROUTE_V4, ROUTE_V6 = "20.190.128.1", "2603:1006:2000::1"
FILE_LIMIT = 1_048_576
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_GUID_AT_BOOTSTRAP = re.compile(
    rb"(?<![0-9a-f-])([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.bootstrap\.",
    re.IGNORECASE,
)
LONGEST_LIST = 4096  #: characters of a bypass list that are kept
_WORD = re.compile(r"[^;,\s]+")
#: A server, network or glob as a list has them, with a scheme and a port: no credential looks so.
_PLAIN = re.compile(
    r"(?:[a-z]+=)?(?:[a-z0-9]+://)?(?:[\w.*?-]+|\[[0-9a-f:.]+\]|[0-9a-f:.]+)(?::\d{1,5})?(?:/\d{0,3})?|<-?[a-z]+>",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:[a-z]+=)?[a-z0-9]+://", re.IGNORECASE)


async def measure(step: LocalHost, places: Places | None = None) -> Observation:
    """The facts of this host. Unreadable facts are omitted; nothing here fails."""
    started, begun = time.time(), time.monotonic()
    places = places or Places.of_host()
    v4, v6 = source_address(ROUTE_V4), source_address(ROUTE_V6)
    sources = tuple(a for a in (v4, v6) if a)
    facts = HostFacts(
        utc_offset=utc_offset(),
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


def utc_offset() -> int:
    """Seconds that this host's local time is ahead of UTC now."""
    offset = datetime.datetime.now().astimezone().utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def source_address(target: str) -> str | None:
    """Our source address for packets to `target`; None without a route. connect() of UDP sends nothing."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((target, 443))
            return str(sock.getsockname()[0]).partition("%")[0]
    except OSError:
        return None


def account(environment: Mapping[str, str]) -> str:
    """The account of this process: DOMAIN\\user on Windows, the effective user on other systems."""
    if sys.platform == "win32":
        domain, user = environment.get("USERDOMAIN", ""), environment.get("USERNAME", "")
        return _windows_account() or (f"{domain}\\{user}" if domain else user)
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid {os.geteuid()}"


def _windows_account() -> str:
    """GetUserNameExW(NameSamCompatible): also right for services, whose environment is wrong. Never run on Windows."""
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
    """Every address of this host that the platform reports."""
    found = list(sources)
    if places.proc_net is not None:
        found += _table(places.proc_net / "fib_trie", routes.fib_trie_addresses)
        found += _table(places.proc_net / "if_inet6", routes.inet6_addresses)
    else:  # elsewhere the system answers for its own name without asking anybody
        try:
            for entry in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
                found.append(str(entry[4][0]).partition("%")[0])
        except (OSError, UnicodeError):
            pass
    return tuple(dict.fromkeys(found))


def networks(places: Places) -> tuple[str, ...]:
    """On-link networks in CIDR notation; none if the platform does not report them."""
    if places.proc_net is None:
        return ()
    return (
        *_table(places.proc_net / "route", routes.route_networks),
        *_table(places.proc_net / "ipv6_route", routes.ipv6_route_networks),
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
    """The resolvers in the registry of Windows."""
    import dns.resolver  # other systems read resolv.conf without it

    try:
        return [str(server) for server in dns.resolver.Resolver(configure=True).nameservers]
    except (dns.resolver.NoResolverConfiguration, OSError):
        return []


def proxies(places: Places) -> Iterator[ProxySetting]:
    """Every proxy setting of this host: environment, WinHTTP, and those of the connector's service and its updater.

    Each in its own grammar (`rules.judge.proxies`), with credentials masked.
    """
    yield from environment_proxies(places.environment)
    value = places.winhttp()
    if value is not None and (found := windows_proxy.parse_winhttp(value)) is not None:
        yield _setting(WINHTTP, found)
    own, unread = _first(CONNECTOR, places.connector_configs)
    machine, broken = _first(MACHINE, (places.machine_config,) if places.machine_config else ())
    # With a setting of its own, also "no proxy", .NET does not read machine.config.
    yield from [own] if own is not None else [machine] if machine is not None else []
    yield from unread
    yield from broken if own is None else []
    updater, broken = _first(UPDATER, places.updater_configs)
    yield from [updater] if updater is not None else []
    yield from broken


def _first(source: str, paths: Iterable[Path]) -> tuple[ProxySetting | None, list[ProxySetting]]:
    """The setting of the first file that has one, and faults of unreadable files before it."""
    unread: list[ProxySetting] = []
    for path in paths:
        try:
            found = windows_proxy.read_dotnet(path)
        except ValueError as error:
            fault = f"{path.name} cannot be read: {error}"
            unread.append(ProxySetting(source, "", faults=(display(fault),)))
            continue
        if found is not None:
            return _setting(source, found), unread
    return None, unread


def _setting(source: str, found: windows_proxy.ConfiguredProxy) -> ProxySetting:
    dotnet = source != WINHTTP
    bypass, cut = _list(masked_expressions(found.bypass) if dotnet else masked_list(found.bypass))
    return ProxySetting(
        source,
        masked(found.address) if dotnet else _list(masked_list(found.address))[0],
        bypass,
        masked_list(found.automatic),
        (*(display(masked_list(fault)) for fault in found.faults), *cut),
    )


def _list(text: str) -> tuple[str, tuple[str, ...]]:
    """A list cut at the end of an entry, and a fault if it was cut: a part of an entry would mean something else."""
    shown = display(text, 4 * LONGEST_LIST)
    if len(shown) <= LONGEST_LIST:
        return shown, ()
    end = max(shown.rfind(mark, 0, LONGEST_LIST) for mark in ",; ")
    return shown[: max(end, 0)], (
        f"the list is longer than {LONGEST_LIST} characters, and its end is not read",
    )


def environment_proxies(environment: Mapping[str, str]) -> Iterator[ProxySetting]:
    """HTTPS_PROXY and the like, in upper and lower case; a pair with equal values is named once."""
    bypass, faults = _list(masked_list(environment.get("no_proxy") or environment.get("NO_PROXY") or ""))
    for upper in PROXY_VARIABLES:
        seen: set[str] = set()
        for name in (upper, upper.lower()):
            value = environment.get(name, "").strip()
            if value and value not in seen:
                seen.add(value)
                yield ProxySetting(f"environment {name}", masked(value), bypass, faults=faults)


def masked(address: str) -> str:
    """A proxy's address without credentials: the text between the scheme and the last @ becomes ***."""
    return display(_masked(address, 0))


def masked_list(text: str) -> str:
    """A list of servers, or a sentence with one, without credentials.

    A password may hold what separates entries. So from the first word that is no plain server, up to the last @,
    everything becomes ***.
    """
    return _masked(text, next((w.start() for w in _WORD.finditer(text) if not _PLAIN.fullmatch(w[0])), 0))


def _masked(text: str, begin: int) -> str:
    end = text.rfind("@")
    if end < begin:
        return text
    opening = _OPENING.match(text, begin, end)
    return text[: opening.end() if opening else begin] + "***" + text[end:]


def masked_expressions(bypass: str) -> str:
    """Expressions of a .NET list without credentials: the text before an @ becomes ***."""
    return ";".join("***@" + e.rpartition("@")[2] if "@" in e else e for e in bypass.split(";"))


def tenant(places: Places) -> str | None:
    """The tenant id in the bootstrap address in the connector's file of endpoints."""
    for path in places.endpoints:
        found = _GUID_AT_BOOTSTRAP.search(
            _read(path).replace(b"\0", b"")
        )  # also where it was written as UTF-16
        if found:
            return found[1].decode("ascii").lower()
    return None


def descriptors() -> int | None:
    """The soft limit of open files; None for no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _table(path: Path, parse: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return parse(_read(path).decode("ascii", "replace"))
    except ValueError:  # a kernel that writes the table otherwise
        return ()


def _read(path: Path) -> bytes:
    """At most 1 MiB of a regular file or of a table in /proc; b"" if it cannot be read."""
    try:
        if not path.is_file():  # a FIFO would block the loop
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


PROBE = Probe(kind=KIND, stage=Stage.LOCAL, measure=lambda step, tools: measure(step, tools.places))

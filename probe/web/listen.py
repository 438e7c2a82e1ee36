"""The listening sockets of the web server: parses addresses, checks the exposure, opens the sockets.

The pages show names and addresses of a network's connections to the internet. So beyond loopback the server listens only with
TLS and authentication, unless the user allows less.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from probe.errors import CommandError
from probe.web.exporter_toolkit import WebConfig
from rules.text.hostname import shown

LOOPBACK = ("127.0.0.1:19115", "[::1]:19115")
ALLOW_INSECURE = "--allow-insecure"  #: the option of the command line
_BACKLOG = 256
_ADVICE = "write an address and a port, as in 127.0.0.1:19115 or [::1]:19115"
_log = logging.getLogger("wayclear.http")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address with a port, 0 for any."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


def parse_addresses(listen: Sequence[str]) -> tuple[ListenAddress, ...]:
    """Parse "ADDRESS:PORT", IPv6 in brackets. CommandError for anything else, also for names."""
    if not listen:
        raise CommandError("the web server has no address to listen on", _ADVICE)
    return tuple(_place(text) for text in dict.fromkeys(listen))


def check_exposure(wanted: Sequence[ListenAddress], config: WebConfig | None, allow_insecure: bool) -> None:
    """CommandError if an address beyond loopback would be open to every client."""
    for place in wanted:
        if place.address.is_loopback or allow_insecure:
            continue
        if missing := missing_protection(config):
            raise CommandError(
                f"the web server does not listen on {place}: {missing}, and whoever can reach it would read the pages",
                "either give --web.config.file with tls_server_config and with basic_auth_users or verified client "
                f"certificates (docs/web-config.md), or say {ALLOW_INSECURE}",
            )


def missing_protection(config: WebConfig | None) -> str:
    """What a configuration lacks to listen beyond loopback; "" for nothing."""
    if config is None:
        return "there is no web configuration"
    if config.tls is None:
        return "its web configuration has no TLS"
    return "" if config.asks_who else "its web configuration asks nobody who they are"


def open_sockets(wanted: Sequence[ListenAddress]) -> list[socket.socket]:
    """A listening socket for each address. On a host without IPv6, ::1 is skipped if there is another address.

    CommandError if a port is taken or an address is missing; then all sockets are closed.
    """
    opened: list[socket.socket] = []
    try:
        for place in wanted:
            try:
                opened.append(_listening(place))
            except OSError as error:
                if _has_no_ipv6(place, error) and len(wanted) > 1:
                    _log.info("not listening on %s: this host has no IPv6", place)
                    continue
                raise _refused(place, error) from None
    except BaseException:
        for one in opened:
            one.close()
        raise
    if not opened:
        raise CommandError("the web server has no address to listen on", _ADVICE)
    return opened


def bound_address(sock: socket.socket) -> str:
    """The address that a socket is bound to."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"


def _place(text: str) -> ListenAddress:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]{2,60})\]|([0-9.]{7,15})):([0-9]{1,5})", text, re.ASCII)
    with contextlib.suppress(ValueError):
        if found and int(found[3]) <= 65535:
            address = ipaddress.ip_address(found[1] or found[2])
            if (address.version == 6) == (found[1] is not None):
                return ListenAddress(address, int(found[3]))
    raise CommandError(f"{shown(text)} is no address to listen on", _ADVICE)


def _listening(place: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # On Windows SO_REUSEADDR would let another program take over the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(socket.getaddrinfo(str(place.address), place.port, flags=socket.AI_NUMERICHOST)[0][4])
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _has_no_ipv6(place: ListenAddress, error: OSError) -> bool:
    lacking = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return place.address == ipaddress.IPv6Address("::1") and error.errno in lacking


def _refused(place: ListenAddress, error: OSError) -> CommandError:
    match error.errno:
        case errno.EADDRINUSE:
            advice = "another program has it: end that, or listen on another port"
            return CommandError(f"the web server cannot listen on {place}: the port is taken", advice)
        case errno.EACCES:
            advice = "choose a port above 1023, or let this account have it"
            return CommandError(f"the web server may not listen on {place}", advice)
        case errno.EADDRNOTAVAIL:
            advice = "choose an address that this host has"
            return CommandError(
                f"the web server cannot listen on {place}: no interface has that address", advice
            )
    return CommandError(f"the web server cannot listen on {place}: {error.strerror or error}", _ADVICE)

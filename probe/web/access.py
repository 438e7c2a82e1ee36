"""Access control: the checks before any page, and the headers of every answer.

On loopback the danger is a browser: a page of another site can make it send requests to us (CSRF), or resolve its own name to
our address and read the answer (DNS rebinding). So the Host must be ours, and a request that changes something must not come
from a page.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import replace

from probe.host.token_bucket import TokenBucket
from probe.web.exporter_toolkit import Loaded, RateLimit, WebConfigFile
from probe.web.messages import Refusal, Request, Response
from probe.web.sign_ins import SignIns
from probe.web.users import Authenticator
from rules.text.display import display

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.ASCII)
_CSP = "Content-Security-Policy"
_OURS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    _CSP: "default-src 'none'; frame-ancestors 'none'",
}


class AccessControl:
    """Admits or refuses a request by the present web configuration."""

    def __init__(
        self,
        config: WebConfigFile | None,
        hosts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._hosts = hosts
        self._clock = clock
        self._sign_ins = config.sign_ins if config is not None else SignIns(clock)
        self._users = Authenticator(clock, self._sign_ins)
        self._bucket: tuple[RateLimit, TokenBucket] | None = None

    def current(self) -> Loaded | None:
        """The web configuration, read again if it has changed."""
        return self._config.current() if self._config is not None else None

    async def admit(self, asked: Request, sans: frozenset[str] | None) -> Request:
        """The request with its user. `sans`: the names of the client certificate, None without one.

        Refusal if the request is not allowed.
        """
        loaded = self.current()
        self._check_host(asked.headers.get("host"), loaded)
        self._check_rate(loaded.config.rate if loaded else None)
        if loaded is not None:
            self._check_certificate(loaded, sans, asked.peer)
            if loaded.config.users:
                authorization = asked.headers.get("authorization")
                asked = replace(
                    asked, user=await self._users.check(loaded.config.users, authorization, asked.peer)
                )
        _check_origin(asked)
        return asked

    def headers(self, response: Response) -> list[tuple[str, str]]:
        """The headers of an answer: its own, those of the web configuration, and our defaults for the others."""
        loaded = self.current()
        configured = loaded.config.headers if loaded else ()
        names = {name.lower() for name, _ in (*response.headers, *configured)}
        ours = ((name, value) for name, value in _OURS.items() if name.lower() not in names)
        return [*response.headers, *configured, *ours]

    def close(self) -> None:
        self._users.close()

    def _check_host(self, host: str | None, loaded: Loaded | None) -> None:
        """Refusal 421 for a name that is not ours (RFC 9110 section 7.4). No browser omits the header (HTTP/1.0)."""
        if host is None:
            return
        name = host_name(host)
        if not name:
            raise Refusal(400, "the Host header is no host")
        if _is_address(name) or name == "localhost" or name in self._hosts:
            return
        served = loaded.tls.names if loaded is not None and loaded.tls is not None else frozenset[str]()
        if name in served or f"*.{name.partition('.')[2]}" in served:
            return
        text = f"this server is not known as {display(name)}: ask it by its address, or configure the name"
        raise Refusal(421, text)

    def _check_certificate(self, loaded: Loaded, sans: frozenset[str] | None, peer: str) -> None:
        allowed = loaded.config.tls.allowed_sans if loaded.config.tls is not None else ()
        if allowed and sans is not None and sans.isdisjoint(allowed):
            self._sign_ins.refuse("certificate", ", ".join(sorted(sans)), peer)
            raise Refusal(403, "no name of the client certificate is in client_allowed_sans")

    def _check_rate(self, limit: RateLimit | None) -> None:
        if limit is None:
            self._bucket = None
            return
        now = self._clock()
        if self._bucket is None or self._bucket[0] != limit:
            self._bucket = limit, TokenBucket(1.0 / limit.interval, limit.burst)
        _, bucket = self._bucket
        if wait := bucket.wait(now):
            retry = (("Retry-After", str(int(wait) + 1)),)
            raise Refusal(429, "more requests than rate_limit in the web configuration allows", retry)
        bucket.take(now)


def host_name(host: str) -> str:
    """The name or address of a Host header, in lower case, without port and trailing dot; "" if it is malformed."""
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    return (found[1] or found[2]).lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """Whether the name is an address literal, which DNS rebinding cannot use. Decimal and octal forms are not."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(asked: Request) -> None:
    """Refusal of a request that changes something and comes from a page: only browsers add these headers."""
    if asked.method in ("GET", "HEAD"):
        return
    if "origin" in asked.headers or asked.headers.get("sec-fetch-site", "none") not in (
        "none",
        "same-origin",
    ):
        raise Refusal(403, f"{asked.method} from a web page is refused: use curl, or a signal")

"""Resolvers that lead names to a page of their own, and networks that look like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan, Resolver
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import APP_PROXY, BOOTSTRAP, LOGIN, REGISTRATION, RELAY, SERVICE_BUS
from tests.lab.world import Host

PAGE = "block.filter.example"
FRONT_END = "13.107.250.90"
PUBLIC, PRIVATE = "13.107.250.80", "10.20.9.80"
SERVICE = (".msappproxy.net", ".servicebus.windows.net")
NEVER = ("tls.*", "tcp.*", "http.*")


def _filter(
    *under: str, cert: str = "private", address: str = PUBLIC, port80: str = "html", **page: Any
) -> Callable[[Plan], None]:
    """A DNS filter answers the names under `under` with the address of a page that has the certificate `cert`."""

    def spoil(plan: Plan) -> None:
        plan.world.hosts[PAGE] = Host(
            PAGE, v4=[address], ports=[80, 443], cert=cert, port80=port80, issuer=pki.X1_ISSUING, **page
        )
        rules = [{"under": one, "do": "address", "addresses": [address]} for one in under]
        plan.resolvers = [Resolver(behaviour={"rules": rules})]

    return spoil


def _front_end(plan: Plan) -> None:
    """A load balancer before both zones of the service and sign-in: one address, and each name's own certificate."""
    for host in plan.world.hosts.values():
        if host.name.endswith((*SERVICE, "login.windows.net", "aadcdn.msauth.net")):
            host.v4, host.v6 = [FRONT_END], []


def _page_on_80(plan: Plan) -> None:
    _filter(*SERVICE)(plan)
    plan.forward = [plans.drop(to=[PUBLIC], port=443)]


def _front_end_dropped(plan: Plan) -> None:
    _front_end(plan)
    plan.forward = [plans.drop(to=[FRONT_END])]


def _forging_page(plan: Plan) -> None:
    _filter(*SERVICE)(plan)
    plan.interceptors = [Interceptor("forge", plans.match(to=[PUBLIC], port=443))]


def _portal_on_the_way(plan: Plan) -> None:
    plan.interceptors = [Interceptor("static", plans.match(port=443))]


def _sinkholed(name: str, title: str, spoil: Callable[[Plan], None]) -> Scenario:
    wants = (
        Want("dns.sinkholed", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),
        Want("dns.sinkholed", (APP_PROXY, SERVICE_BUS), only=True),
    )
    return Scenario(name, title, "no", 2, spoil, wants, never=NEVER)


SCENARIOS = (
    _sinkholed(
        "dns-filter-page",
        "a DNS filter leads both zones of the service to its page, which has a certificate of its own CA",
        _filter(*SERVICE),
    ),
    _sinkholed(
        "dns-filter-page-self-signed",
        "the same with a page that signs for itself",
        _filter(*SERVICE, cert="self-signed"),
    ),
    _sinkholed(
        "dns-filter-page-public-ca",
        "the same with a page under a public CA",
        _filter(*SERVICE, cert="normal"),
    ),
    _sinkholed(
        "dns-filter-page-private-address",
        "the same with a page at a private address",
        _filter(*SERVICE, address=PRIVATE),
    ),
    _sinkholed(
        "dns-filter-page-on-port-80",
        "the same with a page on port 80 alone: port 443 is silent",
        _page_on_80,
    ),
    Scenario(
        "dns-filter-page-for-one-zone",
        "a DNS filter leads the relay's zone alone to its page",
        "no",
        2,
        _filter(".servicebus.windows.net"),
        (
            Want("tls.name-mismatch", (RELAY,), "fail"),
            Want("tls.name-mismatch", (SERVICE_BUS,), only=True),
        ),
        never=("tls.intercepted", "tls.untrusted", "tcp.*", "dns.*"),
    ),
    Scenario(
        "dns-filter-page-that-forges",
        "a DNS filter leads both zones of the service to a device that makes a certificate for each name",
        "no",
        2,
        _forging_page,
        (
            Want("tls.intercepted", (BOOTSTRAP, RELAY), "fail"),
            Want("tls.intercepted", (APP_PROXY, SERVICE_BUS), only=True),
        ),
        never=("dns.*", "tls.name-mismatch", "tls.untrusted"),
    ),
    Scenario(
        "portal-on-443",
        "a device on the way answers every HTTPS connection with the one certificate of its page",
        "no",
        2,
        _portal_on_the_way,
        (Want("tls.name-mismatch", (BOOTSTRAP, RELAY, LOGIN), "fail"),),
        ("tcp.accept-all",),
        ("dns.*", "tls.intercepted", "tls.untrusted"),
    ),
    Scenario(
        "shared-front-end-dropped",
        "the address before names of four zones is dropped: a firewall, and no DNS filter",
        "no",
        2,
        _front_end_dropped,
        (Want("tcp.timeout", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),),
        never=("dns.*", "tls.*"),
    ),
    Scenario(
        "shared-front-end",
        "one address before names of four zones, each with its own certificate",
        "yes",
        0,
        _front_end,
        never=("dns.*", *NEVER),
    ),
)

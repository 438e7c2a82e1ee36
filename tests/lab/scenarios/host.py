"""Faults of the host itself, and what it is told about proxies and tenants."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import plan as plans
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, REGISTRATION, RELAY

CLOCK_AHEAD = 200 * 86_400.0
CLOCK_NEVER = ("tls.*", "crl.*", "ocsp.*", "tcp.*")


def _no_network(plan: Plan) -> None:
    plan.ipv4 = plan.ipv6 = "absent"


def _pinned(plan: Plan) -> None:
    plan.hosts = [f"203.0.114.77 {BOOTSTRAP}"]


def _pinned_to_itself(plan: Plan) -> None:
    plan.hosts = [f"127.0.0.1 {REGISTRATION}"]


def _pinned_rightly(plan: Plan) -> None:
    plan.hosts = [f"{plan.world.hosts[RELAY].v4[0]} {RELAY}"]


def _proxy(plan: Plan) -> None:
    plan.forward = [plans.drop(port=443), plans.drop(port=80)]
    plan.environment = {
        "https_proxy": "http://proxy.contoso.example:8080",
        "http_proxy": "http://proxy.contoso.example:8080",
    }


def _proxy_not_needed(plan: Plan) -> None:
    plan.environment = {"https_proxy": "http://proxy.contoso.example:8080"}


def _past_the_proxy(plan: Plan) -> None:
    plan.environment = {
        "https_proxy": "http://proxy.contoso.example:8080",
        "no_proxy": "localhost,.servicebus.windows.net:443",
    }
    relays = plan.world.matching(".servicebus.windows.net")
    ways = [[a for h in relays for a in h.v4], [a for h in relays for a in h.v6]]
    plan.forward = [plans.drop(to=addresses, port=443) for addresses in ways if addresses]


def _no_tenant(plan: Plan) -> None:
    plan.config = {"tenant": None}


def _clock(ahead: float) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.clock_ahead = ahead

    return spoil


def _clock_and_port_80(ahead: float) -> Callable[[Plan], None]:
    """Nobody gives the time: port 80 is closed, and the servers behind TLS are not asked for a page or leave the date out."""

    def spoil(plan: Plan) -> None:
        _clock(ahead)(plan)
        plan.forward = [plans.drop(port=80)]

    return spoil


def _few_descriptors(plan: Plan) -> None:
    plan.descriptors = 64


SCENARIOS = (
    Scenario(
        "no-network",
        "a machine without any network",
        "not-proven",
        3,
        _no_network,
        (Want("local.no-route", (), "inconclusive"),),
        never=("tcp.*", "tls.*", "http.*"),
        seconds=15,
    ),
    Scenario(
        "hosts-file-pin",
        "the hosts file sends bootstrap to a dead address",
        "no",
        2,
        _pinned,
        (Want("dns.os-differs", (BOOTSTRAP,), only=True), Want("tcp.timeout", (BOOTSTRAP,), only=True)),
        never=("tls.*",),
    ),
    Scenario(
        "hosts-file-loopback",
        "the hosts file sends registration to this host",
        "no",
        2,
        _pinned_to_itself,
        (Want("dns.os-differs", (REGISTRATION,), "fail", only=True),),
        never=("tls.*", "tcp.*"),
    ),
    Scenario(
        "hosts-file-right",
        "the hosts file gives a relay its true address",
        "yes",
        0,
        _pinned_rightly,
        never=("tls.*", "tcp.*"),
    ),
    Scenario(
        "proxy-set-direct-fails",
        "a proxy is set and the direct way is closed",
        "not-proven",
        3,
        _proxy,
        (Want("proxy.not-tested", (BOOTSTRAP, REGISTRATION, RELAY), "inconclusive"),),
        never=("tcp.*", "tls.*", "path.*"),
    ),
    Scenario(
        "proxy-set-direct-works",
        "a proxy is set and the direct way works",
        "yes",
        0,
        _proxy_not_needed,
        never=("tcp.*", "tls.*", "path.*"),
    ),
    Scenario(
        "proxy-passed-by",
        "a proxy is set, the relays are on its bypass list, and their direct way is closed",
        "no",
        2,
        _past_the_proxy,
        (Want("tcp.timeout", (RELAY,), "fail"),),
        never=("proxy.*", "tls.*"),
    ),
    Scenario(
        "no-tenant",
        "the tenant is not known",
        "not-proven",
        3,
        _no_tenant,
        (Want("audit.no-tenant", (), "inconclusive"),),
        never=("tcp.*", "tls.*"),
    ),
    Scenario(
        "clock-wrong",
        "this host's clock is 200 days behind: by it the service's certificates are not valid yet",
        "no",
        2,
        _clock(CLOCK_AHEAD),
        (Want("local.clock-skew", (), "fail"),),
        never=CLOCK_NEVER,
    ),
    Scenario(
        "clock-far-ahead",
        "this host's clock is 200 days ahead: by it the service's certificates have run out",
        "no",
        2,
        _clock(-CLOCK_AHEAD),
        (Want("local.clock-skew", (), "fail"),),
        never=CLOCK_NEVER,
    ),
    Scenario(
        "clock-wrong-port-80-dropped",
        "this host's clock is 200 days behind, and port 80 is closed: only the certificates tell",
        "no",
        2,
        _clock_and_port_80(CLOCK_AHEAD),
        (
            Want("local.clock-skew", (), "fail"),
            Want("tcp.timeout", ("crl3.digicert.com", "oneocsp.microsoft.com"), "fail"),
        ),
        also=("crl.unreachable", "ocsp.unreachable"),
        owners=("host", "firewall"),
        never=("tls.*", "crl.stale", "ocsp.stale"),
    ),
    Scenario(
        "clock-an-hour-off",
        "this host's clock is an hour behind: by it the certificates are valid",
        "degraded",
        1,
        _clock(3600.0),
        (Want("local.clock-skew", (), "fail"),),
        never=CLOCK_NEVER,
    ),
    Scenario(
        "few-descriptors",
        "64 file descriptors are all there is",
        "yes",
        0,
        _few_descriptors,
        never=("tcp.*", "tls.*", "local.*"),
    ),
)

"""Firewalls that drop, refuse and take the audit for a scan."""

from __future__ import annotations

from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import APP_PROXY, BOOTSTRAP, LOGIN, REGISTRATION, RELAY, SERVICE_BUS

NEVER = ("tls.*", "dns.*", "path.sweep-detected")


def _service(plan: Plan) -> list[str]:
    hosts = [*plan.world.matching(".msappproxy.net"), *plan.world.matching(".servicebus.windows.net")]
    return [a for h in hosts for a in h.v4]


def _all_443_dropped(plan: Plan) -> None:
    plan.forward = [plans.drop(port=443)]


def _service_dropped(plan: Plan) -> None:
    plan.forward = [plans.drop(to=_service(plan), port=443)]


def _service_reset(plan: Plan) -> None:
    plan.forward = [plans.reset(to=_service(plan), port=443)]


def _service_prohibited(plan: Plan) -> None:
    plan.forward = [plans.prohibit(to=_service(plan), port=443)]


def _one_of_three(plan: Plan) -> None:
    plan.forward = [plans.drop(to=plan.world.hosts[BOOTSTRAP].v4[:1])]


def _one_of_three_reset(plan: Plan) -> None:
    plan.forward = [plans.reset(to=plan.world.hosts[REGISTRATION].v4[2:])]


def _one_region(plan: Plan) -> None:
    plan.forward = [plans.drop(to=plan.world.hosts[RELAY].v4)]


def _sign_in_dropped(plan: Plan) -> None:
    hosts = [h for h in plan.world.hosts.values() if h.name.startswith("login.")]
    plan.forward = [
        plans.drop(to=[a for h in hosts for a in h.v4]),
        plans.drop(to=[a for h in hosts for a in h.v6]),
    ]


def _port_80_dropped(plan: Plan) -> None:
    plan.forward = [plans.drop(port=80)]


def _sweep(plan: Plan) -> None:
    plan.tables = [
        "set scanners { type ipv4_addr; flags dynamic,timeout; timeout 60s; }",
        "set meters { type ipv4_addr; flags dynamic,timeout; timeout 60s; }",
    ]
    new = "iifname inside tcp flags syn / syn,ack"
    plan.forward = [
        f"{new} ip saddr @scanners drop",
        f"{new} add @meters {{ ip saddr limit rate over 2/second burst 30 packets }} add @scanners {{ ip saddr }}",
    ]
    plan.ipv6 = "absent"


def _accept_all(plan: Plan) -> None:
    plan.interceptors = [Interceptor("accept", plans.match(port=443))]


def _black_hole_v6(plan: Plan) -> None:
    plan.ipv6 = "black-hole"


def _small_packets_only(plan: Plan) -> None:
    """Path MTU trouble: nothing longer than 700 bytes comes back, and nobody says so."""
    plan.forward = ["iifname outside meta length > 700 drop"]


SCENARIOS = (
    Scenario(
        "all-443-dropped",
        "no HTTPS leaves this network",
        "no",
        2,
        _all_443_dropped,
        (Want("tcp.timeout", (BOOTSTRAP, REGISTRATION, RELAY, LOGIN), "fail"),),
        never=(*NEVER, "tcp.accept-all"),
    ),
    Scenario(
        "service-dropped",
        "an allow list of Microsoft 365 only: sign-in passes, the service is dropped",
        "no",
        2,
        _service_dropped,
        (
            Want("tcp.timeout", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),
            Want("tcp.timeout", (APP_PROXY, SERVICE_BUS), only=True),
        ),
        never=NEVER,
    ),
    Scenario(
        "service-reset",
        "a firewall refuses the service with a RST",
        "no",
        2,
        _service_reset,
        (
            Want("tcp.reset", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),
            Want("tcp.reset", (APP_PROXY, SERVICE_BUS), only=True),
        ),
        never=NEVER,
    ),
    Scenario(
        "service-prohibited",
        "a firewall answers with ICMP administratively prohibited",
        "no",
        2,
        _service_prohibited,
        (
            Want("tcp.unreachable", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),
            Want("tcp.unreachable", (APP_PROXY, SERVICE_BUS), only=True),
        ),
        never=NEVER,
    ),
    Scenario(
        "one-of-three-dropped",
        "one of bootstrap's three addresses is dropped",
        "degraded",
        1,
        _one_of_three,
        (Want("tcp.timeout", (BOOTSTRAP,), only=True),),
        never=NEVER,
    ),
    Scenario(
        "one-of-three-reset",
        "one of registration's three addresses is refused",
        "degraded",
        1,
        _one_of_three_reset,
        (Want("tcp.reset", (REGISTRATION,), only=True),),
        never=NEVER,
    ),
    Scenario(
        "one-region-dropped",
        "one region's relay is dropped, the others pass",
        "degraded",
        1,
        _one_region,
        (Want("tcp.timeout", (RELAY,), only=True),),
        never=NEVER,
    ),
    Scenario(
        "sign-in-dropped",
        "the service passes, sign-in hosts are dropped",
        "degraded",
        1,
        _sign_in_dropped,
        (
            Want("tcp.timeout", (LOGIN, "login.windows.net"), "fail"),
            Want("tcp.timeout", ("login.*",), only=True),
        ),
        never=NEVER,
    ),
    Scenario(
        "port-80-dropped",
        "certificates cannot be checked: port 80 is closed",
        "degraded",
        1,
        _port_80_dropped,
        (Want("tcp.timeout", ("crl3.digicert.com", "oneocsp.microsoft.com"), "fail"),),
        also=("crl.unreachable", "ocsp.unreachable"),
        never=("tls.*", "dns.*", "path.*"),
    ),
    Scenario(
        "sweep-detecting-firewall",
        "after a burst of new connections no further one of this host is let through",
        "not-proven",
        3,
        _sweep,
        (Want("path.sweep-detected", (), "inconclusive"),),
        also=("audit.not-reached",),
        never=("tls.intercepted", "tls.untrusted", "dns.*"),
    ),
    Scenario(
        "accepts-everything",
        "a transparent proxy opens every connection and says nothing",
        "no",
        2,
        _accept_all,
        (Want("tcp.accept-all", (), "warn"), Want("tls.timeout", (BOOTSTRAP, RELAY, LOGIN), "fail")),
        never=("tls.intercepted", "dns.*", "tcp.timeout"),
    ),
    Scenario(
        "ipv6-black-hole",
        "an IPv6 route that leads nowhere, IPv4 works",
        "yes",
        1,
        _black_hole_v6,
        (Want("path.family-broken", (), "warn"),),
        never=("tls.*", "dns.*"),
    ),
    Scenario(
        "large-answers-lost",
        "packets over 700 bytes never come back",
        "no",
        2,
        _small_packets_only,
        (Want("tls.timeout", (BOOTSTRAP, RELAY), "fail"),),
        also=("crl.unreachable", "http.timeout", "path.mtu-blackhole", "dns.timeout"),
        never=("tls.intercepted", "tcp.*"),
    ),
)

"""Servers that require a client certificate, devices that speak for them, and ends that only look like theirs.

A probe has no such certificate. What it can prove is that the genuine server was reached: its chain, its signature over the
handshake, its request, and an end that answers an empty Certificate.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, REGISTRATION, RELAY

RENEWAL = ".renewtrust.msappproxy.net"
NO_ALARM = ("tls.*", "tcp.*", "http.*", "local.*", "path.*")
NEVER = ("tls.intercepted", "tls.version", "dns.*", "tcp.*", "path.*")


def _required(plan: Plan) -> None:
    plan.world.hosts[BOOTSTRAP].tls = "requires-certificate-12"
    for host in plan.world.matching(RENEWAL):
        host.tls = "requires-certificate"


def _required_in_both(plan: Plan) -> None:
    for host in (plan.world.hosts[BOOTSTRAP], *plan.world.matching(RENEWAL)):
        host.tls = "requires-certificate"


def _every_end(plan: Plan) -> None:
    host = plan.world.hosts[BOOTSTRAP]
    ends = ("alert 42", "alert 46", "alert 49")
    host.at = {address: f"asks, then {end}" for address, end in zip(host.v4, ends, strict=True)}
    for host, end in zip(plan.world.matching(RENEWAL), ("alert 116", "close_notify", "fin"), strict=True):
        host.tls = f"asks, then {end}"


def _not_expected(plan: Plan) -> None:
    for name in (REGISTRATION, RELAY):
        plan.world.hosts[name].tls = "requires-certificate"


def _bootstrap(behaviour: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.hosts[BOOTSTRAP].tls = behaviour

    return spoil


def _intercepted(*, requires: bool) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        _required(plan)
        only = (".bootstrap.msappproxy.net", RENEWAL)
        plan.interceptors = [
            Interceptor("forge", plans.match(port=443), only=only, options={"requires": requires})
        ]

    return spoil


def _no(name: str, title: str, behaviour: str, cause: str) -> Scenario:
    """Bootstrap cannot be reached."""
    wants = (Want(cause, (BOOTSTRAP,), "fail", only=True),)
    return Scenario(name, title, "no", 2, _bootstrap(behaviour), wants, never=NEVER)


def _forged(name: str, title: str, *, requires: bool) -> Scenario:
    wants = (Want("tls.intercepted", (BOOTSTRAP, f"*{RENEWAL}"), "fail", only=True),)
    never = ("tls.alert", "tls.version", "tls.untrusted", "dns.*")
    return Scenario(name, title, "no", 2, _intercepted(requires=requires), wants, ("tcp.accept-all",), never)


SCENARIOS = (
    Scenario(
        "client-certificate-required",
        "bootstrap (TLS 1.2) and renewal (1.2 and 1.3) require a client certificate",
        "yes",
        0,
        _required,
        never=NO_ALARM,
    ),
    Scenario(
        "client-certificate-required-in-both-versions",
        "bootstrap and renewal require a client certificate in TLS 1.2 and 1.3",
        "yes",
        0,
        _required_in_both,
        never=NO_ALARM,
    ),
    Scenario(
        "client-certificate-missed-in-many-ways",
        "the same, with each alert that a server may send then, and with orderly closes",
        "yes",
        0,
        _every_end,
        never=NO_ALARM,
    ),
    Scenario(
        "client-certificate-where-none-is-expected",
        "registration and a relay require a client certificate, which no rule expects",
        "yes",
        0,
        _not_expected,
        (Want("ok", (REGISTRATION, RELAY), "notice"),),
        never=NO_ALARM,
    ),
    _no(
        "reset-after-certificate-request",
        "bootstrap's request for a client certificate comes, our answer meets a reset",
        "asks, then rst",
        "tls.reset",
    ),
    _no(
        "reset-before-certificate",
        "a reset in the middle of bootstrap's first flight",
        "asks, rst too early",
        "tls.reset",
    ),
    _no(
        "closed-before-certificate",
        "a close in the middle of bootstrap's first flight",
        "asks, fin too early",
        "tls.reset",
    ),
    _no(
        "alert-before-certificate",
        "an alert in the middle of bootstrap's first flight of TLS 1.2; TLS 1.3 passes",
        "asks, alert 40 too early",
        "tls.alert",
    ),
    _no(
        "tls12-cut-and-tls13-passes",
        "a reset answers bootstrap's ClientHello of TLS 1.2, and TLS 1.3 comes through",
        "asks, rst unheard",
        "tls.reset",
    ),
    _no(
        "other-alert-after-certificate-request",
        "bootstrap asks for a client certificate, and its alert answers something else",
        "asks, then alert 80",
        "tls.alert",
    ),
    _no(
        "chain-copied-without-its-key",
        "bootstrap's genuine chain is shown by something that cannot sign with its key",
        "copied-chain",
        "tls.malformed",
    ),
    _forged(
        "intercepted-before-client-certificate",
        "an interceptor forges the issuers of servers that require a client certificate, and asks for none",
        requires=False,
    ),
    _forged(
        "intercepted-with-client-certificate",
        "the same, and it requires a client certificate itself",
        requires=True,
    ),
)

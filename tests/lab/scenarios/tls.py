"""Servers, or devices that speak for them, that get TLS wrong."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, LOGIN, LOGIN_WINDOWS, REGISTRATION, RELAY

#: Where the certificates of the relay's CAs are.
ISSUERS = ("www.microsoft.com", "caissuers.microsoft.com")
NEVER = ("tls.intercepted", "dns.*", "tcp.*", "path.*")


def _certificate(kind: str, *names: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        for name in names:
            plan.world.hosts[name].cert = kind

    return spoil


def _behaviour(kind: str, *names: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        for name in names:
            plan.world.hosts[name].tls = kind

    return spoil


def _one_address(kind: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        host = plan.world.hosts[REGISTRATION]
        host.at = {host.v4[1]: kind}

    return spoil


def _other_public_ca(plan: Plan) -> None:
    plan.world.hosts[BOOTSTRAP].issuer = pki.X1_ISSUING


def _incomplete_and_no_aia(plan: Plan) -> None:
    for host in plan.world.matching(".servicebus.windows.net"):
        host.cert = "no-chain"
    plan.forward = [plans.drop(port=80)]


def _incomplete_and_issuers(behaviour: str) -> Callable[[Plan], None]:
    """The relay's issuers have an address that is open, and do not come from there."""

    def spoil(plan: Plan) -> None:
        for host in plan.world.matching(".servicebus.windows.net"):
            host.cert = "no-chain"
        for name in ISSUERS:
            plan.world.hosts[name].port80 = behaviour

    return spoil


def _open_issuers(name: str, title: str, behaviour: str) -> Scenario:
    wants = (Want("tls.incomplete-chain", (RELAY,), "inconclusive"),)
    return Scenario(name, title, "not-proven", 3, _incomplete_and_issuers(behaviour), wants, never=NEVER)


def _no(name: str, title: str, spoil: Callable[[Plan], None], cause: str, *also: str) -> Scenario:
    """Bootstrap is spoilt, so a connector cannot start."""
    return Scenario(name, title, "no", 2, spoil, (Want(cause, (BOOTSTRAP,), "fail", only=True),), also, NEVER)


SCENARIOS = (
    _no("expired", "bootstrap's certificate ran out", _certificate("expired", BOOTSTRAP), "tls.expired"),
    _no(
        "not-yet-valid",
        "bootstrap's certificate begins in two days",
        _certificate("not-yet-valid", BOOTSTRAP),
        "tls.not-yet-valid",
    ),
    _no(
        "name-mismatch",
        "bootstrap shows another name",
        _certificate("wrong-name", BOOTSTRAP),
        "tls.name-mismatch",
    ),
    _no(
        "self-signed", "bootstrap signs for itself", _certificate("self-signed", BOOTSTRAP), "tls.self-signed"
    ),
    _no(
        "private-ca",
        "bootstrap under a CA that nobody knows",
        _certificate("private", BOOTSTRAP),
        "tls.untrusted",
    ),
    _no(
        "service-tls13-only",
        "bootstrap speaks TLS 1.3 only",
        _behaviour("tls13-only", BOOTSTRAP),
        "tls.version",
    ),
    _no("tls11-only", "bootstrap speaks TLS 1.1 only", _behaviour("tls11-only", BOOTSTRAP), "tls.version"),
    _no("alert", "bootstrap answers with an alert", _behaviour("alert", BOOTSTRAP), "tls.alert"),
    _no("not-tls", "an SSH server answers for bootstrap", _behaviour("ssh-banner", BOOTSTRAP), "tls.not-tls"),
    _no(
        "http-on-443", "plain HTTP answers for bootstrap", _behaviour("http-banner", BOOTSTRAP), "tls.not-tls"
    ),
    _no(
        "oversize-certificate", "a certificate of 250 kB", _behaviour("oversize", BOOTSTRAP), "tls.malformed"
    ),
    _no(
        "dripping-handshake",
        "one byte of TLS every half second",
        _behaviour("drip", BOOTSTRAP),
        "tls.timeout",
    ),
    Scenario(
        "private-ca-without-its-root",
        "bootstrap under a CA that nobody knows and nobody shows, and that names no address to fetch it from",
        "no",
        2,
        _certificate("private-without-root", BOOTSTRAP),
        (Want("tls.untrusted", (BOOTSTRAP,), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "issuer-not-to-be-fetched",
        "bootstrap under a CA that is not served, and whose address does not resolve",
        "not-proven",
        3,
        _certificate("private-unfetchable", BOOTSTRAP),
        (Want("tls.incomplete-chain", (BOOTSTRAP,), "inconclusive", only=True),),
        never=NEVER,
    ),
    Scenario(
        "other-public-ca",
        "bootstrap under a public CA that the service does not use",
        "degraded",
        1,
        _other_public_ca,
        (Want("tls.issuer-unexpected", (BOOTSTRAP,), "warn", only=True),),
        never=NEVER,
    ),
    Scenario(
        "one-address-silent-in-tls",
        "one of registration's three addresses says nothing after the ClientHello",
        "degraded",
        1,
        _one_address("silent"),
        (Want("tls.timeout", (REGISTRATION,), only=True),),
        never=NEVER,
    ),
    Scenario(
        "one-address-resets-tls",
        "one of registration's three addresses resets after the ClientHello",
        "degraded",
        1,
        _one_address("reset"),
        (Want("tls.reset", (REGISTRATION,), only=True),),
        never=NEVER,
    ),
    Scenario(
        "sign-in-expired",
        "the sign-in hosts' certificates ran out",
        "degraded",
        1,
        _certificate("expired", LOGIN, LOGIN_WINDOWS),
        (Want("tls.expired", (LOGIN, LOGIN_WINDOWS), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "chain-incomplete-for-good",
        "the relay omits its intermediates and port 80 is closed",
        "not-proven",
        3,
        _incomplete_and_no_aia,
        (Want("tls.incomplete-chain", (RELAY,), "inconclusive"),),
        also=("tcp.timeout", "crl.unreachable", "ocsp.unreachable"),
        never=("tls.intercepted", "tls.untrusted", "dns.*"),
    ),
    _open_issuers(
        "issuer-behind-a-page",
        "the relay omits its intermediates, and a web page comes in place of its issuer's certificate",
        "issuers-page",
    ),
    _open_issuers(
        "issuer-not-at-its-address",
        "the relay omits its intermediates, and its issuer's address answers 404",
        "issuers-missing",
    ),
    _open_issuers(
        "issuer-s-host-resets",
        "the relay omits its intermediates, and requests for its issuer's certificate are reset",
        "issuers-reset",
    ),
)

"""Devices on the way that end TLS, or act on the name in the ClientHello."""

from __future__ import annotations

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import APP_PROXY, BOOTSTRAP, CDN, LOGIN, REGISTRATION, RELAY, SERVICE_BUS

ALL = plans.match(port=443)
NEVER = ("dns.*", "tls.untrusted", "tls.self-signed", "tls.name-mismatch", "crl.bad-signature")
EVERYWHERE = (BOOTSTRAP, REGISTRATION, RELAY, LOGIN, CDN)
ACCEPTING = ("tcp.accept-all",)  # true of every transparent proxy


def _squid(plan: Plan) -> None:
    plan.interceptors = [Interceptor("squid", ALL, pki.CORPORATE)]


def _squid_trusted(plan: Plan) -> None:
    plan.interceptors = [Interceptor("squid", ALL, pki.CORPORATE)]
    plan.os_store = (pki.CORPORATE,)


def _squid_relay_only(plan: Plan) -> None:
    plan.interceptors = [Interceptor("squid", ALL, pki.CORPORATE, only=(".servicebus.windows.net",))]
    plan.os_store = (pki.CORPORATE,)


def _squid_sign_in_only(plan: Plan) -> None:
    plan.interceptors = [
        Interceptor("squid", ALL, pki.CORPORATE, only=(".microsoftonline.com", "login.windows.net"))
    ]


def _mitmproxy(plan: Plan) -> None:
    plan.interceptors = [Interceptor("mitmproxy", ALL, pki.CORPORATE)]
    plan.os_store = (pki.CORPORATE,)


def _forged(plan: Plan) -> None:
    plan.interceptors = [Interceptor("forge", ALL)]


def _forged_service_only(plan: Plan) -> None:
    plan.interceptors = [Interceptor("forge", ALL, only=(".msappproxy.net", ".servicebus.windows.net"))]


def _forged_now_and_then(plan: Plan) -> None:
    plan.interceptors = [Interceptor("forge", ALL, options={"alternate": True})]


def _one_address(plan: Plan) -> None:
    address = plan.world.hosts[REGISTRATION].v4[:1]
    plan.interceptors = [Interceptor("forge", plans.match(to=address, port=443))]


def _reset_by_name(plan: Plan) -> None:
    plan.interceptors = [Interceptor("sni-reset", ALL, only=(".msappproxy.net",))]


def _silent_by_name(plan: Plan) -> None:
    plan.interceptors = [Interceptor("sni-silent", ALL, only=(".servicebus.windows.net",))]


SCENARIOS = (
    Scenario(
        "intercepted-by-squid",
        "a corporate proxy bumps everything",
        "no",
        2,
        _squid,
        (Want("tls.intercepted", EVERYWHERE, "fail"),),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "intercepted-and-trusted-by-the-system",
        "the proxy's CA is in the operating system's store, and excuses nothing",
        "no",
        2,
        _squid_trusted,
        (Want("tls.intercepted", EVERYWHERE, "fail"),),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "intercepted-relay-only",
        "only the relay is bumped, by a trusted CA",
        "no",
        2,
        _squid_relay_only,
        (Want("tls.intercepted", (RELAY,), "fail"), Want("tls.intercepted", (SERVICE_BUS,), only=True)),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "intercepted-sign-in-only",
        "only sign-in is bumped; the service is left alone",
        "degraded",
        1,
        _squid_sign_in_only,
        (Want("tls.intercepted", (LOGIN, "login.windows.net"), "fail", only=True),),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "intercepted-by-mitmproxy",
        "another product, trusted by the system",
        "no",
        2,
        _mitmproxy,
        (Want("tls.intercepted", EVERYWHERE, "fail"),),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "forged-issuers",
        "an interceptor that copies every issuer's name",
        "no",
        2,
        _forged,
        (Want("tls.intercepted", EVERYWHERE, "fail"),),
        (*ACCEPTING, "tls.incomplete-chain"),
        NEVER,
    ),
    Scenario(
        "forged-issuers-service-only",
        "forged issuers for the service, everything else untouched",
        "no",
        2,
        _forged_service_only,
        (
            Want("tls.intercepted", (BOOTSTRAP, REGISTRATION, RELAY), "fail"),
            Want("tls.intercepted", (APP_PROXY, SERVICE_BUS), only=True),
        ),
        ACCEPTING,
        NEVER,
    ),
    Scenario(
        "intercepted-now-and-then",
        "an interceptor that takes every second connection of a name and forges the issuers",
        "no",
        2,
        _forged_now_and_then,
        (Want("tls.intercepted", (BOOTSTRAP, RELAY), "fail"),),
        (*ACCEPTING, "tls.incomplete-chain"),
        NEVER,
    ),
    Scenario(
        "intercepted-at-one-address",
        "one of registration's three addresses is intercepted",
        "no",
        2,
        _one_address,
        (Want("tls.intercepted", (REGISTRATION,), only=True),),
        (),
        NEVER,
    ),
    Scenario(
        "reset-by-name",
        "a filter resets when the ClientHello asks for the service",
        "no",
        2,
        _reset_by_name,
        (Want("tls.reset", (BOOTSTRAP, REGISTRATION), "fail"), Want("tls.reset", (APP_PROXY,), only=True)),
        ACCEPTING,
        ("tls.intercepted", *NEVER),
    ),
    Scenario(
        "silent-by-name",
        "a filter goes silent when the ClientHello asks for the relay",
        "no",
        2,
        _silent_by_name,
        (Want("tls.timeout", (RELAY,), "fail"), Want("tls.timeout", (SERVICE_BUS,), only=True)),
        ACCEPTING,
        ("tls.intercepted", *NEVER),
    ),
)

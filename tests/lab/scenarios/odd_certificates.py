"""Certificates that break X.509 in one field and that clients read: genuine ones stay genuine, forged ones forged."""

from __future__ import annotations

from tests.lab.plan import Interceptor, Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, LOGIN, REGISTRATION, RELAY
from tests.lab.scenarios.tls_devices import ACCEPTING, ALL, EVERYWHERE, NEVER


def _forged(plan: Plan) -> None:
    plan.interceptors = [Interceptor("forge", ALL, options={"odd": True})]


def _genuine(plan: Plan) -> None:
    forms = ("starred", "version-7", "starred", "version-7")
    for name, form in zip((BOOTSTRAP, REGISTRATION, RELAY, LOGIN), forms, strict=True):
        plan.world.hosts[name].cert = f"odd {form}"


def _without_seconds(plan: Plan) -> None:
    plan.world.hosts[BOOTSTRAP].cert = "odd without-seconds"


def _undated(plan: Plan) -> None:
    plan.world.hosts[BOOTSTRAP].cert = "odd undated"


SCENARIOS = (
    Scenario(
        "forged-issuers-in-odd-certificates",
        "an interceptor that copies every issuer's name, in certificates that break X.509",
        "no",
        2,
        _forged,
        (Want("tls.intercepted", EVERYWHERE, "fail"),),
        (*ACCEPTING, "tls.incomplete-chain"),
        (*NEVER, "tls.malformed", "tls.unverified"),
    ),
    Scenario(
        "odd-certificates-of-the-real-issuer",
        "the real servers' certificates break X.509 in one field each",
        "yes",
        0,
        _genuine,
        never=NEVER,
    ),
    Scenario(
        "certificate-without-seconds",
        "bootstrap's certificate has dates without seconds, which the audit's own TLS library refuses",
        "not-proven",
        3,
        _without_seconds,
        (Want("tls.unverified", (BOOTSTRAP,), "inconclusive", only=True),),
        never=(*NEVER, "tls.malformed"),
    ),
    Scenario(
        "undated-certificate",
        "bootstrap's certificate begins in month 13",
        "not-proven",
        3,
        _undated,
        (Want("tls.unverified", (BOOTSTRAP,), "inconclusive", only=True),),
        never=(*NEVER, "tls.malformed"),
    ),
)

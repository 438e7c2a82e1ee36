"""Port 80: block pages, portals, and revocation data that is missing, old, forged or no such thing."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.audit_files import TIMEOUTS
from tests.lab.plan import Interceptor, Plan
from tests.lab.revocation import Flaws
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP
from tests.lab.servers.tls_behaviour import leaf_for

NEVER = ("tls.intercepted", "tls.untrusted", "dns.*", "tcp.timeout", "tcp.reset")
PAGES: tuple[str, ...] = (
    "http.block-page",
    "http.redirected",
    "http.status",
    "crl.not-a-crl",
    "crl.unreachable",
    "ocsp.not-ocsp",
)
PAGES += ("ocsp.unreachable", "tcp.accept-all")


def _pages(page: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.interceptors = [Interceptor("pages", plans.match(port=80), options={"page": page})]

    return spoil


def _host(name: str, behaviour: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.hosts[name].port80 = behaviour

    return spoil


def _crl_silent(plan: Plan) -> None:
    plan.world.hosts["crl3.digicert.com"].port80 = "silent"
    plan.config = {"timeouts": TIMEOUTS | {"crl": 1.5}}


def _flaws(flaws: Flaws) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.flaws = flaws

    return spoil


def _revoked(plan: Plan) -> None:
    made = pki.Pki(pki.CA_FROM)
    plan.world.flaws = Flaws(
        revoked=(leaf_for(made, plan.world.hosts[BOOTSTRAP], "normal").cert.serial_number,)
    )


def _degraded(
    name: str, title: str, spoil: Callable[[Plan], None], *wants: Want, also: tuple[str, ...] = ()
) -> Scenario:
    return Scenario(name, title, "degraded", 1, spoil, wants, also, NEVER)


SCENARIOS = (
    _degraded(
        "captive-portal-on-80",
        "every request on port 80 is sent to a login page",
        _pages("redirect"),
        Want("http.block-page", ("crl3.digicert.com", "ocsp.digicert.com"), "fail"),
        also=PAGES,
    ),
    _degraded(
        "redirected-on-80",
        "every request on port 80 is sent to another host",
        _pages("moved"),
        Want("http.redirected", ("crl3.digicert.com",), "fail"),
        also=PAGES,
    ),
    _degraded(
        "block-page-200",
        "a block page with status 200 for everything on port 80",
        _pages("html"),
        Want("http.block-page", ("ocsp.digicert.com",), "fail"),
        also=PAGES,
    ),
    _degraded(
        "block-page-403",
        "a block page with status 403 for everything on port 80",
        _pages("forbidden"),
        Want("http.block-page", ("crl3.digicert.com",), "fail"),
        also=PAGES,
    ),
    _degraded(
        "block-page-451",
        "unavailable for legal reasons, everything on port 80",
        _pages("legal"),
        Want("http.block-page", ("crl3.digicert.com",), "fail"),
        also=PAGES,
    ),
    _degraded(
        "html-instead-of-crl",
        "one CRL host gives a web page",
        _host("crl3.digicert.com", "html"),
        Want("crl.not-a-crl", ("crl3.digicert.com",), "fail"),
        also=PAGES,
    ),
    _degraded(
        "crl-host-resets",
        "one CRL host resets every request",
        _host("crl4.digicert.com", "reset"),
        Want("http.reset", ("crl4.digicert.com",), "fail", only=True),
    ),
    _degraded(
        "crl-host-silent",
        "one CRL host takes requests and never answers",
        _crl_silent,
        Want("http.timeout", ("crl3.digicert.com",), "fail", only=True),
    ),
    _degraded(
        "not-http",
        "garbage on port 80 of one CRL host",
        _host("crl3.digicert.com", "malformed"),
        Want("http.malformed", ("crl3.digicert.com",), "fail", only=True),
    ),
    _degraded(
        "stale-crl",
        "DigiCert's CRL ran out yesterday, and no header shows a cache",
        _flaws(Flaws(stale=(pki.G2,))),
        Want("crl.stale", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),
    ),
    _degraded(
        "forged-crl",
        "DigiCert's CRL is signed by another key",
        _flaws(Flaws(forged=(pki.G2,))),
        Want("crl.bad-signature", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),
    ),
    _degraded(
        "ocsp-bad-signature",
        "OCSP answers are signed by another key",
        _flaws(Flaws(ocsp_bad_signature=True)),
        Want("ocsp.bad-signature", (), "fail"),
    ),
    Scenario(
        "ocsp-unauthorized",
        "OCSP responders are not authorised to answer; the CRLs are fine",
        "yes",
        0,
        _flaws(Flaws(ocsp_unauthorized=True)),
        (Want("ocsp.unauthorized", (), "notice"),),
        never=(*NEVER, "crl.*"),
    ),
    Scenario(
        "revoked",
        "bootstrap's certificate is revoked",
        "no",
        2,
        _revoked,
        (Want("tls.revoked", (BOOTSTRAP,), "fail", only=True),),
        ("crl.revoked", "ocsp.revoked"),
        NEVER,
    ),
)

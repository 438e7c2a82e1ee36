"""Port 80: who wrote an answer, and what is read although it is odd."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenario import Scenario, Want

ROOT_LIST = "ctldl.windowsupdate.com"  # no document of it is known, so any answer of its own passes
LIST = "crl3.digicert.com"
NEVER = (
    "tls.intercepted",
    "tls.untrusted",
    "dns.*",
    "tcp.timeout",
    "tcp.reset",
    "crl.unreachable",
    "ocsp.unreachable",
)


def _all(behaviour: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        for host in plan.world.hosts.values():
            if 80 in host.ports:
                host.port80 = behaviour

    return spoil


def _host(name: str, behaviour: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.hosts[name].port80 = behaviour

    return spoil


def _pages(page: str) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.interceptors = [Interceptor("pages", plans.match(port=80), options={"page": page})]

    return spoil


def _denied(name: str, title: str, behaviour: str) -> Scenario:
    wants = (Want("http.block-page", (ROOT_LIST,), "fail", only=True),)
    return Scenario(name, title, "degraded", 1, _host(ROOT_LIST, behaviour), wants, never=NEVER)


SCENARIOS = (
    Scenario(
        "one-page-at-every-host",
        "all hosts on port 80 give the same page at `/`, as front ends do; their documents are their own",
        "yes",
        0,
        _all("one-page"),
        (Want("http.same-page", (ROOT_LIST,), "notice"),),
        never=(*NEVER, "http.block-page", "crl.not-a-crl", "tcp.*"),
    ),
    Scenario(
        "one-page-for-everything",
        "a device gives one page, without a word of blocking, for everything on port 80",
        "degraded",
        1,
        _pages("welcome"),
        (Want("http.block-page", (ROOT_LIST,), "fail"), Want("crl.not-a-crl", (LIST,), "fail")),
        ("ocsp.not-ocsp",),
        (*NEVER, "http.same-page"),
    ),
    _denied(
        "denied-with-470",
        "Azure Firewall denies port 80 of one host with a status of its own",
        "azure-firewall",
    ),
    _denied("denied-with-503", "a web filter denies port 80 of one host with 503 and its page", "filter-503"),
    _denied(
        "denied-with-502", "a proxy that names itself denies port 80 of one host with 502", "product-502"
    ),
    _denied("proxy-on-80-fails", "a proxy on port 80 of one host cannot connect to it", "squid-503"),
    Scenario(
        "portal-by-meta-refresh",
        "every request on port 80 gets a page that sends its reader to a login page",
        "degraded",
        1,
        _pages("meta-refresh"),
        (Want("http.block-page", (ROOT_LIST, LIST, "ocsp.digicert.com"), "fail"),),
        ("ocsp.not-ocsp", "crl.not-a-crl"),
        (*NEVER, "http.same-page", "http.redirected"),
    ),
    Scenario(
        "sent-elsewhere-by-refresh",
        "a `Refresh` header on port 80 of one host sends its reader to another host",
        "degraded",
        1,
        _host(ROOT_LIST, "refresh"),
        (Want("http.redirected", (ROOT_LIST,), "fail", only=True),),
        never=(*NEVER, "http.block-page"),
    ),
    Scenario(
        "origins-mention-products",
        "errors of the hosts themselves on port 80 mention products, and servers bear words of their names",
        "yes",
        0,
        _all("mentions"),
        never=(*NEVER, "http.*"),
    ),
    Scenario(
        "origin-behind-cdn-fails",
        "a host answers 502 through its CDN, behind a proxy that adds Via",
        "yes",
        0,
        _host(ROOT_LIST, "cdn-502"),
        never=(*NEVER, "http.*"),
    ),
    Scenario(
        "crl-compressed",
        "one CRL host sends its lists compressed",
        "degraded",
        1,
        _host(LIST, "compressed"),
        (Want("http.compressed", (LIST,), "fail", only=True),),
        never=(*NEVER, "crl.not-a-crl", "http.block-page"),
    ),
    Scenario(
        "crl-host-redirects-itself",
        "one CRL host sends every request on to itself over https",
        "degraded",
        1,
        _host(LIST, "to-https"),
        (Want("http.redirected", (LIST,), "fail", only=True),),
        never=(*NEVER, "crl.not-a-crl", "http.block-page"),
    ),
    Scenario(
        "odd-header-lines",
        "all answers on port 80 have header lines that break HTTP and that clients read past",
        "yes",
        0,
        _all("odd-header"),
        (Want("http.odd-header", (ROOT_LIST, LIST), "notice"),),
        never=(*NEVER, "http.malformed", "crl.not-a-crl"),
    ),
)

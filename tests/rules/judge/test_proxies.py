"""Proxies: each list in its own grammar, and for each endpoint the setting that its program goes by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.judge.proxies import (
    Expressions,
    adjust_for_proxies,
    applies_to,
    bypasses,
    expression_fault,
    followed_sources,
    unreadable_expressions,
)
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import ProxySetting
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Check, Endpoint, Report, Status, Verdict
from tests.rules.script import BOOTSTRAP, CRL_HOST, HOST, SILENCE, healthy, judged, rows

OWN = ProxySetting("connector exe.config", "http://proxy.corp.example:8080")
MACHINE = ProxySetting("machine.config", "http://other.corp.example:8080")
WINHTTP = ProxySetting("WinHTTP", "proxy.corp.example:8080")
SHELL = ProxySetting("environment HTTPS_PROXY", "http://proxy.corp.example:8080")
NO_PROXY = ProxySetting("connector exe.config", "")
WPAD = ProxySetting("connector exe.config", "", automatic="WPAD")
X = "x.bootstrap.msappproxy.net"


@pytest.mark.parametrize(
    ("bypass", "host", "port", "direct"),
    [
        (r".*\.msappproxy\.net$", X, 443, True),
        (r"a\.b;[a-z0-9-]+\.bootstrap\.", X, 443, True),
        (
            r"[a-z]+\.contoso\.com",
            "a.contoso.com.cpandl.com",
            443,
            True,
        ),  # not anchored: Microsoft's page warns of it
        (r"[a-z]+\.contoso\.com$", "a.contoso.com.cpandl.com", 443, False),
        (r"192\.168\.\d{1,3}\.\d{1,3}", "192.168.3.4", 443, True),
        (r"^https://x\.", X, 443, True),
        (r"^https://x\.", X, 80, False),
        (r"^http://x\.", X, 80, True),
        (r":8443$", X, 8443, True),
        (r"net$", f"{X}.", 443, True),
        ("MSAPPPROXY", X, 443, True),
        ("<local>", "intranet", 443, True),
        ("<local>", X, 443, False),
        ("(?=x)", X, 443, False),  # not read: told elsewhere
        ("*.msappproxy.net", X, 443, False),  # .NET refuses it
        ("msappproxy.com", X, 443, False),
        ("", X, 443, False),
    ],
)
def test_a_dotnet_list_holds_expressions(bypass: str, host: str, port: int, direct: bool) -> None:
    assert bypasses(host, bypass, "connector exe.config", port) is direct
    assert bypasses(host, bypass, "machine.config", port) is direct


@pytest.mark.parametrize(
    ("bypass", "direct"),
    [
        ("*.msappproxy.net", True),
        ("a.example;*.BOOTSTRAP.*", True),
        (f"a.example {X}", True),
        ("https://*.msappproxy.net", True),
        ("http://*.msappproxy.net", False),
        ("*.msappproxy.net:443", True),
        ("*.msappproxy.net:80", False),
        ("*", True),
        ("msappproxy.net", False),  # a name is that name
        (".msappproxy.net", False),
        ("<local>", False),
        ("*.msappproxy.net,*.b", False),  # a comma separates nothing here
        ("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*!", False),
    ],
)
def test_a_list_of_winhttp_holds_names_with_stars(bypass: str, direct: bool) -> None:
    assert bypasses(X, bypass, "WinHTTP") is direct


@pytest.mark.parametrize(
    ("bypass", "direct"),
    [
        ("*", True),
        ("localhost, .msappproxy.net", True),
        ("msappproxy.net", True),
        ("*.msappproxy.net", True),
        ("MSAPPPROXY.NET.", True),
        ("msappproxy.net:443", True),
        ("msappproxy.net:80", False),
        ("appproxy.net", False),  # at a dot only
        ("x", False),
        ("x.*", False),  # a star inside is read by none of them
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_no_proxy_holds_domains(bypass: str, direct: bool) -> None:
    assert bypasses(X, bypass, "environment HTTPS_PROXY") is direct


@pytest.mark.parametrize(
    ("host", "bypass", "direct"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("2001:db8::1", "[2001:db8::]/32", False),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "[2001:db8::1]:443", True),
    ],
)
def test_no_proxy_holds_networks_for_addresses(host: str, bypass: str, direct: bool) -> None:
    assert bypasses(host, bypass, "environment ALL_PROXY") is direct


def test_a_list_without_a_source_shows_whether_it_holds_expressions() -> None:
    assert bypasses(X, r"<local>;.*\.msappproxy\.net$")
    assert not bypasses(X, r"<local>;.*\.msappproxy\.com$")
    assert bypasses(X, ".*msappproxy.net")
    assert bypasses(X, "localhost, msappproxy.net")
    assert bypasses(X, "<local>;x.*")
    assert not bypasses(X, "<local>;y.*")
    assert not bypasses(X, "bootstrap")
    assert bypasses(X, Expressions("bootstrap"))


def verdict(port: int = 443, check: Check = "tcp", cause: str = "tcp.timeout") -> Verdict:
    host = X if port == 443 else CRL_HOST
    return Verdict(
        "r", "t", Endpoint(host, port), check, Status.FAIL, causes.from_word(cause), "no answer", "Allow it"
    )


LIST = verdict(80, "crl", "crl.unreachable")


@pytest.mark.parametrize(
    ("proxy", "secure", "plain"),
    [
        (OWN, True, False),
        (MACHINE, True, False),
        (ProxySetting("updater exe.config", "http://p:1"), False, False),
        (WINHTTP, True, True),
        (ProxySetting("WinHTTP", "https=p:1"), True, False),
        (ProxySetting("WinHTTP", "http=p:1"), False, True),
        (ProxySetting("WinHTTP", "ftp=p:2;http=http://p:1 https=p:1"), True, True),
        (ProxySetting("WinHTTP", "socks=p:1"), False, False),
        (ProxySetting("WinHTTP", "", automatic="WPAD"), True, True),
        (SHELL, True, False),
        (ProxySetting("environment http_proxy", "http://p:1"), False, True),
    ],
)
def test_whom_a_setting_serves(proxy: ProxySetting, secure: bool, plain: bool) -> None:
    assert applies_to(proxy, verdict()) is secure
    assert applies_to(proxy, LIST) is plain


@pytest.mark.parametrize(
    ("proxies", "cause"),
    [
        ((OWN,), "proxy.not-tested"),
        (
            (WINHTTP, NO_PROXY),
            "tcp.timeout",
        ),  # the connector's own file says "no proxy", whatever WinHTTP says
        ((SHELL, NO_PROXY), "tcp.timeout"),
        ((WINHTTP, replace(OWN, bypass=r"\.msappproxy\.net$")), "tcp.timeout"),
        ((replace(WINHTTP, bypass="*"), OWN), "proxy.not-tested"),  # a list of another program's
        ((WINHTTP, replace(MACHINE, bypass="<local>")), "proxy.not-tested"),
        ((WPAD,), "proxy.not-tested"),
        ((replace(OWN, bypass="(?=x)"),), "proxy.not-tested"),
        ((ProxySetting("connector exe.config", "", faults=("x cannot be read",)),), "proxy.not-tested"),
        ((), "tcp.timeout"),
    ],
)
def test_the_setting_that_counts(proxies: tuple[ProxySetting, ...], cause: str) -> None:
    assert adjust_for_proxies(verdict(), proxies).cause.word == cause


@pytest.mark.parametrize("source", ["", "connector exe.config", "WinHTTP", "environment no_proxy"])
@pytest.mark.parametrize("port", ["\u00b2", "\u0663", "5" * 5000, "-1", "443x", "1_0", " 443", ""])
def test_what_is_no_port_passes_nothing_and_ends_nothing(source: str, port: str) -> None:
    assert bypasses("x", f"localhost,y:{port}", source) is False
    assert bypasses("x", f"[::1]:{port}", source) is False


def test_an_automatic_proxy_asks_for_nothing_and_promises_nothing() -> None:
    found = adjust_for_proxies(verdict(), (WPAD,))
    assert found.status is Status.INCONCLUSIVE
    assert "connector exe.config: WPAD" in found.summary
    assert "nothing needs to be opened" not in found.remedy
    assert "the direct way is used and has to be open" in found.remedy


def test_an_expression_that_is_not_read_is_told() -> None:
    proxy = replace(OWN, bypass=r"(?=x);a\.b")
    assert len(unreadable_expressions(proxy)) == 1
    assert "(?=x)" in dict(adjust_for_proxies(verdict(), (proxy,)).details)["proxy setting"]
    assert unreadable_expressions(replace(WINHTTP, bypass="(?=x)")) == ()
    assert expression_fault(r"a\.b") == ""
    assert ".NET refuses" in expression_fault("*.x")


def blocked(*proxies: ProxySetting, os: str = "Windows-10-10.0.20348-SP0") -> Report:
    """Port 80 of the list's host is dropped, and so is bootstrap."""
    world = healthy(facts=replace(HOST, os=os, proxies=proxies))
    closed = Failure(Stage.TCP, Code.TIMEOUT)
    return judged(
        world.when(HttpFetch, closed, host=CRL_HOST).when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
    )


def of_list(report: Report) -> set[tuple[Status, str]]:
    return {
        (v.status, v.cause.word)
        for v in report.verdicts
        if v.endpoint and v.endpoint.host == CRL_HOST and v.status is not Status.PASS
    }


def remedies(report: Report) -> str:
    return "\n".join(v.remedy for v in report.verdicts if v.endpoint and v.endpoint.host == CRL_HOST)


@pytest.mark.parametrize("own", [OWN, MACHINE, WPAD])
def test_certificate_checks_do_not_go_by_the_connector_s_own_proxy(own: ProxySetting) -> None:
    report = blocked(own)
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tcp")} == {"proxy.not-tested"}
    assert all(status in (Status.FAIL, Status.WARN) for status, _ in of_list(report)), of_list(report)
    assert "netsh winhttp set proxy" in remedies(report)
    assert own.source in remedies(report)
    assert "nothing needs to be opened" not in remedies(report)


def test_certificate_checks_go_by_winhttp() -> None:
    report = blocked(OWN, WINHTTP)
    assert {cause for _, cause in of_list(report)} == {"proxy.not-tested"}
    assert "netsh" not in remedies(report)
    assert {cause for _, cause in of_list(blocked(replace(WINHTTP, bypass=CRL_HOST)))} != {"proxy.not-tested"}


def test_what_needs_different_acts_stays_apart() -> None:
    report = blocked(WPAD, WINHTTP)
    told = [c.remedy for c in report.causes if c.cause.word == "proxy.not-tested"]
    assert sorted(words.partition(" ")[0] for words in told) == ["Find", "Test"]
    assert remedy(causes.PROXY_NOT_TESTED, "certificate-check") in told


def test_without_a_proxy_of_its_own_nobody_is_sent_to_winhttp() -> None:
    for report in (blocked(), blocked(NO_PROXY)):
        assert {v.cause.word for v in rows(report, BOOTSTRAP, "tcp")} == {"tcp.timeout"}
        assert "netsh" not in remedies(report)
        assert report.answer is Answer.NO


def test_the_environment_is_nothing_to_a_windows_service() -> None:
    assert {v.cause.word for v in rows(blocked(SHELL), BOOTSTRAP, "tcp")} == {"tcp.timeout"}
    assert {v.cause.word for v in rows(blocked(SHELL, os="Debian"), BOOTSTRAP, "tcp")} == {"proxy.not-tested"}


@pytest.mark.parametrize(
    "proxies", [(OWN,), (WPAD,), (NO_PROXY,), (WINHTTP, OWN, SHELL), (replace(OWN, faults=("x",)),)]
)
def test_what_passes_on_the_direct_way_passes_whatever_is_set(proxies: tuple[ProxySetting, ...]) -> None:
    assert judged(healthy(facts=replace(HOST, proxies=proxies))).answer is Answer.YES


@pytest.mark.parametrize("cause", ["tls.revoked", "crl.revoked", "ocsp.revoked"])
@pytest.mark.parametrize("proxy", [OWN, WINHTTP, WPAD, SHELL])
def test_a_revocation_that_a_ca_signed_holds_whichever_way_it_came(cause: str, proxy: ProxySetting) -> None:
    found = replace(verdict(), cause=causes.from_word(cause))
    assert adjust_for_proxies(found, (proxy,)) == found


def test_who_goes_by_what() -> None:
    assert followed_sources((SHELL,)) == ("", "")
    assert followed_sources((WINHTTP, OWN)) == ("connector exe.config", "WinHTTP")
    assert followed_sources((MACHINE,)) == ("machine.config", "")
    assert followed_sources((WINHTTP,)) == ("WinHTTP", "WinHTTP")

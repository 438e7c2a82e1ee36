"""What is positive evidence of a device on the way, and what origins and their CDNs write as well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer import marks
from rules.http_answer.marks import no_origin_gives, signed_by_cdn
from rules.http_answer.text import SNIFFED, body_text

Headers = tuple[tuple[str, str], ...]
Strings = tuple[str, ...]
AZURE = (
    b"HTTP request from 10.1.0.4:51000 to x:80. Action: Deny. Reason: No rule matched. "
    b"Proceeding with default action."
)


def refusal_evidence(status: int, headers: Headers, body: bytes, host: str = "crl.contoso.example") -> str:
    return marks.refusal_evidence(status, headers, body_text(headers, body), host)


def page_evidence(headers: Headers, body: bytes) -> str:
    return marks.page_evidence(headers, body_text(headers, body))


def product(headers: Headers, body: bytes) -> tuple[str, Strings]:
    return marks.product(headers, body_text(headers, body))


@pytest.mark.parametrize("status", [470, 427, 432, 450, 590, 599, 600, 999])
def test_statuses_that_no_origin_gives(status: int) -> None:
    assert no_origin_gives(status)
    assert str(status) in refusal_evidence(status, (), b"")


@pytest.mark.parametrize(
    "status",
    [None, 100, 200, 299, 310, 400, 404, 418, 431, 451, 460, 499, 503, 511, 520, 526, 530, 561],
)
def test_statuses_that_an_origin_or_its_front_end_gives(status: int | None) -> None:
    assert not no_origin_gives(status)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), AZURE),
        ((), b"<title>Web Page Blocked</title>"),
        ((), b"<title>Internet Security by Zscaler</title>"),
        ((), b"<title>Umbrella</title>"),  # a word of the language, and the whole title
        ((), b"<title>Sophos UTM</title><p>Your company has blocked this download.</p>"),
        ((), b"<title>x</title><p>FortiGuard Intrusion Prevention. Access blocked</p>"),
        ((), b"<p>Generated Mon by gw.corp.example (squid/5.7)</p>"),
        ((("server", "squid/5.7"),), b"<p>Generated Mon by gw.corp.example (squid/5.7)</p>"),
        ((), b"<p>This site was blocked by your\n network</p>"),
        ((), b"<p>The download was stopped by Sophos.</p>"),
        ((("server", "Zscaler/6.2"),), b""),
        ((("server", "mitmproxy 10.1.1"),), b""),
        ((("server", "Barracuda Web Security Gateway"),), b""),
        ((("x-squid-error", "ERR_DNS_FAIL 0"),), b""),
        ((("x-bluecoat-via", "a1b2c3d4"),), b""),
        ((("x-zscaler-reason", "4"),), b""),
        ((("x-blocked-by", "Netskope"),), b""),
        ((("proxy-agent", "Skyhigh Web Gateway"),), b""),
        ((("proxy-authenticate", 'Basic realm="internet"'),), b""),  # RFC 9110 section 11.7.1: proxies alone
        ((("proxy-status", "zscaler; error=http_request_denied"),), b""),
        ((("proxy-status", 'cdn; received-status=502, "Forcepoint"; error=http_request_denied'),), b""),
        ((("www-authenticate", 'Basic realm="Zscaler"'),), b""),
        ((("www-authenticate", 'Negotiate, Basic charset="UTF-8", realm=iboss'),), b""),
        ((("cf-ray", "1"), ("server", "cloudflare")), b"<title>Cloudflare Gateway</title>"),
    ],
)
def test_marks_of_products_in_customers_networks(headers: Headers, body: bytes) -> None:
    assert refusal_evidence(503, headers, body)


@pytest.mark.parametrize("status", [403, 404, 503])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), b""),
        ((), b"<title>503 Service Unavailable</title>"),
        ((), b"<p>We check point 3 of the palo alto agreement under an umbrella</p>"),
        ((), b"<p>The road is blocked</p>"),
        ((("via", "1.1 gw (squid/5.7), 1.1 zscaler"),), b""),
        ((("x-cache", "MISS from squid.corp"), ("x-cache-lookup", "MISS from squid.corp:3128")), b""),
        ((("set-cookie", "BNI__BARRACUDA_LB_COOKIE=1"),), b""),
        ((("server", "AkamaiGHost"),), b"<title>Request blocked</title>"),
        ((("cf-ray", "1"),), b"<title>Attention! You have been blocked</title> page blocked"),
        ((("x-azure-ref", "0a"),), b"<title>The request is blocked.</title>"),
        # a product that is mentioned
        ((), b"<title>404</title><p>Not found.</p><footer>Trusted by Trend Micro, Fortinet</footer>"),
        ((), b"<title>Denied</title><p>Access denied. Trusted by Fortinet.</p>"),
        ((), b"<p>This page is blocked. Trusted by Trend Micro, Fortinet</p>"),
        ((), b"<p>Blocked?</p>" + b"<p>word</p>" * 100 + b"<p>We sell Fortinet</p>"),
        ((("server", "AkamaiGHost"),), b"<p>Access blocked, see also forcepoint</p>"),
        ((), b"<p>Browse our web filter offers. Access denied.</p><p>http://zscaler.example/ blocked</p>"),
        ((), b"<title>Palo Alto office: page not found</title>"),
        # a part of a word, and words of the language, in free headers
        ((("x-served-from", "umbrella-prod-3"),), b""),
        ((("x-pool", "kerio"),), b""),
        ((("x-backend", "squidward"),), b""),
        ((("x-node", "barracuda7"),), b""),
        ((("x-node", "zscaler-7"), ("x-cluster", "fortinet3")), b""),
        ((("x-umbrella-pool", "3"), ("x-meraki", "a")), b""),
        ((("server", "umbrella-prod-3"),), b""),
        ((("server", "squid/5.7"),), b""),  # Squid stands before origins as well
        ((("proxy-status", "squid; error=connection_refused"),), b""),
        ((("proxy-status", "edge-1; received-status=503"),), b""),
        ((("proxy-status", 'zscaler; received-status=503; details="passed on"'),), b""),
        ((("proxy-status", 'edge-1; error=dns_error; details="zscaler"'),), b""),
        ((("www-authenticate", 'Basic realm="Umbrella sales", title="Zscaler"'),), b""),
        # a site's own firewall
        ((), b"<p>You were blocked by the firewall of this site.</p>"),
        ((), b"<p>The owner of this website has banned you. Your address is blocked by admin.</p>"),
        ((), b"<title>You have been blocked</title><p>This website is using a security service.</p>"),
        ((), b"<p>Access blocked by Wordfence. Page blocked.</p>"),
        ((), b"<p>Blocked by ModSecurity, a web application firewall. Site blocked.</p>"),
        ((), b"<title>Sucuri WebSite Firewall - Access blocked</title>"),
        # what origins say of their administrators
        ((), b"<p>Access is denied. Contact your administrator.</p>"),
        ((), b"<p>You are not authorized. If the problem persists, contact your network administrator.</p>"),
        ((), b"<p>Cookies are blocked by your browser.</p>"),
        ((), b"<p>See your organization's privacy policy.</p>"),
    ],
)
def test_what_errors_of_origins_bear_as_well(headers: Headers, body: bytes, status: int) -> None:
    assert refusal_evidence(status, headers, body) == ""


def test_a_451_that_names_who_blocks() -> None:
    link = (("link", '<https://filter.example/>; rel="blocked-by"'),)
    assert "https://filter.example/" in refusal_evidence(451, link, b"")
    assert refusal_evidence(451, (), b"") == ""
    assert refusal_evidence(451, (("link", '<https://www.contoso.example/>; rel="blocked-by"'),), b"") == ""
    assert refusal_evidence(403, link, b"") == ""  # the relation is of 451 alone
    assert refusal_evidence(451, (*link, ("cf-ray", "1")), b"") == ""  # the host's own CDN blocks


def test_a_page_with_200_is_told_by_its_headers_and_its_title_alone() -> None:
    assert page_evidence((), b"<title>Web filter: blocked</title>") == "its title"
    assert page_evidence((("server", "FortiGate"),), b"") == "the header server: FortiGate"
    assert page_evidence((), b"<title>Home</title><p>Protected by FortiGuard</p>") == ""
    assert (
        page_evidence((("proxy-status", "zscaler"),), b"<title>Home</title>") == ""
    )  # it handed the page on
    assert page_evidence((("x-pool", "kerio"), ("server", "squid/5.7")), b"<title>Home</title>") == ""
    assert page_evidence((("via", "1.1 squid"),), b"<title>Home</title>") == ""


def test_a_product_is_a_label_wherever_it_stands() -> None:
    assert product((("via", "1.1 gw (squid/5.7)"),), b"") == ("Squid", ("via: 1.1 gw (squid/5.7)",))
    assert product((), AZURE) == ("Azure Firewall", ())
    assert product((), b"<p>Umbrella</p>") == ("Cisco Umbrella", ())
    assert product((), b"") == ("", ())
    assert product((("x-node", "barracuda7"),), b"<p>squidward</p>") == ("", ())
    sent = (("location", "http://gw.zscaler.net/"),)
    assert product(sent, b"") == ("Zscaler", ("location: http://gw.zscaler.net/",))


def test_cdns_sign_what_they_refuse() -> None:
    assert signed_by_cdn((("x-amz-cf-id", "a"),))
    assert signed_by_cdn((("server", "ECAcc (frc/8E8B)"),))
    assert not signed_by_cdn((("server", "nginx"), ("via", "1.1 varnish")))


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<!--", b"<script", b"<title", b"<title>", b"action: deny ", b"generated ", b"<a ", b"\xff"],
)
def test_a_page_of_any_shape_is_no_evidence(piece: bytes) -> None:
    body = piece * (2 * SNIFFED // len(piece))
    assert refusal_evidence(503, (), body) == ""


@given(st.integers(100, 999), st.binary(max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_whatever_comes_has_a_word(status: int, body: bytes, name: str, value: str) -> None:
    assert refusal_evidence(status, ((name, value),), body).isprintable()

"""What is positive evidence of a device on the way, and what origins and their CDNs write as well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import page_marks
from rules.page_marks import no_origin_gives, of_cdn
from rules.page_text import SNIFFED, readable

Headers = tuple[tuple[str, str], ...]
Strings = tuple[str, ...]
AZURE = (
    b"HTTP request from 10.1.0.4:51000 to x:80. Action: Deny. Reason: No rule matched. "
    b"Proceeding with default action."
)


def refusal_evidence(status: int, headers: Headers, body: bytes, host: str = "crl.contoso.example") -> str:
    return page_marks.refusal_evidence(status, headers, readable(headers, body), host)


def page_evidence(headers: Headers, body: bytes) -> str:
    return page_marks.page_evidence(headers, readable(headers, body))


def product(headers: Headers, body: bytes) -> tuple[str, Strings]:
    return page_marks.product(headers, readable(headers, body))


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
        ((), b"<title>Umbrella</title>"),  # a word of the language, but in a title
        ((), b"<title>x</title><p>FortiGuard Intrusion Prevention</p>"),
        ((), b"<p>Generated Mon by gw.corp.example (squid/5.7)</p>"),
        ((), b"<p>This site was blocked by your\n network</p>"),
        ((("server", "Zscaler/6.2"),), b""),
        ((("server", "squid/5.7"),), b""),
        ((("server", "mitmproxy 10.1.1"),), b""),
        ((("x-squid-error", "ERR_DNS_FAIL 0"),), b""),
        ((("proxy-agent", "Skyhigh Web Gateway"),), b""),
        ((("cf-ray", "1"), ("server", "cloudflare")), b"<title>Cloudflare Gateway</title>"),
    ],
)
def test_marks_of_products_in_customers_networks(headers: Headers, body: bytes) -> None:
    assert refusal_evidence(503, headers, body)


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
    ],
)
def test_what_errors_of_origins_bear_as_well(headers: Headers, body: bytes) -> None:
    assert refusal_evidence(503, headers, body) == ""


def test_a_page_with_200_is_told_by_its_headers_and_its_title_alone() -> None:
    assert page_evidence((), b"<title>Web filter: blocked</title>") == "its title"
    assert page_evidence((("server", "FortiGate"),), b"") == "the header server: FortiGate"
    assert page_evidence((), b"<title>Home</title><p>Protected by FortiGuard</p>") == ""
    assert page_evidence((("via", "1.1 squid"),), b"<title>Home</title>") == ""


def test_a_product_is_a_label_wherever_it_stands() -> None:
    assert product((("via", "1.1 gw (squid/5.7)"),), b"") == ("Squid", ("via: 1.1 gw (squid/5.7)",))
    assert product((), AZURE) == ("Azure Firewall", ())
    assert product((), b"<p>Umbrella</p>") == ("Cisco Umbrella", ())
    assert product((), b"") == ("", ())


def test_cdns_sign_what_they_refuse() -> None:
    assert of_cdn((("x-amz-cf-id", "a"),))
    assert of_cdn((("server", "ECAcc (frc/8E8B)"),))
    assert not of_cdn((("server", "nginx"), ("via", "1.1 varnish")))


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<!--", b"<script", b"<title", b"<title>", b"action: deny ", b"generated ", b"<a ", b"\xff"],
)
def test_a_page_of_any_shape_is_no_evidence(piece: bytes) -> None:
    body = piece * (2 * SNIFFED // len(piece))
    assert refusal_evidence(503, (), body) == ""


@given(st.integers(100, 999), st.binary(max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_g1_whatever_comes_has_a_word(status: int, body: bytes, name: str, value: str) -> None:
    assert refusal_evidence(status, ((name, value),), body).isprintable()

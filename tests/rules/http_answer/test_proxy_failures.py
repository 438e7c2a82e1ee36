"""What a proxy on the way says of its own failures, and what of its rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.proxy_failures import could_not_fetch
from rules.http_answer.text import SNIFFED


@pytest.mark.parametrize(
    "code",
    [
        "ERR_CONNECT_FAIL 110",
        "ERR_DNS_FAIL 0",
        "ERR_READ_TIMEOUT 0",
        "ERR_ZERO_SIZE_OBJECT",
        "ERR_CANNOT_FORWARD 0",
        "ERR_LIFETIME_EXP",
    ],
)
def test_failures_of_squid(code: str) -> None:
    assert could_not_fetch(503, (("x-squid-error", code),), "")


@pytest.mark.parametrize(
    "code", ["ERR_ACCESS_DENIED 0", "ERR_CACHE_ACCESS_DENIED 0", "ERR_TOO_BIG 0", "ERR_OURS", "403", ""]
)
def test_rules_of_squid(code: str) -> None:
    said = "<p>The system returned: (110) Connection timed out"  # its own header tells better
    assert not could_not_fetch(503, (("x-squid-error", code),), said)


@pytest.mark.parametrize(
    "error", ["dns_timeout", "destination_unavailable", "connection_refused", "proxy_loop_detected"]
)
def test_failures_of_an_intermediary(error: str) -> None:
    assert could_not_fetch(502, (("proxy-status", f"gw; error={error}"),), "")
    assert not could_not_fetch(502, (("proxy-status", "gw; error=http_request_denied"),), "")


@pytest.mark.parametrize(
    "said",
    [
        "Host Not Found. Your requested host could not be resolved by DNS.",
        "The proxy could not connect to the host.",
        "Connection to 192.0.2.7 failed.",
        "The system returned: (111) Connection refused",
        "Unable to determine IP address from host name crl.contoso.example",
        "Zero Sized Reply",
        "The host did not respond.",
    ],
)
def test_words_of_a_failure(said: str) -> None:
    text = f"<html><title>Notification</title><p>{said}"
    assert could_not_fetch(502, (), text)
    for other in (200, 403, 470):
        assert not could_not_fetch(other, (), text)
    assert not could_not_fetch(502, (), f"{text}<p>Your organization has blocked this category.")
    assert not could_not_fetch(502, (), f"<title>Web page blocked</title>{said}")


@pytest.mark.parametrize("said", ["", "Access denied", "Bad gateway", "The service is busy"])
def test_words_of_no_failure(said: str) -> None:
    assert not could_not_fetch(503, (), said)


@given(st.integers(100, 999), st.text(max_size=200), st.sampled_from(["x-squid-error", "proxy-status"]))
def test_whatever_comes_has_an_answer(status: int, text: str, name: str) -> None:
    assert could_not_fetch(status, ((name, text),), text) in (True, False)


@pytest.mark.parametrize("piece", ["connection to ", "; error = ", "cannot ", "dns "])
def test_a_page_of_any_shape_is_no_failure(piece: str) -> None:
    text = piece * (SNIFFED // len(piece))
    assert not could_not_fetch(503, (("proxy-status", text),), text)

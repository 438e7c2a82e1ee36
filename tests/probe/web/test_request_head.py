"""How strictly the head of a request is read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.web.messages import HttpLimits, Refusal
from probe.web.request_head import head_end

LIMITS = HttpLimits()
GOOD = b"GET /metrics?a=1 HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n\r\n"


def status(data: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        head_end(bytearray(data), LIMITS)
    return caught.value.status


def test_a_head_is_found_when_it_is_complete_and_not_before() -> None:
    for length in range(len(GOOD)):
        assert head_end(bytearray(GOOD[:length]), LIMITS) == 0
    assert head_end(bytearray(GOOD + b"GET / HT"), LIMITS) == len(GOOD)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /\r\n", 400),  # HTTP/0.9
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),  # bare LF
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),  # bare CR
        (b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400),  # obsolete folding
        (b"GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET / a HTTP/1.1\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\n\r\n", 400),
        (b"GET http://localhost/ HTTP/1.1\r\n\r\n", 400),  # this is no proxy
        (b"GET x:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT x:443 HTTP/1.1\r\n\r\n", 405),
        (b"BREW / HTTP/1.1\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # a ClientHello
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * 1_000_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 65536, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 65536 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, expected: int) -> None:
    assert status(data) == expected


def test_the_longest_that_passes() -> None:
    url = b"/" + b"a" * (LIMITS.url_bytes - 1)
    assert head_end(bytearray(b"GET " + url + b" HTTP/1.1\r\n\r\n"), LIMITS)
    head = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n"
    assert head_end(bytearray(head), LIMITS) == len(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_incomplete_or_a_head(data: bytes) -> None:
    buffer = bytearray(data)
    with contextlib.suppress(Refusal):  # nothing else may come
        end = head_end(buffer, LIMITS)
        assert end == 0 or data[:end].endswith(b"\r\n\r\n")

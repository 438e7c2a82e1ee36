"""One answer, within its caps, from whatever bytes a peer sends."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.measure.http_client import EVIDENCE, USER_AGENT, ResponseReader, request
from probe.measure.limits import Limits
from rules.model.failure import Code, Failure, Stage

OK = b"HTTP/1.1 200 OK\r\n"


def read(*pieces: bytes, cap: int = 65536, fin: bool = True, head_only: bool = False) -> ResponseReader:
    reader = ResponseReader(Limits(), cap, head_only)
    for piece in (*pieces, b"") if fin else pieces:
        if not reader.done:
            reader.feed(piece)
    return reader


def code(reader: ResponseReader) -> Code | None:
    assert reader.done
    if reader.failure is not None:
        assert reader.failure.stage is Stage.HTTP
    return reader.failure.code if reader.failure is not None else None


def test_a_get_as_it_goes_out() -> None:
    assert request("crl.example.test", 80, "/a%20b.crl?x=1", 80) == (
        b"GET /a%20b.crl?x=1 HTTP/1.1\r\nHost: crl.example.test\r\nUser-Agent: "
        + USER_AGENT.encode()
        + b"\r\n"
        b"Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    assert USER_AGENT.startswith("wayclear/")


def test_another_port_and_a_literal_address_are_in_the_host_header() -> None:
    sent = request("2001:db8::1", 8443, "/", 443)
    assert isinstance(sent, bytes)
    assert b"Host: [2001:db8::1]:8443\r\n" in sent


def test_an_ocsp_post_as_it_goes_out() -> None:
    sent = request("ocsp.example.test", 80, "/", 80, b"\x30\x00")
    assert isinstance(sent, bytes)
    assert sent.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Type: application/ocsp-request\r\nContent-Length: 2\r\n" in sent
    assert sent.endswith(b"\r\n\r\n\x30\x00")
    assert b"Accept-Encoding: identity\r\n" in sent


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("x.test", "/a b"),
        ("x.test", "/a\r\nHost: y.test"),
        ("x.test\r\nX: y", "/"),
        ("x.test", "/\u00e4"),
        ("x.test", "/\x00"),
    ],
)
def test_an_address_with_line_ends_or_spaces_is_never_sent(host: str, target: str) -> None:
    failure = request(host, 80, target, 80)
    assert isinstance(failure, Failure)
    assert failure.code is Code.MALFORMED
    assert "\r" not in failure.detail


def test_a_whole_answer() -> None:
    reader = read(
        OK + b"Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: \xe9\r\n\r\nhel",
        b"lo",
    )
    assert code(reader) is None
    assert (reader.status, reader.reason, bytes(reader.body)) == (200, "OK", b"hello")
    assert reader.headers == (
        ("date", "Mon, 23 Nov 2026 06:00:00 GMT"), ("content-length", "5"), ("x-a", "1"), ("x-a", "\u00e9"),
    )  # fmt: skip
    assert reader.sha256 == hashlib.sha256(b"hello").hexdigest()


def test_byte_by_byte_is_the_same_answer() -> None:
    whole = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
    reader = read(*(whole[i : i + 1] for i in range(len(whole))))
    assert code(reader) is None
    assert bytes(reader.body) == b"abcde"


def test_no_length_ends_with_the_connection() -> None:
    reader = read(OK + b"\r\nhello", b" there")
    assert (code(reader), bytes(reader.body)) == (None, b"hello there")


def test_head_only_is_done_at_the_headers() -> None:
    reader = read(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n", fin=False, head_only=True)
    assert (code(reader), reader.status) == (None, 403)


def test_the_cap_is_exact_and_what_came_is_kept() -> None:
    assert code(read(OK + b"\r\n" + bytes(100), cap=100)) is None
    reader = read(OK + b"\r\n" + bytes(60), bytes(41), cap=100, fin=False)
    assert code(reader) is Code.TOO_LARGE
    assert bytes(reader.body) == bytes(100)
    assert reader.sha256 == hashlib.sha256(bytes(100)).hexdigest()
    assert reader.status == 200


def test_content_length_that_promises_more_is_a_fin_too_early() -> None:
    reader = read(OK + b"Content-Length: 10\r\n\r\nhello")
    assert (code(reader), reader.status, bytes(reader.body)) == (Code.EOF, 200, b"hello")


def test_content_length_that_promises_less_ends_the_body_there() -> None:
    reader = read(OK + b"Content-Length: 3\r\n\r\nhello")
    assert (code(reader), bytes(reader.body)) == (None, b"hel")


@pytest.mark.parametrize("length", [b"-1", b"1, 2", b"0x10", b"99999999999999999999999999", b"abc"])
def test_a_content_length_that_is_none_is_malformed(length: bytes) -> None:
    reader = read(OK + b"Content-Length: " + length + b"\r\n\r\nhello")
    assert code(reader) is Code.MALFORMED


def test_too_many_headers_and_too_long_ones() -> None:
    many = read(OK + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n", fin=False)
    assert (code(many), many.status, len(many.headers)) == (Code.TOO_LARGE, 200, 100)
    endless = read(OK, *(b"X-%d: y\r\n" % n for n in range(200_000)), fin=False)
    assert code(endless) is Code.TOO_LARGE
    long_line = read(OK + b"X: ", *(bytes([0x61]) * 16384 for _ in range(3200)), fin=False)
    assert code(long_line) is Code.TOO_LARGE
    at_once = read(OK + b"X: " + b"a" * 20_000 + b"\r\n\r\n", fin=False)
    assert code(at_once) is Code.TOO_LARGE


def test_interim_answers_end_at_five() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert code(read(interim * 5 + OK + b"Content-Length: 0\r\n\r\n")) is None
    assert code(read(interim * 6, fin=False)) is Code.MALFORMED
    assert code(read(interim * 100_000, fin=False)) is Code.TOO_LARGE


def test_an_unasked_change_of_protocol_is_malformed() -> None:
    reader = read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc", fin=False)
    assert code(reader) is Code.MALFORMED
    assert reader.failure is not None
    assert reader.failure.detail


def test_http_0_9_and_other_rubbish_is_malformed_with_its_first_bytes() -> None:
    page = b"<html>blocked</html>" * 400
    reader = read(page, fin=False)
    assert code(reader) is Code.MALFORMED
    assert bytes(reader.body) == page[:EVIDENCE]
    assert reader.status is None
    assert code(read(b"HTTP/1.1 abc\r\n\r\n", fin=False)) is Code.MALFORMED


def test_a_fin_before_any_byte_and_inside_the_headers() -> None:
    assert code(read()) is Code.EOF
    reader = read(b"HTTP/1.1 200")
    assert (code(reader), bytes(reader.body)) == (Code.EOF, b"HTTP/1.1 200")


def test_an_encoded_body_is_kept_as_it_is() -> None:
    reader = read(OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")
    assert (code(reader), bytes(reader.body)) == (None, b"\x1f\x8b\x08")


def test_a_flood_of_tiny_chunks_costs_no_more_than_a_thousand() -> None:
    chunks = b"1\r\na\r\n" * 10_000
    reader = read(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunks, fin=False, cap=2**25)
    assert code(reader) is Code.MALFORMED
    assert len(reader.body) < 1_100


def test_chunk_extensions_count_although_they_are_no_body() -> None:
    chunk = b"40;" + b"x" * 15_000 + b"\r\n" + bytes(64) + b"\r\n"
    reader = read(OK + b"Transfer-Encoding: chunked\r\n\r\n", *([chunk] * 1000), fin=False)
    assert code(reader) in (Code.TOO_LARGE, Code.MALFORMED)


def test_giving_up_keeps_what_came() -> None:
    reader = read(OK + b"Content-Length: 10\r\n\r\nhello", fin=False)
    reader.give_up(Failure(Stage.HTTP, Code.TIMEOUT))
    assert (code(reader), bytes(reader.body)) == (Code.TIMEOUT, b"hello")


@given(st.lists(st.binary(max_size=64), max_size=8), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], as_http: bool) -> None:
    reader = read(*([OK] if as_http else []), *(p for p in pieces if p))
    assert reader.done


@given(
    st.lists(
        st.sampled_from(
            [OK, b"\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n",
             b"HTTP/1.1 100 Continue\r\n\r\n", b"hello", b"HTTP/1.0 204 No\r\n", b"\x00\xff", b" folded\r\n"]
        ),
        max_size=12,
    )
)  # fmt: skip
def test_no_order_of_well_known_pieces_raises(pieces: list[bytes]) -> None:
    reader = read(*pieces, cap=16)
    assert reader.done
    assert len(reader.body) <= 16


def test_folded_headers_and_trailers_are_read_within_the_same_caps() -> None:
    reader = read(OK + b"X-A: one\r\n two\r\n\tthree\r\nContent-Length: 1\r\n\r\nx")
    assert (code(reader), dict(reader.headers)["x-a"]) == (None, "one two three")
    folded = OK + b"X-A: 1\r\n" + b" folded\r\n" * 3000
    assert code(read(folded + b"\r\n")) is Code.TOO_LARGE
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    reader = read(chunked + b"X-Sum: 1\r\n\r\n")
    assert (code(reader), bytes(reader.body)) == (None, b"x")
    assert "x-sum" not in dict(reader.headers)
    assert code(read(chunked + b"X-Sum: 1\r\n" * 3000)) is Code.TOO_LARGE


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"Content-Length: 1\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx",
        b"Content-Length: 1, 2\r\n\r\nx",
        b"Content-Length : 1\r\nContent-Length: 2\r\n\r\nxx",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"X-A: \x00\r\n\r\n",
        b"X-A\x00: 1\r\n\r\n",
    ],
)
def test_headers_that_mean_two_things_are_malformed(head: bytes) -> None:
    assert code(read(OK + head)) is Code.MALFORMED


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        (b"X-Cache : MISS", "a blank before the colon"),
        (b"some text without a colon", "a line without a colon"),
        (b"X Odd Name: 1", "a name with a blank"),
        (b": empty", "an empty name"),
        (b"Transfer-Encoding: identity", "Transfer-Encoding: identity"),
        (b"X-A: 1\r\n folded", "a folded line"),
        (b"Content-Length: 5", "Content-Length more than once"),
        (b"X-A: a\x01b", "a control character"),
    ],
)
def test_an_answer_with_an_odd_line_is_read_and_says_so(line: bytes, odd: str) -> None:
    whole = OK + line + b"\r\nContent-Length: 5\r\n\r\nhello"
    for reader in (read(whole), read(*(whole[i : i + 1] for i in range(len(whole))))):
        assert (code(reader), reader.status, bytes(reader.body)) == (None, 200, b"hello")
        assert reader.repaired == (odd,)
    assert read(OK + b"Content-Length: 5\r\n\r\nhello").repaired == ()


def test_what_is_no_answer_at_all_has_nothing_odd_about_it() -> None:
    assert read(b"HTTP/1.1 abc\nno colon\n\n").repaired == ()

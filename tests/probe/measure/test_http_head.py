"""Odd header lines: read like lenient clients read them, and never so that an answer means another thing."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.measure.http_head import MOST, HeadReader, plain_head

OK = b"HTTP/1.1 200 OK\r\n"


def through(*pieces: bytes, most: int = 16_384) -> tuple[bytes, tuple[str, ...]]:
    reader = HeadReader(most)
    given = b"".join(reader.feed(piece) for piece in (*pieces, b""))
    return given, reader.oddities


@pytest.mark.parametrize(
    ("head", "plain", "odd"),
    [
        (OK + b"\r\n", OK + b"\r\n", ()),
        (OK + b"A:1\r\n\r\n", OK + b"A: 1\r\n\r\n", ()),
        (OK + b"A \t: 1\r\n\r\n", OK + b"A: 1\r\n\r\n", ("a blank before the colon",)),
        (OK + b"words\r\nA: 1\r\n\r\n", OK + b"A: 1\r\n\r\n", ("a line without a colon",)),
        (OK + b"A B: 1\r\n\r\n", OK + b"\r\n", ("a name with a blank",)),
        (OK + b"A(B): 1\r\n\r\n", OK + b"\r\n", ("a name that is none",)),
        (OK + b" \t: 1\r\n\r\n", OK + b"\r\n", ("a folded line",)),
        (OK + b": 1\r\n\r\n", OK + b"\r\n", ("an empty name",)),
        (OK + b"A: 1\r\n\t2\r\n 3\r\n\r\n", OK + b"A: 1 2 3\r\n\r\n", ("a folded line",)),
        (OK + b"Transfer-Encoding: Identity\r\n\r\n", OK + b"\r\n", ("Transfer-Encoding: identity",)),
        (
            OK + b"Transfer-Encoding: identity, chunked\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n",
            ("Transfer-Encoding: identity",),
        ),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",) * 2 + ((),),
        (b"HTTP/1.1 200 OK\nA: 1\n\n", OK + b"A: 1\r\n\r\n", ("a line ends in LF alone",)),
        (b"HTTP/1.1  200   OK\r\n\r\n", OK + b"\r\n", ("blanks in the status line",)),
        (b"HTTP/1.0 404\r\n\r\n",) * 2 + ((),),
        (b"HTTP/1.1 200 \r\n\r\n", b"HTTP/1.1 200\r\n\r\n", ()),
        (b"ICY 200 OK\r\nA B\r\n\r\n",) * 2 + ((),),
        (b"HTTP/1.1 2000 OK\r\nA B\r\n\r\n",) * 2 + ((),),
        (OK + b"A\x00B\r\n\r\n",) * 2 + ((),),
        (OK + b"A: \x0bx\x7f\r\n\r\n", OK + b"A: x\r\n\r\n", ("a control character",)),
    ],
)
def test_what_is_read_of_a_head(head: bytes, plain: bytes, odd: tuple[str, ...]) -> None:
    assert plain_head(head) == (plain, odd)
    assert through(*(head[i : i + 1] for i in range(len(head))), b" body: x\n") == (
        plain + b" body: x\n",
        odd,
    )


def test_lengths_that_differ_are_left_for_h11_to_refuse() -> None:
    head, odd = plain_head(OK + b"Content-Length : 1\r\nContent-Length: 2\r\n\r\n")
    assert head.count(b"Content-Length: ") == 2
    assert odd == ("a blank before the colon", "Content-Length more than once")
    _, odd = plain_head(OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert odd == ("Content-Length beside Transfer-Encoding",)


def test_the_head_after_interim_answers_is_read_as_well_and_no_body_is() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nA : 1\r\n\r\n"
    given, odd = through(interim + OK + b"words\r\n\r\nbody\r\nB : 1\r\n\r\n")
    assert given == b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\n" + OK + b"\r\nbody\r\nB : 1\r\n\r\n"
    assert odd == ("a blank before the colon", "a line without a colon")
    switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\nA : 1\n\n"
    assert through(switched) == (switched, ())


def test_a_head_that_is_too_long_or_never_ends_goes_on_as_it_is() -> None:
    endless = OK + b"A : " + b"a" * 50
    reader = HeadReader(40)
    assert reader.feed(endless[:30]) == b""
    assert reader.feed(endless[30:]) == endless
    assert reader.feed(b"more") == b"more"
    assert through(endless + b"\r\n\r\n", most=40) == (endless + b"\r\n\r\n", ())
    assert through(OK + b"A : 1") == (OK + b"A : 1", ())


def test_only_a_few_oddities_are_named() -> None:
    lines = b"a b\r\n: 1\r\nA : 1\r\nA B: 1\r\nA(: 1\r\nA: \x01\r\n"
    assert len(through(OK + lines + b"\r\n")[1]) == MOST


@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans(), st.integers(1, 200))
def test_no_bytes_raise_and_how_they_are_cut_does_not_matter(
    pieces: list[bytes], http: bool, most: int
) -> None:
    whole = (OK if http else b"") + b"".join(pieces)
    assert through(*(p for p in ([OK] if http else []) + pieces if p), most=10_000) == through(
        *([whole] if whole else []), most=10_000
    )
    through(whole, most=most)


FIELD = st.tuples(
    st.from_regex(rb"[A-Za-z-]{1,8}", fullmatch=True), st.from_regex(rb"[!-~]{0,8}", fullmatch=True)
)


@given(
    st.lists(
        FIELD.filter(lambda f: f[0].lower() not in (b"content-length", b"transfer-encoding")), max_size=6
    )
)
def test_a_head_that_h11_reads_means_the_same_afterwards(fields: list[tuple[bytes, bytes]]) -> None:
    head = OK + b"".join(name + b": " + value + b"\r\n" for name, value in fields) + b"\r\n"
    plain, odd = plain_head(head)
    assert odd == ()
    assert read(plain) == read(head)


def read(head: bytes) -> list[tuple[bytes, bytes]]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "-")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(head)
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    return list(event.headers)

"""What the text of an answer is, in whichever coding it comes."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.text import (
    SENTENCE,
    SNIFFED,
    body_text,
    first_bytes,
    first_sentence,
    title,
    visible_text,
)

PAGE = "<html><title>Web Page Blocked</title><p>Caf\u00e9 \u7981\u6b62</p></html>"
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
BOMS = {
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def called(charset: str) -> tuple[tuple[str, str], ...]:
    return (("content-type", f"text/html; charset={charset}"),)


@pytest.mark.parametrize("coding", WIDE)
def test_a_wide_page_is_read_by_its_mark_its_zeros_or_its_label(coding: str) -> None:
    body = PAGE.encode(coding)
    assert body_text((), BOMS[coding] + body) == PAGE
    assert body_text((), body) == PAGE
    assert body_text((), f"\r\n {PAGE}".encode(coding)) == f"\r\n {PAGE}"
    late = f"\u7981\u6b62{PAGE}"
    assert body_text(called(f'"{coding.upper()}"'), late.encode(coding)) == late
    assert body_text(called(coding[:6]), late.encode(coding)) == late  # which end comes first, the zeros tell
    assert first_bytes((), body).startswith(b"<html>")


def test_other_pages_are_read_as_they_are() -> None:
    assert body_text((), b"\xef\xbb\xbf" + PAGE.encode()) == PAGE
    assert body_text(called("utf-16"), PAGE.encode()) == PAGE  # a label that the bytes belie
    assert body_text((), b"<p>\xff") == "<p>\\xff"
    assert body_text((), None) == ""
    assert first_bytes((), b"0\x82\x00\x01") == b"0\x82\x00\x01"
    assert first_bytes(called("utf-16"), b"0\x82\x01\x01") == b"0\x82\x01\x01"


def test_no_more_is_read_than_is_sniffed() -> None:
    assert len(body_text((), b"a" * 99_999)) == SNIFFED
    assert len(body_text((), "a".encode("utf-16-le") * 99_999)) == SNIFFED // 2
    assert body_text((), PAGE.encode("utf-16-le")[:-1]).startswith(
        "<html>"
    )  # cut in the middle of a character


def test_how_a_text_begins() -> None:
    page = "<html><style>a{}</style><script>x</script><h1>No way</h1>\n <p>here</p>"
    assert first_sentence(page) == "No way here"
    assert visible_text(page) == "No way here"
    assert len(first_sentence("word " * 1000)) <= SENTENCE + 40  # with how much was left out
    assert first_sentence(body_text((), b"\x30\x82\x00\x01")) == ""
    assert first_sentence(body_text((), b"\x1f\x8b" + bytes(range(128, 256)))) == ""
    assert first_sentence("") == ""
    assert title("<TITLE a=b> a\n b </TITLE>") == "a b"
    assert title("<title>never ends") == ""


@given(st.binary(max_size=300), st.sampled_from([*WIDE, "utf-16", "utf-8", "zip", ""]))
def test_whatever_comes_has_a_text(body: bytes, charset: str) -> None:
    for mark in (b"", *BOMS.values()):
        text = body_text(called(charset), mark + body)
        text.encode()
        assert first_sentence(text).isprintable()

"""What the text of an answer is, in whichever coding it comes."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.text import SENTENCE, SNIFFED, beginning, plain, readable, sentence, title

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
    assert readable((), BOMS[coding] + body) == PAGE
    assert readable((), body) == PAGE
    assert readable((), f"\r\n {PAGE}".encode(coding)) == f"\r\n {PAGE}"
    late = f"\u7981\u6b62{PAGE}"
    assert readable(called(f'"{coding.upper()}"'), late.encode(coding)) == late
    assert readable(called(coding[:6]), late.encode(coding)) == late  # which end comes first, the zeros tell
    assert beginning((), body).startswith(b"<html>")


def test_other_pages_are_read_as_they_are() -> None:
    assert readable((), b"\xef\xbb\xbf" + PAGE.encode()) == PAGE
    assert readable(called("utf-16"), PAGE.encode()) == PAGE  # a label that the bytes belie
    assert readable((), b"<p>\xff") == "<p>\\xff"
    assert readable((), None) == ""
    assert beginning((), b"0\x82\x00\x01") == b"0\x82\x00\x01"
    assert beginning(called("utf-16"), b"0\x82\x01\x01") == b"0\x82\x01\x01"


def test_no_more_is_read_than_is_sniffed() -> None:
    assert len(readable((), b"a" * 99_999)) == SNIFFED
    assert len(readable((), "a".encode("utf-16-le") * 99_999)) == SNIFFED // 2
    assert readable((), PAGE.encode("utf-16-le")[:-1]).startswith(
        "<html>"
    )  # cut in the middle of a character


def test_how_a_text_begins() -> None:
    page = "<html><style>a{}</style><script>x</script><h1>No way</h1>\n <p>here</p>"
    assert sentence(page) == "No way here"
    assert plain(page) == "No way here"
    assert len(sentence("word " * 1000)) <= SENTENCE + 40  # with how much was left out
    assert sentence(readable((), b"\x30\x82\x00\x01")) == ""
    assert sentence(readable((), b"\x1f\x8b" + bytes(range(128, 256)))) == ""
    assert sentence("") == ""
    assert title("<TITLE a=b> a\n b </TITLE>") == "a b"
    assert title("<title>never ends") == ""


@given(st.binary(max_size=300), st.sampled_from([*WIDE, "utf-16", "utf-8", "zip", ""]))
def test_g1_whatever_comes_has_a_text(body: bytes, charset: str) -> None:
    for mark in (b"", *BOMS.values()):
        text = readable(called(charset), mark + body)
        text.encode()
        assert sentence(text).isprintable()

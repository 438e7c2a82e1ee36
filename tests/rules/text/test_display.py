"""Whatever a peer writes, what is shown is one printable line."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text.display import SHOWN, STORED, display, stored

#: Any code points at all, lone surrogates among them.
ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=600)


def is_safe(text: str) -> bool:
    text.encode("utf-8")
    return text.isprintable() and len(text.splitlines()) <= 1


@given(ANYTHING)
def test_is_one_printable_line_that_utf8_can_hold(text: str) -> None:
    for shown in (display(text), stored(text)):
        assert is_safe(shown)
        assert is_safe(display(shown))
        json.dumps(shown, ensure_ascii=False).encode()


@given(st.binary(max_size=600))
def test_bytes_are_safe_too(data: bytes) -> None:
    assert is_safe(display(data))


@given(ANYTHING)
def test_the_length_is_bounded(text: str) -> None:
    assert len(display(text)) <= SHOWN + 48
    assert len(stored(text)) <= STORED


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=SHOWN))
def test_plain_ascii_stays_as_it_is(text: str) -> None:
    assert display(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("gro.elgoog\u202e", "gro.elgoog\\u202e"),
        ("\u2066x\u2069\u200e\u061c", "\\u2066x\\u2069\\u200e\\u061c"),
        ("micro\u200bsoft\ufeff", "micro\\u200bsoft\\ufeff"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u3164b\u2800", "a\\u3164b\\u2800"),
        ("Straße Ünïcode 微软", "Straße Ünïcode 微软"),
        ("CORP\\svc", "CORP\\svc"),
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + "\\u0301" * 2),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert display(text) == shown


def test_bytes_that_are_not_utf8_become_escapes() -> None:
    assert display(b"ok \xff\x00 \xc3\xa9") == "ok \\xff\\x00 é"


def test_the_rest_of_a_long_text_is_counted_and_hashed() -> None:
    text = "x" * 300
    shown = display(text)
    assert shown.startswith("x" * 256 + "…(+44, sha256 ")
    assert shown.endswith(hashlib.sha256(text.encode()).hexdigest()[:8] + "…)")


def test_an_escape_is_never_cut() -> None:
    shown = display("x" * 254 + "\x1b" + "y" * 10)
    assert re.fullmatch(r"x{254}…\(\+11, sha256 [0-9a-f]{8}…\)", shown)


def test_a_megabyte_of_a_name_is_cut() -> None:
    assert len(display("\u202e" * 1_000_000)) < 300

"""Globs: they match what they say, and cost no more than pattern times text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text.pattern import matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("Zscaler Inc.", " zscaler inc. ", True),
        ("Zscaler Intermediate Root CA (*", "Zscaler Intermediate Root CA (zscalertwo.net) (t) ", True),
        ("FortiGate CA", "FortiGate CA 2", False),
        ("FG??????????*", "FG6H0FTB22903890", True),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("?", "", False),
        ("[a]", "a", False),  # brackets mean themselves
        ("*.msappproxy.net", "a.b.msappproxy.net", True),
    ],
)
def test_examples(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_same_as_the_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    assert matches(pattern, text) is bool(re.fullmatch(expression, text))


def test_a_pattern_that_stalls_a_regular_expression_ends_at_once() -> None:
    assert not matches("*a" * 60 + "b", "a" * 4000)

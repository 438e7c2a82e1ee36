"""Expressions of .NET bypass lists: found as Python's own matcher finds them, and never at its price."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text.proxy_pattern import LONGEST, BadPattern, matches

HOST = "https://x.bootstrap.msappproxy.net"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r".*\.msappproxy\.net$", HOST, True),
        (r"[a-z]+\.contoso\.com$", "https://a.contoso.com", True),  # the example of Microsoft's page
        (r"[a-z]+\.contoso\.com$", "https://a.contoso.com.cpandl.com", False),
        (r"[a-z]+\.contoso\.com", "https://a.contoso.com.cpandl.com", True),
        (r"192\.168\.\d{1,3}\.\d{1,3}", "http://192.168.1.20", True),
        ("MSAPPPROXY", HOST, True),
        (r"^x\.bootstrap", HOST, False),  # the scheme comes first
        (r"^https?://x\.", HOST, True),
        (r"\.net(:443)?$", HOST, True),
        (r":8443$", f"{HOST}:8443", True),
        (r"(?:[a-z0-9-]+\.)*(?<zone>msappproxy|servicebus)\.", HOST, True),
        (r"(?i)bootstrap(?# whatever)\.", HOST, True),
        (r"\bboot\b", HOST, False),
        (r"\Ahttps\x3a//X\u002ebootstrap", HOST, True),
        (r"[^./:]{9}\.[\w-]{10}\.", HOST, True),
        ("a{,2}", "a{,2}", True),
        ("", HOST, True),
    ],
)
def test_what_is_found(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "*.msappproxy.net",
        "a**",
        "a{2}{3}",
        "(a",
        "a)",
        "[a",
        "a\\",
        "a{3,2}",
        "[b-a]",
        r"\y",
        r"[\d-z]",
        r"\x4",
    ],
)
def test_what_dotnet_refuses_as_well(pattern: str) -> None:
    with pytest.raises(BadPattern) as told:
        matches(pattern, HOST)
    assert told.value.refused


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?<!a)b",
        r"(a)\1",
        r"\p{L}",
        "(?>a)",
        "(?x) a",
        "[a-z-[aeiou]]",
        "a" * (LONGEST + 1),
        "(" * 90,
    ],
)
def test_what_is_not_read_is_said_and_not_called_wrong(pattern: str) -> None:
    with pytest.raises(BadPattern) as told:
        matches(pattern, HOST)
    assert not told.value.refused


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*!", "(.*)*" * 60 + "!", "(((a?){20}){20}){20}$", "((){2000}){2000}", "(a*)*b"],
)
def test_an_expression_that_stalls_others_ends_here(pattern: str) -> None:
    """Without a bound these take hours; that the test ends is the proof."""
    with contextlib.suppress(BadPattern):
        assert not matches(pattern, "a" * 250 + "?")


ATOMS = st.sampled_from(["a", "b", ".", r"\.", "[ab]", "[^a]", r"\d", r"\w", "^", "$", r"\b", "-", "A"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map(
            lambda p: f"({p[0]}){p[1]}"
        ),
    )


@given(st.recursive(ATOMS, combined, max_leaves=8), st.text("abA.-1", max_size=12))
def test_finds_what_python_finds(pattern: str, text: str) -> None:
    assert matches(pattern, text) is bool(re.search(pattern, text, re.IGNORECASE))


@given(st.text(max_size=60), st.text(st.characters(max_codepoint=127), max_size=60))
def test_any_text_is_read_or_refused(pattern: str, text: str) -> None:
    with contextlib.suppress(BadPattern):
        matches(pattern, text)


@given(st.text(r"ab\()[]{}|*+?^$.-0123:<=!dwb", max_size=40), st.text("ab01", max_size=20))
def test_what_is_read_as_well_by_python_means_the_same(pattern: str, text: str) -> None:
    try:
        here = matches(pattern, text)
        there = (
            bool(re.search(pattern, text, re.IGNORECASE)) if len(re.findall(r"[*+{]", pattern)) < 4 else here
        )
    except (BadPattern, re.error, OverflowError):
        return
    assert here is there

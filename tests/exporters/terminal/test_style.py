"""Layout: width, encodings, words for numbers."""

from __future__ import annotations

import pytest

from exporters.terminal.style import Style, count, encodable, say, seconds


def test_names_are_never_cut() -> None:
    name = "a" * 70 + ".example"
    assert name in "\n".join(Style(40).wrap(f"the name {name} is long", "  "))


def test_an_empty_text_is_an_empty_line() -> None:
    assert Style().wrap("", "  ") == [""]


def test_pairs_stand_in_columns() -> None:
    assert Style(40).pairs([("a", "one"), ("long", "two")], " ") == [" a     one", " long  two"]
    assert Style().pairs([], " ") == []


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("a → b… ✓", "ascii", "a -> b... ok"),
        ("a → b…", "utf-8", "a → b…"),
        ("微 →", "latin-1", "\\u5fae ->"),
        ("é →", "no-such-encoding", "\\xe9 ->"),
        ("├─ x", "cp1252", "|- x"),
    ],
)
def test_what_the_output_cannot_hold_has_a_stand_in(text: str, encoding: str, shown: str) -> None:
    assert encodable(text, encoding) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0 ms"), (0.0123, "12.3 ms"), (0.25, "0.25 s"), (41.23, "41.2 s"), (185.0, "3 min 5 s")],
)
def test_durations(value: float, shown: str) -> None:
    assert seconds(value) == shown


def test_counts() -> None:
    assert [count(1, "name"), count(2, "name"), count(0, "query", "queries")] == [
        "1 name",
        "2 names",
        "0 queries",
    ]


def test_color() -> None:
    assert Style(color=True).paint("bad", "x") == "\x1b[1;31mx\x1b[0m"
    assert Style(color=True).paint("bad", "") == ""
    assert Style().paint("bad", "x") == "x"


def test_say_quotes_peers_safely() -> None:
    assert say("it says \x1b") == "it says \\x1b"

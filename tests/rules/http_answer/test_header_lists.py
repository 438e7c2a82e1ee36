"""Members of header lines: parted where a reader of the RFCs parts them, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.header_lists import LONGEST, split_members, split_name


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", []),
        (" , ,", []),
        ("HIT, MISS from proxy.corp", ["HIT", "MISS from proxy.corp"]),
        ('a; detail="x, y"; hit , b', ['a; detail="x, y"; hit', "b"]),
        (r'a; detail="x\", y", b', [r'a; detail="x\", y"', "b"]),
        ("1.1 proxy (squid/5.7, built), 1.1 b", ["1.1 proxy (squid/5.7, built)", "1.1 b"]),
        ('a "never ends, b', ['a "never ends', "b"]),
        ("a (never ends, b", ["a (never ends", "b"]),
    ],
)
def test_members_are_parted_at_commas_outside_of_texts_and_brackets(value: str, found: list[str]) -> None:
    assert split_members(value) == found


@pytest.mark.parametrize(
    ("member", "name", "parameters"),
    [
        ("ExampleCache; hit", "ExampleCache", "; hit"),
        ('"Name; of, one"; fwd=miss', "Name; of, one", "; fwd=miss"),
        ("alone", "alone", ""),
        ("; hit", "", "; hit"),
        ("", "", ""),
    ],
)
def test_a_member_begins_with_its_name(member: str, name: str, parameters: str) -> None:
    assert split_name(member) == (name, parameters)


@given(st.text(st.sampled_from('a,;"\\() '), max_size=60))
def test_nothing_is_lost_and_nothing_raises(value: str) -> None:
    kept = "".join(split_members(value)).replace(",", "").replace(" ", "")
    assert kept == value.replace(",", "").replace(" ", "")
    assert all(isinstance(split_name(member)[0], str) for member in split_members(value))


def test_a_long_line_is_cut() -> None:
    assert split_members("a" * 10_000) == ["a" * LONGEST]
    assert sum(map(len, split_members('"(' * 5_000))) <= LONGEST

"""Strict reading: every wrong value is told with its path, what it is and a right one; nothing is lost on the way."""

from __future__ import annotations

import datetime
import time
from enum import StrEnum

import pytest

from rules.files.fields import MOST_FAULTS, MOST_TABLES, BadFile, Fault, Faults, Table


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def table(**data: object) -> Table:
    return Table(data, "rule[3]", Faults("my.toml"))


def test_one_fault_is_one_line_with_file_path_reason_and_example() -> None:
    rule = table(id=7)
    assert rule.text("id", 'id = "login"', required=True) == ""
    with pytest.raises(BadFile) as caught:
        rule.faults.raise_if_any()
    assert (
        str(caught.value)
        == 'my.toml: rule[3].id: is the number 7, must be a text in quotes. For example: id = "login"'
    )
    assert (caught.value.source, caught.value.key_path) == ("my.toml", "rule[3].id")


def test_an_example_out_of_the_file_does_nothing_to_a_terminal() -> None:
    fault = Fault("ca[5].issuer", "of a root is the root itself", 'issuer = "Micro\u202et\x9b2J"')
    assert str(fault).isprintable()
    assert "Micro\\u202et\\x9b2J" in str(fault)


def test_all_faults_come_together_and_very_many_are_counted() -> None:
    rule = table(**{f"key{i}": 1 for i in range(50)})
    rule.finish()
    with pytest.raises(BadFile) as caught:
        rule.faults.raise_if_any()
    text = str(caught.value)
    assert text.startswith("my.toml: 50 things are wrong\n")
    assert text.endswith("and 10 more")
    assert len(caught.value.faults) == 50


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "the boolean true"),
        (4.5, "the number 4.5"),
        (["a"], "an array"),
        ({"a": 1}, "a table"),
        (datetime.date(2026, 1, 2), "the date 2026-01-02"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "the date and time"),
        ("  ", "is empty"),
        ("x" * 5000, "5000 characters"),
        ("a\x07", "control character"),
    ],
)
def test_texts_that_are_none(value: object, told: str) -> None:
    rule = table(title=value)
    assert rule.text("title", 'title = "Sign-in"') == ""
    assert told in rule.faults.found[0].message


def test_a_file_of_faults_is_given_up_soon() -> None:
    rule = table(**{f"key{i}": 1 for i in range(100_000)})
    begin = time.process_time()
    with pytest.raises(BadFile) as caught:
        rule.finish()
    assert time.process_time() - begin < 2
    assert len(caught.value.faults) == MOST_FAULTS


def test_more_tables_than_are_read() -> None:
    rule = table(rule=[{}] * (MOST_TABLES + 1))
    assert list(rule.tables("rule", "[[rule]]")) == []
    assert str(rule.faults.found[0]) == "rule[3].rule: has 10001 tables, at most 10000 are read"


@pytest.mark.parametrize(
    "value",
    [0x1 << 60_000, -(0x1 << 60_000), 1e308, float("nan"), float("inf")],
    ids=["huge", "minus huge", "1e308", "nan", "inf"],  # pytest could not print the first two either
)
def test_numbers_that_python_cannot_print_or_compare(value: float) -> None:
    """TOML's 0x... may have more digits than Python turns into a text."""
    rule = table(budget=value, title=value)
    assert rule.number("budget", "budget = 120", 1, 600) is None
    assert rule.text("title", 'title = "x"') == ""
    assert all(len(fault.message) < 140 for fault in rule.faults.found)
    assert len(rule.faults.found) == 2


def test_a_date_is_neither_a_text_nor_a_time() -> None:
    rule = table(
        a="2026-01-02", b=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), c=datetime.date(2026, 1, 2)
    )
    assert rule.date("a", "a = 2026-01-02") is None
    assert rule.date("b", "b = 2026-01-02") is None
    assert rule.date("c", "c = 2026-01-02") == datetime.date(2026, 1, 2)
    assert len(rule.faults.found) == 2


def test_a_choice_is_made_from_the_words_and_a_slip_is_guessed() -> None:
    rule = table(colour="gren", other="red")
    assert rule.choice("colour", Colour, Colour.RED, 'colour = "red"') is Colour.RED
    assert "did you mean green?" in rule.faults.found[0].message
    assert rule.choice("other", Colour, Colour.GREEN, "") is Colour.RED
    assert rule.choice("absent", Colour, Colour.GREEN, "") is Colour.GREEN


def test_unknown_keys_are_faults_and_a_slip_is_guessed() -> None:
    rule = table(titel="x", **{"\x1b": 1})
    rule.text("title", "")
    rule.finish()
    first, second = rule.faults.found
    assert first.key_path == "rule[3].titel"
    assert "did you mean title?" in first.message
    assert second.key_path == "rule[3].\\x1b"


def test_arrays_of_texts() -> None:
    rule = table(ids=["a", 1, "a", ""], none=[])
    assert rule.texts("ids", 'ids = ["a"]') == ("a",)
    assert [fault.key_path for fault in rule.faults.found] == [
        "rule[3].ids[1]",
        "rule[3].ids[3]",
        "rule[3].ids",
    ]
    assert rule.texts("none", "", required=True) == ()
    assert rule.faults.found[-1].message == "is empty"
    assert rule.texts("missing", "") == ()


def test_tables_have_paths_of_their_own() -> None:
    rule = table(probe=[{"host": "a"}, 3], named={"x": {"y": 1}, "z": 4})
    assert [one.path for one in rule.tables("probe", "")] == ["rule[3].probe[0]"]
    assert [(name, one.path) for name, one in rule.named_tables("named", "")] == [("x", "rule[3].named.x")]
    assert [fault.key_path for fault in rule.faults.found] == ["rule[3].probe[1]", "rule[3].named.z"]


def test_hosts_and_flags() -> None:
    rule = table(host="Login.Windows.net.", bad="a b", flag=True, wrong=1)
    assert rule.host("host", "") == "login.windows.net"
    assert rule.host("bad", "") == ""
    assert rule.flag("flag", "") is True
    assert rule.flag("wrong", "wrong = true") is False
    assert [fault.key_path for fault in rule.faults.found] == ["rule[3].bad", "rule[3].wrong"]


def test_numbers_have_limits_and_are_no_booleans() -> None:
    rule = table(a=5, b=0.5, c=True, d="5", e=float("nan"), f=10**400)
    assert rule.number("a", "", 1, 10) == 5
    assert [rule.number(key, "", 1, 10) for key in "bcdef"] == [None] * 5
    assert [fault.key_path[-1] for fault in rule.faults.found] == list("bcdef")
    assert rule.number("absent", "", 1, 10) is None

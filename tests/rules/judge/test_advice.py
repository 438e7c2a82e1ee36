"""A row of the table of advice."""

from __future__ import annotations

from rules.judge.advice import ANY, Advice
from rules.judge.causes import owner


def test_a_row_that_names_nobody_leaves_owner_and_confidence_to_the_cause() -> None:
    assert Advice("Do it.") == Advice("Do it.", None, None)


def test_any_is_no_cause() -> None:
    assert owner(ANY) == "nobody"

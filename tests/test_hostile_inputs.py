"""The table of hostile inputs, held to the tests that it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.lab.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "design" / "009-hostile-inputs.md"
ROW = re.compile(r"^\| ([A-Z]\d{1,2}) \| (.*) \|$", re.MULTILINE)
NAMED_BY_ID = re.compile(r"test_[a-z]\d{1,2}_")
#: The rows that were touched so far; those among them that are still to come stand in the last table.
ROWS = {
    "G": (1, 2, 3, 4, 5),
    "C": (1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 15, 16, 18),
    "D": (1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 20, 21, 22),
    "T": (1, 2, 3, 5, 7, 8, 10, 11, 13, 14, 15),
    "L": (1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 18, 19, 20),
    "X": (1, 2, 4, 6, 8, 9, 10, 12, 13),
    "K": (1, 2, 3, 5, 8, 9),
    "O": (1, 4, 5, 6),
    "H": (1, 2, 5, 6, 8, 10, 11),
    "P": (1, 3, 5, 6, 7, 8),
    "S": (1, 2, 4, 5, 6, 7, 8, 10, 11),
    "U": (1, 2, 4, 5, 6, 9),
    "B": (1, 2, 3, 4, 6, 7, 8, 10, 11),
    "M": (1, 2, 3, 4, 6, 7, 9, 10),
    "V": (1, 2, 3, 4, 5, 6, 8),
    "Z": (1, 2, 4, 5, 6, 7),
}


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def text() -> str:
    return PAGE.read_text("utf-8")


def test_every_row_is_there_once() -> None:
    found = [row for row, _ in ROW.findall(text())]
    assert sorted(found) == sorted(
        f"{letter}{number}" for letter, numbers in ROWS.items() for number in numbers
    )


def test_every_row_of_this_issue_names_a_test() -> None:
    now = text().partition("## Left to later issues")[0]
    assert [row for row, rest in ROW.findall(now) if "::" not in rest and "scenario " not in rest] == []


@pytest.mark.parametrize(("path", "name"), sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text()))))
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in functions_of(path), f"{path} has no {name}"


def test_every_scenario_that_is_named_exists() -> None:
    named = set(re.findall(r"scenario ([a-z0-9-]+)", text().partition("## In this issue")[2]))
    assert named - {s.name for s in SCENARIOS} == set()
    assert len(named) > 20


def test_no_test_is_named_by_the_id_of_a_row() -> None:
    files = (str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))
    named = [f"{file}::{name}" for file in files for name in functions_of(file) if NAMED_BY_ID.match(name)]
    assert named == []

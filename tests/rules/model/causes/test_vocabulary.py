"""The vocabulary as a whole: every cause is one record, has one name, and something finds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from rules.model import causes
from rules.model.causes.record import Cause, Layer

ROOT = Path(__file__).resolve().parents[4]
ALL = tuple(causes.BY_WORD.values())
#: Causes that are put together while the program runs: the argument of every `causes.from_word` in rules/ with the words it makes.
MADE = {
    "dns.{self.word}": (
        "nxdomain no-address servfail refused timeout chain-broken chain-loop chain-too-long malformed wrong-source "
        "tcp-blocked sinkholed private-address synthetic wildcarded"
    ),
    "{failure.stage.value}.{failure.code.value}": "",  # an exchange that came to HTTP has failed in no other stage
}


def named(cause: Cause) -> str:
    """What the constant of a cause is called."""
    return re.sub(r"[.-]", "_", cause.word).upper()


def sources() -> Iterator[ast.Module]:
    """Every file that may find a cause."""
    for package in ("rules", "exporters", "probe"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if (ROOT / "rules/model/causes") not in path.parents:
                yield ast.parse(path.read_text("utf-8"))


def made() -> set[str]:
    """The words that `causes.from_word` makes; what it reads from a report (a plain name) makes none."""
    found: set[str] = set()
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "causes.from_word":
                (argument,) = node.args
                if not isinstance(argument, ast.JoinedStr):
                    continue
                text = ast.unparse(argument)[2:-1]
                assert text in MADE, f"say in MADE which causes f'{text}' can make"
                found |= {f"{text.partition('.')[0]}.{word}" for word in MADE[text].split()}
    return found


@pytest.mark.parametrize("cause", ALL, ids=str)
def test_a_cause_has_the_name_of_its_word(cause: Cause) -> None:
    assert getattr(causes, named(cause)) is cause
    assert causes.from_word(cause.word) is cause
    assert cause == causes.OK or re.fullmatch(rf"({'|'.join(get_args(Layer))})\.[a-z0-9-]+", cause.word)


def test_no_word_stands_for_two_causes() -> None:
    names = {name for name, value in vars(causes).items() if isinstance(value, Cause)}
    assert names == set(map(named, ALL))


def test_every_cause_can_be_found() -> None:
    used = {
        node.attr
        for tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "causes"
    }
    assert {c.word for c in ALL if named(c) not in used} <= made() <= set(causes.BY_WORD)


@pytest.mark.parametrize("cause", ALL, ids=str)
def test_a_circumstance_stands_once(cause: Cause) -> None:
    words = [seen.word for seen in cause.circumstances]
    assert len(words) == len(set(words))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word) for word in words)


@pytest.mark.parametrize("cause", ALL, ids=str)
def test_a_plural_counts_its_endpoints(cause: Cause) -> None:
    for text in (cause.plural, *(seen.plural for seen in cause.circumstances)):
        assert text == "" or re.fullmatch(r"[^{}]*\{n\}[^{}]*", text)


def test_the_reasons_of_an_open_answer_keep_their_order() -> None:
    assert [cause.word for cause in ALL if cause.open_reason] == [
        "audit.no-tenant", "proxy.not-tested", "audit.not-reached", "audit.not-recorded", "dns.nxdomain",
        "path.sweep-detected",
    ]  # fmt: skip
    assert all(cause.open_reason for cause in ALL if cause.leaves_open)

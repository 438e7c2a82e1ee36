"""The closed vocabulary of what goes wrong: scripts read these words, so they stay."""

from __future__ import annotations

import re

import pytest

from rules.model.failure import Code, Failure, Icmp, Stage


@pytest.mark.parametrize("word", [*Stage, *Code])
def test_words_are_of_one_form(word: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", word)


def test_a_word_that_a_recording_holds_is_never_taken_away() -> None:
    assert {
        "timeout", "refused", "reset", "eof", "unreachable", "no-route", "no-descriptors", "no-ports", "denied", "alert",
        "not-tls", "malformed", "too-large", "lookup", "not-reached", "not-recorded", "starved", "bug",
    } <= set(Code)  # fmt: skip
    assert {"local", "dns", "tcp", "tls", "http", "proxy"} <= set(Stage)


def test_two_failures_of_the_same_kind_are_equal() -> None:
    told = Failure(Stage.TCP, Code.UNREACHABLE, icmp=Icmp(3, 13, "203.0.113.254"))
    assert told == Failure(Stage.TCP, Code.UNREACHABLE, icmp=Icmp(3, 13, "203.0.113.254"))
    assert told != Failure(Stage.TCP, Code.UNREACHABLE, icmp=Icmp(3, 13, None))

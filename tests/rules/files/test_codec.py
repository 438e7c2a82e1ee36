"""Types to JSON and back, and nothing believed on the way."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import pytest

from rules.files.codec import BadReport, decode, encode, fields_of
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.verdict import Status


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    word: Literal["a", "b"]
    blob: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Outer:
    name: str
    number: int
    ratio: float
    flag: bool
    status: Status
    inner: Inner | None
    pair: tuple[str, int]
    many: tuple[Inner, ...] = ()


GOOD = Outer("n", 7, 0.25, True, Status.WARN, Inner("a", b"\x00\xff"), ("x", 1), (Inner("b"),))


def test_there_and_back() -> None:
    coded = encode(GOOD)
    assert coded["inner"] == {"word": "a", "blob": "AP8="}
    assert coded["pair"] == ["x", 1]
    assert decode(Outer, coded, "$") == GOOD


def test_fields_say_what_must_be_there() -> None:
    assert [needed for _, _, needed in fields_of(Inner)] == [True, False]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", 1, "$.name: must be text, is a number"),
        ("number", True, "$.number: must be a whole number, is true or false"),
        ("number", "7", "$.number: must be a whole number, is text"),
        ("number", 2**60, "$.number: is larger than 2^53"),
        ("number", 1.5, "$.number: must be a whole number, is a number"),
        ("ratio", math.nan, "$.ratio: is not a number that a time or a size can have"),
        ("ratio", math.inf, "$.ratio: is not a number that a time or a size can have"),
        ("ratio", 10**400, "$.ratio: is not a number that a time or a size can have"),
        ("flag", 1, "$.flag: must be true or false, is a number"),
        ("flag", None, "$.flag: must be true or false, is null"),
        (
            "status",
            "green",
            "$.status: must be one of pass, not-applicable, notice, warn, inconclusive, fail, broken",
        ),
        ("status", ["pass"], "is a list"),
        ("inner", [], "$.inner: must be an object, is a list"),
        ("inner", {}, "$.inner.word: is missing"),
        ("inner", {"word": "c\x1b"}, "$.inner.word: must be one of a, b, is 'c\\\\x1b'"),
        ("inner", {"word": "a", "blob": "A*=="}, "$.inner.blob: must be base64"),
        ("inner", {"word": "a", "blob": "é"}, "$.inner.blob: must be base64"),
        ("pair", ["x"], "$.pair: must have 2 items, has 1"),
        ("pair", ["x", "y"], "$.pair[1]: must be a whole number, is text"),
        ("many", {"0": {}}, "$.many: must be a list, is an object"),
        ("many", [{"word": "a"}, 3], "$.many[1]: must be an object, is a number"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(key: str, value: object, message: str) -> None:
    with pytest.raises(BadReport) as caught:
        decode(Outer, encode(GOOD) | {key: value}, "$")
    assert message in str(caught.value)


def test_unknown_keys_are_passed_over_and_defaults_filled_in() -> None:
    coded = encode(GOOD) | {"new": {"deep": []}}
    del coded["many"]
    assert decode(Outer, coded, "$") == dataclasses.replace(GOOD, many=())


def test_a_cause_is_its_word_and_one_of_a_newer_version_is_kept() -> None:
    assert encode(causes.TLS_EXPIRED) == "tls.expired"
    assert decode(Cause, "tls.expired", "$") is causes.TLS_EXPIRED
    newer = decode(Cause, "app.crashed", "$")
    assert (encode(newer), newer.layer, newer.remedy) == ("app.crashed", "other", "")
    with pytest.raises(BadReport, match=r"\$\.cause: must be text, is a number"):
        decode(Cause, 3, "$.cause")


def test_lone_surrogates_are_escaped_both_ways() -> None:
    assert encode("a\ud800") == "a\\ud800"
    assert decode(str, "a\ud800é", "$") == "a\\ud800é"


def test_floats_are_kept_to_the_microsecond() -> None:
    assert encode(0.123456789) == 0.123457


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="no form in JSON"):
        encode(math.nan)
    with pytest.raises(TypeError, match="no JSON form for set"):
        encode({1})

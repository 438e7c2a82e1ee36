"""Types to JSON and back, and nothing believed on the way."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Iterator
from typing import Literal

import pytest

from rules.files.codec import BadReport, Hint, decode, encode, parse, recorded, unrecorded
from rules.files.report_form import RecordedReport
from rules.model import causes
from rules.model.observation import EVIDENCE, STEPS
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


@dataclasses.dataclass(frozen=True, slots=True)
class Remembering:
    kept: int
    memory: dict[str, int] = dataclasses.field(default_factory=dict, init=False, metadata={"recorded": False})


def test_a_cause_is_its_word() -> None:
    assert encode(causes.TLS_EXPIRED) == "tls.expired"


def test_what_is_not_recorded_is_not_written() -> None:
    value = Remembering(3)
    value.memory["x"] = 1
    assert encode(value) == {"kept": 3}
    assert (recorded(Remembering), unrecorded(Remembering)) == (("kept",), ("memory",))


def dataclasses_in(hint: Hint) -> Iterator[Hint]:
    """The classes that values of a type are made of."""
    for arm in typing.get_args(hint):
        yield from dataclasses_in(arm)
    if dataclasses.is_dataclass(hint) or hint is RecordedReport:
        yield hint
        hints = typing.get_type_hints(hint)
        for name in recorded(hint):
            yield from dataclasses_in(hints[name])


def test_only_evidence_has_fields_that_are_not_recorded() -> None:
    """The reader of reports removes them from evidence alone before it decodes."""
    found = [cls for part in (RecordedReport, *STEPS.values()) for cls in dataclasses_in(part)]
    found += [cls for part in EVIDENCE.values() for cls in dataclasses_in(part) if cls is not part]
    assert [cls for cls in found if unrecorded(cls)] == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", 1, "$.name: must be text, is a number"),
        ("number", True, "$.number: must be a whole number, is true or false"),
        ("number", "7", "$.number: must be a whole number, is text"),
        ("number", 2**60, "$.number: is larger than 2^53"),
        ("number", 1.5, "$.number: must be a whole number, is a number"),
        ("ratio", 1e300, "$.ratio: is not a number that a time or a size can have"),
        ("ratio", 10**400, "$.ratio: is not a number that a time or a size can have"),
        ("name", 2**60, "$.name: must be text, is a number"),
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
        ("inner", {"word": "a", "blob": "AAAA="}, "$.inner.blob: must be base64"),
        ("pair", ["x"], "$.pair: must have 2 items, has 1"),
        ("pair", ["x", "y"], "$.pair[1]: must be a whole number, is text"),
        ("many", {"0": {}}, "$.many: must be a list, is an object"),
        ("many", [{"word": "a"}, 3], "$.many[1]: must be an object, is a number"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(key: str, value: object, message: str) -> None:
    with pytest.raises(BadReport) as caught:
        decode(Outer, parse(json.dumps(encode(GOOD) | {key: value})), "$")
    assert message in str(caught.value)


def test_unknown_keys_are_passed_over_and_defaults_filled_in() -> None:
    coded = encode(GOOD) | {"new": {"deep": []}}
    del coded["many"]
    assert decode(Outer, coded, "$") == dataclasses.replace(GOOD, many=())


def test_a_message_of_a_hostile_value_does_not_name_the_place() -> None:
    with pytest.raises(BadReport) as caught:
        decode(Status, "b' - at `$.x[0]`", "$")
    assert caught.value.path == "$"


@pytest.mark.parametrize("number", [2**53, -(2**53), 0])
def test_numbers_that_every_reader_holds(number: int) -> None:
    assert decode(int, parse(str(number)), "$") == number
    assert decode(float, parse(str(number)), "$") == number


@pytest.mark.parametrize("text", ["1e999", "-1e999", str(2**53 + 1), str(-(2**53) - 1), "1e16"])
def test_larger_numbers_are_refused_where_one_is_read_and_passed_over_elsewhere(text: str) -> None:
    for hint in (int, float):
        with pytest.raises(BadReport):
            decode(hint, parse(text), "$")
    coded = json.dumps(encode(GOOD))[:-1] + f', "new": [{text}]}}'
    assert decode(Outer, parse(coded), "$") == GOOD


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_constants_that_are_not_json_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a JSON value"):
        parse(text)


@pytest.mark.parametrize("text", ['"a\\ud800é"', '"a\\uD800é"', '"a\ud800é"'])
def test_lone_surrogates_are_escaped_in_reading(text: str) -> None:
    assert parse(text).lower() == "a\\ud800é"
    assert list(map(str.lower, parse(f"[{{{text}: {text}}}]")[0])) == ["a\\ud800é"]


def test_lone_surrogates_are_escaped_both_ways() -> None:
    assert encode("a\ud800") == "a\\ud800"
    assert parse('{"a": ["\\ud800é", "\\ud83d\\ude00", 1]}') == {"a": ["\\ud800é", "\U0001f600", 1]}


def test_floats_are_kept_to_the_microsecond() -> None:
    assert encode(0.123456789) == 0.123457


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="no form in JSON"):
        encode(math.nan)
    with pytest.raises(TypeError, match="no JSON form for set"):
        encode({1})

"""Values to JSON and back by their types: one rule for each kind of type, and none for a single class but `Cause` (its
word).

Dataclasses are objects with the field names as keys, tuples are lists, enums their values, bytes base64 (RFC 4648
section 4), floats numbers rounded to the microsecond. The input is untrusted: every value must have the type that the
field declares, or `BadReport` names the place. Unknown keys are ignored, so that an older program reads a newer
report.

msgspec converts the result of `parse` and does not parse the text itself: its parser refuses a lone surrogate,
accepts a number of any size and gives no index in the path of an error. Its encoder does not round.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

import msgspec

from rules.model.causes.record import Cause
from rules.text.display import display

T = TypeVar("T")
JsonValue: TypeAlias = (
    Any  #: any result of `parse`, or input of `json`; untrusted before `decode` has checked it
)
Hint: TypeAlias = Any  #: a type as `typing.get_type_hints` gives it

LARGEST_NUMBER = 2**53  #: the largest integer that every JSON reader holds exactly (RFC 8259 section 6)
DECIMALS = 6  #: decimals of a float: microseconds
_PLACE = re.compile(r" - at `\$((?:\.\w+|\[\d+\])+)`\Z")  # the end of an error message from msgspec
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_WORDS: Mapping[Any, str] = types.MappingProxyType(
    {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        bytes: "base64 text",
        tuple: "a list",
    }
)


class BadReport(ValueError):  # noqa: N818 - it is the report that is bad; callers read it so
    """A JSON document that is not a report. `path` is the place, as in `$.observations[3].step.port`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class TooLarge:
    """Replaces a number beyond `LARGEST_NUMBER` in parsed JSON; no field accepts it."""


def recorded(cls: Hint) -> tuple[str, ...]:
    """The fields of a dataclass or a Struct that a recording holds."""
    return _fields(cls)[0]


def unrecorded(cls: Hint) -> tuple[str, ...]:
    """The other fields of a dataclass. `decode` would read them from a file: remove them from its value first."""
    return _fields(cls)[1]


@functools.cache
def _fields(cls: Hint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not dataclasses.is_dataclass(cls):
        return cls.__struct_fields__, ()
    kept = {field.name: field.metadata.get("recorded", True) for field in dataclasses.fields(cls)}
    return tuple(name for name in kept if kept[name]), tuple(name for name in kept if not kept[name])


def encode(value: Any) -> JsonValue:  # noqa: ANN401 - whatever a recording holds
    """The JSON form of a value. ValueError for a float that JSON cannot hold."""
    kind = type(value)
    if kind is str:
        return safe_text(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} has no form in JSON")
        return round(value, DECIMALS)
    if kind is bytes:
        return base64.b64encode(value).decode("ascii")
    if kind is tuple:
        return [encode(item) for item in value]
    if kind is dict:
        return {encode(key): encode(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Cause):
        return safe_text(value.word)
    if dataclasses.is_dataclass(value) or isinstance(value, msgspec.Struct):
        return {name: encode(getattr(value, name)) for name in recorded(kind)}
    raise TypeError(f"no JSON form for {kind.__name__}")


def safe_text(text: str) -> str:
    """`text` with lone surrogates escaped, so that any UTF-8 sink accepts it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def parse(text: str) -> JsonValue:
    """Parse JSON text; lone surrogates become escapes. ValueError for invalid JSON, RecursionError for too deep nesting."""
    text = safe_text(text)
    data = json.loads(
        text,
        parse_constant=_no_constant,
        parse_int=functools.partial(_bounded, int),
        parse_float=functools.partial(_bounded, float),
    )
    return _safe(data) if "\\ud" in text or "\\uD" in text else data


def decode(hint: type[T], value: JsonValue, path: str) -> T:
    """Convert `value`, parsed JSON, to type `hint`; BadReport for another type."""
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise _refusal(hint, value, path, str(error)) from None


def mapping(value: JsonValue, path: str) -> dict[str, JsonValue]:
    """`value`, which must be an object."""
    if not isinstance(value, dict):
        raise BadReport(path, f"must be an object, is {_name(value)}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _bounded(kind: type[float], text: str) -> float | TooLarge:
    number = kind(text)
    return number if abs(number) <= LARGEST_NUMBER else TooLarge()


def _safe(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, dict):
        return {safe_text(key): _safe(item) for key, item in value.items()}
    return value


def _refusal(hint: Hint, value: JsonValue, path: str, message: str) -> BadReport:
    """The error for the place that msgspec names, in our words."""
    place = _PLACE.search(message)
    for name, index in _STEP.findall(place[1] if place else ""):
        hint = _present(hint)
        if name:
            hint, value, path = typing.get_type_hints(hint)[name], value[name], f"{path}.{name}"
        else:
            items = typing.get_args(hint)
            hint = items[0] if items[1:] == (Ellipsis,) else items[int(index)]
            value, path = value[int(index)], f"{path}[{index}]"
    if missing := _MISSING.match(message):
        return BadReport(f"{path}.{missing[1]}", "is missing")
    return _fault(_present(hint), value, path)


def _present(hint: Hint) -> Hint:
    """The type without its None."""
    arms = typing.get_args(hint)
    return next(arm for arm in arms if arm is not types.NoneType) if types.NoneType in arms else hint


def _fault(hint: Hint, value: JsonValue, path: str) -> BadReport:
    """Why a value is not of type `hint`."""
    origin: Hint = typing.get_origin(hint)
    kind = origin or hint
    if kind is Literal or issubclass(kind, Enum):
        words = typing.get_args(hint) if kind is Literal else [member.value for member in kind]
        return BadReport(path, f"must be one of {', '.join(words)}, is {_show(value)}")
    if kind is tuple and isinstance(value, list):
        return BadReport(path, f"must have {len(typing.get_args(hint))} items, has {len(value)}")
    if isinstance(value, TooLarge) and kind is int:
        return BadReport(path, "is larger than 2^53")
    if isinstance(value, TooLarge) and kind is float:
        return BadReport(path, "is not a number that a time or a size can have")
    if kind is bytes and isinstance(value, str):
        return BadReport(path, f"must be base64, is {_show(value)}")
    return BadReport(path, f"must be {_WORDS.get(kind, 'an object')}, is {_name(value)}")


def _name(value: JsonValue) -> str:
    """What JSON calls the type of a value, for messages."""
    words = {type(None): "null", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return words.get(type(value), "a number")


def _show(value: JsonValue) -> str:
    return repr(display(value, 60)) if isinstance(value, str) else _name(value)

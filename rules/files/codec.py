"""Values to JSON and back by their types: one rule for each kind of type, nothing about any one class but `Cause`.

Dataclasses are objects with the field names as keys, tuples are lists, enums their values, bytes base64 (RFC 4648
section 4), floats numbers rounded to the microsecond, causes their words. Decoding believes nothing: every value must have the type
that the field declares, or `BadReport` names the place. Keys that are not known are passed over, so that an older program
reads a newer report.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeVar, Union

from rules.model import causes
from rules.model.causes.record import Cause
from rules.text.display import display

T = TypeVar("T")
JsonValue: TypeAlias = Any  #: whatever `json` reads or writes; not believed before `decode` has looked
Hint: TypeAlias = Any  #: a type as `typing.get_type_hints` gives it

LARGEST_INT = 2**53  #: what every reader of JSON holds exactly (RFC 8259 section 6)
DECIMALS = 6  #: of a float: microseconds


class BadReport(ValueError):  # noqa: N818 - it is the report that is bad; callers read it so
    """A JSON document that is no report. `path` is the place, as in `$.observations[3].step.port`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


def fields_of(cls: Hint) -> tuple[tuple[str, Hint, bool], ...]:
    """Name, type and "must be there" of each field of a dataclass that a recording holds."""
    return _fields_of(cls)


@functools.cache
def _fields_of(cls: Hint) -> tuple[tuple[str, Hint, bool], ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
        if field.metadata.get("recorded", True)
    )


def encode(value: object) -> JsonValue:
    """The JSON form of a value. ValueError for a float that JSON cannot hold."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no form in JSON")
        return round(value, DECIMALS)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Cause):
        return safe_text(value.word)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: encode(getattr(value, name)) for name, _, _ in fields_of(type(value))}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def safe_text(text: str) -> str:
    """`text` with lone surrogates escaped: any UTF-8 sink takes it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def decode(hint: Hint, value: JsonValue, path: str) -> JsonValue:
    """The value of type `hint` that `value` stands for; BadReport where it is another type."""
    origin: Hint = typing.get_origin(hint)
    if origin is Literal:
        return _one_of(typing.get_args(hint), value, path)
    if origin in (Union, types.UnionType):
        return _optional(hint, value, path)
    if origin is tuple:
        return _tuple(typing.get_args(hint), value, path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(_one_of(tuple(member.value for member in hint), value, path))
    if hint is Cause:
        return causes.of(_plain(str, value, path))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode_object(hint, value, path)
    return _plain(hint, value, path)


def decode_object(cls: type[T], value: JsonValue, path: str, **known: object) -> T:
    """A dataclass from an object. `known` holds fields that the caller has decoded already."""
    found = mapping(value, path)
    arguments: dict[str, Any] = dict(known)
    for name, hint, needed in fields_of(cls):
        if name in known:
            continue
        if name in found:
            arguments[name] = decode(hint, found[name], f"{path}.{name}")
        elif needed:
            raise BadReport(f"{path}.{name}", "is missing")
    return cls(**arguments)


def mapping(value: JsonValue, path: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping):
        raise BadReport(path, f"must be an object, is {_name(value)}")
    return value


def items(value: JsonValue, path: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise BadReport(path, f"must be a list, is {_name(value)}")
    return value


def field(value: Mapping[str, JsonValue], key: str, path: str) -> JsonValue:
    """The value under a key that must be there."""
    if key not in value:
        raise BadReport(f"{path}.{key}", "is missing")
    return value[key]


def _one_of(allowed: tuple[Any, ...], value: JsonValue, path: str) -> JsonValue:
    if isinstance(value, str) and value in allowed:
        return value
    raise BadReport(path, f"must be one of {', '.join(map(str, allowed))}, is {_show(value)}")


def _optional(hint: Hint, value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return None
    (inner,) = (arm for arm in typing.get_args(hint) if arm is not types.NoneType)
    return decode(inner, value, path)


def _tuple(arguments: tuple[Any, ...], value: JsonValue, path: str) -> tuple[Any, ...]:
    found = items(value, path)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(decode(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(found))
    if len(found) != len(arguments):
        raise BadReport(path, f"must have {len(arguments)} items, has {len(found)}")
    return tuple(
        decode(hint, item, f"{path}[{i}]")
        for i, (hint, item) in enumerate(zip(arguments, found, strict=True))
    )


def _plain(hint: Hint, value: JsonValue, path: str) -> JsonValue:
    if hint is str and isinstance(value, str):
        return safe_text(value)
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > LARGEST_INT:
            raise BadReport(path, "is larger than 2^53")
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= LARGEST_INT:  # also NaN and infinity
            raise BadReport(path, "is not a number that a time or a size can have")
        return float(value)
    if hint is bytes and isinstance(value, str):
        return _bytes(value, path)
    raise BadReport(path, f"must be {WORDS[hint]}, is {_name(value)}")


def _bytes(value: str, path: str) -> bytes:
    try:
        return binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except ValueError:  # also binascii.Error and UnicodeEncodeError
        raise BadReport(path, f"must be base64, is {_show(value)}") from None


WORDS: Mapping[Any, str] = types.MappingProxyType(
    {str: "text", bool: "true or false", int: "a whole number", float: "a number", bytes: "base64 text"}
)


def _name(value: JsonValue) -> str:
    """What JSON calls the type of a value, for messages."""
    words = {type(None): "null", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return words.get(type(value), "text" if isinstance(value, str) else "an object")


def _show(value: JsonValue) -> str:
    return repr(display(value, 60)) if isinstance(value, str) else _name(value)

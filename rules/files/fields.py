"""Read a mapping strictly: the code asks for every key by type, every fault is kept, and a key that no code asks for is
a fault.

One `BadFile` holds all faults of a file, so that its author can correct them at once.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from rules.text.display import display
from rules.text.hostname import BadName, normalise, shown

Choice = TypeVar("Choice", bound=StrEnum)
LONGEST_TEXT = 4096
MOST_FAULTS = 200  #: the reader gives up after this many faults in a file
MOST_TABLES = 10_000  #: in one array of tables
_MOST_SHOWN = 40
_LINE = 2048  # characters of one fault
_ALIKE = 0.66  # difflib's ratio: two letters of three exchanged count as alike (tpc, tcp)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where (`rule[3].probe[0].host`), what, and an example of a correct line."""

    key_path: str
    message: str
    example: str = ""

    def __str__(self) -> str:
        text = f"{self.key_path}: {self.message}" if self.key_path else self.message
        return display(f"{text}. For example: {self.example}" if self.example else text, _LINE)


class BadFile(ValueError):  # noqa: N818 (the name says what the caller holds)
    """A file that cannot be used. `str()` names the file and lists every fault; the other attributes are the first one's."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        first = self.faults[0]
        self.key_path, self.message, self.example = first.key_path, first.message, first.example
        super().__init__(source, self.faults)

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return f"{self.source}: {self.faults[0]}"
        lines = [f"{self.source}: {len(self.faults)} things are wrong"]
        lines += [f"  {fault}" for fault in self.faults[:_MOST_SHOWN]]
        if len(self.faults) > _MOST_SHOWN:
            lines.append(f"  and {len(self.faults) - _MOST_SHOWN} more")
        return "\n".join(lines)


@dataclass(slots=True)
class Faults:
    """Collects the faults of one file."""

    source: str
    found: list[Fault] = field(default_factory=list)

    def add(self, key_path: str, message: str, example: str = "") -> None:
        """Keep one more fault; BadFile at once when there are too many."""
        self.found.append(Fault(key_path, message, example))
        if len(self.found) >= MOST_FAULTS:
            raise BadFile(self.source, self.found)

    def raise_if_any(self) -> None:
        if self.found:
            raise BadFile(self.source, self.found)


class Table:
    """A mapping of a file, read key by key. A wrong value gives a fault and a harmless default, never an exception."""

    def __init__(self, data: Mapping[str, object], path: str, faults: Faults) -> None:
        self.data = data
        self.path = path
        self.faults = faults
        self._asked: dict[str, None] = {}

    def where(self, key: str) -> str:
        """The path of a key, harmless to print."""
        safe = key if key.isascii() and key.isprintable() and len(key) <= 80 else shown(key)[1:-1]
        return f"{self.path}.{safe}" if self.path else safe

    def fault(self, key: str, message: str, example: str = "") -> None:
        self.faults.add(self.where(key), message, example)

    def has(self, key: str) -> bool:
        return key in self.data

    def get(self, key: str, kind: type, example: str, required: bool = False) -> object:
        """The raw value if it is of `kind`, else None. A bool is no number, a date no time."""
        self._asked[key] = None
        if key not in self.data:
            if required:
                self.fault(key, "is missing", example)
            return None
        value = self.data[key]
        right = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
        if not right or (kind is datetime.date and isinstance(value, datetime.datetime)):
            self.fault(key, f"is {_kind(value)}, must be {_KINDS[kind]}", example)
            return None
        return value

    def text(self, key: str, example: str, *, required: bool = False, most: int = LONGEST_TEXT) -> str:
        """A text without control characters, at most `most` characters; "" if it is absent or wrong."""
        value = self.get(key, str, example, required)
        if not isinstance(value, str):
            return ""
        if not value.strip():
            self.fault(key, "is empty", example)
        elif len(value) > most:
            self.fault(key, f"has {len(value)} characters, at most {most} are allowed", example)
        elif any((ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in value):
            self.fault(key, f"{shown(value)} holds a control character", example)
        else:
            return value
        return ""

    def matched(self, key: str, pattern: str, what: str, example: str, *, required: bool = False) -> str:
        """A text that `pattern` (ours, never a user's) matches as a whole."""
        value = self.text(key, example, required=required)
        if value and not re.fullmatch(pattern, value):
            self.fault(key, f"{shown(value)} is not {what}", example)
            return ""
        return value

    def date(self, key: str, example: str, *, required: bool = False) -> datetime.date | None:
        value = self.get(key, datetime.date, example, required)
        return value if isinstance(value, datetime.date) else None

    def flag(self, key: str, example: str, default: bool = False) -> bool:
        value = self.get(key, bool, example)
        return value if isinstance(value, bool) else default

    def number(self, key: str, example: str, low: float, high: float) -> float | None:
        """A number between `low` and `high`, whole or not; None if it is absent or wrong."""
        self._asked[key] = None
        if key not in self.data:
            return None
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(key, f"is {_kind(value)}, must be a number", example)
        elif not low <= value <= high:
            self.fault(key, f"is {shown(value)}, must be between {low:g} and {high:g}", example)
        else:
            return value
        return None

    def choice(
        self, key: str, options: type[Choice], default: Choice, example: str, *, required: bool = False
    ) -> Choice:
        """One of an enumeration's words."""
        value = self.text(key, example, required=required)
        if not value:
            return default
        words = [str(option) for option in options]
        if value not in words:
            self.fault(key, f"{shown(value)} is none of {', '.join(words)}{_nearest(value, words)}", example)
            return default
        return options(value)

    def host(self, key: str, example: str, *, required: bool = True) -> str:
        """A normalised host name; "" if it is absent or wrong."""
        value = self.get(key, str, example, required)
        return self.as_host(key, value, example) if isinstance(value, str) else ""

    def as_host(self, key: str, value: str, example: str) -> str:
        try:
            return normalise(value)
        except BadName as error:
            self.fault(key, str(error), example)
            return ""

    def texts(self, key: str, example: str, *, required: bool = False) -> tuple[str, ...]:
        """An array of texts without repeats; not empty where it is required."""
        value = self.get(key, list, example, required)
        if not isinstance(value, list):
            return ()
        wrong = [i for i, item in enumerate(value) if not isinstance(item, str) or not item.strip()]
        for index in wrong:
            text = isinstance(value[index], str)
            what = "is empty" if text else f"is {_kind(value[index])}, must be a text"
            self.fault(f"{key}[{index}]", what, example)
        if required and not value:
            self.fault(key, "is empty", example)
        found = [item for item in value if isinstance(item, str) and item.strip()]
        for twice in sorted(
            {item for item in found if found.count(item) > 1} if len(found) < 1000 else set()
        ):
            self.fault(key, f"names {shown(twice)} twice", example)
        return tuple(dict.fromkeys(found))

    def tables(self, key: str, example: str) -> Iterator[Table]:
        """The tables of an array of tables (`[[key]]`), each with its own path."""
        value = self.get(key, list, example)
        if isinstance(value, list) and len(value) > MOST_TABLES:
            self.fault(key, f"has {len(value)} tables, at most {MOST_TABLES} are read")
            return
        for index, item in enumerate(value if isinstance(value, list) else ()):
            path = f"{self.where(key)}[{index}]"
            if isinstance(item, dict):
                yield Table(item, path, self.faults)
            else:
                self.faults.add(path, f"is {_kind(item)}, must be a table", example)

    def named_tables(self, key: str, example: str) -> Iterator[tuple[str, Table]]:
        """The tables of a table (`[key.<name>]`)."""
        value = self.get(key, dict, example)
        for name, item in value.items() if isinstance(value, dict) else ():
            path = Table({}, self.where(key), self.faults).where(name)
            if isinstance(item, dict):
                yield name, Table(item, path, self.faults)
            else:
                self.faults.add(path, f"is {_kind(item)}, must be a table", example)

    def finish(self) -> None:
        """Call after all reads: every key that no code asked for becomes a fault."""
        for key in self.data:
            if key not in self._asked:
                known = ", ".join(self._asked)
                self.fault(
                    key,
                    f"is not a key that is known here{_nearest(key, list(self._asked))} (known: {known})",
                )


_KINDS: dict[type, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
    datetime.date: "a date without quotes",
    datetime.datetime: "a date and time without quotes",
}


def _kind(value: object) -> str:
    """The TOML type of a value in words, with the value if it is short."""
    names = {
        str: "the text", bool: "the boolean", int: "the number", float: "the number", list: "an array",
        dict: "a table", datetime.datetime: "the date and time", datetime.date: "the date", datetime.time: "the time",
    }  # fmt: skip
    name = names.get(type(value), "something else")
    if isinstance(value, list | dict):
        return name
    if isinstance(value, datetime.date | datetime.time):
        return f"{name} {value.isoformat()}"
    return f"{name} {shown(value)}" if not isinstance(value, bool) else f"{name} {str(value).lower()}"


def _nearest(word: str, words: Sequence[str]) -> str:
    """`, did you mean x?` if one of `words` is similar."""
    near = get_close_matches(word.lower()[:40], words, 1, _ALIKE)
    return f", did you mean {near[0]}?" if near else ""

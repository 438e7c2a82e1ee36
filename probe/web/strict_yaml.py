"""YAML without its traps: one document of mappings, lists and plain values, read strictly from untrusted hands.

Anchors, aliases, tags and merge keys are refused (an alias bomb of 271 bytes has 9^8 leaves), so are duplicate keys, and
plain values that YAML 1.1 reads as something else than they look (`no`, `0443`, `1:20`, `4_43`). No value is ever quoted
in a message: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from probe.host.files import decoded
from rules.files.fields import BadFile, Fault
from rules.text.hostname import shown

LARGEST = 128 * 1024  #: bytes: a thousand users fit
DEEPEST = 32
MOST_NODES = 100_000
_HINTS = {
    "bool": "is read as true or false by YAML 1.1: write true or false, or put it in quotes if a text is meant",
    "int": "is read as another number by YAML 1.1: write plain digits, or put it in quotes if a text is meant",
    "float": "is read as a number by YAML 1.1: put it in quotes",
    "null": "is empty: write a value, or leave the key out",
    "timestamp": "is read as a date by YAML 1.1: put it in quotes",
    "merge": "is a merge key, which is not used here",
    "value": "has a special meaning in YAML 1.1: put it in quotes",
}
_PREFIX = "tag:yaml.org,2002:"

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The top mapping, and the line of every key's path (`tls_server_config.cert_file`, `x.list[0]`)."""

    data: dict[str, Value]
    lines: dict[str, int]

    def line(self, key_path: str) -> int:
        """The line of a key, or of the nearest one around it; 0 where there is none."""
        while key_path and key_path not in self.lines:
            key_path = key_path[: max(key_path.rfind("."), key_path.rfind("["), 0)]
        return self.lines.get(key_path, 0)


@dataclass(slots=True)
class _Open:
    """A mapping or a list that has begun; `key` waits for its value."""

    into: dict[str, Value] | list[Value]
    path: str
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)

    def next_path(self) -> str:
        if isinstance(self.into, list):
            return f"{self.path}[{len(self.into)}]"
        return f"{self.path}.{self.key}" if self.path else str(self.key)

    def put(self, value: Value) -> None:
        if isinstance(self.into, list):
            self.into.append(value)
        else:
            assert self.key is not None
            self.into[self.key], self.key = value, None


def parse_yaml(content: bytes, source: str) -> YamlFile:
    """The file as a mapping of texts, whole numbers, booleans, lists and mappings. BadFile for everything else."""
    text = decoded(content, source)
    try:
        return _Reader(source).read(yaml.parse(text, Loader=getattr(yaml, "CLoader", yaml.Loader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise BadFile(place, [Fault("", f"is not YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError:
        raise BadFile(source, [Fault("", "is not YAML: it holds a character that no text has")]) from None


class _Reader:
    """Builds the values from the parser's events, with a stack of its own: depth costs no recursion."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._resolver = yaml.resolver.Resolver()
        self._stack: list[_Open] = []
        self._lines: dict[str, int] = {}
        self._nodes = 0
        self._documents = 0

    def read(self, events: Iterable[yaml.Event]) -> YamlFile:
        data: dict[str, Value] = {}
        for event in self._checked(events):
            match event:
                case yaml.MappingStartEvent():
                    opened: dict[str, Value] = {} if self._stack else data
                    self._begin(opened, event)
                case yaml.SequenceStartEvent():
                    self._begin([], event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._stack.pop()
                case yaml.ScalarEvent():
                    self._scalar(event)
        return YamlFile(data, self._lines)

    def _checked(self, events: Iterable[yaml.Event]) -> Iterator[yaml.Event]:
        """The events, up to the first that no web configuration has."""
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._bad(event, "holds a second document (---)")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise self._bad(event, "uses an anchor or an alias (& or *): write the value out")
            if getattr(event, "tag", None) is not None:
                raise self._bad(event, "uses a tag (!): write the plain value")
            if isinstance(event, yaml.NodeEvent):
                self._nodes += 1
                if self._nodes > MOST_NODES:
                    raise self._bad(event, f"has more than {MOST_NODES} values")
            yield event

    def _begin(self, into: dict[str, Value] | list[Value], event: yaml.Event) -> None:
        if len(self._stack) >= DEEPEST:
            raise self._bad(event, f"is nested deeper than {DEEPEST}")
        path = ""
        if self._stack:
            above = self._stack[-1]
            if isinstance(above.into, dict) and above.key is None:
                raise self._bad(event, "has a list or a mapping as a key")
            path = self._place(above, event)
            above.put(into)
        elif isinstance(into, list):
            raise self._bad(event, "must be a mapping at its top, as in `basic_auth_users:`")
        self._stack.append(_Open(into, path))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if not self._stack:
            if event.value or not event.implicit[0]:
                raise self._bad(event, "must be a mapping at its top, as in `basic_auth_users:`")
            return  # an empty document: only comments
        above = self._stack[-1]
        if isinstance(above.into, dict) and above.key is None:
            self._key(above, event)
            return
        path = self._place(above, event)
        above.put(self._value(event, path))

    def _key(self, above: _Open, event: yaml.ScalarEvent) -> None:
        key, line = event.value, _line(event)
        place = f"a key of {above.path}" if above.path else "a key"
        if event.implicit[0] and (kind := self._kind(event.value)) != "str":
            raise self._bad(event, f"{place} {_HINTS.get(kind, _HINTS['value'])}")
        if key in above.seen:
            raise self._bad(
                event, f"{shown(key)} is there twice, on line {above.seen[key]} and on line {line}"
            )
        above.seen[key] = line
        above.key = key
        self._lines[above.next_path()] = line

    def _value(self, event: yaml.ScalarEvent, path: str) -> Value:
        """A text, a whole number in plain digits, true or false."""
        if not event.implicit[0]:  # it stands in quotes, or is a block
            return str(event.value)
        kind = self._kind(event.value)
        if kind == "str":
            return str(event.value)
        if kind == "bool" and event.value in ("true", "false"):
            return bool(event.value == "true")
        if kind == "int" and re.fullmatch(r"0|[1-9][0-9]{0,17}", event.value):
            return int(event.value)
        raise self._bad(event, _HINTS.get(kind, _HINTS["value"]), path)

    def _kind(self, text: str) -> str:
        tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return str(tag).removeprefix(_PREFIX)

    def _place(self, above: _Open, event: yaml.Event) -> str:
        """The path of the value that begins; its line is that of its key, or its own in a list."""
        path = above.next_path()
        if isinstance(above.into, list):
            self._lines[path] = _line(event)
        return path

    def _bad(self, event: yaml.Event, message: str, path: str = "") -> BadFile:
        return BadFile(f"{self._source}:{_line(event)}", [Fault(path, message)])


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0

"""A web configuration's YAML: PyYAML's safe loader, made stricter for files of untrusted content.

It refuses anchors, aliases, tags and merge keys before it builds values from them (an alias bomb of 271 bytes has 9^8
leaves). It also refuses duplicate keys, and plain values that YAML 1.1 reads in an unexpected way (`no`, `0443`,
`1:20`, `4_43`). No message repeats a value: it may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.composer import Composer

from probe.host.files import decode_text
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
_NO_MAPPING = "must be a mapping at its top, as in `basic_auth_users:`"

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The top mapping, and the line of the path of every key (`tls_server_config.cert_file`, `x.list[0]`)."""

    data: dict[str, Value]
    lines: dict[str, int]

    def line(self, key_path: str) -> int:
        """The line of a key, or of the nearest key around it; 0 for none."""
        while key_path and key_path not in self.lines:
            key_path = key_path[: max(key_path.rfind("."), key_path.rfind("["), 0)]
        return self.lines.get(key_path, 0)


def parse_yaml(content: bytes, source: str) -> YamlFile:
    """The file as a mapping of texts, integers, booleans, lists and mappings. BadFile for everything else."""
    text = decode_text(content, source)
    try:
        return _Loader(text, source).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise BadFile(place, [Fault("", f"is not YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError:
        raise BadFile(source, [Fault("", "is not YAML: it holds a character that no text has")]) from None


class _Loader(Composer, yaml.CSafeLoader):
    """The safe loader with libyaml's parser and PyYAML's own composer, which allows checking each node before building
    it."""

    def __init__(self, text: str, source: str) -> None:
        Composer.__init__(self)
        yaml.CSafeLoader.__init__(self, text)
        self._source = source
        self._depth = self._nodes = 0
        self._lines: dict[str, int] = {}

    def read(self) -> YamlFile:
        """The only document of the file; an empty mapping if it has only comments."""
        self.get_event()  # the start of the stream
        data: dict[str, Value] = {}
        if not self.check_event(yaml.StreamEndEvent):
            root = self.compose_document()
            assert root is not None
            second = self.peek_event()
            if not isinstance(second, yaml.StreamEndEvent):
                raise self._bad(second, "holds a second document (---)")
            if isinstance(root, yaml.MappingNode):
                data = self._mapping(root, "")
            elif root.value or _kind(root) != "null":
                raise self._bad(root, _NO_MAPPING)
        return YamlFile(data, self._lines)

    def compose_node(self, parent: yaml.Node | None, index: int | yaml.Node | None) -> yaml.Node | None:
        """The next node. BadFile for YAML that no web configuration needs."""
        event = self.peek_event()
        assert isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._bad(event, "uses an anchor or an alias (& or *): write the value out")
        if getattr(event, "tag", None) is not None:
            raise self._bad(event, "uses a tag (!): write the plain value")
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._bad(event, f"has more than {MOST_NODES} values")
        if not isinstance(event, yaml.ScalarEvent):
            if self._depth >= DEEPEST:
                raise self._bad(event, f"is nested deeper than {DEEPEST}")
            if isinstance(parent, yaml.MappingNode) and index is None:
                raise self._bad(event, "has a list or a mapping as a key")
        self._depth += 1
        try:
            return super().compose_node(parent, index)  # type: ignore[arg-type]  # a key node as well, not only a number
        finally:
            self._depth -= 1

    def _value(self, node: yaml.Node, path: str) -> Value:
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                for index, item in enumerate(node.value):
                    self._lines[f"{path}[{index}]"] = _line(item)
                return [self._value(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        kind = _kind(node)
        plain_number = kind == "int" and re.fullmatch(r"0|[1-9][0-9]{0,17}", node.value)
        if kind != "str" and not plain_number and not (kind == "bool" and node.value in ("true", "false")):
            raise self._bad(node, _HINTS.get(kind, _HINTS["value"]), path)
        value: Value = self.construct_object(node)  # a text, a whole number in plain digits, true or false
        return value

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Value]:
        data: dict[str, Value] = {}
        own: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, _line(key_node)
            if (kind := _kind(key_node)) != "str":
                place = f"a key of {path}" if path else "a key"
                raise self._bad(key_node, f"{place} {_HINTS.get(kind, _HINTS['value'])}")
            if key in own:
                text = f"{shown(key)} is there twice, on line {own[key]} and on line {line}"
                raise self._bad(key_node, text)
            where = f"{path}.{key}" if path else key
            own[key] = self._lines[where] = line
            data[key] = self._value(value_node, where)
        return data

    def _bad(self, found: yaml.Event | yaml.Node | None, message: str, path: str = "") -> BadFile:
        return BadFile(f"{self._source}:{_line(found)}", [Fault(path, message)])


def _kind(node: yaml.Node) -> str:
    """The type that the safe loader gives a scalar."""
    return str(node.tag).removeprefix(_PREFIX)


def _line(found: yaml.Event | yaml.Node | None) -> int:
    return found.start_mark.line + 1 if found is not None and found.start_mark else 0

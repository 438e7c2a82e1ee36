"""Loads rule sets and CA sets: shipped ones by name from the package, the user's from TOML files."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from probe.host.files import TomlFile, parse_toml, read_toml
from rules.files.ca_set import CAS_SCHEMA, INTERCEPTORS_SCHEMA
from rules.files.fields import BadFile, Fault
from rules.files.rule_set import SCHEMA, parse_caset, parse_interceptors, parse_ruleset
from rules.model.ruleset import CaSet, Interceptor, Rules, RuleSet

DEFAULT_RULES = ("entra-app-proxy",)
DEFAULT_CA_SETS = ("microsoft-azure",)
_INTERCEPTORS = "interceptors"
_MOST_EXTENDED = 4  # files that extend one another
_WORDS = {SCHEMA: "a rule set", CAS_SCHEMA: "a CA set", INTERCEPTORS_SCHEMA: "a list of interceptors"}

_Set = TypeVar("_Set", RuleSet, CaSet)


def load_rules(
    rules: Sequence[str] = DEFAULT_RULES, ca_sets: Sequence[str] = DEFAULT_CA_SETS, directory: str = ""
) -> Rules:
    """All rules of an audit. A name that looks like a file is a file, relative to `directory`. BadFile for a fault."""
    return Rules(
        rulesets=_distinct(tuple(load_ruleset(name, directory) for name in rules), "rules"),
        cas=_distinct(tuple(load_caset(name, directory) for name in ca_sets), "ca_sets"),
        interceptors=shipped_interceptors(),
    )


def load_ruleset(name: str, directory: str = "", depth: int = 0) -> RuleSet:
    """One rule set, shipped or from a file."""
    file = _file(name, directory)
    _is(file, SCHEMA)
    base = _base(file, load_ruleset, depth)
    return parse_ruleset(file.data, file.source, sha256=file.sha256, base=base)


def load_caset(name: str, directory: str = "", depth: int = 0) -> CaSet:
    """One set of expected CAs, shipped or from a file."""
    file = _file(name, directory)
    _is(file, CAS_SCHEMA)
    base = _base(file, load_caset, depth)
    return parse_caset(file.data, file.source, sha256=file.sha256, base=base)


def load_set(name: str) -> RuleSet | CaSet:
    """A rule set or a CA set, shipped or from a file, with what it extends. BadFile for a fault."""
    file = _file(name, "")
    return load_caset(name) if file.data.get("schema") == CAS_SCHEMA else load_ruleset(name)


def shipped_sets() -> tuple[RuleSet | CaSet, ...]:
    """Every rule set and CA set in the package, by name."""
    files = [_shipped(name) for name in shipped_names()]
    return tuple(
        parse_ruleset(file.data, file.source, sha256=file.sha256)
        if file.data.get("schema") == SCHEMA
        else parse_caset(file.data, file.source, sha256=file.sha256)
        for file in files
        if file.data.get("schema") != INTERCEPTORS_SCHEMA
    )


def shipped_names() -> tuple[str, ...]:
    """Names of the shipped files, without `.toml`."""
    found = (entry.name for entry in importlib.resources.files("rules").joinpath("sets").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def shipped_interceptors() -> tuple[Interceptor, ...]:
    """Issuer texts of interception products."""
    file = _shipped(_INTERCEPTORS)
    return parse_interceptors(file.data, file.source)


def check_file(file: TomlFile) -> tuple[str, ...]:
    """Warnings about a file of rules, CAs or interceptors, chosen by its schema; BadFile if it cannot be used."""
    schema = file.data.get("schema")
    if schema == SCHEMA:
        base = _base(file, load_ruleset, 0)
        return parse_ruleset(file.data, file.source, base=base).warnings
    if schema == CAS_SCHEMA:
        parse_caset(file.data, file.source, base=_base(file, load_caset, 0))
    else:
        parse_interceptors(file.data, file.source)
    return ()


def is_file_name(name: str) -> bool:
    """Whether a name of a rule set is a file: it ends in .toml or has a slash."""
    return name.endswith(".toml") or "/" in name or "\\" in name


def _file(name: str, directory: str) -> TomlFile:
    if is_file_name(name):
        return read_toml(str(Path(directory, name)))
    if name not in shipped_names():
        known = ", ".join(shipped_names())
        raise BadFile(
            name[:80],
            [
                Fault(
                    "",
                    f"is no set that wayclear ships ({known}); a file of your own ends in .toml",
                    "./my-rules.toml",
                )
            ],
        )
    return _shipped(name)


def _shipped(name: str) -> TomlFile:
    path = importlib.resources.files("rules").joinpath("sets", f"{name}.toml")
    return parse_toml(path.read_bytes(), f"{name} (shipped)")


def _base(file: TomlFile, load: Callable[[str, str, int], _Set], depth: int) -> _Set | None:
    """The set that `extends` names. None if it names none, or if the parser will report its fault."""
    name = file.data.get("extends")
    if not isinstance(name, str) or not name:
        return None
    if depth >= _MOST_EXTENDED:
        raise BadFile(
            file.source,
            [Fault("extends", f"more than {_MOST_EXTENDED} files extend one another, or in a circle")],
        )
    if not is_file_name(name):
        return load(name, "", depth + 1) if name in shipped_names() else None
    return load(name, str(Path(file.source).parent), depth + 1)


def _is(file: TomlFile, schema: str) -> None:
    found = file.data.get("schema")
    if isinstance(found, str) and found != schema and found in _WORDS:
        message = f"is {_WORDS[found]}, {_WORDS[schema]} belongs here"
        raise BadFile(file.source, [Fault("schema", message, f'schema = "{schema}"')])


def _distinct(sets: tuple[_Set, ...], key: str) -> tuple[_Set, ...]:
    seen: Mapping[str, _Set] = {one.name: one for one in sets}
    if len(seen) != len(sets):
        twice = next(one for one in sets if seen[one.name] is not one)
        raise BadFile(
            twice.source, [Fault(key, f"two sets have the name {twice.name}", 'name = "a-name-of-its-own"')]
        )
    return sets

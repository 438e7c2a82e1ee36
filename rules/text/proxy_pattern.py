"""Expressions of a .NET bypass list, matched in linear time.

A bypass list of `defaultProxy` holds regular expressions (Microsoft, "<add> element for bypasslist"). They come from
a file of this host, and one such as `(a+)+$` would block Python's matcher for years. So an expression becomes a small
program whose states all advance together (Thompson 1968), and a text of n characters costs n times its length.

The text is always ASCII: a scheme, a host name as A-labels, a port. .NET ignores case here
(`RegexOptions.IgnoreCase`), so both sides are lower-cased. Look-around, back-references, atomic groups and Unicode
classes are not supported.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, assert_never

LONGEST = 1000  #: characters of an expression
MOST_GROUPS = 80  #: maximum of nested groups
LARGEST = 2000  #: maximum of steps of a program: counted repeats are written out
MOST_WORK = 20_000  #: maximum of steps examined for one text; `.*\.msappproxy\.net$` takes a few hundred

_ALL = frozenset(map(chr, range(128)))
_CLASSES = {
    "d": frozenset(string.digits),
    "w": frozenset(string.ascii_lowercase + string.digits + "_"),
    "s": frozenset(" \t\n\r\f\v"),
}
_BRACED_QUANTIFIER = re.compile(r"\{([0-9]{1,6})(,)?(?(2)([0-9]{1,6})?)\}")
_WORD = _CLASSES["w"]
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_ANCHORS = {"A": "start", "z": "end", "Z": "end", "b": "boundary", "B": "inside"}


class BadPattern(ValueError):  # noqa: N818 - says what the caller holds
    """The expression cannot be used. `refused`: .NET refuses it too; else only this module cannot read it."""

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class _Chars:
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Anchor:
    kind: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    node: _Node
    least: int
    most: int | None


_Node: TypeAlias = _Chars | _Anchor | _Sequence | _Choice | _Repeat


@dataclass(frozen=True, slots=True)
class _Op:
    """One step. "char" takes a character, "anchor" tests a position, "jump" continues at all of `to`, "match" is the
    end."""

    kind: Literal["char", "anchor", "jump", "match"]
    allowed: frozenset[str] = frozenset()
    anchor: str = ""
    to: tuple[int, ...] = ()


@lru_cache(maxsize=4096)
def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` matches anywhere in `text`, like `Regex.IsMatch`. BadPattern if it cannot be used."""
    program = _program(pattern)
    text = text.lower()
    reached: set[int] = set()
    work = 0
    for at in range(len(text) + 1):
        reached = _closure(program, {*reached, 0}, text, at)
        if len(program) - 1 in reached:
            return True
        work += len(reached)
        if work > MOST_WORK:
            raise BadPattern("takes too long to try", refused=False)
        if at < len(text):
            reached = {n + 1 for n in reached if program[n].kind == "char" and text[at] in program[n].allowed}
    return False


def _closure(program: tuple[_Op, ...], begin: Iterable[int], text: str, at: int) -> set[int]:
    """The steps that are reachable without taking a character."""
    seen: set[int] = set()
    left = list(begin)
    while left:
        number = left.pop()
        if number in seen:
            continue
        seen.add(number)
        step = program[number]
        if step.kind == "jump":
            left.extend(step.to)
        elif step.kind == "anchor" and _holds(step.anchor, text, at):
            left.append(number + 1)
    return seen


def _holds(anchor: str, text: str, at: int) -> bool:
    if anchor == "start":
        return at == 0
    if anchor == "end":
        return at == len(text)
    before = at > 0 and text[at - 1] in _WORD
    after = at < len(text) and text[at] in _WORD
    return (before != after) == (anchor == "boundary")


@lru_cache(maxsize=256)
def _program(pattern: str) -> tuple[_Op, ...]:
    if len(pattern) > LONGEST:
        raise BadPattern(f"has {len(pattern)} characters, at most {LONGEST} are read", refused=False)
    if pattern.count("(") > MOST_GROUPS:
        raise BadPattern(f"has more than {MOST_GROUPS} groups", refused=False)
    writer = _Writer()
    writer.write(_Parser(pattern).whole())
    return (*writer.program, _Op("match"))


class _Writer:
    """Writes the program of an expression."""

    def __init__(self) -> None:
        self.program: list[_Op] = []
        self._left = LARGEST  # nodes without steps, such as an empty group, take time too

    def write(self, node: _Node) -> None:
        self._left -= 1
        if self._left < 0:
            raise BadPattern("repeats too much to be read", refused=False)
        match node:
            case _Chars(allowed):
                self.program.append(_Op("char", allowed))
            case _Anchor(kind):
                self.program.append(_Op("anchor", anchor=kind))
            case _Sequence(parts):
                for part in parts:
                    self.write(part)
            case _Choice(options):
                self._choice(options)
            case _Repeat(inner, least, most):
                for _ in range(least):
                    self.write(inner)
                self._optional(inner, None if most is None else most - least)
            case _:
                assert_never(node)

    def _fork(self) -> int:
        """Reserve a place for a jump whose target is not known yet."""
        self.program.append(_Op("jump"))
        return len(self.program) - 1

    def _choice(self, options: tuple[_Node, ...]) -> None:
        fork = self._fork()
        begins, ends = [], []
        for option in options:
            begins.append(len(self.program))
            self.write(option)
            ends.append(self._fork())
        self.program[fork] = _Op("jump", to=tuple(begins))
        for end in ends:
            self.program[end] = _Op("jump", to=(len(self.program),))

    def _optional(self, inner: _Node, times: int | None) -> None:
        """`inner` up to `times` times; None: any number of times."""
        forks = []
        for _ in range(1 if times is None else times):
            forks.append(self._fork())
            self.write(inner)
        if times is None:
            self.program.append(_Op("jump", to=(forks[0],)))
        for fork in forks:
            self.program[fork] = _Op("jump", to=(fork + 1, len(self.program)))


class _Parser:
    """Recursive descent over one expression, by .NET's reference ("Regular expression language")."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> _Node:
        node = self._choice()
        if self._at < len(self._text):
            raise BadPattern("has a closing parenthesis too many", refused=True)
        return node

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _next_char(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _accept(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self._at)
        self._at += len(wanted) if found else 0
        return found

    def _choice(self) -> _Node:
        options = [self._sequence()]
        while self._accept("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else _Choice(tuple(options))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            node = self._atom()
            if node is not None:
                parts.append(self._repeated(node))
        return _Sequence(tuple(parts))

    def _atom(self) -> _Node | None:
        """One item that may be repeated; None for an item without meaning, such as a comment."""
        char = self._next_char()
        match char:
            case "(":
                return self._group()
            case "[":
                return _Chars(self._set())
            case ".":
                return _Chars(_ALL - {"\n"})
            case "^":
                return _Anchor("start")
            case "$":
                return _Anchor("end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise BadPattern(f"has a {char} behind nothing", refused=True)
        return _Chars(_folded({char}))

    def _repeated(self, node: _Node) -> _Node:
        counts = self._quantifier()
        if counts is None:
            return node
        self._accept("?")  # lazy instead of greedy: whether there is a match stays the same
        if self._peek() in ("*", "+", "?") or self._braced_quantifier() is not None:
            raise BadPattern("repeats a repeat", refused=True)
        return _Repeat(node, *counts)

    def _quantifier(self) -> tuple[int, int | None] | None:
        char = self._peek()
        if char and char in "*+?":
            self._at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        found = self._braced_quantifier()
        if found is None:
            return None
        self._at = found[0]
        least, most = found[1], found[2]
        if most is not None and most < least:
            raise BadPattern(f"repeats from {least} to {most}", refused=True)
        if max(least, most or 0) > LARGEST:
            raise BadPattern("repeats too much to be read", refused=False)
        return least, most

    def _braced_quantifier(self) -> tuple[int, int, int | None] | None:
        """`{n}`, `{n,}` or `{n,m}` here, and where it ends; None if the brace is an ordinary character."""
        found = _BRACED_QUANTIFIER.match(self._text, self._at)
        if found is None:
            return None
        low, comma, high = found.groups()
        return found.end(), int(low), int(high) if high else (None if comma else int(low))

    def _group(self) -> _Node | None:
        if self._accept("?"):
            if self._accept("#"):
                self._until(")")
                return None
            if not self._opened():
                return None
        node = self._choice()
        if not self._accept(")"):
            raise BadPattern("has a group without an end", refused=True)
        return node

    def _opened(self) -> bool:
        """After `(?`: whether a group follows; False for options that hold to the end of the surrounding group."""
        if self._accept(":"):
            return True
        for opening, closing in (("<", ">"), ("'", "'")):
            if self._peek() == opening and self._peek(1) not in ("=", "!", ""):
                self._at += 1
                self._until(closing)
                return True
        options = ""
        while self._peek() and self._peek() in "imns":
            options += self._next_char()
        if options and self._accept(":"):
            return True
        if options and self._accept(")"):
            return False
        raise BadPattern("looks around or sets options, which is not read here", refused=False)

    def _until(self, closing: str) -> None:
        end = self._text.find(closing, self._at)
        if end < 0:
            raise BadPattern("has a group without an end", refused=True)
        self._at = end + 1

    def _escape(self) -> _Node:
        char = self._peek()
        if char in _ANCHORS and char:
            self._at += 1
            return _Anchor(_ANCHORS[char])
        return _Chars(_folded(self._escaped()))

    def _escaped(self) -> frozenset[str]:
        """The characters of an escape, in a class and outside."""
        char = self._next_char()
        if char == "":
            raise BadPattern("ends in a backslash", refused=True)
        if char.lower() in _CLASSES:
            found = _CLASSES[char.lower()]
            return found if char.islower() else _ALL - found
        if char in _CONTROLS:
            return frozenset(_CONTROLS[char])
        if char in ("x", "u"):
            digits = self._text[self._at : self._at + (2 if char == "x" else 4)]
            self._at += len(digits)
            if len(digits) != (2 if char == "x" else 4) or not set(digits) <= set(string.hexdigits):
                raise BadPattern("has a character by number that is none", refused=True)
            return frozenset({chr(int(digits, 16))})
        if char.isdigit() or char in "kpPcG":
            raise BadPattern(f"uses \\{char}, which is not read here", refused=False)
        if char.isascii() and char.isalpha():
            raise BadPattern(f"has \\{char}, which means nothing", refused=True)
        return frozenset({char})

    def _set(self) -> frozenset[str]:
        """A class after its opening bracket."""
        negated = self._accept("^")
        found: set[str] = set()
        first = True
        while first or self._peek() != "]":
            if self._peek() == "":
                raise BadPattern("has a class without an end", refused=True)
            if self._text[self._at : self._at + 2] in ("[:", "-["):
                raise BadPattern("has a class in a class, which is not read here", refused=False)
            low = self._member()
            first = False
            if self._peek() == "-" and self._peek(1) not in ("]", "[", ""):
                self._at += 1
                found |= _span(low, self._member())
            else:
                found |= low
        self._at += 1
        folded = _folded(found)
        return _ALL - folded if negated else folded

    def _member(self) -> frozenset[str]:
        char = self._next_char()
        if char != "\\":
            return frozenset({char})
        if self._accept("b"):
            return frozenset({"\b"})
        return self._escaped()


def _span(low: frozenset[str], high: frozenset[str]) -> frozenset[str]:
    if len(low) != 1 or len(high) != 1:
        raise BadPattern("has a range between what are no characters", refused=True)
    begin, end = ord(next(iter(low))), ord(next(iter(high)))
    if end < begin:
        raise BadPattern("has a range that runs backwards", refused=True)
    return frozenset(chr(n) for n in range(begin, min(end, 127) + 1))


def _folded(chars: Iterable[str]) -> frozenset[str]:
    return frozenset(char.lower() for char in chars)

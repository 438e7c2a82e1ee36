"""Good inputs spoiled, the same way each time: a seed decides everything.

Blind noise rarely gets past a parser's first byte. What is spoiled here was good a moment ago, and what is put into it
are the bytes that lengths, counts and offsets are made of.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeAlias

Json: TypeAlias = Any  # whatever `json` reads

#: Bytes that have ended parsers: extremes of lengths, pointers into themselves, tags without an end, ends of lines.
_EVIL = (
    b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff", b"\xc0\x0c", b"\xc0\x00", b"\x16\x03\x03\xff\xff", b"\r\n", b"\n\n", b"%", b"\\",
    b'"', b"[" * 40, b"{" * 40, b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b[2J", b"9" * 5000, b"1e309",
)  # fmt: skip


def _flip(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    for _ in range(rnd.choice((1, 1, 1, 2, 8))):
        if data:
            data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)


def _set(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    at = rnd.randrange(len(data) + 1)
    evil = rnd.choice(_EVIL)
    data[at : at + len(evil)] = evil


def _insert(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    at = rnd.randrange(len(data) + 1)
    data[at:at] = rnd.choice(_EVIL) * rnd.choice((1, 1, 3, 50))


def _cut(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    at = rnd.randrange(len(data) + 1)
    if rnd.random() < 0.5:
        del data[at:]
    else:
        del data[at : at + rnd.randrange(1, 20)]


def _repeat(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    at = rnd.randrange(len(data) + 1)
    piece = bytes(data[at : at + rnd.randrange(1, 64)])
    data[at:at] = piece * rnd.choice((1, 2, 30))


def _splice(data: bytearray, rnd: Random, seeds: Sequence[bytes]) -> None:
    other = rnd.choice(seeds)
    data[rnd.randrange(len(data) + 1) :] = other[rnd.randrange(len(other) + 1) :]


_WAYS: tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _flip, _set, _set, _insert, _cut, _repeat, _splice,
)  # fmt: skip


def spoiled(seeds: Sequence[bytes], seed: int, count: int) -> Iterator[tuple[int, bytes]]:
    """`count` inputs, each with the place in `seeds` of what it was made from. Some are left as they are."""
    for number in range(count):
        rnd = Random(seed * 1_000_003 + number)
        chosen = rnd.randrange(len(seeds))
        data = bytearray(seeds[chosen])
        for _ in range(rnd.choice((0, 1, 1, 1, 1, 2, 2, 4))):
            rnd.choice(_WAYS)(data, rnd, seeds)
        yield chosen, bytes(data)


#: Values of the right type that no measurement would have given, and of wrong types.
_ODD: tuple[Json, ...] = (
    "", "\x1b[2J\x9b", "x" * 3000, "999.1.1.1", "::ffff:10.0.0.1", "a..b", "fe80::1%eth0", "127.0.0.1", "*", "AAAA",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "http://[", "\u202e", -1, 0, 1, 2**31, 2**53, -(2**53), 0.5,
    -1.0, 1e15, True, False, None, [], {}, [[]], ["x", "x"], {"a": 1},
)  # fmt: skip


def spoiled_json(document: Json, seed: int, count: int) -> Iterator[bytes]:
    """A report with values replaced, lists repeated and keys removed; the JSON itself stays good."""
    for number in range(count):
        rnd = Random(seed * 1_000_003 + number)
        changed = copy.deepcopy(document)
        for _ in range(rnd.choice((1, 1, 2, 4))):
            _change(changed, rnd)
        yield json.dumps(changed).encode()


def _change(document: Json, rnd: Random) -> None:
    """Walk down a report to some place, deeper rather than not, and spoil what is there."""
    place = document
    while place:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        inner = place is document and rnd.random() < 0.8
        key: Json = "observations" if inner and "observations" in document else rnd.choice(keys)
        below = place[key]
        if isinstance(below, dict | list) and below and rnd.random() < 0.93:
            place = below
            continue
        what = rnd.random()
        if what < 0.1:
            del place[key]
        elif what < 0.2 and isinstance(place, list):
            place[key:key] = [below] * rnd.choice((1, 3, 300))
        elif what < 0.3 and isinstance(below, list):
            below.reverse()
        else:
            alike = [odd for odd in _ODD if type(odd) is type(below)]
            place[key] = copy.deepcopy(rnd.choice(alike if alike and rnd.random() < 0.8 else _ODD))
        return

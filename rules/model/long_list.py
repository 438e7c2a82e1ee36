"""The kept form of a certificate revocation list that is too long to keep: a mark for each entry, and a short list.

A judgement only asks whether a serial is among the entries, and whether a key signed the whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class LongList:
    """The kept form of a list. `skeleton`: a list (DER) with the same head, end and signature, and the entries that were
    kept in full; its signature is on `signed` alone, the digest by `hash_name` of the signed bytes.

    `size`: bytes of the whole; `count`: entries that are kept as marks.
    """

    skeleton: bytes
    size: int
    hash_name: str
    signed: bytes
    count: int
    marks: tuple[Sequence[int], ...]  # each sorted; arrays in practice

    def lists(self, serial: int) -> bool:
        """Whether a serial is among the entries kept as marks. Wrong at most once in 10^13."""
        wanted = mark(serial.to_bytes((serial + (serial < 0)).bit_length() // 8 + 1, signed=True))
        for block in self.marks:
            at = bisect_left(block, wanted)
            if at < len(block) and block[at] == wanted:
                return True
        return False


def mark(serial: bytes) -> int:
    """The 64 bits that stand for a serial: Python's own hash, which is quick and differs in each process."""
    return hash(serial)

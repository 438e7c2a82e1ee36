"""A certificate revocation list that is too long to keep: read in pieces, kept as a mark for each entry (RFC 5280
section 5.1).

A list may have millions of entries, and each host of an audit may send another one. A judgement only asks whether a
serial is among the entries, and whether a key signed the whole. So the kept parts are the hash of the signed bytes,
eight bytes for each entry, and a short list with the same head and end, which holds the entries with more information
than "revoked".
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Literal, Protocol

from rules.model.long_list import LongList, mark
from rules.pki.fields import try_read
from rules.pki.signature_algorithm import signature_algorithm

#: Bytes of a list's head, of its end, and of all entries that are kept in full.
MOST_HEAD = MOST_KEPT = 65_536
#: The longest entry, in bytes.
_MOST_ENTRY = 16_384
#: Number of marks that are sorted together: few enough to take a millisecond.
_BLOCK = 8_192
_SEQUENCE, _INTEGER, _TIMES = 0x30, 0x02, (0x17, 0x18)
#: The bytes before an entry's reason (section 5.3.1), the same if the reason is the entry's only extension, and the
#: reasons that only mean "revoked": neither on hold (6) nor back from it (8).
_REASON = bytes.fromhex("0603551d1504030a01")
_ONE_REASON = bytes.fromhex("300c300a") + _REASON
_PLAIN_REASONS = frozenset((0, 1, 2, 3, 4, 5, 9, 10))
#: The extension that names another CA (section 5.3.3), and "critical".
_ISSUER, _TRUE = bytes.fromhex("0603551d1d"), b"\x01\x01\xff"

#: Hashes that are computed while a list arrives.
_HASHES = frozenset({"sha1", "sha256", "sha384", "sha512"})


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class ListReader:
    """Reads a list in pieces, whatever comes, in bounded memory. Never raises.

    `broken`: the bytes are no list, or one that cannot be kept in this form. `size`: bytes so far.
    """

    def __init__(self) -> None:
        self.broken = False
        self.size = 0
        self._stored = 0
        self._part: Literal["head", "entries", "tail"] = "head"
        self._buffer = b""  # bytes not parsed yet
        self._head = b""
        self._tbs_end = self._end = self._entries_end = 0  # offsets in the list
        self._hash: _Hash | None = None
        self._hash_name = ""
        self._hashed = 0
        self._kept = bytearray()
        self._keep_all = False
        self._block = array("q")  # not yet sorted
        self._marks: list[array[int]] = []

    @property
    def count(self) -> int:
        """Number of entries kept as marks so far."""
        return self._stored + len(self._block)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        if self.broken:
            return
        self._buffer = self._buffer + data if self._buffer else data
        try:
            if self._part == "head":
                self._read_head()
            if self._part == "entries":
                self._read_entries()
            if self._part == "tail":
                self._read_tail()
        except (IndexError, ValueError):
            self._break()

    def finish(self) -> LongList | None:
        """The list, after the last bytes; None if it is no list, not complete or signed with an unknown hash."""
        tail = self._buffer
        whole = self._part == "tail" and self.size == self._end
        if self.broken or not whole or self._hash is None or not self._hash_name:
            return None
        self._store()
        inside = self._entries_end
        entries = _element(_SEQUENCE, bytes(self._kept)) if self._kept else b""
        cut = self._tbs_end - inside
        body = _element(_SEQUENCE, self._head + entries + tail[:cut]) + tail[cut:]
        return LongList(
            _element(_SEQUENCE, body),
            self.size,
            self._hash_name,
            self._hash.digest(),
            self._stored,
            tuple(self._marks),
        )

    def _break(self) -> None:
        self.broken = True
        self._buffer = b""
        self._marks.clear()
        del self._block[:]
        self._kept.clear()
        self._stored = 0

    def _read_head(self) -> None:
        """Read to the first entry: the end of every part, and the hash of the signature."""
        data = self._buffer
        try:
            outer, end = _header(data, 0, _SEQUENCE)
            start, tbs_end = _header(data, outer, _SEQUENCE)
            at = start
            if data[at] == _INTEGER:
                at = _skip(data, at, _INTEGER)
            algorithm = at
            at = _skip(data, at, _SEQUENCE)
            name = _hash_name(data[algorithm:at])
            at = _skip(data, _skip(data, at, _SEQUENCE), *_TIMES)
            if at < tbs_end and data[at] in _TIMES:
                at = _skip(data, at, *_TIMES)
            first, entries_end = at, at
            if at < tbs_end and data[at] == _SEQUENCE:
                first, entries_end = _header(data, at, _SEQUENCE)
        except IndexError:  # not whole yet
            if len(data) > MOST_HEAD:
                self._break()
            return
        if not at <= entries_end <= tbs_end < end:
            raise ValueError("an element runs past the end")
        self._head, self._tbs_end, self._end, self._entries_end = data[start:at], tbs_end, end, entries_end
        self._hash_name, self._hash = name, hashlib.new(name or "sha256", usedforsecurity=False)
        self._hash.update(data[outer:first])
        self._hashed, self._buffer, self._part = first, data[first:], "entries"

    def _read_entries(self) -> None:
        """Read all complete entries."""
        begin = self.size - len(self._buffer)
        room = self._entries_end - begin
        used = self._consume(self._buffer if len(self._buffer) <= room else self._buffer[:room])
        self._sign(self._buffer[:used], begin)
        self._buffer = self._buffer[used:]
        if begin + used == self._entries_end:
            self._part = "tail"
        elif len(self._buffer) > min(
            room - used - 1, _MOST_ENTRY
        ):  # cut off by the list's own end, or too long
            raise ValueError("an entry has no end")

    def _read_tail(self) -> None:
        """Extensions, algorithm and signature; they are read when they are complete."""
        begin = self.size - len(self._buffer)
        if begin != self._entries_end or len(self._buffer) > MOST_KEPT or self.size > self._end:
            raise ValueError("more than a list has")
        self._sign(self._buffer[self._hashed - begin : max(0, self._tbs_end - begin)], self._hashed)

    def _sign(self, data: bytes, begin: int) -> None:
        """Add the bytes from the offset `begin` on that the signature covers."""
        assert self._hash is not None
        assert begin == self._hashed
        self._hash.update(data)
        self._hashed += len(data)

    def _consume(self, data: bytes) -> int:
        """Take complete entries off the beginning; return their length in bytes. Raises for an invalid entry."""
        at, length, block = 0, len(data), self._block
        while at + 1 < length:
            size = data[at + 1]
            start = at + 2
            if size > 0x7F:
                if at + 6 > length:  # the longest header that is read
                    break
                start, stop = _header(data, at, _SEQUENCE)
            else:
                stop = start + size
            if stop > length:
                if stop - at > _MOST_ENTRY:
                    raise ValueError("an entry is too long")
                break
            serial_end = start + 2 + data[start + 1]
            time_end = serial_end + 2 + data[serial_end + 1]
            if (
                data[at] != _SEQUENCE
                or data[start] != _INTEGER
                or data[serial_end] not in _TIMES
                or time_end > stop
                or not 0 < data[start + 1] < 0x80
            ):
                raise ValueError("not an entry")
            more = data[time_end:stop] if time_end != stop or self._keep_all else b""
            if (more or self._keep_all) and self._kept_in_full(more):
                self._kept += data[at:stop]
                if len(self._kept) > MOST_KEPT:
                    raise ValueError("too many entries that say more than that a certificate is revoked")
            else:
                block.append(mark(data[start + 2 : serial_end]))
                if len(block) == _BLOCK:
                    self._store()
            at = stop
        return at

    def _kept_in_full(self, extensions: bytes) -> bool:
        """Whether an entry must be kept in full: any critical extension, a hold or its end, or another CA's name.

        The entries after an entry of another CA may belong to that CA too (section 5.3.3).
        """
        if extensions[:-1] == _ONE_REASON and extensions[-1] in _PLAIN_REASONS and not self._keep_all:
            return False
        self._keep_all = self._keep_all or _ISSUER in extensions
        _, reason, value = extensions.partition(_REASON)
        plain = not reason or (bool(value) and value[0] in _PLAIN_REASONS)
        return self._keep_all or _TRUE in extensions or not plain

    def _store(self) -> None:
        self._stored += len(self._block)
        if self._block:
            self._marks.append(array("q", sorted(self._block)))
        del self._block[:]


def begins_as_list(data: bytes) -> bool:
    """Whether `data` may be the beginning of a list: a DER SEQUENCE. No text page begins like this."""
    return data[:1] == bytes((_SEQUENCE,))


def _hash_name(algorithm: bytes) -> str:
    """The hash of an AlgorithmIdentifier (DER); "" for one that is not supported here."""
    found, _ = try_read(lambda: signature_algorithm(algorithm).hash)
    return found.name if found is not None and found.name in _HASHES else ""


def _header(data: bytes, at: int, *tags: int) -> tuple[int, int]:
    """Where the content of the element at `at` starts and ends. IndexError if it has not arrived yet."""
    if data[at] not in tags:
        raise ValueError("another element")
    first, start = data[at + 1], at + 2
    if first < 0x80:
        return start, start + first
    count = first & 0x7F
    if not 0 < count <= 4:
        raise ValueError("not a definite DER length")
    _there(data, start + count)
    length = int.from_bytes(data[start : start + count])
    if data[start] == 0 or length < 0x80:
        raise ValueError("a length that is longer than it must be")
    return start + count, start + count + length


def _skip(data: bytes, at: int, *tags: int) -> int:
    """The end of the element at `at`. IndexError if it is not complete yet."""
    end = _header(data, at, *tags)[1]
    _there(data, end)
    return end


def _there(data: bytes, end: int) -> None:
    if end > len(data):
        raise IndexError


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content

"""DNS messages: writes queries and reads the relevant parts of responses (RFC 1035, 6891, 8914).

dnspython reads the names, because names are where hostile messages attack (pointers forward, in circles, 8,000 in a row;
unknown label types; names over 255 bytes). Only names of letters, digits, hyphens and underscores, the usual ones, are read
here, ten times as fast. The records are read here and not by `dns.message.from_wire`: reading stops at fixed limits,
whatever 64 KiB of answer contain, and takes a third of the time.
"""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.name
import dns.rcode

from rules.model.kinds.dns_chain import Record
from rules.text.display import display

HEADER = 12
EDNS_SIZE = 1232  # bytes of a datagram that we accept: it fits the smallest IPv6 MTU (DNS flag day 2020)
RECORDS_KEPT = 200
RECORDS_WALKED = 1000  # of all sections; later records are not read
OPTIONS = 100  # EDNS options; Unbound's limit. A message of 16,000 costs a tenth of a second
TTL_MAX = 86_400
ERRORS_KEPT = 8  # different extended errors of one message: each forwarder may add its own
ERROR_TEXT = 120  # characters of one text, so that there is room for the next

_A, _CNAME, _SOA, _AAAA, _DNAME, _OPT = 1, 5, 6, 28, 39, 41
TYPES: dict[str, int] = {"A": _A, "AAAA": _AAAA, "CNAME": _CNAME}
_IN = 1
_EDE = 15  # EDNS option code of an extended error
_QR, _OPCODE, _TC, _RD, _AD = 0x8000, 0x7800, 0x0200, 0x0100, 0x0020
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of data
_HEADER = struct.Struct("!HHHHHH")
_OPT_RECORD = b"\0" + _FIXED.pack(_OPT, EDNS_SIZE, 0, 0)
_RCODES = {int(code): code.name for code in dns.rcode.Rcode if code != 16} | {16: "BADVERS"}
_EDE_NAMES = {int(code): code.name.replace("_", " ").capitalize() for code in dns.edns.EDECode}
#: rcodes with which servers leave the question out of their response
_NO_QUESTION = frozenset({1, 2, 4, 5})  # FORMERR, SERVFAIL, NOTIMP, REFUSED


#: Labels and names that every parser reads in the same way
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_JUMPS = 8  # most pointers in a plain name: answers have one or two
_LONGEST = 255  # bytes of a name (RFC 1035 section 3.1)


class MalformedError(Exception):
    """A response to our question whose bytes break the protocol; the text names the fault."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The kept parts of a response. `fault` says where a truncated message became malformed."""

    rcode: str
    records: tuple[Record, ...]
    ad: bool
    truncated: bool
    negative: bool = False  # the authority section holds an SOA record
    soa: str = ""  # the owner of the first one
    ede: str = ""
    ede_codes: tuple[int, ...] = ()
    fault: str = ""


def question_section(name: str, rtype: str) -> bytes:
    """The question section. dns.exception.DNSException for a text that is not a domain name."""
    labels: bytes | None
    if len(name) <= _LONGEST - 2 and _PLAIN_NAME.fullmatch(name):
        labels = b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    else:
        labels = dns.name.from_text(name or ".").to_wire()
        assert labels is not None  # without a file to write to it returns the bytes
    return labels + struct.pack("!HH", TYPES[rtype], _IN)


def make_query(asked: bytes, number: int, *, edns: bool) -> bytes:
    """A recursive query for the question section `asked` with the id `number`."""
    header = _HEADER.pack(number, _RD, 1, 0, 0, 1 if edns else 0)
    return header + asked + _OPT_RECORD if edns else header + asked


def response_id(wire: bytes, asked: bytes) -> int | None:
    """The id of a response to the question `asked`; None for anything else (no DNS, a query, another question)."""
    if len(wire) < HEADER:
        return None
    number, flags, questions, _an, _ns, _ar = _HEADER.unpack_from(wire)
    if not flags & _QR or flags & _OPCODE:
        return None
    if questions == 0 and flags & 15 in _NO_QUESTION:
        return int(number)
    if questions != 1:
        return None
    echoed = wire[HEADER : HEADER + len(asked)]
    return int(number) if echoed == asked or echoed.lower() == asked.lower() else None


def questionless_id(wire: bytes) -> int | None:
    """The id of a response without the question although its rcode requires it; None for anything else.

    RFC 1035 section 4.1.2 and RFC 9619 require the question. Stub resolvers drop such a response, because a forger would
    have to guess only the id: it is evidence, never an answer.
    """
    if len(wire) < HEADER:
        return None
    number, flags, questions, _an, _ns, _ar = _HEADER.unpack_from(wire)
    unasked = flags & _QR and not flags & _OPCODE and questions == 0 and flags & 15 not in _NO_QUESTION
    return int(number) if unasked else None


def rcode_word(wire: bytes) -> str:
    """The word of the rcode in the header of a message of at least `HEADER` bytes."""
    number = wire[3] & 15
    return _RCODES.get(number, f"RCODE{number}")


def parse_response(wire: bytes, asked: bytes, name: str) -> Reply:
    """The content of a response to `asked` (the question for `name`). Raises `MalformedError`.

    Of the answer section the first 200 records of A, AAAA, CNAME and DNAME in class IN are kept. Of a truncated message
    everything readable is kept, because some servers cut within a record.
    """
    _number, flags, questions, answer, authority, additional = _HEADER.unpack_from(wire)
    start = HEADER + (len(asked) if questions else 0)
    walk = _Walk(wire, start, {HEADER: name} if questions else {})
    truncated = bool(flags & _TC)
    fault = ""
    try:
        walk.answers(answer)
        walk.others(authority, additional)
    except MalformedError as error:
        if not truncated:
            raise
        fault = str(error)
    code = flags & 15 | walk.extended_rcode << 4
    return Reply(
        rcode=_RCODES.get(code, f"RCODE{code}"),
        records=tuple(walk.records),
        ad=bool(flags & _AD),
        truncated=truncated,
        negative=walk.negative,
        soa=walk.soa,
        ede=display("; ".join(walk.errors)),
        ede_codes=tuple(walk.codes),
        fault=fault,
    )


class _Walk:
    """A cursor over the records of one message. `_names` has the names by offset: most owners are a pointer to one."""

    def __init__(self, wire: bytes, at: int, names: dict[int, str]) -> None:
        self._wire, self._at, self._names = wire, at, names
        self._records_read = 0
        self.records: list[Record] = []
        self.errors: list[str] = []
        self.codes: list[int] = []
        self.soa = ""
        self.extended_rcode = 0
        self.negative = False

    def answers(self, count: int) -> None:
        """Keep the answer section's addresses and aliases."""
        for _ in range(count):
            if self._full():
                return
            owner = self._name()
            kind, cls, ttl, length = self._fixed()
            if cls == _IN and kind in (_A, _AAAA, _CNAME, _DNAME) and len(self.records) < RECORDS_KEPT:
                self.records.append(self._record(owner, kind, ttl, length))
            self._at += length

    def others(self, authority: int, additional: int) -> None:
        """Read the SOA and OPT records behind the answers; skip everything else."""
        for position in range(authority + additional):
            if self._full():
                return
            owner = self._at
            name = self._name()
            kind, _cls, ttl, length = self._fixed()
            if kind == _SOA and position < authority:
                self.soa = self.soa or name
                self.negative = True
            if kind == _OPT and position >= authority and self._wire[owner] == 0:
                self.extended_rcode = ttl >> 24
                self._options(self._at, self._at + length)
            self._at += length

    def _full(self) -> bool:
        self._records_read += 1
        return self._records_read > RECORDS_WALKED

    def _fixed(self) -> tuple[int, int, int, int]:
        if self._at + _FIXED.size > len(self._wire):
            raise MalformedError("the message ends inside a record")
        kind, cls, ttl, length = _FIXED.unpack_from(self._wire, self._at)
        self._at += _FIXED.size
        if self._at + length > len(self._wire):
            raise MalformedError("the message ends inside a record's data")
        return kind, cls, ttl, length

    def _name(self) -> str:
        """The name at the cursor, in lower case, escaped as in zone files; move the cursor behind it."""
        wire, at = self._wire, self._at
        if at < len(wire) and wire[at] == 0:  # the root: every OPT record
            self._at += 1
            return ""
        if at + 1 < len(wire) and wire[at] >= 0xC0:
            known = self._names.get((wire[at] & 0x3F) << 8 | wire[at + 1])
            if known is not None:
                self._at += 2
                return known
        plain = _plain(wire, at)
        if plain is not None:
            text, used = plain
        else:
            try:
                name, used = dns.name.from_wire(wire, at)
            except dns.exception.DNSException as error:
                raise MalformedError(f"{type(error).__name__} in a name") from error
            text = name.to_text(omit_final_dot=True).lower()
        self._names[at] = text
        self._at += used
        return text

    def _record(self, owner: str, kind: int, ttl: int, length: int) -> Record:
        ttl = 0 if ttl > 0x7FFFFFFF else min(ttl, TTL_MAX)  # RFC 2181 section 8
        data = self._wire[self._at : self._at + length]
        if kind == _A:
            if length != 4:
                raise MalformedError(f"an A record of {length} bytes")
            return Record(owner, "A", ttl, socket.inet_ntop(socket.AF_INET, data))
        if kind == _AAAA:
            if length != 16:
                raise MalformedError(f"an AAAA record of {length} bytes")
            return Record(owner, "AAAA", ttl, socket.inet_ntop(socket.AF_INET6, data))
        start = self._at
        value = self._name()
        if self._at != start + length:
            raise MalformedError("a name and the length of its record differ")
        self._at = start
        return Record(owner, "CNAME" if kind == _CNAME else "DNAME", ttl, value)

    def _options(self, at: int, end: int) -> None:
        count = 0
        while at < end:
            count += 1
            if count > OPTIONS:
                raise MalformedError(f"more than {OPTIONS} EDNS options")
            if at + 4 > end:
                raise MalformedError("the EDNS options end inside an option")
            code, length = struct.unpack_from("!HH", self._wire, at)
            at += 4
            if at + length > end:
                raise MalformedError("the EDNS options end inside an option")
            if code == _EDE and length >= 2 and len(self.errors) < ERRORS_KEPT:
                text = _extended_error(self._wire[at : at + length])
                if text not in self.errors:  # a forwarder may repeat an error
                    self.errors.append(text)
                    self.codes.append(int.from_bytes(self._wire[at : at + 2], "big"))
            at += length


def _plain(wire: bytes, at: int) -> tuple[str, int] | None:
    """A plain name at `at`, in lower case, and its length in the message; None for any other name and for malformed bytes.

    Like dnspython, it follows a pointer only to a place before the labels that contain the pointer.
    """
    labels: list[bytes] = []
    position = begin = at
    used = size = jumps = 0
    while position < len(wire) and size < _LONGEST and jumps <= _JUMPS:
        length = wire[position]
        if length == 0:
            if not labels:
                return None
            return b".".join(labels).decode("ascii").lower(), used or position + 1 - at
        if length >= 0xC0:
            if position + 1 >= len(wire):
                return None
            used = used or position + 2 - at
            position = (length & 0x3F) << 8 | wire[position + 1]
            if position >= begin:
                return None
            begin, jumps = position, jumps + 1
            continue
        label = wire[position + 1 : position + 1 + length]
        if length > 63 or len(label) < length or not _PLAIN.fullmatch(label):
            return None
        labels.append(label)
        position, size = position + 1 + length, size + 1 + length
    return None


def _extended_error(data: bytes) -> str:
    """ "15 Blocked: text" (RFC 8914 section 2), with the text escaped."""
    number = int.from_bytes(data[:2], "big")
    name = _EDE_NAMES.get(number, "")
    title = f"{number} {name}".rstrip()
    text = display(data[2:].rstrip(b"\0"), ERROR_TEXT)
    return f"{title}: {text}" if text else title

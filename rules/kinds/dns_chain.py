"""DNS: one question, its answer, and the chain that answers make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

RecordType: TypeAlias = Literal["A", "AAAA"]
OS = "os"  #: how the operating system's resolution is called among the resolvers


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """Ask `resolver` (address literal, port 53) for `name` `rtype`, recursion desired (RFC 1035 section 4.1)."""

    resolver: str
    name: str  # A-label form, lower case, without the trailing dot
    rtype: RecordType
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the answer section. `value` is a name for CNAME, an address for A and AAAA, else presentation."""

    name: str
    type: str
    ttl: int  # seconds, clamped to 0..86400
    value: str


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A parsed response. A question without any acceptable response is an observation with a failure instead."""

    rcode: str  # "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", ... or "RCODE23"
    records: tuple[Record, ...] = ()
    ad: bool = False  # the resolver says it validated (reported, never relied on)
    truncated: bool = False  # the UDP answer had TC set
    transport: Literal["udp", "tcp"] = "udp"
    edns: bool = True  # False: the answer was only had without EDNS (a middlebox drops it)
    tries: int = 1  # datagrams sent
    junk: int = 0  # datagrams dropped: wrong id, question, sender or not DNS
    ede: str = ""  # extended error (RFC 8914): code and text, through display()
    tcp_failure: str = ""  # truncated, and TCP 53 failed like this: the answer is what fitted in the datagram

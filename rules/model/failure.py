"""The closed vocabulary of network failures.

A measurement fails at most once. `probe/measure/failure.py` is the only place that turns an exception into a
`Failure`. All judgements read the codes below and never an exception's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rules.model import causes
from rules.model.causes.record import Cause


class Stage(StrEnum):
    """The stage at which a measurement ended."""

    LOCAL = "local"  # this host: no route, no descriptors, our own bug
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    PROXY = "proxy"


class Code(StrEnum):
    """The event, in the terms of the operating system or the protocol; never an opinion about who caused it."""

    TIMEOUT = "timeout"  # nothing (useful) came back within the stage's limit
    REFUSED = "refused"  # RST in answer to SYN; for UDP an ICMP port unreachable
    RESET = "reset"  # RST on an established connection
    EOF = "eof"  # FIN before the expected data
    UNREACHABLE = "unreachable"  # ICMP destination unreachable; type, code and sender in `icmp`
    NO_ROUTE = "no-route"  # the kernel has no route (ENETUNREACH without an ICMP message)
    NO_DESCRIPTORS = "no-descriptors"  # EMFILE, ENFILE, ENOBUFS
    NO_PORTS = "no-ports"  # EADDRNOTAVAIL: no local port or address left
    DENIED = "denied"  # EACCES, EPERM: a local firewall or policy refused to send
    ALERT = "alert"  # TLS alert received; its number in `alert`
    NOT_TLS = "not-tls"  # the answer to ClientHello was not TLS
    MALFORMED = "malformed"  # the peer's bytes break the protocol
    WRONG_SOURCE = "wrong-source"  # the answer came from another address or port than the one that was asked
    TOO_LARGE = "too-large"  # a limit of bytes or items was reached
    LOOKUP = "lookup"  # the operating system's resolution failed; the error's name in `detail`
    NOT_REACHED = "not-reached"  # the budget or the pace ended the audit first: never started
    NOT_RECORDED = "not-recorded"  # a replay asks what the recording does not hold
    STARVED = "starved"  # our own event loop was late: the timeout proves nothing
    BUG = "bug"  # an exception that no other code names: our bug


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP (or ICMPv6) message that ended a connection attempt (RFC 792, RFC 4443)."""

    type: int
    code: int
    sender: str | None  # address of the device that sent it; None where the platform does not give it


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a measurement has no complete result."""

    stage: Stage
    code: Code
    detail: str = ""  # our own words or the library's error name; peer text only through display()
    icmp: Icmp | None = None
    alert: int | None = None  # TLS alert description number (RFC 8446 section 6)
    # the fact seen beside the code: "no-question" (a DNS answer without the question), UNREAD_FORM
    sign: str = ""


#: The sign of a handshake that our TLS library ended because it cannot read the form of a certificate.
UNREAD_FORM = "unread-form"

#: Failures that concern only this host or this program, not the network: cause and text.
LOCAL_CODES: dict[Code, tuple[Cause, str]] = {
    Code.NO_DESCRIPTORS: (causes.LOCAL_NO_DESCRIPTORS, "this host ran out of file descriptors"),
    Code.NO_PORTS: (causes.LOCAL_NO_DESCRIPTORS, "this host ran out of local ports"),
    Code.STARVED: (causes.LOCAL_STARVED, "this host was too busy to notice an answer in time"),
    Code.DENIED: (causes.LOCAL_DENIED, "this host refused to send (a local firewall or policy)"),
    Code.NOT_REACHED: (causes.AUDIT_NOT_REACHED, "the audit ended before an answer came"),
    Code.NOT_RECORDED: (causes.AUDIT_NOT_RECORDED, "the recording does not hold an answer"),
    Code.LOOKUP: (causes.LOCAL_LOOKUP, "the process that asks the operating system ended"),
    Code.BUG: (causes.AUDIT_BUG, "wayclear failed: please report it"),
}
#: Codes whose stage is always LOCAL, wherever they occur. A host without a route to one family may still have one to
#: the other, which a separate judgement decides.
LOCAL_STAGE = frozenset({Code.NO_ROUTE, *LOCAL_CODES})

"""What was asked and what was seen: raw evidence, no opinion.

`Step` is one question and costs at most one connection. Its equality (with `attempt`) is the de-duplication key: two
rules that ask the same thing cost one connection; a repeat is another attempt. `Observation` is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rules.model.failure import Failure
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake, wants_certificate
from rules.model.kinds.trust_store import TrustLookup, TrustRoots

Step: TypeAlias = LocalHost | DnsQuestion | OsLookup | TcpConnect | TlsHandshake | HttpFetch | TrustLookup
Evidence: TypeAlias = HostFacts | DnsAnswer | OsAnswer | TcpFacts | TlsFacts | HttpExchange | TrustRoots

#: Kinds by the word that the JSON report uses; the list is written by hand, nothing registers itself.
STEPS: dict[str, type[Step]] = {
    "local_host": LocalHost,
    "dns_question": DnsQuestion,
    "os_lookup": OsLookup,
    "tcp_connect": TcpConnect,
    "tls_handshake": TlsHandshake,
    "http_fetch": HttpFetch,
    "trust_lookup": TrustLookup,
}
EVIDENCE: dict[str, type[Evidence]] = {
    "local_host": HostFacts,
    "dns_question": DnsAnswer,
    "os_lookup": OsAnswer,
    "tcp_connect": TcpFacts,
    "tls_handshake": TlsFacts,
    "http_fetch": HttpExchange,
    "trust_lookup": TrustRoots,
}
KIND_OF: dict[type[Step], str] = {step: word for word, step in STEPS.items()}

#: Steps that open a connection: what the pace, the plan and the budget count.
CONNECTIONS: tuple[type[Step], ...] = (TcpConnect, TlsHandshake, HttpFetch)


@dataclass(frozen=True, slots=True)
class Observation:
    """The answer to one step.

    `started` is Unix time (UTC) in seconds, `elapsed` seconds by the monotonic clock. `evidence` is what was seen, also
    of a measurement that failed half-way (a handshake that ended in an alert has shown its chain); None where nothing
    was seen at all. `local` is our own (address, port) of the connection, for the firewall engineer's log search.
    """

    step: Step
    started: float
    elapsed: float
    failure: Failure | None = None
    evidence: Evidence | None = None
    local: tuple[str, int] | None = None
    stale: bool = False  # an earlier observation that stands in for one that could not be had


def got_through(seen: Observation) -> bool:
    """Whether the peer was reached: no failure, or one for no other reason than that we have no client certificate."""
    if seen.failure is None:
        return True
    return isinstance(seen.evidence, TlsFacts) and wants_certificate(seen.evidence, seen.failure)

"""Questions and answers: raw evidence, no opinion.

`Step` is one question and costs at most one connection. Its equality (with `attempt`) is the de-duplication key: two
rules with the same question cost one connection; a repeat is another attempt. `Observation` is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rules.model.failure import Failure
from rules.model.kind import Kind
from rules.model.kinds import (
    dns_chain,
    http_fetch,
    local_host,
    os_lookup,
    tcp_connect,
    tls_handshake,
    trust_store,
)
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots

Step: TypeAlias = LocalHost | DnsQuestion | OsLookup | TcpConnect | TlsHandshake | HttpFetch | TrustLookup
Evidence: TypeAlias = HostFacts | DnsAnswer | OsAnswer | TcpFacts | TlsFacts | HttpExchange | TrustRoots

#: Every kind of question. The list is written by hand; nothing registers itself.
KINDS: tuple[Kind[Any, Any], ...] = (
    local_host.KIND,
    dns_chain.KIND,
    os_lookup.KIND,
    tcp_connect.KIND,
    tls_handshake.KIND,
    http_fetch.KIND,
    trust_store.KIND,
)
_KIND_OF: Mapping[type[Step], Kind[Any, Any]] = {kind.step: kind for kind in KINDS}

#: Kinds by the word that the JSON report uses.
STEPS: Mapping[str, type[Step]] = {kind.word: kind.step for kind in KINDS}
EVIDENCE: Mapping[str, type[Evidence]] = {kind.word: kind.evidence for kind in KINDS}


def kind_of(step: Step) -> Kind[Any, Any]:
    """The kind of a step."""
    return _KIND_OF[type(step)]


@dataclass(frozen=True, slots=True)
class Observation:
    """The answer to one step.

    `started` is Unix time (UTC) in seconds, `elapsed` seconds by the monotonic clock. `evidence` is what was seen,
    also by a measurement that failed half-way (a handshake that ended in an alert has shown its chain); None if
    nothing was seen. `local` is our own (address, port) of the connection, for the firewall engineer's log search.
    """

    step: Step
    started: float
    elapsed: float
    failure: Failure | None = None
    evidence: Evidence | None = None
    local: tuple[str, int] | None = None
    stale: bool = False  # an earlier observation in place of a missing one


def got_through(seen: Observation) -> bool:
    """Whether the peer was reached: no failure, or one only because we have no client certificate."""
    if seen.failure is None:
        return True
    return seen.evidence is not None and kind_of(seen.step).reached(seen.evidence, seen.failure)

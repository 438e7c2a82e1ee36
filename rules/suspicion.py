"""When an answer is doubtful, and which second looks tell more: the repeat, the control name, the other TLS version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rules.failure import Code, Stage
from rules.kinds.http_fetch import HttpExchange, HttpFetch, looks_like_block_page
from rules.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.observation import Observation
from rules.trust import ChainJudgement
from rules.verdict import Plan
from rules.zones import zone

#: Names of the service that get the extra observations (TLS 1.3, large hello).
MAX_EXTRA_NAMES = 4
#: Addresses whose port 80 is asked for a page because several zones lead there and nothing answers on 443.
MAX_SHARED = 2
#: Control handshakes for one unexpected issuing key.
MAX_CONTROLS = 3
PROTOCOL_VERSION = 70  #: the alert (RFC 5246 section 7.2.2)
#: TLS alerts that a server without TLS 1.2 sends: handshake_failure, protocol_version, insufficient_security.
_VERSION_ALERTS = frozenset({40, PROTOCOL_VERSION, 71})


@dataclass(slots=True)
class Suspicions:
    plan: Plan
    _controls: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _shared: set[str] = field(default_factory=set)

    def doubtful(self, judgement: ChainJudgement) -> bool:
        """Neither a known key nor a public CA stands behind the certificate."""
        return judgement.verdict not in ("genuine", "issuer-unexpected")

    def control(self, step: TlsHandshake, judgement: ChainJudgement) -> TlsHandshake | None:
        """The same address with a name that no rule holds: is it the name or the way that is intercepted?"""
        if (
            step.hello != "connector"
            or step.server_name == self.plan.control_name
            or not self.plan.control_name
        ):
            return None
        addresses = self._controls[judgement.issuing_key or ""]
        if step.address in addresses or len(addresses) >= MAX_CONTROLS:
            return None
        addresses.add(step.address)
        return replace(step, server_name=self.plan.control_name, path=None, attempt=1)

    def pages_at(self, step: TlsHandshake, hosts: Iterable[str]) -> tuple[HttpFetch, ...]:
        """What to ask of port 80 of an address that shows no certificate, although names of several zones (`hosts`) lead
        there: a DNS filter's page may stand there, and nothing else tells it from a firewall that drops."""
        apart = {zone(host): host for host in sorted(hosts, reverse=True)}  # whatever was answered first
        if len(apart) < 2 or step.address in self._shared or len(self._shared) >= MAX_SHARED:
            return ()
        self._shared.add(step.address)
        return tuple(HttpFetch(step.address, 80, host, "/") for host in sorted(apart.values())[:2])

    def version(self, seen: Observation) -> bool:
        """Whether the failure could be a server that no longer speaks TLS 1.2: not where its ServerHello chose it."""
        failure, facts = seen.failure, seen.evidence
        if failure is None or failure.stage is not Stage.TLS:
            return False
        if isinstance(facts, TlsFacts) and facts.version == "TLSv1.2" and failure.alert != PROTOCOL_VERSION:
            return False
        return failure.code in (Code.RESET, Code.EOF) or failure.alert in _VERSION_ALERTS

    def page(self, seen: Observation) -> bool:
        """Whether an exchange over port 80 is worth repeating: no answer, or a page that somebody else wrote."""
        if seen.failure is not None:
            return True
        exchange = seen.evidence
        host = seen.step.host if isinstance(seen.step, HttpFetch) else ""
        return isinstance(exchange, HttpExchange) and looks_like_block_page(exchange, host) is not None

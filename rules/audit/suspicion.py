"""When an answer is doubtful, and which second looks tell more: the repeat, the control name, the other TLS version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rules.http_answer.page import looks_like_block_page
from rules.model.failure import Code, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Plan
from rules.pki.trust import ChainJudgement
from rules.text.zones import zone

#: Names of the service that get the extra observations (TLS 1.3, large hello).
MAX_EXTRA_NAMES = 4
#: Addresses to which several zones lead whose port 80 may be asked for a page.
MAX_SHARED = 4
#: Control handshakes for one unexpected issuing key.
MAX_CONTROLS = 3
PROTOCOL_VERSION = 70  #: the alert (RFC 5246 section 7.2.2)
#: TLS alerts that a server without TLS 1.2 sends: handshake_failure, protocol_version, insufficient_security.
_VERSION_ALERTS = frozenset({40, PROTOCOL_VERSION, 71})


@dataclass(slots=True)
class SharedAddresses:
    """Public addresses to which names of several zones lead. Where one shows no certificate on 443, the page of a DNS filter
    may stand on its port 80, and nothing else tells it from a firewall that drops.

    Which are asked is settled by where the names lead, once all are resolved: those with the most names first.
    """

    silent: set[str] = field(default_factory=set)  # addresses that showed no certificate, twice
    _leading: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _hosts: set[str] = field(default_factory=set)

    def leads(self, host: str, addresses: Iterable[str]) -> None:
        """A name is resolved, and these are its addresses."""
        self._hosts.add(host)
        for address in addresses:
            self._leading[address].add(host)

    def pages(self, names: int) -> Iterable[HttpFetch]:
        """What to ask, once all of so many names are resolved: the same each time, so each is asked once."""
        if len(self._hosts) < names or not self.silent:
            return
        by_zone = {
            address: {zone(h): h for h in sorted(hosts, reverse=True)}
            for address, hosts in self._leading.items()
        }
        shared = sorted((-len(self._leading[a]), a) for a, zones in by_zone.items() if len(zones) > 1)
        for _, address in shared[:MAX_SHARED]:
            if address in self.silent:
                yield from (
                    HttpFetch(address, 80, host, "/") for host in sorted(by_zone[address].values())[:2]
                )


@dataclass(slots=True)
class Suspicions:
    plan: Plan
    _controls: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    shared: SharedAddresses = field(default_factory=SharedAddresses)

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

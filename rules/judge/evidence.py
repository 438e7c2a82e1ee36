"""Shared by the judgements: the audit's evidence, the ids of observations, the time to judge at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from rules.audit.documents import DocumentRequest
from rules.audit.guard import RECHECK
from rules.audit.machine import Audit
from rules.http_answer.page import is_html
from rules.judge.clock import Clock, ServedChain, judge_clock
from rules.judge.failing_resolvers import FailingResolver, failing_resolvers
from rules.judge.portals import Portal, Visit, judge_portals, portal_certificates, visit_of
from rules.judge.proofs import proven_addresses
from rules.model.kinds.dns_chain import DnsAnswer
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, Step
from rules.pki.certificate import covers_name, facts
from rules.pki.interception import Handshake, InterceptionFinding, judge_handshakes
from rules.pki.trust import ChainJudgement, in_date
from rules.text.zones import zone


@dataclass
class Context:
    """Built once for a report. `started` and `now` are Unix time; `now` is corrected by the skew of the local clock."""

    audit: Audit
    started: float
    observations: tuple[Observation, ...] = ()
    ids: dict[Step, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ordered = sorted(self.audit.seen.values(), key=lambda seen: seen.started)
        self.observations = tuple(ordered)
        self.ids = {seen.step: f"o{number}" for number, seen in enumerate(ordered, 1)}

    @cached_property
    def clock(self) -> Clock:
        """This host's clock compared with its peers."""
        return judge_clock(self.observations, self._genuine, self.started, self._valid)

    @property
    def skew(self) -> float:
        """Seconds by which this host's clock is ahead; 0 where no peer shows it, or the clock is right."""
        return self.clock.skew

    @property
    def now(self) -> float:
        """The time to judge at, Unix time."""
        return self.clock.now

    @cached_property
    def _genuine(self) -> tuple[ServedChain, ...]:
        """Each genuine chain, served for its name."""
        found: dict[tuple[str, tuple[bytes, ...]], ServedChain] = {}
        for seen in self.observations:
            step, shown = seen.step, seen.evidence
            if not isinstance(step, TlsHandshake) or not isinstance(shown, TlsFacts) or not shown.chain:
                continue
            key = (step.server_name, shown.chain)
            proven = self.audit.chains.judge(shown.chain, self.started).proven
            if key not in found and proven and covers_name(facts(shown.chain[0]), step.server_name):
                found[key] = ServedChain(*key, self._valid(shown.chain, self.started))
        return tuple(found.values())

    def _valid(self, chain: tuple[bytes, ...], moment: float) -> bool:
        return in_date(facts(chain[0]), moment) and not self.audit.chains.judge(chain, moment).expired

    def seen(self, step: Step) -> tuple[Observation, ...]:
        """Both attempts of a step in order; () when it was not asked or has no answer."""
        both = (replace(step, attempt=1), replace(step, attempt=2))
        return tuple(self.audit.seen[s] for s in both if s in self.audit.seen)

    def evidence(self, *seen: Observation | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.ids[s.step] for s in seen if s is not None and s.step in self.ids))

    def judgement(self, seen: Observation) -> ChainJudgement | None:
        """The judgement of a handshake's chain alone."""
        shown = seen.evidence
        if not isinstance(shown, TlsFacts) or not shown.chain:
            return None
        return self.audit.chains.judge(shown.chain, self.now)

    @cached_property
    def interceptions(self) -> tuple[InterceptionFinding, ...]:
        """Unexpected issuers, each judged once over all handshakes."""
        return judge_handshakes(
            tuple(self._handshakes()), cas=self.audit.rules.cas, interceptors=self.audit.rules.interceptors
        )

    @cached_property
    def intercepted(self) -> dict[str, InterceptionFinding]:
        """The finding by the observation id of each of its handshakes."""
        return {id_: finding for finding in self.interceptions for id_ in finding.handshakes}

    def _handshakes(self) -> Iterable[Handshake]:
        rules = self.audit.rules
        # True for nearly all names: each is on a rule.
        targets = frozenset(target.host for target in self.audit.targets)
        for seen in self.observations:
            step = seen.step
            if not isinstance(step, TlsHandshake) or step.attempt == RECHECK:
                continue
            judgement = self.judgement(seen)
            if judgement is None or not isinstance(seen.evidence, TlsFacts):
                continue
            name = step.server_name
            control = name not in targets and not any(s.rule_for(name) for s in rules.rulesets)
            yield Handshake(
                id=self.ids[step],
                host=step.server_name,
                address=step.address,
                server_name=step.server_name,
                attempt=step.attempt,
                judgement=judgement,
                leaf=seen.evidence.chain[0],
                control=control,
            )

    @cached_property
    def portals(self) -> dict[str, Portal]:
        """By address: where another server answers for unrelated names."""
        return judge_portals(self._visits)

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """Certificates (`portals.server_mark`) that one server shows instead of several names' own, at any address."""
        return portal_certificates(self._visits)

    @cached_property
    def _visits(self) -> tuple[Visit, ...]:
        control = self.audit.plan.control_name  # asked at addresses that no resolver gave for it
        met = (
            visit_of(seen, self.ids[seen.step], self.judgement(seen))
            for seen in self.observations
            if not isinstance(seen.step, TlsHandshake) or seen.step.server_name != control
        )
        return tuple(found for found in met if found is not None)

    @cached_property
    def responders(self) -> dict[bytes, list[tuple[DocumentRequest, bytes, str]]]:
        """By leaf (DER): the requests to its responders, its issuer, and the responder's address."""
        found: dict[bytes, list[tuple[DocumentRequest, bytes, str]]] = {}
        for wanted, (leaf, issuer, url) in self.audit.revocations.ocsp.items():
            found.setdefault(leaf, []).append((wanted, issuer, url))
        return found

    def same_page_hosts(self, seen: Observation) -> tuple[str, ...]:
        """Unrelated hosts that gave the very same web page. That proves nothing: CDNs, load balancers and IIS answer
        "/" of unrelated hosts with the same bytes, as a network device does."""
        if not isinstance(seen.step, HttpFetch) or not isinstance(seen.evidence, HttpExchange):
            return ()
        hosts = self._pages.get(seen.evidence.sha256, frozenset())
        return tuple(sorted(h for h in hosts if zone(h) != zone(seen.step.host)))

    @cached_property
    def _pages(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for seen in self.observations:
            exchange = seen.evidence
            if isinstance(seen.step, HttpFetch) and isinstance(exchange, HttpExchange) and is_html(exchange):
                found.setdefault(exchange.sha256, set()).add(seen.step.host)
        return {sha256: frozenset(hosts) for sha256, hosts in found.items() if sha256}

    def from_canary(self, seen: Observation) -> str:
        """The unused address that gave the very same answer, "" without one: a network device answers for it, and so
        for the host."""
        exchange = seen.evidence
        if not isinstance(exchange, HttpExchange) or not exchange.body:
            return ""
        return self._canary_pages.get(exchange.sha256, "")

    @cached_property
    def _canary_pages(self) -> dict[str, str]:
        found = {}
        asked = self.audit.canary_page()
        for seen in self.seen(asked) if asked is not None else ():
            if isinstance(seen.evidence, HttpExchange) and seen.evidence.sha256:
                found[seen.evidence.sha256] = seen.step.address if isinstance(seen.step, HttpFetch) else ""
        return found

    @cached_property
    def proved(self) -> frozenset[tuple[str, str]]:
        """(name, address) of each signed document that came over port 80."""
        return proven_addresses(self.audit, self.now)

    @cached_property
    def failing_resolvers(self) -> dict[str, FailingResolver]:
        """By resolver: those that resolve nothing while another one does. Only the others judge names."""
        return failing_resolvers(self.audit.names)

    @cached_property
    def canaries(self) -> dict[str, frozenset[str]]:
        """By resolver: the addresses that it gave for a name that does not exist."""
        found = {}
        for resolver in self.audit.names.resolvers:
            seen = self.audit.seen.get(self.audit.canary(resolver))
            if seen is not None and isinstance(seen.evidence, DnsAnswer):
                addresses = frozenset(r.value for r in seen.evidence.records if r.type == "A")
                if addresses and seen.evidence.rcode == "NOERROR":
                    found[resolver] = addresses
        return found

"""The audit as a state machine without sockets: steps out, observations in, verdicts at the end.

An answer leads to further steps: addresses lead to connections, a served chain leads to root lookups and revocation
sources. So the plan is not a fixed list. The one-shot audit, the service and a replay run this machine in different
loops. The cost of `ready()` is proportional to the new answers.

The choice of steps does not depend on the order of the answers, except within one name: its addresses are chosen when
every resolver has answered. So a replay asks what the live run asked.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, assert_never

from rules.audit.addresses import Candidate, candidates, earlier_addresses
from rules.audit.chains import ChainNeeds, Chains
from rules.audit.dns_walk import ChainWalks, failing_chains
from rules.audit.documents import DocumentRequest, Fetches, Revocations
from rules.audit.guard import MAX_EXTRA_NAMES, RECHECK, Guard, Suspicions, is_v6
from rules.audit.names import Names
from rules.audit.names import Progress as NameProgress
from rules.audit.phases import Phase, Ready, is_extra, phase_of, step_for
from rules.audit.targets import Target, ocsp_names, responder_names, targets
from rules.http_answer.page import is_html
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tcp_connect import TcpConnect
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation, Step, got_through, kind_of
from rules.model.ruleset import Group, Rules
from rules.model.verdict import Plan
from rules.pki.crl import issuer_name


class Known(Protocol):
    """Earlier observations: a mapping, or an object that finds an equivalent answer."""

    def get(self, step: Step, /) -> Observation | None: ...


class Audit:
    """See the module. `known` holds earlier observations: they answer their steps at once."""

    def __init__(self, rules: Rules, plan: Plan, known: Known | None = None) -> None:
        self.rules = rules
        self.plan = plan
        self.seen: dict[Step, Observation] = {}
        self.host: HostFacts | None = None
        self.tenant = plan.tenant
        self.targets: tuple[Target, ...] = ()
        self.names = Names(())
        self.walks = ChainWalks()
        self.chains = Chains(rules.cas)
        self.fetches = Fetches()
        self.guard = Guard(plan)
        self.revocations = Revocations(rules)
        self.suspicions = Suspicions(plan)
        self.stopped = ""  # why the audit ended early: "no-route", "no-resolver", "sweep", "budget", ...
        self.last_good = dict(plan.last_good)
        self._known: Known = known or {}
        self._ready: list[Ready] = []
        self._asked: set[Step] = set()
        # A heap of available answers, the earliest ended first.
        self._backlog: list[tuple[float, int, Observation]] = []
        self._by_host: dict[str, list[Target]] = defaultdict(list)
        self._unresolved: set[str] = set()  # names of targets whose resolution is not complete
        self._candidates: dict[str, tuple[Candidate, ...]] = {}
        self._users: dict[tuple[bytes, ...], list[Observation]] = defaultdict(list)
        self._ocsp_names: frozenset[str] = frozenset()
        self._responder_names: frozenset[str] = frozenset()
        self._extra_names: frozenset[str] = frozenset()
        self._emit(Phase.LOCAL, LocalHost())
        self._drain()

    # --- the loop's side -------------------------------------------------------------------------------------------

    def ready(self) -> list[Ready]:
        """Steps that became due since the last call."""
        fresh, self._ready = self._ready, []
        return fresh

    def record(self, seen: Observation) -> None:
        """Take an answer. The order does not matter. An answer to a step that was never asked is kept and leads to
        nothing."""
        self._take(seen)
        self._drain()

    def wanted(self, step: Step) -> bool:
        """Whether a due step that has not begun is still worth a packet."""
        if self.stopped in ("no-route", "no-resolver"):
            return False
        if isinstance(step, DnsQuestion | OsLookup):
            return self.names.wanted(step)
        if isinstance(step, TlsHandshake | HttpFetch):
            if self.guard.family_broken(is_v6(step.address)) and step.address not in self.guard.opened:
                return False
            if self.stopped == "sweep" or self.guard.sweep:
                return 1 < step.attempt < RECHECK  # second looks at known hosts do not add to a scan
        return not self.stopped

    def stop(self, reason: str) -> None:
        """End early: everything not reached becomes inconclusive."""
        self.stopped = self.stopped or reason

    def candidates(self, host: str) -> tuple[Candidate, ...]:
        """Addresses of a name, in the order of the attempts; () before the name is resolved."""
        return self._candidates.get(host, ())

    @property
    def unasked(self) -> Cause:
        """The cause for a question without an answer and without another reason."""
        return causes.AUDIT_NOT_REACHED if self.stopped else causes.AUDIT_NOT_RECORDED

    @property
    def connections(self) -> int:
        """Number of connections opened so far."""
        return sum(1 for step in self.seen if kind_of(step).connects)

    # --- what follows from answers --------------------------------------------------------------------------------

    def _emit(self, phase: Phase, step: Step) -> None:
        if step in self._asked:
            return
        known = self._known.get(step)
        self._asked.add(step if known is None else known.step)  # the same question, kept once
        if known is not None:
            heapq.heappush(self._backlog, (known.started + known.elapsed, len(self._asked), known))
        else:
            self._ready.append(Ready(phase, step))

    def _drain(self) -> None:
        while self._backlog:
            self._take(heapq.heappop(self._backlog)[2])

    def _take(self, seen: Observation) -> None:
        if seen.step in self.seen:
            return
        self.seen[seen.step] = seen
        match seen.step:
            case LocalHost():
                self._begin(seen)
            case DnsQuestion(walk=True):
                self._look_up(self.walks.record(seen))
            case DnsQuestion() | OsLookup():
                self._progress(self.names.record(seen))
            case TlsHandshake():
                self._handshake(seen, seen.step)
            case HttpFetch():
                if seen.step != self.canary_page():
                    self._exchange(seen, seen.step)
            case TrustLookup(subject=subject):
                roots = seen.evidence if isinstance(seen.evidence, TrustRoots) else None
                self._chains_want(self.chains.looked_up(subject, roots))
            case TcpConnect():
                if seen.failure is None:
                    self._compare()
            case _:
                assert_never(seen.step)

    def _begin(self, seen: Observation) -> None:
        facts = seen.evidence
        if not isinstance(facts, HostFacts):
            self.stop("no-host-facts")
            return
        self.host = facts
        self.tenant = self.plan.tenant or facts.tenant
        self.targets = targets(self.rules, self.tenant, self.plan.only, self.plan.region)
        if not (facts.route_v4 or facts.route_v6):
            self.stop("no-route")
            return
        dead = frozenset(self.plan.dead) if self.plan.steady else None
        self.names = Names(self.plan.resolvers or facts.resolvers, dead)
        for target in self.targets:
            if target.host is not None:
                self._by_host[target.host].append(target)
        self._ocsp_names = ocsp_names(self.targets)
        self._responder_names = responder_names(self.targets)
        service = dict.fromkeys(t.host for t in self.targets if t.rule.group is Group.SERVICE and t.host)
        self._extra_names = frozenset(list(service)[:MAX_EXTRA_NAMES])
        self._unresolved = set(self._by_host)
        for host in self._by_host:
            self._progress(self.names.ask(host))
        if self.plan.extras:
            for resolver in self.names.resolvers:
                self._emit(Phase.LOOK_UP, self.canary(resolver))

    def canary(self, resolver: str) -> DnsQuestion:
        """A name that does not exist: a resolver that gives an address for it answers anything."""
        return DnsQuestion(resolver, f"wayclear-{self.plan.nonce}.example.com", "A")

    def _compare(self) -> None:
        """Ask the unused address for a page: once, and only if there is a page to compare."""
        page = self.canary_page()
        if page is not None and self.plan.extras:
            self._emit(Phase.EXTRA, page)

    def canary_page(self) -> HttpFetch | None:
        """The request for a page to the unused address: a device that answers there also answers for others. The name
        does not exist either, so a proxy that goes by the name has no host to ask."""
        if not self.plan.canary_address:
            return None
        address, _ = _canary_address(self.plan)
        return HttpFetch(address, 80, f"wayclear-{self.plan.nonce}.example.com", "/")

    def _progress(self, progress: NameProgress) -> None:
        self._look_up(progress.ask)
        for host in progress.resolved:
            self._resolved(host)
        if progress.resolved and all(h.dead for h in self.names.health.values()):
            self.stop("no-resolver")

    def _look_up(self, questions: Iterable[DnsQuestion | OsLookup]) -> None:
        for question in questions:
            self._emit(Phase.LOOK_UP, question)

    def _resolved(self, host: str) -> None:
        assert self.host is not None  # a name is resolved only after this host's facts are known
        if host in self._unresolved:
            self._unresolved.remove(host)
            if not self._unresolved:
                self._look_up(self.walks.begin(failing_chains(self.names, self.targets)))
        found = candidates(self.names, host, self.host, self.plan) or earlier_addresses(
            self.last_good.get(host, ()), self.host, self.plan
        )
        self._candidates[host] = found
        tried = [c for c in found if c.tried]
        if host in self._by_host:
            self.suspicions.shared.leads(host, (c.address for c in tried if c.public))
            self._ask_for_pages()
        for target in self._by_host.get(host, ()):
            for index, candidate in enumerate(tried):
                self._emit(phase_of(target, index), self.step_for(target, candidate.address))
        public = tuple(c.address for c in tried if c.public)
        fetches, lost = self.fetches.resolved(host, public)
        self._emit_fetches(fetches)
        for wanted in lost:
            self._fetched(wanted)
        if self.plan.extras:
            for question in self.names.links(host):
                self._emit(Phase.EXTRA, question)

    def step_for(self, target: Target, address: str) -> TlsHandshake | HttpFetch:
        """The handshake or fetch that judges one address of a target."""
        return step_for(target, address)

    def _handshake(self, seen: Observation, step: TlsHandshake) -> None:
        self._note(seen)
        facts = seen.evidence if isinstance(seen.evidence, TlsFacts) else None
        if step.attempt == RECHECK:
            return
        if facts is not None and facts.chain:
            self._users[facts.chain].append(seen)
            self._chains_want(self.chains.add(facts.chain))
        elif seen.failure is not None:
            self._doubt(seen, step)
        if got_through(seen) and self.plan.extras and self._gets_extras(step):
            self._emit(Phase.EXTRA, replace(step, hello="tls13", path=None, attempt=1))
            self._emit(Phase.EXTRA, replace(step, hello="large", path=None, attempt=1))

    def _is_service(self, step: TlsHandshake) -> bool:
        return step.hello == "connector" and any(
            t.rule.group is Group.SERVICE for t in self._by_host.get(step.server_name, ())
        )

    def _doubt(self, seen: Observation, step: TlsHandshake | HttpFetch) -> None:
        """A doubtful answer is repeated once, as a whole. A failed handshake is also tried with TLS 1.3."""
        if seen.failure is not None and seen.failure.code in (
            Code.NO_ROUTE,
            Code.NOT_REACHED,
            Code.NOT_RECORDED,
        ):
            return
        if step.attempt == 1:
            self._emit(Phase.EXTRA if is_extra(step) else Phase.REST, replace(step, attempt=2))
        elif isinstance(step, TlsHandshake) and not is_extra(step):
            if self.suspicions.version(seen):
                self._emit(Phase.REST, replace(step, hello="tls13", path=None, attempt=1))
            if not isinstance(seen.evidence, TlsFacts) or not seen.evidence.chain:
                self.suspicions.shared.silent.add(step.address)
                self._ask_for_pages()

    def _ask_for_pages(self) -> None:
        """The questions to port 80 depend on where all names lead, and not on the order of the answers."""
        for fetch in self.suspicions.shared.pages(len(self._by_host)):
            self._emit(Phase.REST, fetch)

    def _note(self, seen: Observation) -> None:
        if seen.stale:
            return  # another address answered: that says nothing about the path to this one
        again = self.guard.note(seen)
        if again is not None:
            self._emit(Phase.FIRST, again)
        if self.guard.opened and self.plan.canary_address and self.plan.extras:
            address, port = _canary_address(self.plan)
            self._emit(Phase.EXTRA, TcpConnect(address, port))  # once: a step is never asked twice
        if self.guard.exhausted(seen.started + seen.elapsed):
            self.stop("sweep")

    def _chains_want(self, wants: ChainNeeds) -> None:
        for subject in wants.lookups:
            self._emit(Phase.LOCAL, TrustLookup(subject))
        for url in wants.urls:
            self._fetch(DocumentRequest(url, "aia"))
        for chain in wants.settled:
            users, self._users[chain] = self._users[chain], []
            for seen in users:
                self._settled(chain, seen)

    def _settled(self, chain: tuple[bytes, ...], seen: Observation) -> None:
        """A chain can be judged: fetch the revocation sources of a genuine one, take second looks at any other."""
        step = seen.step
        assert isinstance(step, TlsHandshake)
        judgement = self.chains.judge(chain, seen.started)
        if not got_through(seen) or self.suspicions.doubtful(judgement):
            self._doubt(seen, step)
        if self.suspicions.doubtful(judgement):
            control = self.suspicions.control(step, judgement)
            if control is not None:
                self._emit(Phase.REST, control)
            return
        first = self._is_first(step)
        both, once = (
            first and step.server_name in names for names in (self._ocsp_names, self._responder_names)
        )
        for wanted in self.revocations.wanted(chain, judgement, step, self._is_service(step), both, once):
            self._fetch(wanted)

    def _gets_extras(self, step: TlsHandshake) -> bool:
        """TLS 1.3 and the large hello: for the first address of a few service names, chosen by the rules."""
        return step.hello == "connector" and step.server_name in self._extra_names and self._is_first(step)

    def _is_first(self, step: TlsHandshake) -> bool:
        """Whether it is the first address of its name by the rules, not by the order of the answers."""
        return step.address == next((c.address for c in self.candidates(step.server_name) if c.tried), "")

    def _fetch(self, wanted: DocumentRequest) -> None:
        """Fetch a document that a certificate points at; AIA only from hosts that a rule or the CA set names."""
        refused = wanted.purpose == "aia" and not self.revocations.may_fetch(wanted)
        if refused or wanted in self.fetches.lost or wanted in self.fetches.settled:
            self._fetched(wanted)
            return
        host = self.fetches.want(wanted)
        if host is not None and self.names.complete(host):
            self._resolved(host)
        elif host is not None:
            self._progress(self.names.ask(host))

    def _fetched(self, wanted: DocumentRequest) -> None:
        if wanted.purpose == "aia":
            self._chains_want(self.chains.fetched(wanted.url, _body(self.fetches.best(wanted))))

    def _emit_fetches(self, fetches: tuple[HttpFetch, ...]) -> None:
        for fetch in fetches:
            self._emit(Phase.OTHERS if fetch.purpose == "aia" else Phase.REVOCATION, fetch)
            if fetch in self.seen:  # a rule already asked the same
                self._fetch_progress(self.seen[fetch])

    def _fetch_progress(self, seen: Observation) -> None:
        again, settled = self.fetches.record(seen)
        self._emit_fetches(again)
        for wanted in settled:
            self._fetched(wanted)

    def _exchange(self, seen: Observation, step: HttpFetch) -> None:
        self._note(seen)
        self._fetch_progress(seen)
        if step.purpose == "crl" and step.host in self._by_host:
            name = issuer_name(seen.evidence) if isinstance(seen.evidence, HttpExchange) else None
            if name is not None:  # the stores may hold the key of a CA that is above none of the chains seen
                self._emit(Phase.LOCAL, TrustLookup(name))
        if step.host in self._by_host and self.suspicions.page(seen):
            self._doubt(seen, step)
        if step.purpose == "reach" and isinstance(seen.evidence, HttpExchange) and is_html(seen.evidence):
            # Compare with port 80 of the unused address: a device may answer on this port alone.
            self._compare()


def _canary_address(plan: Plan) -> tuple[str, int]:
    address, _, port = plan.canary_address.rpartition(":")
    return address.strip("[]"), int(port)


def _body(seen: Observation | None) -> bytes | None:
    """The document of a successful exchange."""
    if seen is None or seen.failure is not None or not isinstance(seen.evidence, HttpExchange):
        return None
    return seen.evidence.body if seen.evidence.status == 200 else None

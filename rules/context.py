"""What the judgements share: the audit's evidence, the ids of observations, the time to judge at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from rules.audit import Audit
from rules.barren import Barren, barren
from rules.certificate import covers_name, facts
from rules.clock import (
    CLOCK_BREAKS,
    CLOCK_NOTICE,
    CLOCK_SPREAD,
    MIN_CLOCKS,
    Served,
    Telling,
    skew_by_dates,
    tellings,
    time_by_certificates,
    zones,
)
from rules.fetches import Wanted
from rules.guard import RECHECK
from rules.interception import Handshake, InterceptionFinding, judge_handshakes
from rules.kinds.dns_chain import DnsAnswer
from rules.kinds.http_fetch import HttpExchange, HttpFetch, is_html
from rules.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.observation import Observation, Step
from rules.portals import Portal, Visit, everywhere, judge_portals, visit
from rules.proofs import proofs
from rules.trust import ChainJudgement, in_date
from rules.zones import zone

_texts: list[tuple[str, ...]] = [()]  # of ids, "o1" first: one for each number, in whichever report it stands


def _ids(number: int) -> tuple[str, ...]:
    """Ids of so many observations, or of more."""
    known = _texts[0]
    if len(known) < number:
        known = _texts[0] = (*known, *(f"o{n}" for n in range(len(known) + 1, number + 1)))
    return known


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
        self.ids = {seen.step: text for seen, text in zip(ordered, _ids(len(ordered)), strict=False)}

    @cached_property
    def skew(self) -> float:
        """Seconds by which this host's clock is ahead, by the dates that several hosts give; where they do not tell, the least
        by which it is wrong as genuine certificates tell it; 0 where neither does."""
        return self._skew_by_dates or (
            self.started - self.time_by_certificates if self.time_by_certificates is not None else 0.0
        )

    @cached_property
    def _skew_by_dates(self) -> float:
        """The same by dates alone; 0 where genuine certificates speak against them and none of them came inside a genuine TLS
        session: a header on port 80 is anybody's word, a certificate its CA's."""
        contradicted = self._valid_by_dates < 0 and not self._dated_inside
        return 0.0 if contradicted else self._told

    @cached_property
    def time_by_certificates(self) -> float | None:
        """The time nearest to this host's at which the genuine certificates are in date, where they tell that its clock is
        wrong and no dates decide; else None."""
        return None if self._told else self._common_time

    @cached_property
    def _common_time(self) -> float | None:
        """The same whatever the dates say, but that a single one that agrees with this host's clock speaks for it."""
        if any(abs(told.skew) <= CLOCK_BREAKS for told in self._tellings):
            return None
        return time_by_certificates(self._genuine, self.started, self._valid)

    @cached_property
    def time_is_witnessed(self) -> bool:
        """Whether three unrelated hosts give the same other time."""
        return bool(self.skew) and len(zones(self._agreeing)) >= MIN_CLOCKS

    @cached_property
    def time_is_proved(self) -> bool:
        """Whether more speaks for the other time than headers on port 80: a date inside a genuine session, or certificates."""
        return self._dated_inside or self._valid_by_dates > 0 or self.time_by_certificates is not None

    @cached_property
    def _tellings(self) -> tuple[Telling, ...]:
        return tellings(self.observations, frozenset(one.chain for one in self._genuine))

    @cached_property
    def _told(self) -> float:
        """The skew by the dates alone."""
        return skew_by_dates(self._tellings)

    @cached_property
    def _valid_by_dates(self) -> int:
        """How many more of the genuine certificates are in date by the dates told than by this host's own clock."""
        if self._told == 0.0:
            return 0
        other = sum(self._valid(one.chain, self.started - self._told) for one in self._genuine)
        return other - sum(one.valid for one in self._genuine)

    @property
    def _dated_inside(self) -> bool:
        return any(told.inside for told in self._tellings if abs(told.skew - self._told) <= CLOCK_SPREAD)

    @property
    def _agreeing(self) -> Iterable[Telling]:
        """The dates that show this skew."""
        return (told for told in self._tellings if abs(told.skew - self.skew) <= CLOCK_SPREAD)

    @cached_property
    def _genuine(self) -> tuple[Served, ...]:
        """Each genuine chain that was served for its name."""
        found: dict[tuple[str, tuple[bytes, ...]], Served] = {}
        for seen in self.observations:
            step, shown = seen.step, seen.evidence
            if not isinstance(step, TlsHandshake) or not isinstance(shown, TlsFacts) or not shown.chain:
                continue
            key = (step.server_name, shown.chain)
            proven = self.audit.chains.judge(shown.chain, self.started).proven
            if key not in found and proven and covers_name(facts(shown.chain[0]), step.server_name):
                found[key] = Served(*key, self._valid(shown.chain, self.started))
        return tuple(found.values())

    def _valid(self, chain: tuple[bytes, ...], moment: float) -> bool:
        return in_date(facts(chain[0]), moment) and not self.audit.chains.judge(chain, moment).expired

    @cached_property
    def refused_by_clock(self) -> frozenset[str]:
        """Names whose genuine certificates are all out of date by this host's clock, and in date by that of three unrelated
        hosts or at a time that the certificates themselves have in common: programs on this host refuse them, whatever the
        network lets through."""
        if not self.skew or not (self.time_is_witnessed or self._common_time is not None):
            return frozenset()
        refused: dict[str, bool] = {}
        for one in self._genuine:
            out = not one.valid and self._valid(one.chain, self.now)
            refused[one.name] = refused.get(one.name, True) and out
        return frozenset(name for name, out in refused.items() if out)

    @property
    def out_of_date(self) -> tuple[Observation, ...]:
        """Handshakes whose certificates this host's clock refuses."""
        return tuple(
            seen
            for seen in self.observations
            if isinstance(seen.step, TlsHandshake) and seen.step.server_name in self.refused_by_clock
        )

    @property
    def clock_agrees(self) -> bool:
        """Whether several hosts told the time and this host's clock is right by them."""
        right = {told.voice for told in self._tellings if abs(told.skew) <= CLOCK_NOTICE}
        return self._told == 0.0 and len(right) >= MIN_CLOCKS

    @property
    def dated(self) -> tuple[Observation, ...]:
        """Answers that told the time: the evidence of a wrong clock."""
        return tuple(told.seen for told in self._tellings)

    @cached_property
    def now(self) -> float:
        """The time to judge at: by several hosts' clocks where more than port 80 speaks for it, by the certificates where no
        host's clock tells, else this host's own."""
        if self.time_by_certificates is not None:
            return self.time_by_certificates
        return self.started - self.skew if self.time_is_proved else self.started

    def seen(self, step: Step) -> tuple[Observation, ...]:
        """Both attempts of a step, the first first; () when it was not asked or has no answer."""
        both = (replace(step, attempt=1), replace(step, attempt=2))
        return tuple(self.audit.seen[s] for s in both if s in self.audit.seen)

    def evidence(self, *seen: Observation | None) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.ids[s.step] for s in seen if s is not None and s.step in self.ids))

    def judgement(self, seen: Observation) -> ChainJudgement | None:
        """How the chain of a handshake is judged by itself."""
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
        """Finding by the observation id of each handshake it covers."""
        return {id_: finding for finding in self.interceptions for id_ in finding.handshakes}

    def _handshakes(self) -> Iterable[Handshake]:
        rules = self.audit.rules
        targets = frozenset(
            target.host for target in self.audit.targets
        )  # nearly all names: each is on a rule
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
        """Certificates (`portals.whose`) that one server shows in place of several names, wherever they lead."""
        return everywhere(self._visits)

    @cached_property
    def _visits(self) -> tuple[Visit, ...]:
        control = self.audit.plan.control_name  # asked at addresses that no resolver gave for it
        met = (
            visit(seen, self.ids[seen.step], self.judgement(seen))
            for seen in self.observations
            if not isinstance(seen.step, TlsHandshake) or seen.step.server_name != control
        )
        return tuple(found for found in met if found is not None)

    @cached_property
    def responders(self) -> dict[bytes, list[tuple[Wanted, bytes, str]]]:
        """By leaf (DER): what its responders were asked, its issuer, and the responder's address."""
        found: dict[bytes, list[tuple[Wanted, bytes, str]]] = {}
        for wanted, (leaf, issuer, url) in self.audit.revocations.ocsp.items():
            found.setdefault(leaf, []).append((wanted, issuer, url))
        return found

    def twins(self, seen: Observation) -> tuple[str, ...]:
        """Unrelated hosts that gave the very same web page. That proves nothing: CDNs, load balancers and IIS answer "/" of
        unrelated hosts with the same bytes, as a device on the way does."""
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
        """The address where nothing is that gave the very same answer, "" where none did: a device on the way answers for
        it, and so for the host."""
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
        """(name, address) where a signed document came over port 80."""
        return proofs(self.audit, self.now)

    @cached_property
    def barren(self) -> dict[str, Barren]:
        """By resolver: those that resolve nothing while another does. Names are judged by the others."""
        return barren(self.audit.names)

    @cached_property
    def canaries(self) -> dict[str, frozenset[str]]:
        """By resolver: addresses that it gave for a name that nobody has."""
        found = {}
        for resolver in self.audit.names.resolvers:
            seen = self.audit.seen.get(self.audit.canary(resolver))
            if seen is not None and isinstance(seen.evidence, DnsAnswer):
                addresses = frozenset(r.value for r in seen.evidence.records if r.type == "A")
                if addresses and seen.evidence.rcode == "NOERROR":
                    found[resolver] = addresses
        return found

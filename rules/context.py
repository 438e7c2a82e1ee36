"""What the judgements share: the audit's evidence, the ids of observations, the time to judge at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from rules.audit import Audit
from rules.barren import Barren, barren
from rules.certificate import covers_name, facts
from rules.clock import Served, time_by_certificates
from rules.fetches import Wanted
from rules.guard import RECHECK
from rules.interception import Handshake, InterceptionFinding, judge_handshakes
from rules.kinds.dns_chain import DnsAnswer
from rules.kinds.http_fetch import HttpExchange, HttpFetch, is_html
from rules.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.moments import http_date
from rules.observation import Observation, Step
from rules.portals import Portal, Visit, everywhere, judge_portals, visit
from rules.proofs import proofs
from rules.trust import ChainJudgement, in_date
from rules.zones import zone

#: Hosts whose Date header must agree before the local clock is doubted.
MIN_CLOCKS = 3
#: Seconds by which those may differ among themselves.
CLOCK_SPREAD = 30.0
#: Skew that is worth a finding, and that breaks Kerberos: MaxClockSkew is 5 minutes unless a policy says otherwise
#: (Microsoft, [MS-GPSB] section 2.2.2 "Kerberos Policy").
CLOCK_NOTICE = 120.0
CLOCK_BREAKS = 300.0


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
        """Seconds by which this host's clock is ahead, by the Date headers of several hosts; where they do not tell, the
        least by which it is wrong as genuine certificates tell it; 0 where neither does."""
        return self._skew_by_dates or (
            self.started - self.time_by_certificates if self.time_by_certificates is not None else 0.0
        )

    @cached_property
    def _skew_by_dates(self) -> float:
        """The same by the Date headers; 0 where genuine certificates speak against them and none of the dates came inside a
        genuine TLS session: a header on port 80 is anybody's word, a certificate its CA's."""
        told = self._told
        return told if not self._contradicted or self._dated_inside(told) else 0.0

    @cached_property
    def time_by_certificates(self) -> float | None:
        """The time nearest to this host's at which the genuine certificates are in date, where they tell that its clock is
        wrong and no dates decide; else None."""
        return None if self._told else self._common_time

    @cached_property
    def _common_time(self) -> float | None:
        """The same whatever the dates say, but that a single one that agrees with this host's clock speaks for it."""
        if any(abs(skew) <= CLOCK_BREAKS for skew in self._dates.values()):
            return None
        return time_by_certificates(self._genuine, self.started, self._valid)

    @cached_property
    def time_is_witnessed(self) -> bool:
        """Whether three unrelated hosts give the same other time."""
        return (
            bool(self.skew)
            and len({zone(_date_header(s)[0]) for s in self._agreeing(self.skew)}) >= MIN_CLOCKS
        )

    @cached_property
    def _dates(self) -> dict[str, float]:
        """By host: seconds by which this host's clock is ahead of the first Date that it gave."""
        by_host: dict[str, float] = {}
        for seen in self.observations:
            host, date = _date_header(seen)
            if date is not None:
                by_host.setdefault(host, seen.started + seen.elapsed - date)
        return by_host

    @cached_property
    def _told(self) -> float:
        """The skew by the Date headers alone."""
        by_host = self._dates
        if len(by_host) < MIN_CLOCKS:
            return 0.0
        middle = _median(by_host.values())
        agreeing = [s for s in by_host.values() if abs(s - middle) <= CLOCK_SPREAD]
        return middle if len(agreeing) >= MIN_CLOCKS and abs(middle) > CLOCK_NOTICE else 0.0

    @cached_property
    def _contradicted(self) -> bool:
        """Whether more of the genuine certificates are in date by this host's own clock than by the dates told."""
        if self._told == 0.0:
            return False
        other = sum(self._valid(one.chain, self.started - self._told) for one in self._genuine)
        return sum(one.valid for one in self._genuine) > other

    def _dated_inside(self, skew: float) -> bool:
        sessions = (seen for seen in self._agreeing(skew) if isinstance(seen.evidence, TlsFacts))
        genuine = {one.chain for one in self._genuine}
        return any(isinstance(s.evidence, TlsFacts) and s.evidence.chain in genuine for s in sessions)

    def _agreeing(self, skew: float) -> Iterable[Observation]:
        """Answers whose date shows this skew."""
        for seen in self.observations:
            date = _date_header(seen)[1]
            if date is not None and abs(seen.started + seen.elapsed - date - skew) <= CLOCK_SPREAD:
                yield seen

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
        return self._told == 0.0 and len(self._dates) >= MIN_CLOCKS

    @property
    def dated(self) -> tuple[Observation, ...]:
        """Answers that told the time: the evidence of a wrong clock."""
        return tuple(seen for seen in self.observations if _date_header(seen)[1] is not None)

    @cached_property
    def now(self) -> float:
        """The time to judge at: by several hosts' clocks, unless genuine certificates speak for this host's own; by the
        certificates where no host's clock tells."""
        if self.time_by_certificates is not None:
            return self.time_by_certificates
        return self.started if self._contradicted else self.started - self.skew

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


def _median(values: Iterable[float]) -> float:
    """The middle one, or the mean of both. The library's costs a megabyte and the start of every process 10 ms."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _date_header(seen: Observation) -> tuple[str, float | None]:
    """(host, Unix time of its Date header) of an exchange; RFC 9110 section 6.6.1."""
    evidence = seen.evidence
    if isinstance(evidence, HttpExchange):
        headers, host = evidence.headers, getattr(seen.step, "host", "")
    elif isinstance(evidence, TlsFacts):
        headers, host = evidence.http_headers, getattr(seen.step, "server_name", "")
    else:
        return "", None
    value = next((text for name, text in headers if name == "date"), None)
    return host, None if value is None else http_date(value, seen.started)

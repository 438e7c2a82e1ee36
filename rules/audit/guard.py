"""Doubts of the audit about its own answers: a family without a working path, a firewall that blocks a scan, a
doubtful answer. It also chooses second looks: the repeat, the control name, the other TLS version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rules.http_answer.page import looks_like_block_page
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, got_through
from rules.model.verdict import Plan
from rules.pki.trust import ChainJudgement
from rules.text.zones import zone

#: Number of names that must fail over a family and open over the other before the family counts as broken.
BROKEN_FAMILY_AFTER = 3
#: At these counts of silent hosts, an address that answered before is asked again.
RECHECK_AT = (5, 12, 20)
#: The attempt number of such a second look.
RECHECK = 9

_DEAD_END = frozenset({Code.TIMEOUT, Code.UNREACHABLE, Code.NO_ROUTE, Code.REFUSED})


def is_v6(address: str) -> bool:
    return ":" in address


@dataclass(slots=True)
class Guard:
    """Counts silence and success by address."""

    plan: Plan
    reached: dict[str, TlsHandshake] = field(default_factory=dict)  # address -> handshake that succeeded
    half: dict[str, TlsHandshake] = field(
        default_factory=dict
    )  # address -> handshake whose connection opened
    opened: set[str] = field(default_factory=set)  # addresses with an established connection
    silent: dict[str, float] = field(default_factory=dict)  # address -> when it last gave silence or a reset
    failed_names: dict[bool, dict[str, str]] = field(default_factory=lambda: {False: {}, True: {}})
    opened_names: dict[bool, set[str]] = field(default_factory=lambda: {False: set(), True: set()})
    rechecks: list[TlsHandshake] = field(default_factory=list)
    last_success: float = 0.0
    sweep: bool = False  # an address that answered before is silent now: the firewall took us for a scanner

    def note(self, seen: Observation) -> TlsHandshake | None:
        """Take a connection's outcome. Return a second look at an address that answered before, if one is due."""
        step, failure = seen.step, None if got_through(seen) else seen.failure
        if not isinstance(step, TlsHandshake | HttpFetch):
            return None
        if isinstance(step, TlsHandshake) and step.attempt == RECHECK:
            self.sweep = self.sweep or self._silenced(step, failure)
            return None
        if failure is None or failure.stage not in (Stage.TCP, Stage.LOCAL):
            self.opened.add(step.address)
            self.opened_names[is_v6(step.address)].add(_name(step))
            if isinstance(step, TlsHandshake) and step.hello == "connector":
                self.half.setdefault(step.address, step)
            if failure is None:
                self.last_success = max(self.last_success, seen.started + seen.elapsed)
                if isinstance(step, TlsHandshake) and step.hello == "connector":
                    self.reached.setdefault(step.address, step)
        elif failure.code in _DEAD_END:
            self.failed_names[is_v6(step.address)][_name(step)] = step.address
        if failure is not None and failure.code in (Code.TIMEOUT, Code.RESET, Code.EOF, Code.REFUSED):
            fresh = step.address not in self.silent
            self.silent[step.address] = seen.started + seen.elapsed
            if fresh and failure.stage is Stage.TCP and failure.code is Code.TIMEOUT:
                return self._second_look()
        return None

    def _silenced(self, step: TlsHandshake, failure: Failure | None) -> bool:
        """Whether an address that had answered is silent now. An address that only opened must now fail to open."""
        if failure is None:
            return False
        if step.address in self.reached:
            return failure.code in (Code.TIMEOUT, Code.RESET)
        return failure.stage is Stage.TCP and failure.code is Code.TIMEOUT

    def _second_look(self) -> TlsHandshake | None:
        """One second look at each of a few counts of silent hosts, at the address that answered first."""
        if self.plan.steady:
            return None  # the earlier answer is too old to compare
        unsuspicious = [a for a in self.silent if a not in self.opened and not self.family_broken(is_v6(a))]
        answered = self.reached or self.half
        if not answered or len(unsuspicious) not in RECHECK_AT:
            return None
        untried = [s for s in answered.values() if s not in self.rechecks]
        if not untried:
            return None
        self.rechecks.append(untried[0])
        return replace(untried[0], attempt=RECHECK)

    def family_broken(self, v6: bool) -> bool:
        """Nothing opened over the family, and several names that failed over it open over the other family."""
        if self.opened_names[v6] or not self.opened_names[not v6]:
            return False
        return len(self.failed_over(v6)) >= BROKEN_FAMILY_AFTER

    def failed_over(self, v6: bool) -> list[str]:
        """Addresses of the family that failed for names which the other family reaches."""
        other = self.opened_names[not v6]
        return sorted(address for name, address in self.failed_names[v6].items() if name in other)

    def exhausted(self, now: float) -> bool:
        """Whether so many hosts gave silence or a reset lately that further probes would look like a scan."""
        if self.plan.pace != "polite" or self.plan.steady:
            return False
        recent = [a for a, when in self.silent.items() if now - when <= self.plan.sweep_window]
        return len([a for a in recent if not self.family_broken(is_v6(a))]) >= self.plan.sweep_limit


def _name(step: TlsHandshake | HttpFetch) -> str:
    return step.host if isinstance(step, HttpFetch) else step.server_name


#: Number of service names that get the extra observations (TLS 1.3, large hello).
MAX_EXTRA_NAMES = 4
#: Number of addresses shared by several zones whose port 80 may be asked for a page.
MAX_SHARED = 4
#: Number of control handshakes for one unexpected issuing key.
MAX_CONTROLS = 3
PROTOCOL_VERSION = 70  #: the alert (RFC 5246 section 7.2.2)
#: TLS alerts that a server without TLS 1.2 sends: handshake_failure, protocol_version, insufficient_security.
_VERSION_ALERTS = frozenset({40, PROTOCOL_VERSION, 71})


@dataclass(slots=True)
class SharedAddresses:
    """Public addresses that names of several zones share. Port 80 of an address without a certificate on 443 may show
    the page of a DNS filter; nothing else tells a filter from a firewall that drops.

    The choice depends only on where the names lead, once all are resolved: addresses with the most names first.
    """

    silent: set[str] = field(default_factory=set)  # addresses that showed no certificate, twice
    _leading: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _hosts: set[str] = field(default_factory=set)

    def leads(self, host: str, addresses: Iterable[str]) -> None:
        """A name is resolved to these addresses."""
        self._hosts.add(host)
        for address in addresses:
            self._leading[address].add(host)

    def pages(self, names: int) -> Iterable[HttpFetch]:
        """The questions to ask, once all `names` names are resolved. They are the same each time, so each is asked once."""
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
        """Neither a known key nor a public CA signed the certificate."""
        return judgement.verdict not in ("genuine", "issuer-unexpected")

    def control(self, step: TlsHandshake, judgement: ChainJudgement) -> TlsHandshake | None:
        """The same address with a control name that no rule holds: is the interception by name or by address?"""
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
        """Whether the server may no longer support TLS 1.2. No, if its ServerHello chose TLS 1.2."""
        failure, facts = seen.failure, seen.evidence
        if failure is None or failure.stage is not Stage.TLS:
            return False
        if isinstance(facts, TlsFacts) and facts.version == "TLSv1.2" and failure.alert != PROTOCOL_VERSION:
            return False
        return failure.code in (Code.RESET, Code.EOF) or failure.alert in _VERSION_ALERTS

    def page(self, seen: Observation) -> bool:
        """Whether to repeat an exchange over port 80: no answer, or a page that a device may have written."""
        if seen.failure is not None:
            return True
        exchange = seen.evidence
        host = seen.step.host if isinstance(seen.step, HttpFetch) else ""
        return isinstance(exchange, HttpExchange) and looks_like_block_page(exchange, host) is not None

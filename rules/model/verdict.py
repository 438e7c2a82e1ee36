"""The meaning: verdicts, causes, the answer, the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from rules.model.causes.record import Cause, Confidence, Mechanism, Owner
from rules.model.kinds.local_host import ProxySetting
from rules.model.observation import Observation
from rules.model.request import Request, TestedName


class Status(StrEnum):
    """From the best to the worst; `rank` is the place in this order."""

    PASS = "pass"
    NOT_APPLICABLE = "not-applicable"
    NOTICE = "notice"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"  # could not be measured: never green, never red
    FAIL = "fail"
    BROKEN = "broken"  # our own bug

    @property
    def rank(self) -> int:
        return list(Status).index(self)


Check: TypeAlias = Literal["dns", "tcp", "tls", "http", "crl", "ocsp", "path", "proxy", "app", "host"]


class Answer(StrEnum):
    YES = "yes"
    DEGRADED = "degraded"
    NO = "no"
    NOT_PROVEN = "not-proven"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A name, a port and, for a single address, that address."""

    host: str
    port: int
    address: str | None = None

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        return f"{self.host}:{self.port}{at}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one check of one endpoint under one rule.

    `rule` is "<set>/<rule id>", or "" for findings of this host or the path as a whole. `cause` is of the
    vocabulary (`rules.model.causes`). `evidence` holds ids of observations ("o17").
    """

    rule: str
    title: str
    endpoint: Endpoint | None
    check: Check
    status: Status
    cause: Cause
    summary: str
    remedy: str = ""
    severity: str = "required"
    citation: str = ""
    evidence: tuple[str, ...] = ()
    group: str = ""  # the rule's group, "" for findings of the host
    # Short evidence lines for people: ("expected", ...), ("served", ...).
    details: tuple[tuple[str, str], ...] = ()
    circumstance: str = ""  # the observed fact that decides the remedy: `causes.record.Circumstance`


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """A finding: one cause and all its endpoints, the unit that a reader acts on.

    `id`: "1", "2", ... in the order of weight; "1.1" for what follows from finding 1, which then stands in `because`.
    `request`: what to allow. `tested`: what was tested, each name with the reason. `contrast`: what passed from the same
    source, on the same port, at the same time; "" where nothing comparable passed.
    """

    cause: Cause
    status: Status  # the heaviest of its verdicts
    summary: str
    remedy: str
    owner: Owner
    confidence: Confidence
    endpoints: tuple[Endpoint, ...]
    evidence: tuple[str, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    hop: str | None = None
    mechanism: Mechanism | None = None
    id: str = ""
    because: tuple[str, ...] = ()
    request: Request | None = None
    tested: tuple[TestedName, ...] = ()
    contrast: str = ""
    command: str = ""  # a line to copy that belongs to the remedy


@dataclass(frozen=True, slots=True)
class RulesUsed:
    name: str
    version: str
    reviewed: str  # ISO date
    kind: Literal["rules", "cas"] = "rules"
    sha256: str = ""
    note: str = ""  # "not reviewed for 214 days", "no published list"


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where and under which account the measurement ran."""

    host: str
    user: str
    os: str
    sources: tuple[str, ...]
    resolvers: tuple[str, ...]
    proxies: tuple[ProxySetting, ...]
    tenant: str | None
    tenant_source: str = ""  # "--tenant", "configuration", "connector", ""
    labels: tuple[tuple[str, str], ...] = ()
    utc_offset: int | None = None  # seconds that this host's local time is ahead of UTC; None: not recorded


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of an audit. With the rules and the observations they determine every verdict (replay needs them)."""

    nonce: str  # random label of the DNS canary
    tenant: str | None = None
    tenant_source: str = ""
    resolvers: tuple[str, ...] = ()  # empty: those of this host
    only: str = ""  # glob over host names; empty: all
    pace: Literal["polite", "fast"] = "polite"
    max_addresses: int = 4  # per name and family
    extras: bool = True  # TLS 1.3, large hello, link-by-link DNS, canaries
    public_networks: tuple[str, ...] = ()  # CIDR; count as public although they are not
    canary_address: str = ""  # "address:port"; empty: no address canary
    control_name: str = "www.example.com"  # SNI that no rule names, asked at an intercepted address
    labels: tuple[tuple[str, str], ...] = ()
    owners: tuple[tuple[str, str], ...] = ()  # an organisation's own words: ("firewall", "NETSEC queue")
    sweep_limit: int = 20  # hosts with silence or a reset within sweep_window before a polite audit stops
    sweep_window: float = 300.0
    steady: bool = False  # the service's: answers have different times, so silence is no reaction to a scan
    dead: tuple[str, ...] = ()  # of a steady plan: resolvers (and "os") that have answered nothing lately
    region: str = (
        ""  # the geography of the connector's group (`rules.model.geography`): its sample names are required
    )
    # For names that do not resolve now: earlier addresses.
    last_good: tuple[tuple[str, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = ()  # events before the audit began: a tenant's domain that led to no id


class FlowState(StrEnum):
    """How what failed stands now."""

    WAITS = "waits"  # it had no turn, or what follows from its answer was not asked yet, or it could not be tested
    FAILS = "fails"
    PASSES = "passes"


@dataclass(frozen=True, slots=True)
class VerifiedFlow:
    """What failed in an earlier report and was asked again. `endpoint` is None for a finding of the host or the network.

    `since`: RFC 3339, when it was first seen to pass without a failure after it; "" where it does not pass. `cause`: why
    it fails or could not be tested, or what such a finding was; else "".
    """

    endpoint: Endpoint | None
    state: FlowState
    since: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """An audit's result (JSON: `wayclear.report/1`). Observation ids are "o1", "o2", ... in the order of `observations`."""

    version: str
    started: float
    finished: float
    plan: Plan
    vantage: Vantage
    rulesets: tuple[RulesUsed, ...]
    answer: Answer
    answer_text: str  # the effect for users, in a sentence or two
    exit_code: int
    causes: tuple[CauseGroup, ...]  # heaviest first
    verdicts: tuple[Verdict, ...]
    observations: tuple[Observation, ...]
    stopped: str = ""  # why it ended early: "budget", "sweep", "interrupted", "no-route", "no-resolver"
    notes: tuple[str, ...] = field(default=())  # "the rule set has not been reviewed for 190 days", ...
    verified: tuple[VerifiedFlow, ...] = ()  # of `wayclear verify`: what failed in the report that it took

    @property
    def summary(self) -> dict[str, int]:
        """How many verdicts have each status."""
        counts = {status.value: 0 for status in Status}
        for verdict in self.verdicts:
            counts[verdict.status.value] += 1
        return counts

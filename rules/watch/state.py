"""The appliance's picture of the network at one moment: what metrics, the status page and alerts are made of.

Values only. `rules/watch/state_of.py` makes them out of a report and what is remembered; exporters tell them. Text of peers in
here (`chain`, `issuer`, `summary`, addresses, the URLs of sources) has passed through `display()` and is for people: it
never becomes a label or a name of a metric.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rules.model.kind import Endpoint, StageName
from rules.model.verdict import Answer, Report, Status
from rules.watch.events import Drift, Transition

CheckName: TypeAlias = Literal["dns", "tls", "http", "crl"]
"""The checks of a target. "tls" holds its TCP connection and what was asked inside; "http" and "crl" theirs over port 80."""
Family: TypeAlias = Literal["ipv4", "ipv6"]
Key: TypeAlias = Endpoint
"""Host and port of a target."""
IssuerClass: TypeAlias = Literal[
    "", "expected", "public", "intercepted", "untrusted", "self-signed", "incomplete", "mixed"
]
"""Who issued, by class: "expected" is a key of the CA set, "public" a public CA, "mixed" more than one class at the
addresses of a target, "" nothing seen."""


@dataclass(frozen=True, slots=True)
class CheckState:
    """One check of a target over all its addresses. `success` is false where `measured` is: read both."""

    check: CheckName
    success: bool
    measured: bool
    status: Status
    cause: str


@dataclass(frozen=True, slots=True)
class AddressState:
    """An address met within the last 24 hours. `ok` is None where it was not tried; Unix times."""

    address: str
    family: Family
    ok: bool | None
    cause: str
    tried: float | None  # when it was last tried
    current: bool  # resolution gives it now
    stale: bool = False  # resolution fails now, and it gave this address before


@dataclass(frozen=True, slots=True)
class TargetState:
    """One name and port. Durations in seconds, times Unix time."""

    host: str
    port: int
    rule: str  # "<set>/<rule id>"
    group: str  # rule group: "service", "cert-validation", "sign-in"
    required: bool
    status: Status
    cause: str  # the heaviest, "ok"
    check: CheckName  # where that cause was met
    summary: str
    checks: tuple[CheckState, ...]
    addresses: tuple[AddressState, ...] = ()
    chain: tuple[str, ...] = ()  # names that the answers lead through, the last one has the addresses
    ttl: float | None = None  # smallest of the answer
    resolvers_agree: bool | None = None  # None: fewer than two have answered
    issuer: str = ""
    issuer_class: IssuerClass = ""
    root: str = ""  # the name of the root that the chain ends at
    tls_version: str = ""
    expiry: float | None = None  # earliest notAfter of the served certificates
    stages: tuple[tuple[StageName, float], ...] = ()
    handshakes: int = 0  # of the last three: how many were made
    intercepted: int = 0  # and how many of these were intercepted
    measured: float | None = None  # newest answer of the network about it
    documents: tuple[Hashable, ...] = ()  # those at fault, where they alone are: see `faulty_documents`
    since: float | None = None  # status and cause are so since then

    @property
    def name(self) -> str:
        """How it is called in the history and on the page: "login.windows.net:443"."""
        return f"{self.host}:{self.port}"

    @property
    def key(self) -> Key:
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class SourceState:
    """A revocation source. `target` is its host where a rule holds it, else "off-list" (bounded: it may be a label)."""

    kind: Literal["crl", "ocsp"]
    target: str
    url: str
    reachable: bool
    valid: bool
    measured: bool
    cause: str
    next_update: float | None = None  # Unix time
    endpoints: tuple[str, ...] = ()  # "host:port" of those whose certificates name it


@dataclass(frozen=True, slots=True)
class Place:
    """Constant labels of everything that this appliance exports; "" where not configured."""

    connector: str
    connector_group: str = ""
    site: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Everything at one moment (Unix time). `report` is None until the first sweep has ended."""

    place: Place
    version: str
    now: float
    started: float
    report: Report | None
    answer: Answer
    answer_since: float
    headline: str
    answer_text: str
    targets: tuple[TargetState, ...] = ()
    sources: tuple[SourceState, ...] = ()
    transitions: tuple[Transition, ...] = ()  # the last ones, newest first
    drifts: tuple[Drift, ...] = ()  # the last ones, newest first
    host_faults: tuple[str, ...] = ()  # causes under "local.": faults of this host, not of the network
    resolvers: tuple[tuple[str, bool], ...] = ()  # address, whether it answers
    maintenance: str = ""  # name of the window that is open, "" for none
    inventory: tuple[str, ...] = ()  # connectors that ought to report
    notes: tuple[str, ...] = field(default=())
    paused: bool = False  # nothing is asked while that window is open

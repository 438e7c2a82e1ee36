"""The state of the network at one moment, as the service sees it. Metrics, the status page and alerts are made from it.

Values only. `rules/watch/state_of.py` makes them from a report and the records of targets; exporters turn them into
text. Text from peers (`chain`, `issuer`, `summary`, addresses, the URLs of sources) has passed through `display()`. It
is for people to read, and never becomes a label or a name of a metric.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rules.audit.first_check import FirstCheck
from rules.model.kind import Endpoint, StageName
from rules.model.request import Need
from rules.model.verdict import Answer, Report, Status
from rules.watch.events import Drift, Transition

CheckName: TypeAlias = Literal["dns", "tls", "http", "crl"]
"""The checks of a target. "tls" includes the TCP connection and the request inside TLS; "http" and "crl" include their
TCP connection on port 80."""
Family: TypeAlias = Literal["ipv4", "ipv6"]
Key: TypeAlias = Endpoint
"""Host and port of a target."""
IssuerClass: TypeAlias = Literal[
    "", "expected", "public", "intercepted", "untrusted", "self-signed", "incomplete", "mixed"
]
"""The class of the issuer: "expected" is a key of the CA set, "public" a public CA, "mixed" more than one class at the
addresses of a target, "" no certificate seen."""


@dataclass(frozen=True, slots=True)
class CheckState:
    """One check of a target over all its addresses. If `measured` is false, so is `success`: read both."""

    check: CheckName
    success: bool
    measured: bool
    status: Status
    cause: str


@dataclass(frozen=True, slots=True)
class AddressState:
    """An address seen within the last 24 hours. `ok` is None if it was not tried; Unix times."""

    address: str
    family: Family
    ok: bool | None
    cause: str
    tried: float | None  # when it was last tried
    current: bool  # DNS returns it now
    stale: bool = False  # resolution fails now, and returned this address before


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
    check: CheckName  # the check that found that cause
    summary: str
    checks: tuple[CheckState, ...]
    addresses: tuple[AddressState, ...] = ()
    chain: tuple[str, ...] = ()  # names of the CNAME chain, the last one has the addresses
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
    documents: tuple[Hashable, ...] = ()  # faulty ones, if nothing else is at fault: see `faulty_documents`
    since: float | None = None  # since when the status is as it is
    need: Need = "required"  # why it is tested
    pattern: str = ""  # the row's: "*.servicebus.windows.net" (`rules.model.request.RequestRow`)
    region: str = ""  # the geography whose connectors need it (`rules.model.geography`), "" if not known

    @property
    def name(self) -> str:
        """Its name in the history and on the page: "login.windows.net:443"."""
        return f"{self.host}:{self.port}"

    @property
    def key(self) -> Key:
        return self.host, self.port


OFF_LIST = "off-list"  #: the target of all revocation sources whose hosts no rule names


@dataclass(frozen=True, slots=True)
class SourceState:
    """A revocation source. `target` is its host if a rule contains it, else `OFF_LIST` (a bounded set, so it may be a
    label)."""

    kind: Literal["crl", "ocsp"]
    target: str
    url: str
    reachable: bool
    valid: bool
    measured: bool
    cause: str
    next_update: float | None = None  # Unix time
    endpoints: tuple[str, ...] = ()  # "host:port" of endpoints whose certificates name it


@dataclass(frozen=True, slots=True)
class Place:
    """Constant labels of everything that this service exports; "" if not configured."""

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
    inventory: tuple[str, ...] = ()  # connectors that should report
    min_connectors: int = 2  # of its group that must work
    notes: tuple[str, ...] = field(default=())
    paused: bool = False  # the service measures nothing while that window is open
    refused: tuple[str, ...] = ()  # why changed files of the configuration are not in force
    first: FirstCheck | None = None  # until the first judgement: how far the first check is

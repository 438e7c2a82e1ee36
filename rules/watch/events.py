"""What changes over time: transitions of verdicts, ledgers of everything that was ever seen, drift. Only values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LedgerKind: TypeAlias = Literal["cname", "address", "issuer", "crl", "ocsp"]


@dataclass(frozen=True, slots=True)
class Transition:
    """A confirmed change of a verdict. `subject` is "connector" (its answer) or "host:port" (a target's status).

    `before` and `after` are words of `Answer` or `Status`; `at` is Unix time. `id` is the row in the history, 0 until
    it is stored.
    """

    at: float
    subject: str
    before: str  # "" when first seen
    after: str
    cause_before: str
    cause: str
    summary: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A value that an endpoint ("host:port", or "host" for names and addresses) has shown. Unix times.

    `value` is display()ed text: a CNAME, an address, an issuer ("CN=..., O=... [class] under ROOT"), a source's URL.
    `mark` is the class and root of an issuer, by which issuers are compared; "" for other kinds.
    """

    endpoint: str
    kind: LedgerKind
    value: str
    first: float
    last: float
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A new value that raises no alert: "a new suffix in the chain of X", "issuer of Y now under another root"."""

    at: float
    endpoint: str
    kind: LedgerKind
    value: str
    text: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One round of one kind of check: when it began (Unix time), how long it took, what it found.

    `failed`: targets without the expected answer in this round; `inconclusive`: targets of this kind that the last
    judgement could not judge. `connections`: of the whole service since the previous row of any kind.
    """

    kind: str  # "service", "sign-in", "revocation", "extra"
    started: float
    duration: float
    targets: int
    failed: int
    inconclusive: int
    connections: int
    answer: str
    note: str = ""  # "clock stepped +3600 s", "resumed after 28800 s"


@dataclass(frozen=True, slots=True)
class HistoryExtract:
    """Events read from the history, the newest first; with `endpoint` only the events of that endpoint, and its ledger.

    `since` is Unix time or None; `more`: the reader's limit has cut off older events.
    """

    transitions: tuple[Transition, ...] = ()
    drifts: tuple[Drift, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    endpoint: str = ""
    since: float | None = None
    more: bool = False

    def events(self) -> tuple[Transition | Drift, ...]:
        """Both kinds merged by their ids, newest first: a clock that was set back does not reverse the order."""
        return tuple(sorted((*self.transitions, *self.drifts), key=lambda event: event.id, reverse=True))

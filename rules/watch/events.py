"""What changes over time: transitions of verdicts, ledgers of what was ever seen, drift. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LedgerKind: TypeAlias = Literal["cname", "address", "issuer", "crl", "ocsp"]


@dataclass(frozen=True, slots=True)
class Transition:
    """A confirmed change of a verdict. `subject` is "connector" (its answer) or "host:port" (a target's status).

    `before` and `after` are words of `Answer` or `Status`; `at` is Unix time. `id` is the history's row, 0 before.
    """

    at: float
    subject: str
    before: str  # "" at the first sight
    after: str
    cause_before: str
    cause: str
    summary: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Something that an endpoint ("host:port", or "host" for names and addresses) ever showed. Unix times.

    `value` is display()ed text: a CNAME, an address, an issuer ("CN=..., O=... [class] under ROOT"), a source's URL.
    `mark` is what an issuer is compared by (its class and root), "" for other kinds.
    """

    endpoint: str
    kind: LedgerKind
    value: str
    first: float
    last: float
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """Something new that pages nobody: "a new suffix in the chain of X", "issuer of Y now under another root"."""

    at: float
    endpoint: str
    kind: LedgerKind
    value: str
    text: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One round of one kind of check: when it began (Unix time), how long it took, what it found.

    `failed`: targets that did not answer as they should in this round; `inconclusive`: those of this kind that the last
    judgement could not tell. `connections`: of the whole service since the row before, whatever its kind.
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
class Reading:
    """What the history tells, the newest first; with `endpoint` of that one only, and with its ledger.

    `since` is Unix time or None; `more`: older events exist that the reader's limit has cut off.
    """

    transitions: tuple[Transition, ...] = ()
    drifts: tuple[Drift, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    endpoint: str = ""
    since: float | None = None
    more: bool = False

    def events(self) -> tuple[Transition | Drift, ...]:
        """Both kinds merged by their ids, newest first: a clock that was set back does not turn them around."""
        return tuple(sorted((*self.transitions, *self.drifts), key=lambda event: event.id, reverse=True))

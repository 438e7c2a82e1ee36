"""The record of a kind of question: its word, its types, its cost, the peer, the interval.

Each file of `rules/model/kinds` defines one record, `KIND`; `rules/model/observation.py` lists them. Modules in which
kinds differ use the record of the step (`kind_of`) and not the step's type. `probe/measure/kinds` holds the record of
how the kind is measured, `exporters/terminal/evidence.py` the record of its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from rules.model.failure import Failure

S = TypeVar("S")
E = TypeVar("E")

#: What limits how many steps are measured at a time. The pace counts connections.
Queue: TypeAlias = Literal["local", "dns", "os", "connection"]
#: The configured interval that a step follows; "host" is this program's own (`probe/watch/judgement.py`).
Interval: TypeAlias = Literal["extras", "sign_in", "revocation", "host"]
#: A part of a measurement whose duration is shown.
StageName: TypeAlias = Literal["dns", "tcp", "tls", "http"]
#: A name and a port.
Endpoint: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Needs:
    """The current needs of the audit: they decide whether a step belongs to a target, whose schedule then asks it."""

    names: frozenset[str]  # of the targets
    questions: frozenset[object]  # the questions behind the CNAME chains of these names
    # The control name, which shows how an inspecting device treats any other name; "" without one.
    control: str
    page: object  # the request for a page to the unused address; None without one


@dataclass(frozen=True, slots=True)
class Resolution(Generic[S, E]):
    """What the kinds that resolve a name share."""

    resolver: Callable[[S], str]
    addresses: Callable[[E], tuple[str, ...]]
    aliased: Callable[[E], bool]  # the answer leads to a further name, which may have addresses
    unanswered: Callable[[E], bool]  # the answer says that no resolver gave an address
    # Part of a walk along a CNAME chain: silence says nothing about the resolver or the name.
    walks: Callable[[S], bool]
    #: The questions of the walk along the chain that `S` begins, by the known answers.
    walk_of: Callable[[S, Callable[[S], E | None]], Sequence[S]]


def _nothing(_: object) -> None:
    return None


def _never(_: object) -> bool:
    return False


def _not_reached(_: object, _failure: Failure) -> bool:
    return False


def _whole(evidence: E) -> E:
    return evidence


def _no_certificates(_: object) -> tuple[bytes, ...]:
    return ()


def _unchanged(evidence: E, _: tuple[bytes, ...]) -> E:
    return evidence


def _no_literals(_: object) -> tuple[tuple[str, str], ...]:
    return ()


def _no_stages(_elapsed: float, _evidence: object, _ok: bool) -> tuple[tuple[StageName, float], ...]:
    return ()


def _extras(_: object, _needs: Needs) -> Interval:
    return "extras"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[S, E]):
    """One kind of question: `S` is the type of its step, `E` of its evidence.

    The defaults fit an independent question at the interval of the extra observations whose whole evidence counts.
    """

    word: str  # in the JSON report
    step: type[S]
    evidence: type[E]
    queue: Queue

    # the peer
    #: The name that is asked for, or under which a peer is asked: a verdict about it waits for this step.
    name: Callable[[S], str | None] = _nothing
    #: Address and port that it connects to; None without a connection.
    place: Callable[[S], Endpoint | None] = _nothing
    #: The document that is fetched, from any server: every address of a host gives the same list.
    document: Callable[[S], tuple[object, ...] | None] = _nothing
    #: The endpoint or the list that one asked address is enough for (a host serves many lists).
    subject: Callable[[S], Hashable] = _nothing
    #: Whether each address of an endpoint is asked in turn, and the answer judges the endpoint there.
    judges: Callable[[S], bool] = _never
    resolution: Resolution[S, E] | None = None

    # the interval
    #: The interval that it follows; None where a target's schedule asks it, or where it is asked once.
    interval: Callable[[S, Needs], Interval | None] = _extras
    ages: bool = False  # an answer of more than a day ago is dropped
    stands: bool = False  # an empty answer leaves the previous one in place

    # the meaning of an answer
    #: Whether evidence with a failure shows that the peer was reached all the same.
    reached: Callable[[E, Failure], bool] = _not_reached
    #: The part of the evidence that can change a verdict; `rules/watch/significance.py` adds what only a judgement
    #: knows.
    significant: Callable[[E], Hashable] = _whole
    #: The evidence without the parts that a second look need not show.
    repeated: Callable[[E], E] = _whole
    #: The address literals in the evidence: a recording with another text there is refused.
    literals: Callable[[E], Iterable[tuple[str, str]]] = _no_literals
    #: The certificates that were shown (DER), and the same evidence with another copy of them.
    certificates: Callable[[E], tuple[bytes, ...]] = _no_certificates
    with_certificates: Callable[[E, tuple[bytes, ...]], E] = _unchanged
    #: Stages with their seconds, from the duration of the step, its evidence, and whether it succeeded.
    stages: Callable[[float, E | None, bool], tuple[tuple[StageName, float], ...]] = _no_stages

    @property
    def connects(self) -> bool:
        """Whether a step opens a connection, which the pace, the plan and the budget count."""
        return self.queue == "connection"

    @property
    def shows_certificates(self) -> bool:
        """Whether a peer shows certificates; then an answer without any is evidence of its own."""
        return self.certificates is not _no_certificates

    def endpoint(self, step: S) -> Endpoint | None:
        """The name and port of the peer; None where no peer is asked by a name."""
        name, place = self.name(step), self.place(step)
        return (name, place[1]) if name is not None and place is not None else None

    def asked(self, step: object) -> S | None:
        """`step` if it is of this kind, else None."""
        return step if isinstance(step, self.step) else None

    def shown(self, evidence: object) -> E | None:
        """`evidence` if it is of this kind, else None."""
        return evidence if isinstance(evidence, self.evidence) else None

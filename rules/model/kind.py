"""A kind of question in one record: its word, its types, what it costs, whom it asks, when it is asked again.

Each file of `rules/model/kinds` defines one record, `KIND`; `rules/model/observation.py` lists them. A module in which
kinds differ asks the record of the step (`kind_of`) and not the type of the step. The record in `probe/measure/kinds` says
how the kind is measured, the one in `exporters/terminal/evidence.py` how it is put into words.
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
#: The interval of the configuration that a step follows; "host" is this program's own (`probe/watch/judgement.py`).
Interval: TypeAlias = Literal["extras", "sign_in", "revocation", "host"]
#: A part of a measurement whose duration is shown.
StageName: TypeAlias = Literal["dns", "tcp", "tls", "http"]
#: A name and a port.
Endpoint: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the audit of the moment asks for: it decides whether a step belongs to a target, whose schedule asks it."""

    names: frozenset[str]  # of the targets
    questions: frozenset[object]  # on which the CNAME chains of these names rest
    control: str  # the name that shows what an inspecting device does with any other; "" without one
    page: object  # the step that asks the address where nothing is for a page; None without one


@dataclass(frozen=True, slots=True)
class Resolution(Generic[S, E]):
    """What the kinds that resolve a name have in common."""

    resolver: Callable[[S], str]
    addresses: Callable[[E], tuple[str, ...]]
    aliased: Callable[[E], bool]  # the answer leads to a further name, which may have addresses
    unanswered: Callable[[E], bool]  # the answer says that no resolver gave one
    walks: Callable[[S], bool]  # of a walk along a chain: silence says nothing about the resolver or the name
    #: The questions of the walk along the chain that `S` begins, by the answers that are known.
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

    What a field leaves at its default holds for a question that is asked for its own sake at the interval of the extra
    observations, and whose whole evidence counts.
    """

    word: str  # in the JSON report
    step: type[S]
    evidence: type[E]
    queue: Queue

    # whom it asks
    #: The name that is asked for, or under which a peer is asked: a verdict about it waits for this step.
    name: Callable[[S], str | None] = _nothing
    #: Address and port that it connects to; None without a connection.
    place: Callable[[S], Endpoint | None] = _nothing
    #: What is fetched, whoever serves it: the same list comes from every address of its host.
    document: Callable[[S], tuple[object, ...] | None] = _nothing
    #: What has been met once this was asked at one address: an endpoint, or a list (a host serves many).
    met: Callable[[S], Hashable] = _nothing
    #: Whether it is asked at each address of an endpoint in turn, and its answer judges the endpoint there.
    judges: Callable[[S], bool] = _never
    resolution: Resolution[S, E] | None = None

    # when it is asked again, and how long its answer is kept
    #: The interval that it follows; None where the schedule of a target asks it, or where it is asked once.
    interval: Callable[[S, Needs], Interval | None] = _extras
    ages: bool = False  # an answer of more than a day ago is dropped
    stands: bool = False  # an answer that shows nothing leaves the one before in its place

    # what an answer means
    #: Whether evidence with a failure shows that the peer was reached all the same.
    reached: Callable[[E, Failure], bool] = _not_reached
    #: What of the evidence can change a verdict; `rules/watch/significance.py` adds what takes a judgement to know.
    significant: Callable[[E], Hashable] = _whole
    #: The evidence without what a second look need not show.
    repeated: Callable[[E], E] = _whole
    #: Where the evidence holds literals of addresses, and these: a recording with another text there is refused.
    literals: Callable[[E], Iterable[tuple[str, str]]] = _no_literals
    #: The certificates that were shown (DER), and the same evidence with another copy of them.
    certificates: Callable[[E], tuple[bytes, ...]] = _no_certificates
    with_certificates: Callable[[E, tuple[bytes, ...]], E] = _unchanged
    #: Stages with their seconds, from the duration of the step, its evidence, and whether it had no failure.
    stages: Callable[[float, E | None, bool], tuple[tuple[StageName, float], ...]] = _no_stages

    @property
    def connects(self) -> bool:
        """Whether a step opens a connection: what the pace, the plan and the budget count."""
        return self.queue == "connection"

    @property
    def shows_certificates(self) -> bool:
        """Whether a peer shows certificates: an answer without any is one that showed none."""
        return self.certificates is not _no_certificates

    def endpoint(self, step: S) -> Endpoint | None:
        """The name and port of the peer; None where no peer is asked under a name."""
        name, place = self.name(step), self.place(step)
        return (name, place[1]) if name is not None and place is not None else None

    def asked(self, step: object) -> S | None:
        """`step` where it is of this kind."""
        return step if isinstance(step, self.step) else None

    def shown(self, evidence: object) -> E | None:
        """`evidence` where it is of this kind."""
        return evidence if isinstance(evidence, self.evidence) else None

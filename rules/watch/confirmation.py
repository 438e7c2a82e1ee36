"""Decides when a change is published: a state machine with one row for each state and event.

A *subject* is a target, or the connector with its answer. The *word* of a target is "pass", "warn", "inconclusive" or
"fail". The word of the connector is "yes", "degraded", "not-proven" or "no". A *judgement* uses the newest answers;
judgements have numbers.

If a judgement gives a target another word than the published one, the service *asks it whole*: its name in every way,
all its addresses, and the faulty documents. From the third such name on, the service asks one address of each family,
because the rate of new connections allows no more; the other addresses follow in their rotation. A *snapshot* is the
judgement before the service asked the target, or the first judgement after that. If two snapshots agree, the change is
a transition.

| state   | event                                                        | next    | published             |
| ------- | ------------------------------------------------------------ | ------- | --------------------- |
| NEW     | FIRST: this process has not judged the subject before        | STEADY  | the judged word       |
| STEADY  | SAME: the judged word is the published one                   | STEADY  | the judged word       |
| STEADY  | UNPROVEN: the judged word is another one                     | DIFFERS | the old word; the service asks the target |
| STEADY  | AGREES: another word, and nothing is left to ask             | STEADY  | a transition          |
| DIFFERS | SAME: the judged word is the published one                   | STEADY  | the judged word       |
| DIFFERS | UNPROVEN: no second snapshot yet                             | DIFFERS | the old word          |
| DIFFERS | DISAGREES: the second snapshot has another word              | DIFFERS | the old word; the service asks once more |
| DIFFERS | AGREES: the second snapshot has the same word                | STEADY  | a transition          |
| DIFFERS | LATE: it has differed for `PATIENCE` or `LONGER` seconds     | STEADY  | a transition          |

The answers of a target prove its snapshots. The answer of the connector depends on the targets. It is UNPROVEN while a
target DIFFERS and while a second attempt is wanted. If it gets better, it is also UNPROVEN until the service has asked
everything again that broke with it. Otherwise it AGREES. (A target cannot be STEADY and AGREE: its second snapshot
comes after the first.)

The caller reads the seconds from a monotonic clock. While a host is suspended the service can ask nothing, so patience
does not count that time. Unix time (`Moment.wall`) is only recorded.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from rules.model.verdict import Answer, Report, Status
from rules.watch import faulty_documents
from rules.watch.events import Transition
from rules.watch.state import AddressState, Key, TargetState

#: After this number of seconds the service publishes a change although no second snapshot agrees.
PATIENCE = 120.0
#: The same for a change to the better. The service must not publish half a repair, and at the shipped rate it
#: needs minutes for a long list.
LONGER = 300.0
#: The number of names that the service asks whole at one time. For further names it asks one address of each
#: family.
ASKED_WHOLE = 2
CONNECTOR = "connector"  #: the subject of transitions of the answer
_WORDS = {
    Status.PASS: "pass",
    Status.NOTICE: "pass",
    Status.NOT_APPLICABLE: "pass",
    Status.WARN: "warn",
    Status.INCONCLUSIVE: "inconclusive",
    Status.FAIL: "fail",
    Status.BROKEN: "inconclusive",
}
_STATUSES = {word: Status(word) for word in ("pass", "warn", "inconclusive", "fail")}
#: The words of the connector and of a target, from the worst to the best.
_ANSWERS = ("no", "not-proven", "degraded", "yes")
_TARGETS = ("fail", "inconclusive", "warn", "pass")


class State(Enum):
    """What the service knows about a subject."""

    NEW = auto()
    STEADY = auto()
    DIFFERS = auto()


class Event(Enum):
    """What a judgement means for a subject; see the table at the top."""

    FIRST = auto()
    SAME = auto()
    UNPROVEN = auto()
    DISAGREES = auto()
    AGREES = auto()
    LATE = auto()


class Publish(Enum):
    """What the service publishes about a subject after a judgement."""

    JUDGED = auto()
    AS_BEFORE = auto()
    TRANSITION = auto()


#: The table at the top, row by row.
TABLE: Mapping[tuple[State, Event], tuple[State, Publish]] = {
    (State.NEW, Event.FIRST): (State.STEADY, Publish.JUDGED),
    (State.STEADY, Event.SAME): (State.STEADY, Publish.JUDGED),
    (State.STEADY, Event.UNPROVEN): (State.DIFFERS, Publish.AS_BEFORE),
    (State.STEADY, Event.AGREES): (State.STEADY, Publish.TRANSITION),
    (State.DIFFERS, Event.SAME): (State.STEADY, Publish.JUDGED),
    (State.DIFFERS, Event.UNPROVEN): (State.DIFFERS, Publish.AS_BEFORE),
    (State.DIFFERS, Event.DISAGREES): (State.DIFFERS, Publish.AS_BEFORE),
    (State.DIFFERS, Event.AGREES): (State.STEADY, Publish.TRANSITION),
    (State.DIFFERS, Event.LATE): (State.STEADY, Publish.TRANSITION),
}


def status_word(status: Status) -> str:
    """The word of a status in the history: a notice counts as a pass."""
    return _WORDS[status]


def heaviest(report: Report) -> str:
    """The heaviest cause in a report; "ok" if none is heavier than a notice."""
    weighty = [c for c in report.causes if status_word(c.status) != "pass"]
    return weighty[0].cause.word if weighty else "ok"


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a judgement. `wall` is Unix time; `clock` and `differed` are seconds of one monotonic clock.

    `differed`: when the first differing answer arrived that no earlier judgement has seen.
    """

    wall: float
    clock: float
    differed: float


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A target that the service must ask. The measurement counts if it begins after judgement number `since`.

    `whole`: at all its addresses, not only at one of each family.
    """

    since: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What the service may publish after a judgement, and what it must ask for the next one."""

    number: int  # of the judgement
    targets: tuple[TargetState, ...]
    answer: Answer
    answer_since: float  # Unix time
    transitions: tuple[Transition, ...]
    first: tuple[Transition, ...] = ()  # subjects seen for the first time: not changes, only recorded
    differing: frozenset[Key] = frozenset()  # targets whose judged word is not the published one
    #: What the service must ask for the next judgement: targets of `differing` that it has not asked yet, and
    #: names that decide.
    inquiries: Mapping[Key, Inquiry] = field(default_factory=dict)
    awaited: frozenset[Key] = frozenset()  # further targets that a better answer waits for
    documents: frozenset[Hashable] = frozenset()  # documents of no target that the answer waits for
    misnamed: frozenset[Key] = frozenset()  # targets with a fault in the name, as judged or as published
    #: Failures to forget: target and address, and when the address failed (Unix time).
    outdated: Mapping[tuple[Key, str], float] = field(default_factory=dict)
    patience_ends: float | None = None  # on the monotonic clock: when the next subject becomes LATE


@dataclass(slots=True)
class _Subject:
    """What is published about a subject, and the words that judgements gave it while it DIFFERS.

    `published` is None for a target that only the history knows. `words`: each word with the number of the
    first judgement that had it. `differs_since` and `changed` are seconds of the monotonic clock.
    """

    order: tuple[str, ...]  # its words, from the worst to the best
    word: str = ""
    cause: str = ""
    since: float = 0.0  # Unix time
    summary: str = ""
    published: TargetState | None = None
    state: State = State.NEW
    words: list[tuple[int, str]] = field(default_factory=list)
    differs_since: float = 0.0
    whole: bool = True
    decides: bool = False
    changed: float = 0.0

    def better(self, new: str) -> bool:
        """Whether a word is better than the published one."""
        return self.order.index(new) > self.order.index(self.word)

    def deadline(self, new: str, *, pending: bool = False) -> float:
        """When the subject becomes LATE, on the monotonic clock. `pending`: a second attempt is still wanted."""
        return self.differs_since + (LONGER if self.better(new) and not pending else PATIENCE)

    def compared(self, new: str, asked: int) -> Event:
        """The event for a word that is not the published one, if the service asked everything after judgement
        `asked`."""
        first = [word for number, word in self.words if number <= asked]
        if not first:
            return Event.UNPROVEN
        return Event.AGREES if first[-1] == new else Event.DISAGREES

    def advance(self, event: Event, new: str, turn: _Turn) -> Publish:
        """Apply the row of the table."""
        before, (self.state, publish) = self.state, TABLE[self.state, event]
        if self.state is State.STEADY:
            self.words = []
        elif before is State.STEADY or event is Event.DISAGREES:
            self.words = [(turn.number, new)]
        elif self.words[-1][1] != new:
            self.words.append((turn.number, new))
        if before is State.STEADY:
            self.differs_since = turn.moment.differed
        if publish is not Publish.AS_BEFORE:
            self.word = new
        if publish is Publish.TRANSITION or event is Event.FIRST:
            self.since, self.changed = turn.moment.wall, turn.moment.clock
        return publish


class Confirmation:
    """All subjects with their states. The caller calls it once for each judgement, from one thread at a time.

    `known`: the last transition of each target by its name, from the history. Only the first judgement uses
    it.
    """

    def __init__(self, known: Mapping[str, Transition] | None = None) -> None:
        self._known = dict(known or {})
        self._targets: dict[tuple[str, Key], _Subject] = {}
        self._connector = _Subject(_ANSWERS)
        self._number = 0
        self._many_since: int | None = None  # the judgement since which over ASKED_WHOLE names differ

    def settle(
        self,
        report: Report,
        targets: Iterable[TargetState],
        pending: frozenset[str],
        asked: Mapping[Hashable, int],
        moment: Moment,
    ) -> Settled:
        """Process a judgement.

        `pending`: hosts for which a second attempt is still wanted. `asked`: targets by key, and documents by
        their identity, with the number of the judgement after which the service last asked them as that
        judgement wanted; also each address of a target that differs, as (key, address).
        """
        self._number += 1
        targets = tuple(targets)
        first = self._take_known(targets, moment.wall)
        turn = _Turn(self._number, pending, asked, moment)
        turn.open = {key for (_, key), one in self._targets.items() if one.state is State.DIFFERS}
        turn.deciding = any(one.state is State.DIFFERS and one.decides for one in self._targets.values())
        published = [self._settle_target(target, turn) for target in targets]
        seen = {_subject(target) for target in targets}
        for gone in [subject for subject in self._targets if subject not in seen]:
            del self._targets[gone]
        awaited, documents = self._broke_with_answer(report, published, turn)
        deciding = self._deciding(published, turn)
        waits = bool(turn.differing or pending or awaited or documents or deciding)
        self._settle_answer(report, waits, turn)
        return Settled(
            self._number,
            tuple(published),
            Answer(self._connector.word),
            self._connector.since,
            tuple(turn.transitions),
            first,
            frozenset(turn.differing),
            turn.inquiries | deciding,
            awaited,
            documents,
            frozenset(t.key for t in (*targets, *published) if _misnamed(t)),
            turn.outdated,
            min(turn.deadlines, default=None),
        )

    def _take_known(self, targets: tuple[TargetState, ...], wall: float) -> tuple[Transition, ...]:
        """Give new targets their state from the history. Returns the others as transitions from ""."""
        known, self._known = self._known, {}
        new: dict[str, list[TargetState]] = defaultdict(list)
        for target in targets:
            if _subject(target) not in self._targets:
                new[target.name].append(target)
        met = {target.name for target in targets if _subject(target) in self._targets}
        for name in new.keys() & known.keys():
            last = known[name]
            if last.after not in _STATUSES:  # written by a newer version
                continue
            # The history contains names and not rules. If several targets have one name, those with the word
            # of the history have had it since then. If none has that word, one of them has changed.
            alike = [t for t in new[name] if status_word(t.status) == last.after] or new[name][:1]
            for target in alike:
                self._targets[_subject(target)] = _Subject(
                    _TARGETS,
                    last.after,
                    last.cause,
                    last.at,
                    last.summary,
                    state=State.STEADY,
                    changed=-math.inf,
                )
        return tuple(
            Transition(wall, name, "", status_word(found[0].status), "", found[0].cause, found[0].summary)
            for name, found in new.items()
            if name not in known and name not in met
        )

    def _settle_target(self, target: TargetState, turn: _Turn) -> TargetState:
        subject = self._targets.setdefault(_subject(target), _Subject(_TARGETS))
        new, cause = status_word(target.status), subject.cause
        before, event = subject.word, _event_of_target(subject, target, new, turn)
        began = subject.state is not State.DIFFERS
        publish = subject.advance(event, new, turn)
        if publish is Publish.AS_BEFORE:
            if began:
                subject.whole, subject.decides = turn.open_whole(target), _decides(target)
            _ask(subject, target, new, turn)
            return _as_before(target, subject)
        if publish is Publish.TRANSITION:
            turn.transitions.append(
                Transition(turn.moment.wall, target.name, before, new, cause, target.cause, target.summary)
            )
        subject.cause = target.cause
        subject.published = replace(target, since=subject.since)
        return subject.published

    def _broke_with_answer(
        self, report: Report, published: list[TargetState], turn: _Turn
    ) -> tuple[frozenset[Key], frozenset[Hashable]]:
        """What a better answer waits for: the targets that broke with it, and failed documents of no
        target."""
        subject = self._connector
        if subject.state is State.NEW or not subject.better(report.answer.value):
            return frozenset(), frozenset()
        began = subject.words[0][0] if subject.words else turn.number
        targets = frozenset(
            target.key
            for target in published
            if status_word(target.status) != "pass"
            and turn.asked_after(target.key) < began
            # the answer does not wait for a target that has failed for days: it did not break with the answer
            and self._targets[_subject(target)].changed >= subject.changed - PATIENCE
        )
        wanted = faulty_documents.of_no_target(report, map(_subject, published))
        return targets, frozenset(one for one in wanted if turn.asked_after(one) < began)

    def _deciding(self, published: list[TargetState], turn: _Turn) -> dict[Key, Inquiry]:
        """The required names of the service that were not asked since many names began to differ.

        They decide whether the answer is "no". Without them the service would publish "no" in two steps. The
        service asks the first of them whole.
        """
        many = len(turn.open) > ASKED_WHOLE
        if many and self._many_since is None:
            self._many_since = turn.number
        since = self._many_since
        if since is None:
            return {}
        found = dict.fromkeys(t.key for t in published if _decides(t) and turn.asked_after(t.key) < since)
        if not many and not found:
            self._many_since = None
        keys = [key for key in found if key not in turn.differing]
        return {key: Inquiry(turn.number, key == keys[0]) for key in keys}

    def _settle_answer(self, report: Report, waits: bool, turn: _Turn) -> None:
        subject, new, cause = self._connector, report.answer.value, heaviest(report)
        before, cause_before = subject.word, subject.cause
        event = _event_of_answer(subject, new, waits, turn)
        publish = subject.advance(event, new, turn)
        if publish is Publish.AS_BEFORE:
            turn.deadlines.append(subject.deadline(new))
            return
        if publish is Publish.TRANSITION:
            turn.transitions.append(
                Transition(turn.moment.wall, CONNECTOR, before, new, cause_before, cause, report.answer_text)
            )
        subject.cause = cause


@dataclass(slots=True)
class _Turn:
    """One judgement in progress: its inputs and its results."""

    number: int
    pending: frozenset[str]
    asked: Mapping[Hashable, int]
    moment: Moment
    transitions: list[Transition] = field(default_factory=list)
    open: set[Key] = field(default_factory=set)  # of targets that differ, or did before this judgement
    deciding: bool = False  # whether one of them decides the answer
    differing: set[Key] = field(default_factory=set)
    inquiries: dict[Key, Inquiry] = field(default_factory=dict)
    outdated: dict[tuple[Key, str], float] = field(default_factory=dict)
    deadlines: list[float] = field(default_factory=list)

    def asked_after(self, *wanted: Hashable) -> int:
        """The number of the judgement after which all of them were asked; -1 if one never was."""
        return min(self.asked.get(one, -1) for one in wanted)

    def open_whole(self, target: TargetState) -> bool:
        """Whether to ask a target whole that begins to differ: true for the first ones, and for one of those
        that decide."""
        self.open.add(target.key)
        if len(self.open) <= ASKED_WHOLE:
            return True
        first = not self.deciding
        self.deciding = self.deciding or _decides(target)
        return first and _decides(target)


def _event_of_target(subject: _Subject, target: TargetState, new: str, turn: _Turn) -> Event:
    if subject.state is State.NEW:
        return Event.FIRST
    if new == subject.word:
        return Event.SAME
    if subject.state is State.STEADY:
        return Event.UNPROVEN
    pending = target.host in turn.pending
    if turn.moment.clock >= subject.deadline(new, pending=pending):
        return Event.LATE
    if pending or (_narrowly_better(subject, new) and _outdated(target)):
        return Event.UNPROVEN
    return subject.compared(new, _asked_after(subject, target, turn))


def _asked_after(subject: _Subject, target: TargetState, turn: _Turn) -> int:
    """The number of the judgement after which the service asked everything that the status depends on.

    Where addresses rotate, DNS may return an address whose last answer is older than the change. So the
    service must have asked one of the addresses that DNS returns now. This does not apply if the fault is, or
    was, in the name.
    """
    found = turn.asked_after(target.key, *target.documents)
    tried = [a.address for _, a in _tried(target)]
    misnamed = _misnamed(target) or (subject.published is not None and _misnamed(subject.published))
    if misnamed or not tried:
        return found
    return min(found, max(turn.asked_after((target.key, address)) for address in tried))


def _event_of_answer(subject: _Subject, new: str, waits: bool, turn: _Turn) -> Event:
    if subject.state is State.NEW:
        return Event.FIRST
    if new == subject.word:
        return Event.SAME
    if not waits:
        return Event.AGREES
    if subject.state is State.DIFFERS and turn.moment.clock >= subject.deadline(new):
        return Event.LATE
    return Event.UNPROVEN


def _ask(subject: _Subject, target: TargetState, new: str, turn: _Turn) -> None:
    """Request a target that DIFFERS, unless the service has asked it and only a second attempt is still
    wanted."""
    key, since = target.key, subject.words[0][0]
    turn.differing.add(key)
    turn.deadlines.append(subject.deadline(new, pending=target.host in turn.pending))
    if turn.asked_after(key, *target.documents) < since:
        # several rules may have this name and port
        other = turn.inquiries.get(key, Inquiry(since, subject.whole))
        turn.inquiries[key] = Inquiry(max(since, other.since), subject.whole or other.whole)
    if _narrowly_better(subject, new):
        turn.outdated.update(_outdated(target))


def _narrowly_better(subject: _Subject, new: str) -> bool:
    """Whether a target seems to work again, and the service does not ask all its addresses. It then forgets
    older failures."""
    return not subject.whole and subject.better(new)


def _outdated(target: TargetState) -> dict[tuple[Key, str], float]:
    """Failures of addresses after which another address of the same family worked: they are out of date."""
    found: dict[tuple[Key, str], float] = {}
    for family in ("ipv4", "ipv6"):
        tried = [(when, a) for when, a in _tried(target) if a.family == family]
        newest = max(tried, key=lambda one: one[0], default=None)
        if newest is not None and newest[1].ok:
            old = ((when, a) for when, a in tried if not a.ok and when < newest[0])
            found |= {(target.key, a.address): when for when, a in old}
    return found


def _tried(target: TargetState) -> list[tuple[float, AddressState]]:
    """The addresses with a usable answer that the service still asks, with the time of the answer."""
    return [
        (a.tried, a)
        for a in target.addresses
        if a.tried is not None and a.ok is not None and (a.current or a.stale)
    ]


def _as_before(target: TargetState, subject: _Subject) -> TargetState:
    """The published state of a target that DIFFERS: the old word, and the new details of each answer."""
    before = subject.published or replace(
        target,
        status=_STATUSES[subject.word],
        cause=subject.cause,
        summary=subject.summary,
        since=subject.since,
    )
    return replace(
        before,
        addresses=target.addresses,
        stages=target.stages,
        handshakes=target.handshakes,
        intercepted=target.intercepted,
        measured=target.measured,
        documents=target.documents,
    )


def _decides(target: TargetState) -> bool:
    """Whether the answer is "no" while this target fails."""
    return target.required and target.group == "service"


def _misnamed(target: TargetState) -> bool:
    return target.check == "dns" and status_word(target.status) != "pass"


def _subject(target: TargetState) -> tuple[str, Key]:
    return target.rule, target.key

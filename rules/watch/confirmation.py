"""A change is confirmed before it becomes a transition, and remembered since when things are as they are.

A target's new status counts when the judgement wants no second look at it any more and it was measured again since it was
first seen, and when it rests on no failure of before the change beside what works since: a name of which one address works
again while the others were not tried yet is not half broken. Until then the target stays as it was. The answer follows
when nothing of it waits; one that gets better waits as well for what broke with it and was not tried since. What is worse waits
no longer than `PATIENCE` seconds, what is better no longer than `LONGER`.

What a history knows of the time before goes on: a target that is as it was is so since then, one that is not has changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rules.model.verdict import Answer, Report, Status
from rules.watch.events import Transition
from rules.watch.freshness import began, looked, loose, misnamed, outlived
from rules.watch.memory import moved
from rules.watch.state import TargetState

#: Seconds after which what keeps waiting for confirmation is taken as it is.
PATIENCE = 120.0
#: The same for what is better than what is told: at the shipped rate the addresses of a long list take their turns in minutes.
LONGER = 300.0
_WORDS = {
    Status.PASS: "pass",
    Status.NOTICE: "pass",
    Status.NOT_APPLICABLE: "pass",
    Status.WARN: "warn",
    Status.INCONCLUSIVE: "inconclusive",
    Status.FAIL: "fail",
    Status.BROKEN: "inconclusive",
}
_STATUSES = {w: Status(w) for w in ("pass", "warn", "inconclusive", "fail")}
CONNECTOR = "connector"  #: the subject of transitions of the answer
_ANSWERS = ("no", "not-proven", "degraded", "yes")  # the later the better, as are the words of targets
_TARGETS = ("fail", "inconclusive", "warn", "pass")


def word(status: Status) -> str:
    """What a status is in the history: notices pass."""
    return _WORDS[status]


def _key(target: TargetState) -> str:
    return f"{target.rule} {target.name}"


def _better(order: tuple[str, ...], old: str, new: str) -> bool:
    return order.index(new) > order.index(old)


def heaviest(report: Report) -> str:
    """The cause that weighs most in a report; "ok" where none weighs more than a notice."""
    weighty = [c for c in report.causes if word(c.status) != "pass"]
    return weighty[0].cause.word if weighty else "ok"


@dataclass(slots=True)
class _Standing:
    """What is published of a subject. `waiting`: a word that was seen and not confirmed, with the time of its measurement.

    `changing` is the measurement with which that began. `state` is None for what only the history knows; `summary` is its
    sentence.
    """

    word: str
    cause: str
    since: float
    summary: str = ""
    state: TargetState | None = None
    waiting: str = ""
    waiting_at: float | None = None
    waiting_since: float = 0.0
    changing: float = 0.0


def _remembered(target: TargetState, old: _Standing) -> TargetState:
    """A target as the history has it, until what is seen now is confirmed."""
    return replace(target, status=_STATUSES[old.word], cause=old.cause, summary=old.summary, since=old.since)


@dataclass(frozen=True, slots=True)
class Settled:
    """What may be told. `held`: names of targets whose change waits for confirmation; `awaited`: those for which the answer
    waits besides, `lists`: documents of no target for which it does. To ask them soon is to know soon. `named`: those whose
    fault is in their name, told or not.

    `first`: what was seen for the first time and no history knew. No change, and so nothing to tell anybody; kept, it
    lets the next process know what was.
    """

    targets: tuple[TargetState, ...]
    answer: Answer
    answer_since: float
    transitions: tuple[Transition, ...]
    held: frozenset[str]
    awaited: frozenset[str]
    named: frozenset[str]
    lists: frozenset[tuple[object, ...]]
    report_holds: bool  # whether the report of this judgement is the one to tell
    first: tuple[Transition, ...] = ()


class Confirmation:
    """Published words by subject. Times are Unix time.

    `known`: the last transition of each target by its name, out of the history. It counts for the first judgement:
    what comes later was not there when this process began, and is seen for the first time.
    """

    def __init__(self, known: Mapping[str, Transition] | None = None) -> None:
        self._known = dict(known or {})
        self._standing: dict[str, _Standing] = {}
        self._answer: _Standing | None = None
        self._waits_since: float | None = None

    def shift(self, by: float, now: float) -> None:
        """The clock was set by `by` seconds and says `now`: what waits has waited as long as before.

        Since when things are as they are stays as it was told.
        """
        for standing in list(self._standing.values()):
            standing.waiting_since = moved(standing.waiting_since, by, now)
            standing.changing = moved(standing.changing, by, now)
            if standing.waiting_at is not None:
                standing.waiting_at = moved(standing.waiting_at, by, now)
        if self._waits_since is not None:
            self._waits_since = moved(self._waits_since, by, now)

    def settle(
        self, report: Report, targets: Iterable[TargetState], pending: frozenset[str], now: float
    ) -> Settled:
        """Take a judgement. `pending` holds hosts at which a second look is still wanted."""
        told: list[TargetState] = []
        targets = tuple(targets)
        first = self._first(targets, now)
        transitions: list[Transition] = []
        held: set[str] = set()
        seen: set[str] = set()
        for target in targets:
            key = _key(target)
            seen.add(key)
            told.append(self._target(key, target, target.host in pending, now, transitions, held))
        for gone in [key for key in self._standing if key not in seen]:
            del self._standing[gone]
        unsure, lists = self._unsure(report, told, now)
        waits = bool(held or pending or unsure or lists)
        answer, since, holds = self._settle_answer(report, waits, now, transitions)
        named = frozenset(target.name for target in (*targets, *told) if misnamed(target))
        return Settled(
            tuple(told),
            answer,
            since,
            tuple(transitions),
            frozenset(held),
            unsure,
            named,
            lists,
            holds,
            first,
        )

    def _first(self, targets: tuple[TargetState, ...], now: float) -> tuple[Transition, ...]:
        """Take over what is known of targets that are seen for the first time; the others as transitions from ""."""
        known, self._known = self._known, {}
        fresh: dict[str, list[TargetState]] = defaultdict(list)
        for target in targets:
            if _key(target) not in self._standing:
                fresh[target.name].append(target)
        met = {target.name for target in targets if _key(target) in self._standing}
        for name in fresh.keys() & known.keys():
            last = known[name]
            if last.after not in _STATUSES:  # of a newer version
                continue
            # The history has names and not rules. Of several targets with one name those that are as it says have
            # been so since then; where none is, one of them has changed.
            alike = [t for t in fresh[name] if word(t.status) == last.after] or fresh[name][:1]
            for target in alike:
                self._standing[_key(target)] = _Standing(last.after, last.cause, last.at, last.summary)
        return tuple(
            Transition(now, name, "", word(found[0].status), "", found[0].cause, found[0].summary)
            for name, found in fresh.items()
            if name not in known and name not in met
        )

    def _target(
        self,
        key: str,
        target: TargetState,
        pending: bool,
        now: float,
        transitions: list[Transition],
        held: set[str],
    ) -> TargetState:
        new = word(target.status)
        old = self._standing.get(key)
        if old is None:
            old = self._standing[key] = _Standing(new, target.cause, now)
        elif new != old.word and not self._confirmed(old, new, target, pending, now):
            held.add(target.name)
            before = old.state or _remembered(target, old)
            return replace(
                before,
                addresses=target.addresses,
                stages=target.stages,
                handshakes=target.handshakes,
                intercepted=target.intercepted,
                measured=target.measured,
                resolved=target.resolved,
                lagging=target.lagging,
            )
        elif new != old.word:
            transitions.append(
                Transition(now, target.name, old.word, new, old.cause, target.cause, target.summary)
            )
            old.since = now
        old.word, old.cause, old.waiting, old.waiting_at = new, target.cause, "", None
        old.state = replace(target, since=old.since)
        return old.state

    def _confirmed(self, old: _Standing, new: str, target: TargetState, pending: bool, now: float) -> bool:
        measured = looked(target, old.state)
        if not old.waiting:
            old.waiting_since = now
            # a first look has tried everything since whatever the history knows
            old.changing = began(old.state, target, now) if old.state is not None else 0.0
        again = (
            old.waiting == new
            and old.waiting_at is not None
            and measured is not None
            and measured > max(old.waiting_at, old.waiting_since)  # another address may have an older failure
        )
        if old.waiting != new:
            # Beside what only the history knows stands a first look, whose times are not yet those of its answers.
            old.waiting, old.waiting_at = new, measured if old.state is not None else None
        elif old.waiting_at is None:
            old.waiting_at = measured
        better = _better(_TARGETS, old.word, new)
        # nothing can be measured: it is so all the same
        late = abs(now - old.waiting_since) >= (LONGER if better and not pending else PATIENCE)
        return late or (again and not pending and not outlived(target, old.changing))

    def _unsure(
        self, report: Report, targets: list[TargetState], now: float
    ) -> tuple[frozenset[str], frozenset[tuple[object, ...]]]:
        """Targets that broke with the answer, and were not measured since it began to get better; documents likewise."""
        old = self._answer
        if old is None or not _better(_ANSWERS, old.word, report.answer.value):
            return frozenset(), frozenset()
        turned = now if self._waits_since is None else self._waits_since
        lists = frozenset(wanted for wanted, when in loose(report, targets).items() if when < turned)
        names = frozenset(
            target.name
            for target in targets
            if word(target.status) != "pass"
            and (target.since or 0.0) >= old.since - PATIENCE  # what fails for days is no news of today
            and (when := looked(target)) is not None
            and when < turned
        )
        return names, lists

    def _settle_answer(
        self, report: Report, waits: bool, now: float, transitions: list[Transition]
    ) -> tuple[Answer, float, bool]:
        cause = heaviest(report)
        old = self._answer
        if old is None:
            self._answer = _Standing(report.answer.value, cause, now)
            return report.answer, now, True
        if old.word == report.answer.value:
            self._waits_since = None
            old.cause = cause
            return report.answer, old.since, True
        if waits:
            self._waits_since = now if self._waits_since is None else self._waits_since
            patience = LONGER if _better(_ANSWERS, old.word, report.answer.value) else PATIENCE
            if abs(now - self._waits_since) < patience:  # a clock set back must not make it wait for years
                return Answer(old.word), old.since, False
        self._waits_since = None
        transitions.append(
            Transition(now, CONNECTOR, old.word, report.answer.value, old.cause, cause, report.answer_text)
        )
        old.word, old.cause, old.since = report.answer.value, cause, now
        return report.answer, now, True

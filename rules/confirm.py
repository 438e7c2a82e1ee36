"""A change is confirmed before it becomes a transition, and remembered since when things are as they are.

A target's new status counts when the judgement wants no second look at it any more and two measurements of different
times showed it. Until then the target stays as it was. The answer follows when nothing of it waits. Neither waits longer
than `PATIENCE` seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rules.state import TargetState
from rules.trend import Transition
from rules.verdict import Answer, Report, Status

#: Seconds after which what keeps waiting for confirmation is taken as it is.
PATIENCE = 120.0
_WORDS = {
    Status.PASS: "pass",
    Status.NOTICE: "pass",
    Status.NOT_APPLICABLE: "pass",
    Status.WARN: "warn",
    Status.INCONCLUSIVE: "inconclusive",
    Status.FAIL: "fail",
    Status.BROKEN: "inconclusive",
}
CONNECTOR = "connector"  #: the subject of transitions of the answer


def word(status: Status) -> str:
    """What a status is in the history: notices pass."""
    return _WORDS[status]


def heaviest(report: Report) -> str:
    """The cause that weighs most in a report; "ok" where none weighs more than a notice."""
    weighty = [c for c in report.causes if word(c.status) != "pass"]
    return weighty[0].cause if weighty else "ok"


@dataclass(slots=True)
class _Standing:
    """What is published of a subject. `waiting`: a word that was seen and not confirmed, with the time of its measurement."""

    word: str
    cause: str
    since: float
    state: TargetState | None = None
    waiting: str = ""
    waiting_at: float | None = None
    waiting_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """What may be told. `held`: names of targets whose change waits for confirmation."""

    targets: tuple[TargetState, ...]
    answer: Answer
    answer_since: float
    transitions: tuple[Transition, ...]
    held: frozenset[str]
    report_holds: bool  # whether the report of this judgement is the one to tell


class Confirmation:
    """Published words by subject. Times are Unix time."""

    def __init__(self) -> None:
        self._standing: dict[str, _Standing] = {}
        self._answer: _Standing | None = None
        self._waits_since: float | None = None

    def settle(
        self, report: Report, targets: Iterable[TargetState], pending: frozenset[str], now: float
    ) -> Settled:
        """Take a judgement. `pending` holds hosts at which a second look is still wanted."""
        told: list[TargetState] = []
        transitions: list[Transition] = []
        held: set[str] = set()
        seen: set[str] = set()
        for target in targets:
            key = f"{target.rule} {target.name}"
            seen.add(key)
            told.append(self._target(key, target, target.host in pending, now, transitions, held))
        for gone in [key for key in self._standing if key not in seen]:
            del self._standing[gone]
        waits = bool(held or pending)  # a list that no target is has its second try as well
        answer, since, holds = self._settle_answer(report, waits, now, transitions)
        return Settled(tuple(told), answer, since, tuple(transitions), frozenset(held), holds)

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
        elif new != old.word and not self._confirmed(old, new, target.measured, pending, now):
            held.add(target.name)
            before = old.state or target
            return replace(
                before,
                addresses=target.addresses,
                stages=target.stages,
                handshakes=target.handshakes,
                intercepted=target.intercepted,
                measured=target.measured,
            )
        elif new != old.word:
            transitions.append(
                Transition(now, target.name, old.word, new, old.cause, target.cause, target.summary)
            )
            old.since = now
        old.word, old.cause, old.waiting, old.waiting_at = new, target.cause, "", None
        old.state = replace(target, since=old.since)
        return old.state

    def _confirmed(self, old: _Standing, new: str, measured: float | None, pending: bool, now: float) -> bool:
        if not old.waiting:
            old.waiting_since = now
        if old.waiting != new:
            old.waiting, old.waiting_at = new, measured
        late = abs(now - old.waiting_since) >= PATIENCE  # nothing can be measured: it is so all the same
        return late or (not pending and measured != old.waiting_at)

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
            if (
                abs(now - self._waits_since) < PATIENCE
            ):  # a clock that was set back must not make it wait for years
                return Answer(old.word), old.since, False
        self._waits_since = None
        transitions.append(
            Transition(now, CONNECTOR, old.word, report.answer.value, old.cause, cause, report.answer_text)
        )
        old.word, old.cause, old.since = report.answer.value, cause, now
        return report.answer, now, True

"""An audit that asks a few questions of a recording again, and takes every other answer from it.

The answers are judged by the machine and the rules of an audit. What follows from a new answer (another address, the list
that a certificate names) is asked as well, within the number of addresses of a round. What the recording never asked is not
asked now either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from rules.audit.machine import Audit
from rules.model.failure import Code
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Rules
from rules.model.verdict import Plan

#: Failures of a question that was never answered: an earlier answer stays.
_NO_RESULT = frozenset({Code.NOT_REACHED, Code.NOT_RECORDED})
DAY = 86_400.0


def address_of(step: Step) -> str | None:
    """The address that a step connects to; None for a question without a connection."""
    place = kind_of(step).place(step)
    return place[0] if place is not None else None


@dataclass(slots=True)
class Answers:
    """The recorded answers, and those that replace them. `due`: first attempts that are asked now."""

    known: dict[Step, Observation]
    due: frozenset[Step] = frozenset()
    fresh: dict[Step, Observation] = field(default_factory=dict)

    def get(self, step: Step, /) -> Observation | None:
        """The answer that stands for `step`; None if it has to be asked.

        A second attempt is not repeated where the first gives the same as before: it would double the connections to a
        silent address and tell nothing new.
        """
        if step in self.fresh:
            return self.fresh[step]
        first, before = replace(step, attempt=1), self.known.get(step)
        if first not in self.due:
            return before
        now = self.fresh.get(first)
        connects = kind_of(step).connects
        return before if connects and step != first and now is not None and _alike(now, before) else None

    def note(self, seen: Observation) -> None:
        """Take an answer of this run."""
        if seen.failure is None or seen.failure.code not in _NO_RESULT:
            self.fresh[seen.step] = seen

    def settle(self) -> None:
        """The answers of this round become the known ones. A second attempt that no longer fits is forgotten."""
        for step, seen in self.fresh.items():
            for known in [s for s in self._attempts(step) if s != step and s not in self.fresh]:
                if not _alike(seen, self.known[known]):
                    del self.known[known]
            self.known[step] = seen
        self.due, self.fresh = frozenset(), {}

    def _attempts(self, step: Step) -> list[Step]:
        if step.attempt != 1:
            return []
        return [s for number in range(2, 10) if (s := replace(step, attempt=number)) in self.known]


def _alike(one: Observation, other: Observation | None) -> bool:
    """Whether two answers to one question mean the same: the same failure, the same significant evidence."""
    if other is None or (one.failure is None) != (other.failure is None):
        return False
    if one.failure is not None and other.failure is not None:
        same = (one.failure.stage, one.failure.code) == (other.failure.stage, other.failure.code)
        if not same:
            return False
    if one.evidence is None or other.evidence is None:
        return one.evidence is other.evidence
    significant = kind_of(one.step).significant
    return bool(significant(one.evidence) == significant(other.evidence))


class Again(Audit):
    """See the module. `allowed`: addresses of this round, which grow up to `most`; `never`: steps that are not asked."""

    def __init__(
        self,
        rules: Rules,
        plan: Plan,
        answers: Answers,
        allowed: Iterable[str],
        never: Collection[Step],
        most: int,
    ) -> None:
        self.answers = answers
        self.left: set[Step] = set()  # what follows and has to wait for a later round
        self._allowed = set(allowed)
        self._never = never
        self._most = most
        super().__init__(rules, plan, answers)

    def record(self, seen: Observation) -> None:
        """Take an answer, and remember it for the questions that follow."""
        self.answers.note(seen)
        super().record(seen)

    def wanted(self, step: Step) -> bool:
        """Whether a step belongs to this round."""
        if step in self._never or not super().wanted(step):
            return False
        address = address_of(step)
        if address is None or address in self._allowed:
            return True
        if len(self._allowed) >= self._most:
            self.left.add(step)
            return False
        self._allowed.add(address)
        return True


def without_old_documents(observations: Iterable[Observation], now: float) -> dict[Step, Observation]:
    """The observations by their steps. Lists and OCSP answers of more than a day ago are left out: they may have run out
    since, so they are fetched again."""
    return {
        seen.step: seen
        for seen in observations
        if kind_of(seen.step).document(seen.step) is None
        or not kind_of(seen.step).judges(seen.step)
        or now - seen.started <= DAY
    }

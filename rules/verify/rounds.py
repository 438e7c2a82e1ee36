"""The rounds of a verification: whose turn it is, what has been asked, and since when each flow passes.

A round asks at most `MOST` addresses and resolves at most `MOST` names. They take turns: those that waited longest come
first, so each gets its turn after as many rounds as there are groups of `MOST`. A flow that passes is asked again in its turn
as well, because a rule that is being changed may break what it mended.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from rules.audit.machine import Audit
from rules.files.report_json import to_rfc3339
from rules.judge.report import make_report, replay
from rules.model.kinds.local_host import LocalHost
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Rules
from rules.model.verdict import Endpoint, FlowState, Plan, Report, VerifiedFlow
from rules.verify.again import Again, Answers, address_of, without_old_documents
from rules.verify.flows import Flow, Mark, Standing, chosen, failed, flows_of, marks_of, standings, steps_of

MOST = 20  #: addresses of a round, and names that it resolves
INTERVAL = 15.0  #: seconds from the beginning of a round to the next
_AT = "at "  # begins what takes turns as an address


@dataclass(frozen=True, slots=True)
class Progress:
    """After a round. `since`: Unix time from which a passing flow passes. `reached` of `addresses` and `names` were asked."""

    round: int
    standings: dict[Flow, Standing]
    since: dict[Flow, float]
    reached: int
    addresses: int
    names: int = 0

    def verified(self) -> tuple[VerifiedFlow, ...]:
        """The flows as a report has them."""
        return tuple(self._verified(flow, one) for flow, one in self.standings.items())

    def _verified(self, flow: Flow, one: Standing) -> VerifiedFlow:
        endpoint = None if flow.cause else Endpoint(flow.host, flow.port, flow.address or None)
        since = self.since.get(flow) if one.state is FlowState.PASSES else None
        return VerifiedFlow(
            endpoint,
            one.state,
            to_rfc3339(since) if since is not None else "",
            one.cause or flow.cause,
        )

    @property
    def done(self) -> bool:
        """Whether every flow passes."""
        return all(one.state is FlowState.PASSES for one in self.standings.values())


class Verification:
    """See the module. Times are Unix time."""

    def __init__(self, rules: Rules, recorded: Report, finding: str, now: float) -> None:
        """BadReport if the recording cannot be judged, NoSuchFinding if it has no finding with that number."""
        judged = replay(recorded, rules)
        # The numbers that the reader saw are those of the file, where it has them.
        self.before = recorded if any(one.id for one in recorded.causes) else judged
        self.findings = chosen(self.before.causes, finding)
        self.flows = flows_of(self.findings)
        self._rules = rules
        self._others: frozenset[Mark] = marks_of(judged.verdicts, self.findings) if finding else frozenset()
        everything = Answers({seen.step: seen for seen in recorded.observations})
        self._answers = Answers(without_old_documents(recorded.observations, now))
        seen = recorded.vantage
        self._plan = replace(
            recorded.plan, tenant=seen.tenant, resolvers=seen.resolvers, steady=True, last_good=(), dead=()
        )
        health = Audit(rules, replace(self._plan, steady=False), everything).names.health
        self._dead = frozenset(who for who, one in health.items() if one.dead)
        never = Audit(rules, self._steady(), everything).ready()
        self._never = frozenset(one.step for one in never)
        self._units: dict[str, set[Step]] = defaultdict(set)
        invented = f"wayclear-{self._plan.nonce}.example.com"
        for step in steps_of(self.findings, self.before.observations, invented):
            self._units[_unit(step)].add(step)
        self._never -= {step for steps in self._units.values() for step in steps}
        self._turn: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._round = 0
        self._since: dict[Flow, float] = {}

    @property
    def addresses(self) -> int:
        """How many addresses take turns."""
        return sum(1 for unit in self._units if unit.startswith(_AT))

    @property
    def names(self) -> int:
        """How many names take turns: they are resolved."""
        return len(self._units) - self.addresses

    @property
    def askable(self) -> bool:
        """Whether a round can tell something new. What this host has of itself is read in every round."""
        return bool(self._units) or any(map(failed, self.findings))

    def questions(self) -> tuple[Step, ...]:
        """One question to each resolver that was dead: only its answer shows whether to ask it for names again."""
        found: dict[str, Step] = {}
        for step in sorted((s for steps in self._units.values() for s in steps), key=repr):
            how = kind_of(step).resolution
            if how is not None and how.resolver(step) in self._dead:
                found.setdefault(how.resolver(step), step)
        return tuple(found.values())

    def answered(self, seen: Observation) -> None:
        """Take the answer to one of `questions`."""
        how = kind_of(seen.step).resolution
        if how is None:
            return
        self._note(seen)
        if seen.failure is None and not how.unanswered(seen.evidence):
            self._dead -= {how.resolver(seen.step)}

    def begin(self) -> Again:
        """The audit of the next round."""
        self._round += 1
        places = self._next([unit for unit in self._units if unit.startswith(_AT)])
        names = self._next([unit for unit in self._units if not unit.startswith(_AT)])
        self._turn |= dict.fromkeys((*places, *names), self._round)
        due = {step for unit in (*places, *names) for step in self._units[unit]}
        self._answers.due = frozenset({LocalHost(), *due})
        allowed = {place.removeprefix(_AT) for place in places}
        return Again(self._rules, self._steady(), self._answers, allowed, self._never, MOST)

    def end(self, audit: Again, begun: float, now: float, version: str) -> tuple[Report, Progress]:
        """The report and the progress after a round that ran from `begun` to `now`."""
        for seen in self._answers.fresh.values():
            self._note(seen)
        for step in audit.left:
            self._units[_unit(step)].add(step)
        self._answers.settle()
        whole = Audit(self._rules, self._steady(), self._answers)
        report = make_report(whole, begun, now, version)
        found = standings(self.flows, report, self._asked, self._others)
        for flow, standing in found.items():
            if standing.state is FlowState.PASSES and standing.asked is not None:
                self._since.setdefault(flow, standing.asked)
            elif standing.state is FlowState.FAILS:
                self._since.pop(flow, None)
        reached = sum(1 for unit in self._units if unit in self._turn)
        return report, Progress(self._round, found, dict(self._since), reached, self.addresses, self.names)

    def _next(self, units: list[str]) -> list[str]:
        return sorted(units, key=lambda unit: (self._turn.get(unit, 0), unit))[:MOST]

    def _note(self, seen: Observation) -> None:
        kind = kind_of(seen.step)
        resolver = kind.resolution.resolver(seen.step) if kind.resolution is not None else None
        for key in (address_of(seen.step), kind.name(seen.step), resolver, ""):
            if key is not None:
                self._asked[key] = max(seen.started, self._asked.get(key, 0.0))

    def _steady(self) -> Plan:
        """The plan of the recording without the sweep judgement: answers have different times, and a rule changes."""
        return replace(self._plan, dead=tuple(sorted(self._dead)))


def _unit(step: Step) -> str:
    """What takes turns: an address, or a name that is resolved."""
    address = address_of(step)
    return f"{_AT}{address}" if address is not None else f"name {kind_of(step).name(step)}"

"""From verdicts to the answer: will the connector work? One place, pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rules.audit.targets import Target
from rules.judge.degraded import Extent, Loss, Revocation, loss_clauses, opening_sentence
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.ruleset import Group
from rules.model.verdict import Answer, Status, Verdict

_BAD = frozenset({Status.FAIL})  # a bug of ours (BROKEN) blocks nobody: the name behind it was not tested


@dataclass(frozen=True, slots=True)
class NameState:
    """The combined verdicts of a target. `passed`: the name resolves, and some address passed all its checks.

    `closed` of the `addresses` tried fail; `marks`: causes of warnings about addresses that pass.
    """

    target: Target
    passed: bool
    some_failed: bool
    intercepted: bool
    resolved: bool
    open: bool  # not tested, for a reason that leaves the answer open
    closed: int = 0
    addresses: int = 0
    marks: frozenset[Cause] = frozenset()


def roll_up(target: Target, verdicts: Iterable[Verdict]) -> NameState:
    """A name passes when an address does. Verdicts: all of this target, on the name (no address) and on addresses."""
    rows = list(verdicts)
    addressed: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in rows:
        if verdict.endpoint is not None and verdict.endpoint.address is not None:
            addressed[verdict.endpoint.address].append(verdict)
    passing = [a for a, found in addressed.items() if passes(found)]
    # a failing address whose verdict was lowered to a warning (the name passes elsewhere) still counts as failing
    failing = [a for a, found in addressed.items() if any(v.status in (*_BAD, Status.WARN) for v in found)]
    return NameState(
        target,
        passed=bool(passing) and not any(v.check == "dns" and v.status in _BAD for v in rows),
        some_failed=bool(failing) or any(v.status in _BAD for v in rows),
        intercepted=any(v.cause == causes.TLS_INTERCEPTED and v.status in (*_BAD, Status.WARN) for v in rows),
        resolved=bool(addressed)
        or any(v.check == "dns" and v.status in (Status.PASS, Status.NOTICE) for v in rows),
        open=any(_leaves_open(v) for v in rows) or not rows,
        closed=len(set(failing) - set(passing)),
        addresses=len(set(failing) | set(passing)),
        marks=frozenset(
            v.cause for a in passing for v in addressed[a] if v.status is Status.WARN and v.cause != causes.OK
        ),
    )


def without_clock(state: NameState) -> NameState:
    """A name that passes, on a host by whose clock its certificates are not valid: programs there refuse it."""
    return replace(state, passed=False, some_failed=True, closed=state.addresses)


def _leaves_open(verdict: Verdict) -> bool:
    return verdict.status is Status.BROKEN or (
        verdict.status is Status.INCONCLUSIVE and verdict.cause.leaves_open
    )


def passes(found: Sequence[Verdict]) -> bool:
    """All checks of one address passed, and there is at least one."""
    made = [v for v in found if v.status is not Status.NOT_APPLICABLE]
    return bool(made) and all(v.status in (Status.PASS, Status.NOTICE) or _through(v) for v in made)


def _through(verdict: Verdict) -> bool:
    """A warning about an address that connections and sessions get through to."""
    inside = verdict.check == "http" and verdict.endpoint is not None and verdict.endpoint.port != 80
    return verdict.status is Status.WARN and (verdict.cause == causes.TLS_ISSUER_UNEXPECTED or inside)


def answer(states: Sequence[NameState], verdicts: Sequence[Verdict], stopped: str) -> Answer:
    """`no` (a real block was seen) counts before `not-proven`, which counts before `degraded` and `yes`."""
    service = [s for s in states if s.target.rule.group is Group.SERVICE]
    if _blocked(service):
        return Answer.NO
    if not states or stopped in ("no-route", "no-resolver", "no-host-facts"):
        return Answer.NOT_PROVEN
    required = [s for s in states if s.target.required]
    if _untested(service) or any(s.open and not s.passed for s in required):
        return Answer.NOT_PROVEN
    if _degraded(states, verdicts):
        return Answer.DEGRADED
    return Answer.YES


def _blocked(service: Sequence[NameState]) -> bool:
    """A required service name, or a whole service wildcard, fails everywhere or is intercepted."""
    for state in service:
        if state.target.required and (state.intercepted or (state.some_failed and not state.passed)):
            return True
    by_rule: dict[str, list[NameState]] = defaultdict(list)
    for state in service:
        if state.target.sample and (state.resolved or state.some_failed):
            by_rule[state.target.id].append(state)
    return any(
        all(s.intercepted or (s.some_failed and not s.passed) for s in found) for found in by_rule.values()
    )


def _untested(service: Sequence[NameState]) -> bool:
    """A required service name, or a whole service row, that neither passed nor was seen to be blocked."""
    by_rule: dict[tuple[str, int], list[NameState]] = defaultdict(list)
    for state in service:
        if state.target.why != causes.AUDIT_NO_PROBE_NAME:
            by_rule[(state.target.id, state.target.port)].append(state)
        if state.target.required and not state.passed and state.target.host is not None:
            return True
    return not by_rule or any(not any(s.passed for s in found) for found in by_rule.values())


def _degraded(states: Sequence[NameState], verdicts: Sequence[Verdict]) -> bool:
    if any(v.status in _BAD for v in verdicts):
        return True
    if any(
        v.cause == causes.TLS_ISSUER_UNEXPECTED and v.group == Group.SERVICE.value and v.status is Status.WARN
        for v in verdicts
    ):
        return True
    return any(s.some_failed and s.target.rule.group is Group.SERVICE for s in states)


def exit_code(found: Answer, verdicts: Iterable[Verdict]) -> int:
    """yes 0 (1 with any warning), degraded 1, no 2, not-proven 3."""
    if found is Answer.YES:
        return 1 if any(v.status is Status.WARN for v in verdicts) else 0
    return {Answer.DEGRADED: 1, Answer.NO: 2, Answer.NOT_PROVEN: 3}[found]


_TEXTS = {
    Answer.YES: "Every required name got through with its own certificate.",
    Answer.NO: "Users would see gateway timeouts, or the connector would never register.",
    Answer.NOT_PROVEN: "Names that it depends on could not be tested.",
}


def answer_text(
    found: Answer,
    states: Sequence[NameState],
    verdicts: Sequence[Verdict],
    stopped: str,
    why: str = "",
    region: str = "",
) -> str:
    """The answer in a sentence or two: the effect for users, and the reasons for an open answer (`why`: one more
    reason). `region`: the code of the connector group's geography."""
    clock = next((v for v in verdicts if v.cause == causes.LOCAL_CLOCK_SKEW and v.status in _BAD), None)
    if found is Answer.DEGRADED:
        losses = loss_clauses(_lost(states), _revocation(states, verdicts), region)
        begins = opening_sentence(clock is not None)
        return f"{begins} Here: {'; '.join(losses)}." if losses else begins
    if found is Answer.NO and clock is not None and clock.circumstance:
        return f"{_TEXTS[found]} {_CLOCK[clock.circumstance]}"
    if found is Answer.YES and (untried := _untried(verdicts)):
        one = untried == 1
        return (
            f"{_TEXTS[found]} {untried} required {'wildcard has' if one else 'wildcards have'} no name to try: whether "
            f"{'it is' if one else 'they are'} open is not known."
        )
    if found is not Answer.NOT_PROVEN:
        return _TEXTS[found]
    untested = {v.cause for v in verdicts if v.status is Status.INCONCLUSIVE}
    reasons = [
        cause.open_reason for cause in causes.BY_WORD.values() if cause.open_reason and cause in untested
    ]
    if stopped == "no-route":
        reasons = ["this host has no route to the internet"]
    elif stopped == "no-resolver":
        reasons = ["this host has no working DNS resolver"]
    if why:
        reasons = [why, *reasons]
    return f"{_TEXTS[found]} Reason: {'; '.join(reasons)}." if reasons else _TEXTS[found]


def _untried(verdicts: Iterable[Verdict]) -> int:
    """The required wildcards under which no name is known that could be tried."""
    return len(
        {v.endpoint for v in verdicts if v.cause == causes.AUDIT_NO_PROBE_NAME and v.severity == "required"}
    )


#: By the circumstance of a wrong clock.
_CLOCK = {
    "certificates": "By this host's clock the certificates of the service are not valid; by the time that several unrelated "
    "hosts give, they are.",
    "certificates-alone": "By this host's clock the certificates of the service are not valid; at one other time they all are.",
}


def _lost(states: Iterable[NameState]) -> Iterator[Loss]:
    """The names with failures, and how much of each failed."""
    for state in states:
        target = state.target
        extent: Extent
        if state.some_failed and not state.passed:
            extent = "whole"
        elif state.closed:
            extent = "some"
        elif causes.TLS_ISSUER_UNEXPECTED in state.marks:
            extent = "issuer"
        elif state.some_failed and state.marks:
            extent = "session"
        else:
            continue
        host, rule = target.shown, target.rule
        yield Loss(
            host,
            target.port,
            rule.group,
            extent,
            target.required,
            rule.title,
            state.closed,
            state.addresses,
            target.probe.region if target.probe is not None else "",
        )


def _revocation(states: Iterable[NameState], verdicts: Iterable[Verdict]) -> Revocation:
    """The hosts with failing revocation data: hosts of rules and hosts that certificates name."""
    documents = ((s, s.target.document) for s in states if s.some_failed and not s.passed)
    lists = dict.fromkeys(s.target.shown for s, document in documents if document and document.kind == "crl")
    responders: dict[str, None] = {}
    any_list = False
    for verdict in verdicts:
        bad = verdict.status in (*_BAD, Status.WARN) and verdict.endpoint is not None
        if verdict.check == "crl":
            any_list = any_list or (
                verdict.status in (Status.PASS, Status.NOTICE) and verdict.cause == causes.OK
            )
            if bad and verdict.endpoint is not None:
                lists[verdict.endpoint.host] = None
        elif verdict.check == "ocsp" and bad and verdict.endpoint is not None:
            responders[verdict.endpoint.host] = None
    return Revocation(tuple(lists), tuple(responders), any_list)

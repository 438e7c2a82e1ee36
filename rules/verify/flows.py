"""What failed in a report, and how it stands by a newer one.

A flow is an endpoint of a finding: a name, a port and, where the finding has it, an address. A finding without endpoints
(this host's clock) is one flow by its cause. A flow passes when every verdict about it passes, so a TLS flow needs the right
issuer and not only an open port.

================================  =============  ================================================================
verdicts about the flow           asked by now   state
================================  =============  ================================================================
one stopped by this host          this host      FAILS: nothing can be asked
any                               no             WAITS: its turn has not come
one fails                         yes            FAILS, with the heaviest verdict
one could not be tested because   yes            FAILS: the name has no address, no resolver answers, or this host refuses
of DNS or this host                              to send
one could not be tested because   yes            WAITS, without a cause: what follows from the answer has not been asked
it was not asked                                 yet
one could not be tested for       yes            WAITS, with the cause: such as a certificate that cannot be judged,
another reason                                   or a host that is too busy to tell
all others, or none               yes            PASSES (a resolver has a verdict only while it fails)
================================  =============  ================================================================
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from rules.model import causes
from rules.model.causes.record import Cause, Layer
from rules.model.observation import Observation, Step, kind_of
from rules.model.verdict import CauseGroup, Endpoint, FlowState, Report, Status, Verdict

WRONG = frozenset({Status.FAIL, Status.BROKEN, Status.WARN})
_OPEN = frozenset({Status.INCONCLUSIVE})
_UNASKED = frozenset({causes.AUDIT_NOT_RECORDED, causes.AUDIT_NOT_REACHED})
_BUSY = frozenset({causes.LOCAL_STARVED, causes.LOCAL_NO_DESCRIPTORS})  # says nothing about the network
#: Layers whose findings keep names from having an address.
_BEFORE_ADDRESSES = frozenset[Layer]({"dns", "local"})

#: What identifies a verdict in two reports of the same endpoint: rule, endpoint, check, cause.
Mark: TypeAlias = tuple[str, Endpoint | None, str, str]


class NoSuchFinding(ValueError):  # noqa: N818 - says what is the matter with the number
    """The report has no finding with this number. The message lists those that it has."""


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """What is asked for again. `cause` is set only for a finding without endpoints."""

    host: str
    port: int
    address: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a flow. `cause` and `summary`: why it fails, by the heaviest verdict, or why it was asked and could not be
    tested. `asked`: Unix time of its last question, None before the first."""

    state: FlowState
    cause: str = ""
    summary: str = ""
    asked: float | None = None


def chosen(found: Sequence[CauseGroup], number: str) -> tuple[CauseGroup, ...]:
    """The findings to verify: those that failed, or the one called `number` with what follows from it, as far as they failed
    or could not be tested. None for the number of a remark.

    NoSuchFinding if no finding has that number.
    """
    if not number:
        return tuple(one for one in found if failed(one))
    wanted = {one.id for one in found if one.id == number}
    if not wanted:
        known = [one.id for one in found if one.id and failed(one)]
        named = ", ".join(f"#{id_}" for id_ in known)
        raise NoSuchFinding(f"it has the findings {named}" if known else "it has no finding that failed")
    grown = True
    while grown:
        below = {one.id for one in found if wanted & set(one.because)} - wanted
        wanted |= below
        grown = bool(below)
    return tuple(one for one in found if one.id in wanted and (failed(one) or untested(one)))


def failed(found: CauseGroup) -> bool:
    """Whether a finding failed. Where nothing resolves, or this host has no route, the names are only untested."""
    return found.status in WRONG or (found.status in _OPEN and found.cause.layer in _BEFORE_ADDRESSES)


def untested(found: CauseGroup) -> bool:
    """Whether a finding only says that something could not be tested."""
    return found.status in _OPEN and not failed(found)


def flows_of(findings: Iterable[CauseGroup]) -> tuple[Flow, ...]:
    """The flows of the findings, each once, in their order. A pattern without a name to try is none."""
    found: dict[Flow, None] = {}
    for one in findings:
        named = [e for e in one.endpoints if not e.host.startswith("*") and "{" not in e.host]
        for endpoint in named:
            found[Flow(endpoint.host, endpoint.port, endpoint.address or "")] = None
        if not named:
            found[Flow("", 0, cause=one.cause.word)] = None
    return tuple(found)


def causes_of(findings: Sequence[CauseGroup]) -> dict[Flow, frozenset[str]]:
    """Why each flow failed, or could not be tested: a flow may belong to several findings."""
    found: dict[Flow, set[str]] = defaultdict(set)
    for one in findings:
        for flow in flows_of([one]):
            found[flow].add(one.cause.word)
    return {flow: frozenset(words) for flow, words in found.items()}


def steps_of(
    findings: Iterable[CauseGroup], observations: Sequence[Observation], invented: str
) -> frozenset[Step]:
    """The questions behind the findings, as first attempts. A name that did not resolve is resolved again everywhere, and
    a resolver is asked again for what it left unanswered and for the `invented` name."""
    found: set[Step] = set()
    names: set[str] = set()
    for one in findings:
        for id_ in one.evidence:
            number = int(id_[1:]) if id_[1:].isdecimal() and len(id_) < 10 else 0
            if 0 < number <= len(observations):
                found.add(observations[number - 1].step)
        if one.cause.layer in _BEFORE_ADDRESSES:
            names |= {endpoint.host for endpoint in one.endpoints}
    documents = {document for step in found if (document := kind_of(step).document(step)) is not None}
    for seen in observations:
        kind = kind_of(seen.step)
        if kind.document(seen.step) in documents:
            found.add(seen.step)  # of several addresses the evidence names the last one
        if kind.resolution is None:
            continue
        name, resolver = kind.name(seen.step), kind.resolution.resolver(seen.step)
        if name in names or (resolver in names and (seen.failure is not None or name == invented)):
            found.add(seen.step)
    return frozenset(replace(step, attempt=1) for step in found if kind_of(step).queue != "local")


def marks_of(verdicts: Iterable[Verdict], without: Collection[CauseGroup]) -> frozenset[Mark]:
    """The wrong verdicts of a report that belong to other findings than `without`: they are not verified."""
    mine = {(one.cause, endpoint) for one in without for endpoint in one.endpoints}
    return frozenset(
        _mark(v) for v in verdicts if v.status in WRONG | _OPEN and (v.cause, v.endpoint) not in mine
    )


def _mark(verdict: Verdict) -> Mark:
    return verdict.rule, verdict.endpoint, verdict.check, verdict.cause.word


def standings(
    flows: Iterable[Flow], report: Report, asked: Mapping[str, float], others: Collection[Mark]
) -> dict[Flow, Standing]:
    """How each flow stands by `report`. `asked`: by address and by name, Unix time of the last question of this run;
    "" for this host itself. `others`: verdicts that belong to other findings."""
    rows: dict[tuple[str, int], list[Verdict]] = defaultdict(list)
    for verdict in report.verdicts:
        if verdict.endpoint is not None and _mark(verdict) not in others:
            rows[verdict.endpoint.host, verdict.endpoint.port].append(verdict)
    # of several findings with one cause the failed one counts
    whole = {one.cause.word: one for kind in (untested, failed) for one in report.causes if kind(one)}
    return {flow: _standing(flow, rows, whole, asked) for flow in flows}


def _standing(
    flow: Flow,
    rows: Mapping[tuple[str, int], list[Verdict]],
    whole: Mapping[str, CauseGroup],
    asked: Mapping[str, float],
) -> Standing:
    all_of_name = rows.get((flow.host, flow.port), [])
    at_address = [v for v in all_of_name if v.endpoint is not None and v.endpoint.address == flow.address]
    stop = next((v for v in all_of_name if v.status in _OPEN and _stops(v.cause)), None)
    if stop is not None and "" in asked:
        return Standing(FlowState.FAILS, stop.cause.word, stop.summary, asked[""])
    # An address that the name no longer has is judged by the name's other addresses.
    when = asked.get(flow.address if at_address else flow.host)
    if when is None:
        return Standing(FlowState.WAITS)
    if flow.cause:
        return _whole(whole.get(flow.cause), when)
    found = at_address or all_of_name
    worst = max((v for v in found if v.status in WRONG), key=lambda v: v.status.rank, default=None)
    if worst is not None:
        return Standing(FlowState.FAILS, worst.cause.word, worst.summary, when)
    open_ = [v for v in found if v.status in _OPEN or v.cause == causes.PROXY_NOT_TESTED]  # also as a remark
    for one in open_:
        if one.cause.layer in _BEFORE_ADDRESSES and one.cause not in _BUSY:
            return Standing(FlowState.FAILS, one.cause.word, one.summary, when)
    if any(v.cause in _UNASKED for v in open_):
        return Standing(FlowState.WAITS, asked=when)
    if open_:
        return Standing(FlowState.WAITS, open_[0].cause.word, open_[0].summary, when)
    return Standing(FlowState.PASSES, asked=when)


def _stops(cause: Cause) -> bool:
    """Whether this host can ask nothing at all because of it."""
    return cause.layer == "local" and cause.host_wide


def _whole(found: CauseGroup | None, when: float) -> Standing:
    """The state of a finding without endpoints, by the finding of the newer report with its cause."""
    if found is None:
        return Standing(FlowState.PASSES, asked=when)
    state = FlowState.FAILS if failed(found) else FlowState.WAITS
    return Standing(state, found.cause.word, found.summary, when)

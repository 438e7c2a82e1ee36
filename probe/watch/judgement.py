"""One judgement of all known answers, in a thread beside the loop: `Audit` and `make_report` on a copy of the memory.

Everything here is pure, except that it measures its own duration. It also computes what the loop must measure next,
because the cost is in proportion to the list.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from probe.config.service import Intervals
from probe.version import VERSION
from rules.audit.machine import Audit
from rules.audit.phases import Phase, Ready
from rules.audit.targets import Target
from rules.judge.report import make_report
from rules.model import causes
from rules.model.kind import Needs
from rules.model.kinds import dns_chain, http_fetch
from rules.model.kinds.dns_chain import OS, DnsQuestion
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.os_lookup import OsLookup
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Rules
from rules.model.verdict import Plan, Report
from rules.pki.revocation import expires
from rules.watch.confirmation import Confirmation, Moment, Settled
from rules.watch.memory import Memory, document_of
from rules.watch.schedule import Kind
from rules.watch.state import SourceState
from rules.watch.state_of import rows_of, source_states, target_states
from rules.watch.targets import TargetRecords

#: Seconds between two looks at this host itself, and the same while the host has no route: no other measurement shows
#: that a route exists again.
HOST_EVERY, HOST_SOON = 300.0, 15.0
#: Seconds between two questions to each resolver, whatever the TTLs say.
HEARTBEAT = 30.0
#: The least number of seconds between two fetches of a list that is about to expire.
SHORTEST_LIFE = 300.0
#: Most targets, and most documents, to expedite at one time because the answer waits for them: a hundred would delay
#: the rounds of the service.
AWAITED = 8


@dataclass(frozen=True, slots=True)
class ScheduledProbe:
    """An entry of the schedule that is not a target: the service asks `step` every `interval` seconds.

    `host`: if this name changes or fails, the service asks the step sooner; None if there is no such name.
    """

    key: tuple[object, ...]
    kind: Kind
    interval: float
    step: Step
    host: str | None = None


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """The ways to each target, which the measurements use until the next judgement.

    By name: the addresses to try, and the questions behind its CNAME chains. Also each resolver and whether it lives.
    """

    candidates: dict[str, tuple[str, ...]]
    questions: dict[str, tuple[DnsQuestion, ...]]
    resolvers: tuple[tuple[str, bool], ...]
    seconds: float  # of the judgement up to this point


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of a judgement. For a long list it is megabytes, so each part of the service keeps only what it needs.

    The asker keeps `ways`, the schedule keeps `targets` and `probes`, the page keeps `report` and `settled`.
    """

    report: Report
    settled: Settled
    sources: tuple[SourceState, ...]
    targets: tuple[Target, ...]
    ways: TargetPlan
    urgent: tuple[Step, ...]  # to ask at once: second looks, new steps
    probes: tuple[ScheduledProbe, ...]
    void: tuple[Step, ...]  # answers that no longer suffice, to ask again
    host: HostFacts | None


def judge(
    rules: Rules,
    plan: Plan,
    memory: Memory,
    tracks: TargetRecords,
    confirmation: Confirmation,
    intervals: Intervals,
    moment: Moment,
    asked: Mapping[Hashable, int],
) -> Judgement:
    """Judge `memory`. One thread at a time may call it, because it changes `tracks` and `confirmation`.

    `asked`: after which judgement each thing was asked, as `Confirmation.settle` takes it.
    """
    begun, now = time.perf_counter(), moment.wall
    audit = Audit(rules, plan, memory)
    ready = [item for item in audit.ready() if audit.wanted(item.step)]
    urgent = _urgent(audit, ready)
    probes = tuple(_probes(audit, ready, intervals, now))
    report = make_report(audit, now, now, VERSION)
    walks = audit.walks.questions()
    waits = (_waits(step, walks) for step in urgent)
    rows = rows_of(report)
    tracks.apply_verdicts(audit, rows, now)
    states = target_states(audit, tracks, rows, now, report.observations)
    settled = confirmation.settle(report, states, frozenset(filter(None, waits)), asked, moment)
    return Judgement(
        report,
        settled,
        source_states(report, audit),
        audit.targets,
        _ways(audit, begun),
        urgent,
        probes,
        _void(audit, report),
        audit.host,
    )


def expedite(settled: Settled, probes: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Keys in the schedule of everything to ask soon because a change waits for it.

    These are the targets of `inquiries`, some of the targets that the answer waits for, and the faulty documents that
    alone decide their status. No good list is fetched again. `probes`: keys of the scheduled probes.
    """
    targets = [*settled.inquiries, *sorted(settled.awaited - settled.inquiries.keys())[:AWAITED]]
    faulty = {t.key: t.documents for t in settled.targets if t.documents}
    documents = dict.fromkeys(one for key in targets for one in faulty.get(key, ()))
    documents |= dict.fromkeys(sorted(settled.documents, key=repr)[:AWAITED])
    known = set(probes)
    keys = ((kind, one) for one in documents for kind in ("document", "extra"))
    return (*targets, *(key for key in keys if key in known))


def _ways(audit: Audit, begun: float) -> TargetPlan:
    """The ways that this judgement found. `begun`: its start by `time.perf_counter`."""
    return TargetPlan(
        {host: _tried(audit, host) for host in audit.names.hosts},
        {host: _questions(audit, host) for host in audit.names.hosts},
        tuple((r, not audit.names.health[r].dead) for r in audit.names.resolvers),
        time.perf_counter() - begun,
    )


def _tried(audit: Audit, host: str) -> tuple[str, ...]:
    return tuple(c.address for c in audit.candidates(host) if c.tried)


def _questions(audit: Audit, host: str) -> tuple[DnsQuestion, ...]:
    """Every question behind the name's CNAME chains."""
    return tuple(dict.fromkeys(q for chain in audit.names.chains(host) for q in chain.questions))


def _urgent(audit: Audit, ready: list[Ready]) -> tuple[Step, ...]:
    """Steps to ask at once. A further address of a known target or list waits for its turn in the rotation."""
    asked, found = {_subject(step) for step in audit.seen}, []
    for item in ready:
        subject = _subject(item.step) if _rotates(item.step) else None
        if item.phase is not Phase.EXTRA and (subject is None or subject not in asked):
            found.append(item.step)
            asked.add(subject)
    return tuple(found)


def _rotates(step: Step) -> bool:
    return step.attempt == 1 and kind_of(step).judges(step)


def _subject(step: Step) -> Hashable:
    return kind_of(step).subject(step)


def _host(step: Step) -> str | None:
    """The name that this step resolves or connects to."""
    return kind_of(step).name(step)


def _waits(step: Step, walks: dict[DnsQuestion, str]) -> str | None:
    """The name whose verdict waits for this step; for a question of a walk, the name whose CNAME chain it follows."""
    question = dns_chain.KIND.asked(step)
    return walks.get(question) if question is not None and question.walk else _host(step)


def _probes(audit: Audit, ready: list[Ready], intervals: Intervals, now: float) -> list[ScheduledProbe]:
    """Scheduled probes: documents by their remaining life, extra observations, the hosts of documents, this host."""
    found: dict[Hashable, ScheduledProbe] = {probe.key: probe for probe in _heartbeats(audit)}
    key: Hashable
    needs = Needs(
        names=frozenset(target.host for target in audit.targets if target.host is not None),
        questions=frozenset(q for host in audit.names.hosts for q in _questions(audit, host)),
        control=audit.plan.control_name,
        page=audit.canary_page(),
    )
    links = _links(audit)
    for step, seen in audit.seen.items():
        probe = _probe(audit, step, seen, needs, intervals, now)
        if probe is None:
            continue
        other = found.setdefault(probe.key, probe)
        if probe.kind == "revocation" and probe.interval > other.interval:
            found[probe.key] = probe  # an old list at one address makes the new one no older
    for item in ready:
        if item.phase is Phase.EXTRA:
            key = ("extra", document_of(item.step) or item.step)
            found.setdefault(key, ScheduledProbe(key, "extra", intervals.extras, item.step))
    owned = ("extra", "document")
    return [replace(p, host=_owner(p.step, links)) if p.key[0] in owned else p for p in found.values()]


def _links(audit: Audit) -> dict[DnsQuestion, str]:
    """Questions for a single link of a CNAME chain, with the name whose chain it is."""
    return audit.walks.questions() | {
        DnsQuestion(chain.resolver, link.value, "A"): host
        for host in audit.names.hosts
        for chain in audit.names.chains(host)
        for link in chain.links
    }


def _owner(step: Step, links: dict[DnsQuestion, str]) -> str | None:
    question = dns_chain.KIND.asked(step)
    return links.get(question) if question is not None else _host(step)


def _heartbeats(audit: Audit) -> list[ScheduledProbe]:
    """A regular question to each resolver whatever the TTLs say: the service must notice a dead resolver."""
    host = next((t.host for t in audit.targets if t.host is not None), None)
    if host is None:
        return []
    steps: dict[str, Step] = {r: DnsQuestion(r, host, "A") for r in audit.names.resolvers}
    steps[OS] = OsLookup(host)
    return [
        ScheduledProbe(("heartbeat", resolver), "extra", HEARTBEAT, step) for resolver, step in steps.items()
    ]


def _probe(
    audit: Audit, step: Step, seen: Observation, needs: Needs, intervals: Intervals, now: float
) -> ScheduledProbe | None:
    kind = kind_of(step)
    interval = kind.interval(step, needs)
    match interval:
        case None:
            return None
        case "extras":
            return ScheduledProbe(("extra", kind.document(step) or step), "extra", intervals.extras, step)
        case "sign_in":
            return ScheduledProbe(("name", kind.name(step)), "sign-in", intervals.sign_in, step)
        case "revocation":
            key = ("document", kind.document(step))
            return ScheduledProbe(key, "revocation", refetch_after(seen, intervals.revocation, now), step)
        case "host":
            lost = audit.stopped in ("no-route", "no-host-facts")
            return ScheduledProbe(("host",), "extra", HOST_SOON if lost else HOST_EVERY, step)
        case _:
            assert_never(interval)


def refetch_after(seen: Observation, longest: float, now: float) -> float:
    """A quarter of the remaining life of a list, in seconds, within limits."""
    fetch, exchange = http_fetch.KIND.asked(seen.step), http_fetch.KIND.shown(seen.evidence)
    ocsp = fetch is not None and fetch.purpose == "ocsp"
    until = expires(exchange, ocsp=ocsp) if exchange is not None else None
    if until is None:
        return longest
    return min(longest, max(SHORTEST_LIFE, round((until - now) / 4, -1)))


def _void(audit: Audit, report: Report) -> tuple[Step, ...]:
    """Lists of which only facts were kept, without the facts that today's certificates need."""
    if not any(v.check == "crl" and v.cause == causes.AUDIT_NOT_RECORDED for v in report.verdicts):
        return ()
    return tuple(step for step, seen in audit.seen.items() if _only_facts(seen))


def _only_facts(seen: Observation) -> bool:
    fetch, exchange = http_fetch.KIND.asked(seen.step), http_fetch.KIND.shown(seen.evidence)
    return (
        fetch is not None and fetch.purpose == "crl" and exchange is not None and exchange.digest is not None
    )

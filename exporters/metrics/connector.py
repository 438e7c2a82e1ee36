"""The series without a target: the connector's answer, sums by rule group, revocation sources, rule sets.

Each list is bounded. Together with the prober's own series (`exporters/metrics/meters.py`) they are at most
`SERIES_BESIDES`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from exporters.metrics.catalogue import ADDRESS_STATE, FAMILY, RULESET_KIND, SOURCE_KIND
from exporters.metrics.owners import heaviest
from exporters.metrics.target import Tally
from exporters.metrics.text_format import cause, clean, finite, sample
from rules.model.verdict import Answer, Report, RulesUsed
from rules.watch.state import OFF_LIST, SourceState, State

MOST_MEMBERS = 100  #: connectors of the inventory; further ones are left out and counted
MOST_SOURCES = (
    10  #: hosts and kinds of revocation sources with series of their own; the others are "off-list"
)
MOST_RULESETS = 16

Sample: TypeAlias = tuple[str, Mapping[str, str], float]
"""A family, own labels, a value."""


@dataclass(frozen=True, slots=True)
class Besides:
    """The samples, by family."""

    samples: tuple[tuple[str, bytes], ...]
    series: int
    dropped: int


def render(state: State, tallies: Iterable[Tally], constant: Iterable[tuple[str, str]]) -> Besides:
    """All samples of `state` that belong to no target. Without a report: only those of the configuration."""
    members = sorted({clean(member) for member in state.inventory})
    sets = _rulesets(state.report.rulesets) if state.report else []
    found: list[Sample] = [
        ("wayclear_group_min_connectors", {}, state.min_connectors),
        ("wayclear_maintenance", {}, bool(state.maintenance)),
    ]
    found += [("wayclear_inventory_member", {"member": member}, 1) for member in members[:MOST_MEMBERS]]
    if state.report is not None:
        found += [
            *_connector(state),
            *_cause(state.report),
            *_sums(tallies),
            *_resolvers(state),
            *_sources(state),
            *sets[:MOST_RULESETS],
        ]
    families: dict[str, list[str]] = defaultdict(list)
    for family, own, value in found:
        families[family].append(sample(family, (*constant, *own.items()), value))
    return Besides(
        tuple((family, "".join(lines).encode()) for family, lines in families.items()),
        len(found),
        max(0, len(members) - MOST_MEMBERS) + max(0, len(sets) - MOST_RULESETS),
    )


def _connector(state: State) -> Iterator[Sample]:
    yield "wayclear_connector_can_live", {}, state.answer in (Answer.YES, Answer.DEGRADED)
    yield "wayclear_connector_degraded", {}, state.answer is Answer.DEGRADED
    yield "wayclear_connector_not_proven", {}, state.answer is Answer.NOT_PROVEN
    yield "wayclear_connector_host_fault", {}, bool(state.host_faults)
    if finite(state.answer_since):
        yield "wayclear_connector_answer_since_timestamp_seconds", {}, state.answer_since

    for answer in Answer:
        yield "wayclear_connector_answer", {"answer": answer.value}, state.answer is answer


def _cause(report: Report) -> Iterator[Sample]:
    word, owner = heaviest(report)
    yield "wayclear_connector_cause_info", {"cause": cause(word), "owner": owner}, 1


def _sums(tallies: Iterable[Tally]) -> Iterator[Sample]:
    """Sums by rule group. A value that no target of the group has is absent."""
    groups: dict[str, list[Tally]] = defaultdict(list)
    for tally in tallies:
        groups[tally.group].append(tally)
    kinds = [(family, result) for family in FAMILY.values for result in ADDRESS_STATE.values]
    for group, found in groups.items():
        own = {"rule_group": group}
        for (family, result), counts in zip(
            kinds, zip(*(t.addresses for t in found), strict=True), strict=True
        ):
            yield "wayclear_addresses", own | {"family": family, "state": result}, sum(counts)
        chains = [t.chain for t in found if t.chain is not None]
        if chains:
            yield "wayclear_dns_chain_length_max", own, max(chains)
        ttls = [t.ttl for t in found if t.ttl is not None]
        if ttls:
            yield "wayclear_dns_ttl_min_seconds", own, min(ttls)
        asked = [t for t in found if t.disagree is not None]
        if asked:
            yield "wayclear_resolver_disagreements", own, len({t.host for t in asked if t.disagree})


def _resolvers(state: State) -> Iterator[Sample]:
    up = sum(answers for _, answers in state.resolvers)
    yield "wayclear_resolvers", {"state": "up"}, up
    yield "wayclear_resolvers", {"state": "down"}, len(state.resolvers) - up


def _sources(state: State) -> Iterator[Sample]:
    """One sample for all sources of a host. A host without a target is "off-list": peers choose it by their
    certificates."""
    listed = {target.host for target in state.targets}
    hosts: dict[tuple[str, str], list[SourceState]] = defaultdict(list)
    for source in state.sources:
        hosts[
            (clean(source.target) if source.target in listed else OFF_LIST, SOURCE_KIND.closed(source.kind))
        ].append(source)
    for host, kind in sorted(hosts)[MOST_SOURCES:]:
        if host != OFF_LIST:
            hosts[OFF_LIST, kind] += hosts.pop((host, kind))
    for (host, kind), found in sorted(hosts.items()):
        own = {"target": host, "kind": kind}
        measured = [s for s in found if s.measured]
        known = bool(measured)
        yield "wayclear_revocation_source_reachable", own, known and all(s.reachable for s in measured)
        yield "wayclear_revocation_source_valid", own, known and all(s.valid for s in measured)
        yield "wayclear_revocation_source_measured", own, known
        updates = [s.next_update for s in found if finite(s.next_update)]
        if updates and kind == "crl":
            yield "wayclear_crl_next_update_timestamp_seconds", {"target": host}, min(updates)


def _rulesets(used: Iterable[RulesUsed]) -> list[Sample]:
    """When each rule set was reviewed; the earliest date where two have the same name."""
    dates: dict[tuple[str, str], float] = {}
    for one in used:
        try:
            reviewed = datetime.fromisoformat(one.reviewed).replace(tzinfo=UTC).timestamp()
        except ValueError:  # no date: absent rather than 1970
            continue
        key = clean(one.name), RULESET_KIND.closed(one.kind)
        dates[key] = min(reviewed, dates.get(key, reviewed))
    return [
        ("wayclear_ruleset_reviewed_timestamp_seconds", {"ruleset": name, "kind": kind}, reviewed)
        for (name, kind), reviewed in dates.items()
    ]

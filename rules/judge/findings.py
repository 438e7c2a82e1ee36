"""The findings of a report: causes with what they ask for, what passed beside them, and what follows from what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rules.judge.causes import Finding, grouped
from rules.judge.contrast import contrast
from rules.judge.evidence import Context
from rules.judge.remedies import in_circumstance
from rules.judge.requests import Rows, request, resolvers_request, tested
from rules.judge.roots import Seen, roots
from rules.model import causes
from rules.model.observation import Observation
from rules.model.verdict import CauseGroup, Verdict


def findings(context: Context, verdicts: Iterable[Verdict]) -> tuple[CauseGroup, ...]:
    """All findings, heaviest first. What follows from a finding has its id in `because`."""
    rows = list(verdicts)
    found = grouped(rows)
    observations = {name: context.audit.seen[step] for step, name in context.ids.items()}
    invented = frozenset(address for given in context.canaries.values() for address in given)
    below = roots(found, Seen(observations, invented))
    known = Rows.of_audit(context.audit.rules.rulesets, context.audit.targets)
    # What could not be fetched because a port is closed has to be allowed as well.
    unfetched: dict[int, list[Verdict]] = defaultdict(list)
    for place, root in below.items():
        if found[place].group.cause.unheard:
            unfetched[root] += found[place].verdicts
    windows = context.audit.host is not None and context.audit.host.os.startswith("Windows")
    made = [
        _completed(one, known, rows, observations, unfetched.get(place, ()), windows)
        for place, one in enumerate(found)
    ]
    numbers: dict[int, str] = {}
    for place in range(len(made)):
        if place not in below:
            numbers[place] = str(len(numbers) + 1)
    followers: Counter[int] = Counter()
    for place in sorted(below):
        followers[below[place]] += 1
        numbers[place] = f"{numbers[below[place]]}.{followers[below[place]]}"
    return tuple(
        replace(one, id=numbers[place], because=(numbers[below[place]],) if place in below else ())
        for place, one in enumerate(made)
    )


def _completed(
    found: Finding,
    rows: Rows,
    verdicts: list[Verdict],
    observations: dict[str, Observation],
    unfetched: Sequence[Verdict],
    windows: bool,
) -> CauseGroup:
    group = found.group
    names = tested(rows, found.verdicts)
    beside = contrast(group, names, verdicts, observations)
    if group.cause == causes.DNS_TCP_BLOCKED:
        asked = resolvers_request(observations[name] for name in group.evidence if name in observations)
    else:
        asked = request(rows, group.cause, group.owner, (*found.verdicts, *unfetched))
    if group.cause == causes.TLS_INTERCEPTED and asked is not None and asked.inspect == "allowed":
        group = _in(group, "may-be-inspected")
    elif group.cause == causes.TLS_REVOKED and not any(rows.of_microsoft(v) for v in found.verdicts):
        group = _in(group, "own-server")
    return replace(
        group,
        command=group.command if windows else group.cause.posix_command or group.command,
        confidence=beside.confidence,
        contrast=beside.text,
        tested=names,
        request=asked,
    )


def _in(group: CauseGroup, circumstance: str) -> CauseGroup:
    """The finding with the remedy and the owner of a circumstance that its rows and its request show."""
    known = in_circumstance(group.cause, circumstance)
    return replace(group, remedy=known.remedy, owner=known.owner, command=known.command)

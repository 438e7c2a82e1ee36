"""The findings of a report: causes with what they ask for, what passed beside them, and what follows from what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rules.judge.causes import Finding, grouped
from rules.judge.contrast import contrast
from rules.judge.evidence import Context
from rules.judge.requests import Rows, request, resolvers_request, tested
from rules.judge.roots import Seen, roots
from rules.model import causes
from rules.model.observation import Observation
from rules.model.verdict import CauseGroup, Verdict

#: The remedy where every intercepted name is one for which Microsoft does not forbid it.
MAY_BE_INSPECTED = (
    "Either let this host trust the inspecting CA (in the store of the computer), or exempt these names from TLS inspection. "
    "Microsoft does not forbid inspection for them; without that trust they fail here."
)


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
    made = [
        _completed(one, known, rows, observations, unfetched.get(place, ()))
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
) -> CauseGroup:
    group = found.group
    names = tested(rows, found.verdicts)
    beside = contrast(group, names, verdicts, observations)
    if group.cause == causes.DNS_TCP_BLOCKED:
        asked = resolvers_request(observations[name] for name in group.evidence if name in observations)
    else:
        asked = request(rows, group.cause, group.owner, (*found.verdicts, *unfetched))
    may_stay = group.cause == causes.TLS_INTERCEPTED and asked is not None and asked.inspect == "allowed"
    return replace(
        group,
        remedy=MAY_BE_INSPECTED if may_stay else group.remedy,
        confidence=beside.confidence,
        contrast=beside.text,
        tested=names,
        request=asked,
    )

"""Resolvers that answer and resolve nothing, while another one resolves the same names.

This is one fault of the resolver, not one of each name: it has an access list, no recursion for this host, or
internal zones alone. A resolver that resolves some of the names, or says that a filter blocks them, does not count:
it treats names differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.audit.names import Names
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.extended_errors import resolver_statement
from rules.model.kinds.dns_chain import Chain, DnsAnswer, Outcome
from rules.model.observation import Observation
from rules.text.zones import zone

#: Number of unrelated zones that must all be unknown before a resolver counts as knowing no public name.
MIN_ZONES = 3
#: How a name ends at such a resolver, by the resolver's answer for the first name.
_ANSWERS = (Outcome.REFUSED, Outcome.NXDOMAIN, Outcome.NO_ADDRESS, Outcome.SERVFAIL)


@dataclass(frozen=True, slots=True)
class FailingResolver:
    """What such a resolver did. `cause`, `circumstance`: for the remedy; `how`: in words; `names`: how many were
    tried; `seen`: the first of its answers."""

    cause: Cause
    circumstance: str
    how: str
    names: int
    seen: tuple[Observation, ...]


def failing_resolvers(names: Names) -> dict[str, FailingResolver]:
    """By resolver; empty where no other resolver resolves a name."""
    living = [resolver for resolver in names.resolvers if not names.health[resolver].dead]
    found = {resolver: one for resolver in living if (one := _failing(names, resolver)) is not None}
    fruitful = (r for r in living if r not in found)
    return found if any(c.addresses for r in fruitful for c in _chains(names, r)) else {}


def _failing(names: Names, resolver: str) -> FailingResolver | None:
    ends: dict[str, Outcome] = {}
    seen: list[Observation] = []
    for chain in _chains(names, resolver):
        last = names.seen(chain.questions[-1]) if chain.questions else None
        if chain.outcome is Outcome.NOT_MEASURED:
            continue
        if chain.outcome not in _ANSWERS or last is None or _filtered(last):
            return None
        if chain.rtype == "A":
            ends[chain.name] = chain.outcome
            seen.append(last)
    if len({zone(host) for host in ends}) < MIN_ZONES:
        return None
    outcomes = set(ends.values())
    if outcomes == {Outcome.REFUSED}:
        return FailingResolver(
            causes.DNS_REFUSED, "refuses-every-name", "refuses every name", len(ends), tuple(seen[:3])
        )
    unknown = outcomes <= {Outcome.NXDOMAIN, Outcome.NO_ADDRESS}
    cause = causes.DNS_NXDOMAIN if unknown else causes.DNS_SERVFAIL
    how = "answers, but knows no public name" if unknown else "answers, but resolves no name"
    return FailingResolver(cause, "knows-no-public-name", how, len(ends), tuple(seen[:3]))


def _filtered(last: Observation) -> bool:
    """Whether the resolver says that it blocks this name: the report shows that for each name."""
    own = resolver_statement(last.evidence, resolved=False) if isinstance(last.evidence, DnsAnswer) else None
    return own is not None and own.word == "sinkholed"


def _chains(names: Names, resolver: str) -> Iterator[Chain]:
    return (c for host in names.hosts for c in names.chains(host) if c.resolver == resolver)

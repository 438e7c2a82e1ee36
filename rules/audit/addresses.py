"""Which addresses of a name are tried, and which are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rules.audit.guard import is_v6
from rules.audit.names import Names
from rules.model.kinds.dns_chain import OS
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.os_lookup import OsAnswer
from rules.model.verdict import Plan
from rules.text.address import AddressClass, classify, is_broadcast, is_own, never_connect


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address from the resolution of a name. `resolvers` gave it ("os" is the operating system).

    `tried`: the audit connects to it. The audit keeps and does not try an address of a family without a route, beyond
    the limit per family, of this host itself or of a class that is never connected to; `why` gives the reason.
    `stale`: an earlier resolution gave it and the current one fails.
    """

    address: str
    address_class: AddressClass
    resolvers: tuple[str, ...]
    tried: bool
    why: str = ""
    stale: bool = False

    @property
    def public(self) -> bool:
        return self.address_class is AddressClass.PUBLIC


def candidates(names: Names, host: str, facts: HostFacts, plan: Plan) -> tuple[Candidate, ...]:
    """Addresses of a resolved name. The operating system's come first: the connector sees these."""
    resolvers_by_address: dict[str, list[str]] = {}
    for resolver, address in _answers(names, host):
        resolvers_by_address.setdefault(address, [])
        if resolver not in resolvers_by_address[address]:
            resolvers_by_address[address].append(resolver)
    return _chosen(resolvers_by_address, facts, plan)


def earlier_addresses(addresses: Iterable[str], facts: HostFacts, plan: Plan) -> tuple[Candidate, ...]:
    """Addresses from an earlier resolution, for a name that does not resolve now."""
    return tuple(replace(c, stale=True) for c in _chosen({a: [] for a in addresses}, facts, plan))


def _chosen(
    resolvers_by_address: Mapping[str, Sequence[str]], facts: HostFacts, plan: Plan
) -> tuple[Candidate, ...]:
    counts = {False: 0, True: 0}
    found = []
    for address, resolvers in resolvers_by_address.items():
        kind = classify(address, plan.public_networks)
        why = _refused(address, kind, facts)
        if not why and counts[is_v6(address)] >= plan.max_addresses:
            why = "more addresses than the pace allows"
        if not why:
            counts[is_v6(address)] += 1
        found.append(Candidate(address, kind, tuple(resolvers), not why, why))
    return tuple(found)


def _answers(names: Names, host: str) -> Iterator[tuple[str, str]]:
    seen = names.os_answer(host)
    if seen is not None and isinstance(seen.evidence, OsAnswer):
        for address in seen.evidence.addresses:
            yield OS, address
    for chain in names.chains(host):
        for address in sorted(record.value for record in chain.addresses):
            yield chain.resolver, address


def _refused(address: str, kind: AddressClass, facts: HostFacts) -> str:
    if never_connect(kind):
        return f"{kind.value} addresses are never connected to"
    if is_own(address, facts.addresses):
        return "an address of this host"
    if is_broadcast(address, facts.networks):
        return "the broadcast address of a network of this host"
    if not (facts.route_v6 if is_v6(address) else facts.route_v4):
        return "no IPv6 route" if is_v6(address) else "no IPv4 route"
    return ""


def resolvers_that_gave(address: str, candidates: Iterable[Candidate]) -> tuple[tuple[str, str], ...]:
    """An evidence line: the resolvers that gave the address, if some resolvers gave only other `candidates`."""
    found = tuple(candidates)
    given_by = next((c.resolvers for c in found if c.address == address), ())
    if not given_by or {r for c in found for r in c.resolvers} <= set(given_by):
        return ()
    names = ("the operating system" if r == OS else r for r in given_by)
    return (("address given by", f"{', '.join(names)} alone"),)

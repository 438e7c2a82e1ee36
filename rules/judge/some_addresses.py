"""A name of which some addresses are closed and others get through: the patterns, and the likely reason of each.

=====================================================  ================  ==================================================
what is closed                                         circumstance      likely reason
=====================================================  ================  ==================================================
every address of the name                              ""                a rule for the name or the port
some addresses, others of the same family get through  others-pass       a firewall with other addresses of this name
                                                                          than this host: it resolves an FQDN object by
                                                                          itself and gets another answer
every address of one family, the other gets through    other-family      a rule for only one of IPv4 and IPv6
addresses of several names, all in one range in which  one-range         a rule by addresses
nothing gets through
=====================================================  ================  ==================================================

Where not all resolvers gave the closed address, the evidence names those that did.
Source: Microsoft, "Azure Firewall DNS Proxy details" (clients that do not use the firewall's DNS proxy), 2026-03-28.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from rules.audit.addresses import Candidate, resolvers_that_gave
from rules.audit.guard import is_v6
from rules.audit.targets import Target
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.verdict import Status, Verdict
from rules.text.address import parse_address

CAUSES = frozenset({causes.TCP_TIMEOUT, causes.TCP_RESET, causes.TCP_UNREACHABLE})
#: Shortest prefixes that a person may have written into a rule as a range; shorter ones cover half the internet.
SHORTEST_V4, SHORTEST_V6 = 12, 24
_BAD = (Status.FAIL, Status.WARN)


def one_of_several(row: Verdict, tried: Sequence[Candidate], passing: Collection[str]) -> Verdict:
    """The verdict on a closed address of a name whose other addresses (`passing`) get through."""
    address = _address(row)
    if address is None or row.cause not in CAUSES or row.status not in _BAD or not passing:
        return row
    family = is_v6(address)
    circumstance = "others-pass"
    values = {"family": "IPv6" if family else "IPv4"}
    if all(is_v6(other) != family for other in passing):
        circumstance = "other-family"
    through = ", ".join(sorted(passing)[:3])
    details = (*row.details, ("get through", through), *resolvers_that_gave(address, tried))
    return _with_circumstance(row, circumstance, details, **values)


def one_range(by_target: dict[Target, list[Verdict]]) -> None:
    """Closed addresses of several names: one finding about a range if they share one."""
    rows = [row for found in by_target.values() for row in found if row.check == "tcp"]
    for cause in CAUSES:
        closed = [r for r in rows if r.cause == cause and r.circumstance == "others-pass"]
        for family in (False, True):
            network = _common(closed, rows, family)
            if network is None:
                continue
            for target, found in by_target.items():
                by_target[target] = [
                    _with_circumstance(r, "one-range", r.details, range=str(network))
                    if r.cause == cause
                    and r.circumstance == "others-pass"
                    and is_v6(_address(r) or "") == family
                    else r
                    for r in found
                ]


def _common(closed: Iterable[Verdict], rows: Iterable[Verdict], v6: bool) -> IPv4Network | IPv6Network | None:
    """The range of all closed addresses of a family, if it holds several names and nothing in it gets through."""
    hosts: Mapping[str, set[str]] = defaultdict(set)
    for row in closed:
        address = _address(row)
        if address is not None and row.endpoint is not None and is_v6(address) == v6:
            hosts[row.endpoint.host].add(address)
    if len(hosts) < 2:
        return None
    values = [int(parse_address(address)) for found in hosts.values() for address in found]
    bits = 128 if v6 else 32
    length = bits - (min(values) ^ max(values)).bit_length()
    if not (SHORTEST_V6 if v6 else SHORTEST_V4) <= length < bits:
        return None
    start = min(values) >> (bits - length) << (bits - length)
    network = ip_network((start, length))
    opened = (_address(row) for row in rows if row.status in (Status.PASS, Status.NOTICE))
    return (
        None
        if any(a is not None and is_v6(a) == v6 and parse_address(a) in network for a in opened)
        else network
    )


def _with_circumstance(
    row: Verdict, circumstance: str, details: tuple[tuple[str, str], ...], **values: str
) -> Verdict:
    port = row.endpoint.port if row.endpoint is not None else 0
    text = remedy(row.cause, circumstance, port=port, **values) if row.remedy else ""
    return replace(row, circumstance=circumstance, remedy=text, details=details)


def _address(row: Verdict) -> str | None:
    return row.endpoint.address if row.endpoint is not None else None

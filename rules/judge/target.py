"""All verdicts of one target: its name, its addresses, and the effect of each on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from rules.audit.addresses import Candidate
from rules.audit.targets import Target
from rules.judge.address import judge_address
from rules.judge.answer import passes
from rules.judge.causes import ADDRESS_FROM
from rules.judge.evidence import Context
from rules.judge.name import judge_name, sinkholed
from rules.judge.portals import Portal
from rules.judge.remedies import remedy
from rules.judge.some_addresses import one_of_several
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.kinds.dns_chain import OS
from rules.model.verdict import Endpoint, Status, Verdict
from rules.text.address import AddressClass
from rules.text.display import SHOWN, display

_GOOD = (Status.PASS, Status.NOTICE)


def judge_target(context: Context, target: Target) -> Iterable[Verdict]:
    if target.host is None:
        yield _no_name(target, context.audit.plan.tenant_source)
        return
    tried = [c for c in context.audit.candidates(target.host) if c.tried]
    rows = [row for candidate in tried for row in judge_address(context, target, candidate)]
    by_address: dict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        if row.endpoint is not None and row.endpoint.address is not None:
            by_address[row.endpoint.address].append(row)
    passing = {a for a, found in by_address.items() if passes(found)}
    genuine = any(v.check in ("tls", "crl") and v.status in _GOOD for v in rows) or (
        target.port == 80 and bool(passing)
    )
    systems = [c for c in tried if "os" in c.resolvers]
    os_passed = any(c.address in passing for c in systems)
    name = judge_name(context, target, genuine, os_passed)
    if systems and passing and not os_passed and _differs(context, target):
        name = replace(
            name,
            status=Status.FAIL,
            cause=causes.DNS_OS_DIFFERS,
            summary=f"{target.host} is {systems[0].address} for programs on this host, and that address fails; the addresses "
            "that the resolvers give work",
            remedy=remedy(causes.DNS_OS_DIFFERS, "address-fails"),
            circumstance="address-fails",
        )
        passing = set()
        rows = [_of_this_host_alone(row, systems) for row in rows]
    portals = {} if passing else _portals(context, target, tried)
    if portals and name.cause not in _KNOWN:
        name = sinkholed(context, target, name, tuple(portals.values()))
    own_word = name.cause == causes.DNS_SINKHOLED and name.circumstance == "own-word"
    elsewhere = name.status is Status.FAIL and (name.cause in _OVERRIDES or own_word)
    yield name
    for row in rows:
        if elsewhere or (
            name.cause == causes.DNS_SINKHOLED and row.endpoint and row.endpoint.address in portals
        ):
            row = _override(row, tried, name, frozenset(portals))
        if row.status is Status.FAIL and passing and row.cause != causes.TLS_INTERCEPTED:
            row = one_of_several(replace(row, status=Status.WARN), tried, passing)
        yield row
    if not tried and name.status in _GOOD:
        yield _nothing_tried(context, target)


#: DNS answers that lead to another server: a failure there is not for a firewall to fix.
_OVERRIDES = frozenset({causes.DNS_PRIVATE_ADDRESS, causes.DNS_SYNTHETIC})


#: Findings on a name that show a fault of the resolver as a portal does, or a fault of this host.
_KNOWN = frozenset({causes.DNS_WILDCARDED, causes.DNS_OS_DIFFERS, causes.DNS_SYNTHETIC, causes.DNS_SINKHOLED})


def _portals(context: Context, target: Target, tried: list[Candidate]) -> dict[str, Portal]:
    """Addresses of this name where another server answers, if a resolver gave them.

    An address that only this host's programs get comes from the hosts file, unless no resolver was asked.
    """
    asked = any(set(c.resolvers) - {OS} for c in tried)
    found = (c.address for c in tried if not asked or set(c.resolvers) != {OS})
    return {
        a: context.portals[a]
        for a in found
        if a in context.portals and target.host in context.portals[a].hosts
    }


def _override(row: Verdict, tried: list[Candidate], name: Verdict, portals: frozenset[str]) -> Verdict:
    """A failure at an address that is not the service's own: the DNS entry has to be corrected, not the path there."""
    public = {c.address for c in tried if c.address_class is AddressClass.PUBLIC} - portals
    if name.circumstance == "own-word":
        public = set()  # the resolver says itself that it made the addresses up
    if row.status is not Status.FAIL or row.endpoint is None or row.endpoint.address in public:
        return row
    if row.cause == causes.TLS_INTERCEPTED:
        return row
    summary = f"{row.summary} ({row.cause}); {name.cause}: the address is not the service's own"
    return replace(
        row, status=Status.NOT_APPLICABLE, cause=name.cause, summary=summary, remedy="", circumstance=""
    )


def _of_this_host_alone(row: Verdict, systems: list[Candidate]) -> Verdict:
    """A failure at an address that only this host uses is not for a firewall to fix."""
    if row.status is not Status.FAIL or row.endpoint is None:
        return row
    if all(row.endpoint.address != c.address for c in systems):
        return row
    return replace(
        row,
        remedy=remedy(row.cause, "this-host-alone"),
        circumstance="this-host-alone",
        details=(*row.details, (ADDRESS_FROM, "this host alone")),
    )


def _differs(context: Context, target: Target) -> bool:
    """Whether no resolver gave any of the operating system's addresses."""
    assert target.host is not None
    return not any(
        "os" in c.resolvers and len(c.resolvers) > 1 for c in context.audit.candidates(target.host)
    )


def _no_name(target: Target, domain: str) -> Verdict:
    """`domain`: the tenant as it was given, where it led to no id."""
    assert target.why is not None, "a target without a name says why"
    if target.why == causes.AUDIT_NO_TENANT:
        summary = f"{target.shown} holds the tenant's id, which is not known"
        if domain:
            found = simple_verdict(target, "dns", Status.INCONCLUSIVE, target.why, summary)
            said = remedy(target.why, "no-id", source=display(domain, SHOWN))
            return replace(found, remedy=said, circumstance="no-id")
    else:
        summary = f"{target.shown}: no citable name under this wildcard is known, so nothing could be tried"
    return simple_verdict(target, "dns", Status.INCONCLUSIVE, target.why, summary)


def _nothing_tried(context: Context, target: Target) -> Verdict:
    assert target.host is not None
    whys = {c.why for c in context.audit.candidates(target.host)}
    return simple_verdict(
        target,
        "tcp",
        Status.NOT_APPLICABLE,
        causes.OK,
        f"no address was tried: {'; '.join(sorted(whys)) or 'none is usable'}",
    )


def untested_verdict(target: Target, stop: Verdict) -> Verdict:
    """A target of an audit that could not begin: the host's own finding has the remedy."""
    summary = f"{target.shown} was not tested: {stop.summary}"
    return replace(simple_verdict(target, "dns", Status.INCONCLUSIVE, stop.cause, summary), remedy="")


def simple_verdict(
    target: Target, check: str, status: Status, cause: Cause, summary: str, circumstance: str = ""
) -> Verdict:
    rule = target.rule
    return Verdict(
        target.id,
        rule.title,
        Endpoint(target.shown, target.port),
        "dns" if check == "dns" else "tcp",
        status,
        cause,
        summary,
        remedy(cause, circumstance),
        rule.severity.value,
        rule.citation.id,
        (),
        rule.group.value,
        circumstance=circumstance,
    )

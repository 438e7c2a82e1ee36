"""Verdicts on resolution: each name at each resolver and through the operating system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rules.audit.targets import Target
from rules.judge.dns_views import ResolverView, resolver_views, view_text
from rules.judge.evidence import Context
from rules.judge.portals import Portal
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import LOCAL_CODES
from rules.model.kinds.dns_chain import OS, Chain, DnsAnswer, DnsQuestion, Outcome
from rules.model.observation import Observation
from rules.model.verdict import Check, Endpoint, Status, Verdict
from rules.text.address import embedded, parse_address
from rules.text.display import display


def judge_name(context: Context, target: Target, genuine: bool, os_passed: bool) -> Verdict:
    """The DNS verdict of a target. `genuine`: some address proved its certificate; `os_passed`: an address that the
    operating system gives passed."""
    assert target.host is not None
    found = resolver_views(context, target.host)
    if not found:
        return _verdict(context, target, Status.INCONCLUSIVE, _unasked(context), "was not resolved", found)
    if all(v.word == Outcome.NOT_MEASURED for v in found):
        return _not_measured(context, target, found)
    good = [v for v in found if v.ok]
    if len({v.word for v in found}) == 1:
        return _agreed(context, target, found, genuine)
    os_view = next((v for v in found if v.resolver == OS), None)
    others = [v for v in found if v.resolver != OS]
    fine = next((v for v in others if v.ok), None)
    if os_view is not None and not os_view.ok and fine is not None:
        return _os_differs(context, target, os_view, fine, os_passed, found)
    if (
        os_view is not None
        and os_view.ok
        and others
        and not any(v.ok for v in others)
        and len({v.word for v in others} - {"chain-too-long"}) == 1
    ):
        summary = f"{view_text(others[0])} at {_places(others)}, but the operating system resolves it (hosts file, policy or cache)"
        return _verdict(context, target, Status.WARN, causes.DNS_OS_DIFFERS, summary, found)
    if good:
        bad = next(v for v in found if not v.ok)
        summary = f"resolves at {_places(good)}, but {view_text(bad)} at {_places([v for v in found if v.word == bad.word])}"
        return _verdict(
            context,
            target,
            Status.WARN,
            causes.DNS_RESOLVERS_DISAGREE,
            summary,
            found,
        )
    return _failed(context, target, _first(found), found, genuine)


def _first(found: tuple[ResolverView, ...]) -> ResolverView:
    """The view for the verdict, of several that fail: one with a reason, else the first resolver's."""
    return next((v for v in found if v.explains), found[0])


def _not_measured(context: Context, target: Target, found: tuple[ResolverView, ...]) -> Verdict:
    """Not measured because of a fault of this host or a bug of ours: nobody else is responsible."""
    failure = next((s.failure for v in found for s in v.seen if s.failure is not None), None)
    cause, why = LOCAL_CODES.get(failure.code, _NOT_ASKED) if failure is not None else _NOT_ASKED
    return _verdict(context, target, Status.INCONCLUSIVE, cause, f"was not resolved: {why}", found)


_NOT_ASKED = (causes.AUDIT_NOT_REACHED, "no answer was had")


def _agreed(context: Context, target: Target, found: tuple[ResolverView, ...], genuine: bool) -> Verdict:
    first = _first(found)
    if not first.ok:
        return _failed(context, target, first, found, genuine)
    broken = _broken_link(context, target, found)
    if broken is not None:
        return broken
    if any(v.tcp_blocked for v in found):
        return _verdict(
            context,
            target,
            Status.WARN,
            causes.DNS_TCP_BLOCKED,
            "is answered in part: the rest needs TCP port 53, which is closed",
            found,
            "in-part",
        )
    os_view = next((v for v in found if v.resolver == OS), None)
    others = {a for v in found if v.resolver != OS for a in v.addresses}
    if os_view is not None and others and not others & set(os_view.addresses):
        summary = f"is {os_view.addresses[0]} for programs on this host, which no resolver gives"
        return _verdict(context, target, Status.NOTICE, causes.DNS_OS_DIFFERS, summary, found)
    zones = sorted({v.zone for v in found if v.zone})
    if len(zones) > 1:
        return _verdict(
            context,
            target,
            Status.NOTICE,
            causes.DNS_RESOLVERS_DISAGREE,
            f"ends in {' at one resolver and in '.join(zones)} at another",
            found,
        )
    addresses = {a for v in found for a in v.addresses}
    count = len(addresses)
    through = (
        ", by DNS64" if any(embedded(parse_address(a)) is not None for a in addresses if ":" in a) else ""
    )
    return _verdict(
        context,
        target,
        Status.PASS,
        causes.OK,
        f"resolves to {count} address{'es' if count != 1 else ''}{through}",
        found,
    )


def _broken_link(context: Context, target: Target, found: tuple[ResolverView, ...]) -> Verdict | None:
    """A name of the CNAME chain that does not resolve when it is asked for by itself."""
    assert target.host is not None
    for chain in context.audit.names.chains(target.host):
        for link in chain.links if chain.rtype == "A" else ():
            seen = context.audit.names.seen(DnsQuestion(chain.resolver, link.value, "A"))
            if seen is None or (seen.failure is not None and seen.failure.code in LOCAL_CODES):
                continue
            answer = seen.evidence if isinstance(seen.evidence, DnsAnswer) else None
            word = seen.failure.code.value if seen.failure else (answer.rcode if answer else "no answer")
            if seen.failure is not None or (answer is not None and answer.rcode != "NOERROR"):
                summary = (
                    f"resolves, but {link.value}, a name of its chain, gives {word} when asked for by itself"
                )
                return _verdict(
                    context,
                    target,
                    Status.WARN,
                    causes.DNS_CHAIN_BROKEN,
                    summary,
                    (*found, _seen_view(chain, seen)),
                    "by-itself",
                    resolver=chain.resolver,
                    link=link.value,
                )
    return None


def _seen_view(chain: Chain, seen: Observation) -> ResolverView:
    return ResolverView(chain.resolver, "chain-broken", seen=(seen,))


def _failed(
    context: Context, target: Target, view: ResolverView, found: tuple[ResolverView, ...], genuine: bool
) -> Verdict:
    where = f" at {_places(found)}"
    shown = ", ".join(view.addresses[:3])
    if view.word in ("private-address", "synthetic") or (view.own is not None and shown):
        status = Status.NOTICE if genuine else Status.FAIL
        proof = "the certificate there is genuine" if genuine else "no genuine certificate was seen there"
        summary = f"{view_text(view)} ({shown}); {proof}"
        return _verdict(context, target, status, view.cause, summary, found, view.circumstance)
    if view.said:
        where = f" (at {view.resolver})"
    at = f" (in its chain: {view.at})" if view.at and view.at != target.host and not view.said else ""
    circumstance = view.circumstance
    if view.word == "nxdomain" and target.probe is not None and "{tenant}" in target.probe.host:
        circumstance = circumstance or "tenant"
    return _verdict(
        context,
        target,
        Status.FAIL,
        view.cause,
        f"{view_text(view)}{where}{f': {shown}' if shown else at}",
        found,
        circumstance,
        tenant=context.audit.tenant or "",
        resolver=view.resolver,
        zone=view.soa,
    )


def sinkholed(context: Context, target: Target, name: Verdict, portals: tuple[Portal, ...]) -> Verdict:
    """The verdict on a name (`name`: the verdict without this fact) that leads to addresses where another server
    answers."""
    addresses = ", ".join(portal.address for portal in portals[:3])
    summary = f"{target.shown} is answered with the address of another server ({addresses}), where unrelated names lead too"
    signs = frozenset(id_ for portal in portals for id_ in portal.signs)
    seen = (s for s in context.observations if context.ids[s.step] in signs)
    return replace(
        name,
        status=Status.FAIL,
        cause=causes.DNS_SINKHOLED,
        summary=summary,
        remedy=remedy(causes.DNS_SINKHOLED, "portal"),
        circumstance="portal",
        evidence=tuple(dict.fromkeys((*name.evidence, *context.evidence(*seen)))),
        details=(*name.details, *(pair for portal in portals for pair in portal.details)),
    )


def _os_differs(
    context: Context,
    target: Target,
    os_view: ResolverView,
    other: ResolverView,
    os_passed: bool,
    found: tuple[ResolverView, ...],
) -> Verdict:
    addresses = f" ({', '.join(os_view.addresses[:3])})" if os_view.addresses else ""
    summary = f"resolves at {other.resolver}, but {view_text(os_view)} for programs on this host{addresses}"
    status = Status.NOTICE if os_passed else Status.FAIL
    return _verdict(context, target, status, causes.DNS_OS_DIFFERS, summary, found)


def _places(found: Iterable[ResolverView]) -> str:
    """The resolvers; the operating system asks them, so it is named only where it stands alone."""
    resolvers = [v.resolver for v in found if v.resolver != OS]
    return ", ".join(resolvers) or "the operating system"


def _unasked(context: Context) -> Cause:
    if context.audit.stopped == "no-resolver":
        return causes.LOCAL_NO_RESOLVER
    return context.audit.unasked


def _verdict(
    context: Context,
    target: Target,
    status: Status,
    cause: Cause,
    summary: str,
    found: Iterable[ResolverView],
    circumstance: str = "",
    **values: str,
) -> Verdict:
    check: Check = "dns"
    evidence = context.evidence(*(seen for view in found for seen in view.seen))
    return Verdict(
        target.id,
        target.rule.title,
        Endpoint(target.shown, target.port),
        check,
        status,
        cause,
        f"{target.shown} {summary}",
        remedy(cause, circumstance, **values) if status in (Status.WARN, Status.FAIL) else "",
        target.rule.severity.value,
        target.rule.citation.id,
        evidence,
        target.rule.group.value,
        circumstance=circumstance,
        details=_failure_details(tuple(found)),
    )


def _failure_details(found: tuple[ResolverView, ...]) -> tuple[tuple[str, str], ...]:
    """The failures seen, and the reasons that resolvers give (RFC 8914)."""
    extended_errors = {
        display(seen.evidence.ede): None
        for view in found
        if not view.ok
        for seen in view.seen
        if isinstance(seen.evidence, DnsAnswer) and seen.evidence.ede
    }
    reasons = tuple(("the resolver says", text) for text in list(extended_errors)[:3])
    return (*dict.fromkeys(line for view in found for line in view.details), *reasons)

"""Verdicts on resolution: each name at each resolver and through the operating system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.address import AddressClass, classify, embedded, never_connect, parse
from rules.context import Context
from rules.failure import LOCAL_CODES
from rules.kinds.dns_chain import OS, Chain, DnsAnswer, DnsQuestion, Outcome
from rules.kinds.os_lookup import OsAnswer
from rules.observation import Observation
from rules.remedies import BY_CAUSE, remedy
from rules.targets import Target
from rules.verdict import Check, Endpoint, Status, Verdict

_OS_ERRORS = {
    "EAI_NONAME": "nxdomain",
    "EAI_NODATA": "no-address",
    "EAI_ADDRFAMILY": "no-address",
    "EAI_AGAIN": "timeout",
    "EAI_FAIL": "servfail",
    "EAI_SYSTEM": "timeout",
}
_WORDS = {
    "nxdomain": "does not exist",
    "no-address": "has no address",
    "servfail": "cannot be resolved (SERVFAIL)",
    "refused": "is refused",
    "timeout": "gets no answer",
    "chain-broken": "leads to a name that does not resolve",
    "chain-loop": "leads in a circle",
    "chain-too-long": "leads through too many names",
    "malformed": "gets a broken answer",
    "tcp-blocked": "needs an answer over TCP, and TCP port 53 is closed",
    "sinkholed": "is answered with a dead-end address",
    "private-address": "is answered with an address that is not public",
    "synthetic": "is answered with a made-up address",
    "wildcarded": "gets the address that this resolver gives for every name",
    "unreachable": "cannot be asked",
}


@dataclass(frozen=True, slots=True)
class View:
    """What one resolver makes of a name. `word`: "ok" or the word of a dns cause."""

    resolver: str
    word: str
    addresses: tuple[str, ...] = ()
    zone: str = ""  # the last name's parent: where the chain ends
    at: str = ""
    detail: str = ""
    tcp_blocked: bool = False
    seen: tuple[Observation, ...] = ()

    @property
    def ok(self) -> bool:
        return self.word == "ok"


def views(context: Context, host: str) -> tuple[View, ...]:
    """The views of all living resolvers, the operating system's last."""
    names = context.audit.names
    found = []
    for resolver in names.resolvers:
        chains = [c for c in names.chains(host) if c.resolver == resolver]
        if chains and not names.health[resolver].dead:
            found.append(_view(context, resolver, chains))
    seen = names.os_answer(host)
    if seen is not None:
        found.append(_os_view(context, seen))
    measured = tuple(v for v in found if v.word != Outcome.NOT_MEASURED)
    return measured or tuple(found)


def _view(context: Context, resolver: str, chains: list[Chain]) -> View:
    addresses = tuple(dict.fromkeys(r.value for c in chains for r in c.addresses))
    seen = tuple(s for c in chains for q in c.questions if (s := context.audit.names.seen(q)) is not None)
    blocked = any(c.tcp_blocked for c in chains)
    if addresses:
        longest = next(c for c in chains if c.addresses)
        word = _address_word(context, addresses, context.canaries.get(resolver, frozenset()))
        return View(resolver, word, addresses, _zone(longest.end), longest.end, "", blocked, seen)
    worst = next((c for c in chains if c.outcome is not Outcome.NO_ADDRESS), chains[0])
    if worst.rtype == "AAAA" and any(c.rtype == "A" and c.outcome is Outcome.NO_ADDRESS for c in chains):
        worst = next(c for c in chains if c.rtype == "A") if worst.outcome is Outcome.NXDOMAIN else worst
    word = "timeout" if worst.outcome is Outcome.UNREACHABLE else worst.outcome.value
    return View(resolver, word, (), _zone(worst.end), worst.at, worst.detail, blocked, seen)


def _os_view(context: Context, seen: Observation) -> View:
    answer = seen.evidence
    if isinstance(answer, OsAnswer) and answer.addresses:
        canaries = frozenset(a for addresses in context.canaries.values() for a in addresses)
        return View(OS, _address_word(context, answer.addresses, canaries), answer.addresses, seen=(seen,))
    if seen.failure is not None and seen.failure.code in LOCAL_CODES:
        return View(OS, Outcome.NOT_MEASURED, detail=LOCAL_CODES[seen.failure.code][0], seen=(seen,))
    error = answer.error if isinstance(answer, OsAnswer) else "EAI_AGAIN"
    return View(OS, _OS_ERRORS.get(error, "servfail"), detail=error, seen=(seen,))


def _address_word(context: Context, addresses: tuple[str, ...], canary: frozenset[str]) -> str:
    classes = {classify(a, context.audit.plan.public_networks) for a in addresses}
    if all(never_connect(c) for c in classes):
        return "sinkholed"
    if canary and set(addresses) <= canary:
        return "wildcarded"
    if AddressClass.PUBLIC in classes:
        return "ok"
    return "synthetic" if AddressClass.SYNTHETIC in classes else "private-address"


def _zone(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def judge_name(context: Context, target: Target, genuine: bool, os_passed: bool) -> Verdict:
    """The DNS verdict of a target. `genuine`: some address proved its certificate; `os_passed`: one that the operating
    system gives got through."""
    assert target.host is not None
    found = views(context, target.host)
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
        summary = f"{_is(others[0])} at {_at(others)}, but the operating system resolves it (hosts file, policy or cache)"
        return _verdict(context, target, Status.WARN, "dns.os-differs", summary, found)
    if good:
        bad = next(v for v in found if not v.ok)
        summary = (
            f"resolves at {_at(good)}, but {_is(bad)} at {_at([v for v in found if v.word == bad.word])}"
        )
        return _verdict(
            context,
            target,
            Status.WARN,
            "dns.resolvers-disagree",
            summary,
            found,
        )
    return _failed(context, target, found[0], found, genuine)


def _not_measured(context: Context, target: Target, found: tuple[View, ...]) -> Verdict:
    """A fault of this host or of ours stood in the way: that is nobody else's."""
    failure = next((s.failure for v in found for s in v.seen if s.failure is not None), None)
    cause, why = LOCAL_CODES.get(failure.code, _NOT_ASKED) if failure is not None else _NOT_ASKED
    return _verdict(context, target, Status.INCONCLUSIVE, cause, f"was not resolved: {why}", found)


_NOT_ASKED = ("audit.not-reached", "no answer was had")


def _agreed(context: Context, target: Target, found: tuple[View, ...], genuine: bool) -> Verdict:
    first = found[0]
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
            "dns.tcp-blocked",
            "is answered in part: the rest needs TCP port 53, which is closed",
            found,
            "in-part",
        )
    os_view = next((v for v in found if v.resolver == OS), None)
    others = {a for v in found if v.resolver != OS for a in v.addresses}
    if os_view is not None and others and not others & set(os_view.addresses):
        summary = f"is {os_view.addresses[0]} for programs on this host, which no resolver gives"
        return _verdict(context, target, Status.NOTICE, "dns.os-differs", summary, found)
    zones = sorted({v.zone for v in found if v.zone})
    if len(zones) > 1:
        return _verdict(
            context,
            target,
            Status.NOTICE,
            "dns.resolvers-disagree",
            f"ends in {' at one resolver and in '.join(zones)} at another",
            found,
        )
    addresses = {a for v in found for a in v.addresses}
    count = len(addresses)
    through = ", by DNS64" if any(embedded(parse(a)) is not None for a in addresses if ":" in a) else ""
    return _verdict(
        context,
        target,
        Status.PASS,
        "ok",
        f"resolves to {count} address{'es' if count != 1 else ''}{through}",
        found,
    )


def _broken_link(context: Context, target: Target, found: tuple[View, ...]) -> Verdict | None:
    """A name of the chain that does not resolve when it is asked for by itself."""
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
                    "dns.chain-broken",
                    summary,
                    (*found, _seen_view(chain, seen)),
                    "by-itself",
                    resolver=chain.resolver,
                    link=link.value,
                )
    return None


def _seen_view(chain: Chain, seen: Observation) -> View:
    return View(chain.resolver, "chain-broken", seen=(seen,))


def _failed(context: Context, target: Target, view: View, found: tuple[View, ...], genuine: bool) -> Verdict:
    where = f" at {_at(found)}"
    if view.word in ("private-address", "synthetic"):
        status = Status.NOTICE if genuine else Status.FAIL
        proof = "the certificate there is genuine" if genuine else "no genuine certificate was seen there"
        return _verdict(
            context,
            target,
            status,
            f"dns.{view.word}",
            f"{_is(view)} ({', '.join(view.addresses[:3])}); {proof}",
            found,
        )
    at = f" (at {view.at})" if view.at and view.at != target.host else ""
    detail = f": {', '.join(view.addresses[:3])}" if view.addresses else at
    circumstance = ""
    if view.word == "nxdomain" and target.probe is not None and "{tenant}" in target.probe.host:
        circumstance = "tenant"
    return _verdict(
        context,
        target,
        Status.FAIL,
        f"dns.{view.word}",
        f"{_is(view)}{where}{detail}",
        found,
        circumstance,
        tenant=context.audit.tenant or "",
    )


def _os_differs(
    context: Context,
    target: Target,
    os_view: View,
    other: View,
    os_passed: bool,
    found: tuple[View, ...],
) -> Verdict:
    addresses = f" ({', '.join(os_view.addresses[:3])})" if os_view.addresses else ""
    summary = f"resolves at {other.resolver}, but {_is(os_view)} for programs on this host{addresses}"
    status = Status.NOTICE if os_passed else Status.FAIL
    return _verdict(context, target, status, "dns.os-differs", summary, found)


#: By the word of a cause: what is said where nothing more is known of it.
_REMEDIES = {cause.removeprefix("dns."): text for cause, text in BY_CAUSE.items() if cause.startswith("dns.")}


def _is(view: View) -> str:
    return _WORDS.get(view.word, "resolves" if view.ok else view.word)


def _at(found: Iterable[View]) -> str:
    words = [v.resolver if v.resolver != OS else "the operating system" for v in found]
    return ", ".join(words)


def _unasked(context: Context) -> str:
    if context.audit.stopped == "no-resolver":
        return "local.no-resolver"
    return context.audit.unasked


def _verdict(
    context: Context,
    target: Target,
    status: Status,
    cause: str,
    summary: str,
    found: Iterable[View],
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
    )

"""How each resolver, and the operating system, resolves a name: the views that verdicts on names compare."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.audit.dns_walk import DnsWalk, fault_of
from rules.judge.evidence import Context
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.extended_errors import ResolverStatement, resolver_statement
from rules.model.failure import LOCAL_CODES, Code
from rules.model.kinds.dns_chain import OS, Chain, DnsAnswer, Outcome
from rules.model.kinds.os_lookup import OsAnswer
from rules.model.observation import Observation
from rules.text.address import AddressClass, classify, never_connect
from rules.text.display import display
from rules.text.zones import zone

_OS_ERRORS = {
    "EAI_NONAME": "nxdomain",
    "EAI_NODATA": "no-address",
    "EAI_ADDRFAMILY": "no-address",
    "EAI_AGAIN": "timeout",
    "EAI_FAIL": "servfail",
    "EAI_SYSTEM": "timeout",
}
WORDS = {
    "nxdomain": "does not exist",
    "no-address": "has no address",
    "servfail": "cannot be resolved (SERVFAIL)",
    "refused": "is refused",
    "timeout": "gets no answer",
    "chain-broken": "leads to a name that does not resolve",
    "chain-loop": "leads in a circle",
    "chain-too-long": "leads through too many names",
    "malformed": "gets a broken answer",
    "wrong-source": "is answered from another address than the one that was asked",
    "tcp-blocked": "needs an answer over TCP, and TCP port 53 is closed",
    "sinkholed": "is answered with a dead-end address",
    "private-address": "is answered with an address that is not public",
    "synthetic": "is answered with a made-up address",
    "wildcarded": "gets the address that this resolver gives for every name",
    "unreachable": "cannot be asked",
}
#: Words and circumstances that explain a failure: these views come first.
_TELLING = frozenset({"own-word", "private-zone", "no-question"})


@dataclass(frozen=True, slots=True)
class ResolverView:
    """How one resolver resolves a name. `word`: "ok" or the word of a dns cause; `circumstance`: a `Circumstance` of
    the cause."""

    resolver: str
    word: str
    addresses: tuple[str, ...] = ()
    zone: str = ""  # of the last name: the end of the CNAME chain
    at: str = ""
    detail: str = ""
    tcp_blocked: bool = False
    seen: tuple[Observation, ...] = ()
    circumstance: str = ""
    said: str = ""  # in words, where `WORDS` do not say everything
    own: ResolverStatement | None = None
    soa: str = ""  # the private zone that lacks the record
    details: tuple[tuple[str, str], ...] = ()  # short lines of evidence

    @property
    def ok(self) -> bool:
        return self.word == "ok"

    @property
    def cause(self) -> Cause:
        """The cause of this view. No verdict uses "dns.ok" and "dns.not-measured": such a view shows no fault of the
        name."""
        return causes.from_word(f"dns.{self.word}")

    @property
    def explains(self) -> bool:
        """Whether the view explains why the name does not resolve."""
        return self.circumstance in _TELLING or self.word in ("malformed", "wrong-source")


def resolver_views(context: Context, host: str) -> tuple[ResolverView, ...]:
    """The views of all working resolvers, without those that resolve nothing at all; the operating system's last."""
    names = context.audit.names
    found = []
    for resolver in names.resolvers:
        chains = [c for c in names.chains(host) if c.resolver == resolver]
        if chains and not names.health[resolver].dead and resolver not in context.failing_resolvers:
            found.append(_view(context, resolver, chains))
    seen = names.os_answer(host)
    if seen is not None:
        found.append(_os_view(context, seen, found))
    measured = tuple(v for v in found if v.word != Outcome.NOT_MEASURED)
    return measured or tuple(found)


def _view(context: Context, resolver: str, chains: list[Chain]) -> ResolverView:
    addresses = tuple(dict.fromkeys(r.value for c in chains for r in c.addresses))
    seen = tuple(s for c in chains for q in c.questions if (s := context.audit.names.seen(q)) is not None)
    blocked = any(c.tcp_blocked for c in chains)
    if addresses:
        longest = next(c for c in chains if c.addresses)
        word = _address_word(context, addresses, context.canaries.get(resolver, frozenset()))
        view = ResolverView(resolver, word, addresses, _zone(longest.end), longest.end, "", blocked, seen)
        own = resolver_statement(last_answer(context, longest), resolved=True)
        return view if own is None else _by_own_word(view, own)
    worst = next((c for c in chains if c.outcome is not Outcome.NO_ADDRESS), chains[0])
    if worst.rtype == "AAAA" and any(c.rtype == "A" and c.outcome is Outcome.NO_ADDRESS for c in chains):
        worst = next(c for c in chains if c.rtype == "A") if worst.outcome is Outcome.NXDOMAIN else worst
    word = "timeout" if worst.outcome is Outcome.UNREACHABLE else worst.outcome.value
    view = ResolverView(resolver, word, (), _zone(worst.end), worst.at, worst.detail, blocked, seen)
    own = next(
        (o for c in chains if (o := resolver_statement(last_answer(context, c), resolved=False))), None
    )
    if own is not None:
        return _by_own_word(view, own)
    dns_walk = context.audit.walks.finished(resolver, worst.name)
    if dns_walk is not None and dns_walk.found:
        return _with_failing_link(context, view, dns_walk)
    return _with_reason(context, view, worst)


def last_answer(context: Context, chain: Chain) -> DnsAnswer | None:
    """The answer at which a chain ends; None where there was none."""
    seen = context.audit.names.seen(chain.questions[-1]) if chain.questions else None
    return seen.evidence if seen is not None and isinstance(seen.evidence, DnsAnswer) else None


def _with_reason(context: Context, view: ResolverView, chain: Chain) -> ResolverView:
    """A view that failed, with the reason from its last answer."""
    last = last_answer(context, chain)
    fault = fault_of(chain, last)
    if chain.outcome is Outcome.CHAIN_BROKEN:
        before = chain.links[-1].name
        said = _as_far(chain.name, before, chain.at, fault)
        view = replace(view, circumstance=fault.value, said=said, details=_link(chain.at, fault))
    if last is not None and fault in (Outcome.NXDOMAIN, Outcome.NO_ADDRESS):
        return _private(view, chain.at, last)
    if chain.outcome is Outcome.MALFORMED and chain.sign == "no-question":
        return replace(
            view, circumstance="no-question", said="is answered without the question being repeated"
        )
    if chain.outcome is Outcome.WRONG_SOURCE:
        answered_from = display(chain.detail, 120)
        return replace(
            view,
            said=f"is {answered_from}, an address that was not asked",
            details=(("the answer", answered_from),),
        )
    health = context.audit.names.health[view.resolver]
    if view.word == "timeout" and health.answered and Code.REFUSED not in health.reasons:
        return replace(view, circumstance="others-pass")
    return view


def _with_failing_link(context: Context, view: ResolverView, dns_walk: DnsWalk) -> ResolverView:
    """A view that failed, with the failing link."""
    view = replace(view, at=dns_walk.at, seen=(*view.seen, *context.audit.walks.observations(dns_walk)))
    if dns_walk.outcome is Outcome.RESOLVED:
        return replace(view, said=f"{_word_text(view.word)}; each name of its chain resolves by itself")
    own = resolver_statement(dns_walk.answer, resolved=False)
    if own is not None:
        return _by_own_word(view, own)
    if dns_walk.outcome in (Outcome.LOOP, Outcome.TOO_LONG):
        return replace(view, word=dns_walk.outcome.value)
    said = _as_far(dns_walk.name, dns_walk.links[-1].name, dns_walk.at, dns_walk.outcome)
    if dns_walk.like:
        said += (
            f", as {display(dns_walk.like)} is"
            if dns_walk.outcome is Outcome.REFUSED
            else f", like {display(dns_walk.like)}"
        )
    broken = replace(
        view,
        word="chain-broken",
        circumstance=dns_walk.outcome.value,
        said=said,
        details=_link(dns_walk.at, dns_walk.outcome),
    )
    return broken if dns_walk.answer is None else _private(broken, dns_walk.at, dns_walk.answer)


def _as_far(name: str, before: str, at: str, fault: Outcome) -> str:
    """ "resolves as far as Y; Z is refused": Y is the last name that answered, Z the one that fails."""
    fails = f"{display(at)} {_word_text(fault.value)}"
    return f"resolves as far as {display(before)}; {fails}" if before != name else f"is an alias; {fails}"


def _link(at: str, fault: Outcome) -> tuple[tuple[str, str], ...]:
    return (("the link that fails", f"{display(at)} {_word_text(fault.value)}"),)


def _private(view: ResolverView, at: str, answer: DnsAnswer) -> ResolverView:
    """A zone of Azure Private Link on the resolver lacks the record: the zone's own SOA record shows it.

    learn.microsoft.com/azure/dns/private-dns-fallback: a linked zone answers NXDOMAIN for each name that it lacks.
    The owner of the SOA record (RFC 2308 section 2) is the zone that answered; a public zone above it does not count.
    """
    soa = answer.soa
    if "privatelink" not in soa.split(".") or not (at == soa or at.endswith(f".{soa}")):
        return view
    return replace(
        view,
        circumstance="private-zone",
        soa=soa,
        said=f"leads into the private zone {display(soa)}, which lacks {display(at)}",
    )


def _by_own_word(view: ResolverView, own: ResolverStatement) -> ResolverView:
    verb = "is blocked" if own.word == "sinkholed" else "is refused to this host"
    said = f'{verb} by the resolver\'s own word ("{own.text}")'
    return replace(view, word=own.word, circumstance="own-word", said=said, own=own)


def _os_view(context: Context, seen: Observation, others: list[ResolverView]) -> ResolverView:
    answer = seen.evidence
    if isinstance(answer, OsAnswer) and answer.addresses:
        canaries = frozenset(a for addresses in context.canaries.values() for a in addresses)
        view = ResolverView(
            OS, _address_word(context, answer.addresses, canaries), answer.addresses, seen=(seen,)
        )
        # a resolver that calls the system's addresses blocked is a source for the reason too
        by = next((v for v in others if v.own and set(answer.addresses) <= set(v.addresses)), None)
        return _by_own_word(view, by.own) if by is not None and by.own is not None else view
    if seen.failure is not None and seen.failure.code in LOCAL_CODES:
        return ResolverView(
            OS, Outcome.NOT_MEASURED, detail=LOCAL_CODES[seen.failure.code][0].word, seen=(seen,)
        )
    error = answer.error if isinstance(answer, OsAnswer) else "EAI_AGAIN"
    return ResolverView(OS, _OS_ERRORS.get(error, "servfail"), detail=error, seen=(seen,))


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
    """The end of a CNAME chain. Possible error: a resolver that leads to another customer under one suffix of the
    private section (`cloudapp.net`) looks the same as one that does not. Different addresses are no finding, so
    nothing is lost."""
    return zone(name)


def _word_text(word: str) -> str:
    return WORDS.get(word, "resolves" if word == "ok" else word)


def view_text(view: ResolverView) -> str:
    """A resolver's result for the name, in words that follow the name."""
    return view.said or _word_text(view.word)

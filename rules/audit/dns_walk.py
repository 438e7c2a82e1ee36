"""The failing link of a CNAME chain: a name that a working resolver does not resolve is asked for link by link.

A resolver gives one error (SERVFAIL, REFUSED, silence) for a whole chain, whichever of its names fails. Type CNAME
shows one link at a time, because a resolver does not follow it (RFC 1034 section 3.6.2).

state    event                                       next state   result
CNAME n  n is an alias of m, which is new            CNAME m      one more link
CNAME n  n is an alias of m, which was visited       end          chain-loop at m
CNAME n  the twelfth link                            end          chain-too-long
CNAME n  m is in a zone with a failed name           end          m fails like that name
CNAME n  no answer                                   end          timeout at n
CNAME n  no alias, or an rcode                       A n
A n      an rcode, no address, or no answer          end          this failure, at n
A n      aliases, the last one m without an address  CNAME m      more links
A n      an address                                  end          every link resolves by itself
any      one second has passed                       end          the result so far

A question of a walk lasts a second at most (`probe/measure/kinds/dns_chain.py`), and none begins after the first
second: a name costs two. Walks begin when every name has resolved or failed. Each resolver has one walk at a time, in
the order of the rules. So a replay walks the same names as the live run, and early walks spare later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rules.audit.names import Names
from rules.audit.targets import Target
from rules.model.extended_errors import resolver_statement
from rules.model.kinds.dns_chain import Chain, DnsAnswer, DnsQuestion, Outcome, Record, outcome_of
from rules.model.observation import Observation
from rules.model.ruleset import Severity

#: Links of one walk. BIND and Unbound give up after 11.
MAX_LINKS = 12
#: Seconds of one walk after which it asks no further question.
NO_MORE = 1.0
#: Seconds of all walks at one resolver after which no further question is asked.
PATIENCE = 30.0
#: Errors that concern a whole zone: one walk finds the error, and other names of the zone need none.
_OF_THE_ZONE = (Outcome.SERVFAIL, Outcome.REFUSED, Outcome.TIMEOUT)
_NOTHING = (Outcome.NXDOMAIN, Outcome.NO_ADDRESS)

Seen = Callable[[DnsQuestion], Observation | None]


@dataclass(frozen=True, slots=True)
class DnsWalk:
    """How far the walk along one name's CNAME chain came. `ask`: the question whose answer is needed; None after the
    end.

    `outcome`: the result of the name `at`. RESOLVED: every link resolves by itself. NOT_MEASURED: the time was over.
    """

    resolver: str
    name: str
    at: str
    links: tuple[Record, ...] = ()
    outcome: Outcome = Outcome.NOT_MEASURED
    answer: DnsAnswer | None = None  # the answer that ended it
    like: str = ""  # an earlier walk met this failure at another name of the same zone
    questions: tuple[DnsQuestion, ...] = ()
    spent: float = 0.0  # seconds
    ask: DnsQuestion | None = None

    @property
    def found(self) -> bool:
        """Whether the walk shows more than the name's own answer did."""
        return bool(self.links) and self.ask is None and self.outcome is not Outcome.NOT_MEASURED


def follow_links(chain: Chain, first: DnsAnswer | None, seen: Seen, broken: Mapping[str, DnsWalk]) -> DnsWalk:
    """Continue from the end of `chain`, whose answer there was `first`, as far as the known answers go.

    `broken`: zones with a name that is known to fail, each with the walk that found it.
    """
    met = {chain.name, *(link.value for link in chain.links)}
    dns_walk = DnsWalk(chain.resolver, chain.name, chain.end, chain.links)
    while True:
        if dns_walk.links and (known := broken.get(parent(dns_walk.at))) is not None:
            return _as_known(dns_walk, known)
        asked = seen(_question(dns_walk, "CNAME"))
        if asked is None:
            return _asking(dns_walk, "CNAME")
        dns_walk = _counted(dns_walk, asked)
        answer = asked.evidence if isinstance(asked.evidence, DnsAnswer) else None
        links = _aliases(answer, dns_walk.at)
        if not links:
            if answer is None:
                return replace(dns_walk, outcome=outcome_of(asked.failure))
            ended = _by_address(dns_walk, chain, first, seen)
            if ended.ask is not None or ended.links == dns_walk.links:
                return ended
            links, dns_walk = ended.links[len(dns_walk.links) :], replace(ended, links=dns_walk.links)
        for link in links:
            dns_walk = replace(dns_walk, links=(*dns_walk.links, link), at=link.value)
            if link.value in met:
                return replace(dns_walk, outcome=Outcome.LOOP)
            if len(dns_walk.links) >= MAX_LINKS:
                return replace(dns_walk, outcome=Outcome.TOO_LONG)
            met.add(link.value)


def _as_known(dns_walk: DnsWalk, known: DnsWalk) -> DnsWalk:
    """Another walk ended at this name, or at a name of the same zone."""
    like = known.at if known.at != dns_walk.at else ""
    questions = (*dns_walk.questions, *known.questions[-2:])
    answer = None if like else known.answer
    return replace(dns_walk, outcome=known.outcome, answer=answer, like=like, questions=questions)


def _by_address(dns_walk: DnsWalk, chain: Chain, first: DnsAnswer | None, seen: Seen) -> DnsWalk:
    """The result of an A question for the current name: it ends the walk or leads on by aliases."""
    answer = first
    if dns_walk.at != chain.end:
        asked = seen(_question(dns_walk, "A"))
        if asked is None:
            return _asking(dns_walk, "A")
        dns_walk = _counted(dns_walk, asked)
        answer = asked.evidence if isinstance(asked.evidence, DnsAnswer) else None
        if answer is None:
            return replace(dns_walk, outcome=outcome_of(asked.failure))
    elif answer is None:
        return replace(dns_walk, outcome=Outcome.TIMEOUT)
    if any(record.type == "A" for record in answer.records):
        return replace(dns_walk, outcome=Outcome.RESOLVED, answer=answer)
    links = _aliases(answer, dns_walk.at)
    if links and dns_walk.at != chain.end:
        return replace(dns_walk, links=(*dns_walk.links, *links))
    return replace(dns_walk, outcome=_RCODES.get(answer.rcode, Outcome.SERVFAIL), answer=answer)


_RCODES = {
    "NOERROR": Outcome.NO_ADDRESS,
    "NXDOMAIN": Outcome.NXDOMAIN,
    "SERVFAIL": Outcome.SERVFAIL,
    "REFUSED": Outcome.REFUSED,
}


def _aliases(answer: DnsAnswer | None, name: str) -> tuple[Record, ...]:
    """The links of an answer from `name` on, up to the limit of a walk; a loop is followed once."""
    if answer is None:
        return ()
    by_owner = {record.name: record for record in answer.records if record.type == "CNAME"}
    links: list[Record] = []
    while (link := by_owner.pop(name, None)) is not None and len(links) < MAX_LINKS:
        links.append(link)
        name = link.value
    return tuple(links)


def _question(dns_walk: DnsWalk, rtype: str) -> DnsQuestion:
    return DnsQuestion(dns_walk.resolver, dns_walk.at, "CNAME" if rtype == "CNAME" else "A", walk=True)


def _asking(dns_walk: DnsWalk, rtype: str) -> DnsWalk:
    """The next question, if there is time for it."""
    return dns_walk if dns_walk.spent > NO_MORE else replace(dns_walk, ask=_question(dns_walk, rtype))


def _counted(dns_walk: DnsWalk, asked: Observation) -> DnsWalk:
    assert isinstance(asked.step, DnsQuestion)
    spent = dns_walk.spent + round(asked.elapsed, 6)  # the number that a recording keeps
    return replace(dns_walk, questions=(*dns_walk.questions, asked.step), spent=spent)


def parent(name: str) -> str:
    """The name without its first label, as a guess of its zone. A wrong guess costs one walk or spares one."""
    return name.partition(".")[2]


class ChainWalks:
    """All walks of an audit: questions out, observations in. One name at a time at each resolver."""

    def __init__(self) -> None:
        self._seen: dict[DnsQuestion, Observation] = {}
        self._waiting: dict[str, list[tuple[Chain, DnsAnswer | None]]] = {}
        self._walks: dict[tuple[str, str], DnsWalk] = {}
        self._whole: set[tuple[str, str, Outcome]] = set()  # resolver, zone, the result of each name
        self._broken: dict[str, dict[str, DnsWalk]] = {}
        self._spent: dict[str, float] = {}

    def begin(self, chains: Iterable[tuple[Chain, DnsAnswer | None]]) -> tuple[DnsQuestion, ...]:
        """Walk these failed chains, each from its last answer."""
        for chain, first in chains:
            self._waiting.setdefault(chain.resolver, []).append((chain, first))
        return tuple(q for resolver in self._waiting if (q := self._advance(resolver)) is not None)

    def record(self, seen: Observation) -> tuple[DnsQuestion, ...]:
        """Take an answer."""
        assert isinstance(seen.step, DnsQuestion)
        self._seen[seen.step] = seen
        question = self._advance(seen.step.resolver)
        return (question,) if question is not None else ()

    def finished(self, resolver: str, host: str) -> DnsWalk | None:
        """The finished walk of a name at a resolver, if there was one."""
        dns_walk = self._walks.get((resolver, host))
        return dns_walk if dns_walk is not None and dns_walk.ask is None else None

    def observations(self, dns_walk: DnsWalk) -> tuple[Observation, ...]:
        """The answers that support the walk's result."""
        return tuple(self._seen[q] for q in dns_walk.questions if q in self._seen)

    def questions(self) -> dict[DnsQuestion, str]:
        """Every question of a walk, with the name at the head of its chain (the first name, where several share the
        question)."""
        found: dict[DnsQuestion, str] = {}
        for dns_walk in self._walks.values():
            for question in (*dns_walk.questions, *((dns_walk.ask,) if dns_walk.ask else ())):
                found.setdefault(question, dns_walk.name)
        return found

    def _advance(self, resolver: str) -> DnsQuestion | None:
        """Continue with the first waiting name. Return the next question, or None when no name is left."""
        waiting = self._waiting.get(resolver, [])
        while waiting:
            chain, first = waiting[0]
            group = (resolver, parent(chain.end), fault_of(chain, first))
            spared = (group in self._whole and not chain.links) or self._spent.get(resolver, 0.0) > PATIENCE
            if not spared:
                dns_walk = follow_links(chain, first, self._seen.get, self._broken.setdefault(resolver, {}))
                self._walks[resolver, chain.name] = dns_walk
                if dns_walk.ask is not None:
                    return dns_walk.ask
                self._note(dns_walk, group)
            waiting.pop(0)
        return None

    def _note(self, dns_walk: DnsWalk, group: tuple[str, str, Outcome]) -> None:
        """Keep what a finished walk spares the next ones."""
        self._spent[dns_walk.resolver] = self._spent.get(dns_walk.resolver, 0.0) + dns_walk.spent
        if not dns_walk.links:
            self._whole.add(group)
        elif dns_walk.outcome in _OF_THE_ZONE and not dns_walk.like:
            self._broken[dns_walk.resolver].setdefault(parent(dns_walk.at), dns_walk)


def fault_of(chain: Chain, last: DnsAnswer | None) -> Outcome:
    """The failure of the name at the end of a chain, also below an alias."""
    if chain.outcome is not Outcome.CHAIN_BROKEN:
        return chain.outcome
    return _RCODES.get(last.rcode, Outcome.SERVFAIL) if last is not None else Outcome.TIMEOUT


def failing_chains(names: Names, targets: Sequence[Target]) -> Iterator[tuple[Chain, DnsAnswer | None]]:
    """Failed chains that are worth a walk, in the order of the rules, each with its last answer.

    Left out are stale samples (their siblings resolve) and rows that never weigh more than a notice.
    """
    by_host: dict[str, list[Target]] = {}
    for target in targets:
        if target.host is not None:
            by_host.setdefault(target.host, []).append(target)
    for resolver in names.resolvers:
        health = names.health[resolver]
        if health.dead:
            continue
        found = {host: [c for c in names.chains(host) if c.resolver == resolver] for host in by_host}
        good = {host for host, chains in found.items() if any(c.addresses for c in chains)}
        alive = {(t.id, t.port) for host in good for t in by_host[host] if t.sample}
        for host, chains in found.items():
            chain = next((c for c in chains if c.rtype == "A" and c.questions), None)
            if host in good or chain is None:
                continue
            seen = names.seen(chain.questions[-1])
            last = seen.evidence if seen is not None and isinstance(seen.evidence, DnsAnswer) else None
            stale = all(
                t.rule.severity is not Severity.REQUIRED or (t.sample and (t.id, t.port) in alive)
                for t in by_host[host]
            )
            if walkable(chain, last, bool(health.answered), stale):
                yield chain, last


def walkable(chain: Chain, last: DnsAnswer | None, answered: bool, stale: bool = False) -> bool:
    """Whether a walk may show more than the chain does. `answered`: the resolver answers other names.

    `stale`: the name may no longer exist. Below an alias, NXDOMAIN and "no address" describe the alias's own end (RFC
    6604 section 3). A resolver that states why it does not answer has already given the result of a walk.
    """
    fault = fault_of(chain, last)
    if fault in _NOTHING:
        return not chain.links and not stale and resolver_statement(last, resolved=False) is None
    if fault is Outcome.TIMEOUT:
        return answered
    return fault in _OF_THE_ZONE and resolver_statement(last, resolved=False) is None

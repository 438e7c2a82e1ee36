"""The addresses of a name: every resolver is asked, CNAME chains are followed, a dead resolver is noticed once.

A state machine without sockets: questions out, observations in. A resolver is dead when it has answered nothing and
several questions timed out. Its open questions are then dropped, so that a dead resolver costs one time limit in
total and not one per name.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from rules.model.extended_errors import resolver_statement
from rules.model.failure import LOCAL_CODES, Code, Failure, Stage
from rules.model.kinds.dns_chain import (
    NO_ANSWER,
    OS,
    Chain,
    DnsAnswer,
    DnsQuestion,
    Outcome,
    RecordType,
    follow_chain,
)
from rules.model.kinds.os_lookup import NO_SERVER, OsAnswer, OsLookup
from rules.model.observation import Observation

#: Number of failed questions, with none answered, before a resolver counts as dead.
DEAD_AFTER = 3
#: The same for the operating system while a resolver answers: a fault of a few names need not affect the rest.
OS_DEAD_AFTER = 8
#: Seconds after which a temporary failure of the operating system's resolution means that no server answered.
SLOW = 0.9
FAMILIES: tuple[RecordType, ...] = ("A", "AAAA")


@dataclass(slots=True)
class Health:
    """What a resolver has shown so far. `known_dead`: the caller already knows whether it is dead."""

    answered: int = 0
    failed: int = 0
    reasons: set[Code] = field(default_factory=set)
    needed: int = DEAD_AFTER
    known_dead: bool | None = None

    @property
    def dead(self) -> bool:
        if self.known_dead is not None:
            return self.known_dead
        return not self.answered and self.failed >= self.needed


@dataclass(frozen=True, slots=True)
class Progress:
    """The effect of an observation: questions to ask now, and hosts whose resolution is complete."""

    ask: tuple[DnsQuestion | OsLookup, ...] = ()
    resolved: tuple[str, ...] = ()


class Names:
    """Resolution of many names at several resolvers and through the operating system."""

    def __init__(self, resolvers: tuple[str, ...], dead: frozenset[str] | None = None) -> None:
        """`dead`: the resolvers (and OS) that do not answer now, if more than these answers shows it."""
        self.resolvers = resolvers
        self.health: dict[str, Health] = {r: Health() for r in resolvers}
        self.health[OS] = Health(needed=OS_DEAD_AFTER if resolvers else DEAD_AFTER)
        if dead is not None:
            for resolver, health in self.health.items():
                health.known_dead = resolver in dead
        self._seen: dict[DnsQuestion, Observation] = {}
        self._os: dict[str, Observation] = {}
        self._chains: dict[tuple[str, str, RecordType], Chain] = {}
        self._by_host: dict[str, list[tuple[str, str, RecordType]]] = defaultdict(list)
        self._waiting: dict[DnsQuestion, set[tuple[str, str, RecordType]]] = {}
        self._open: dict[str, int] = {}

    def ask(self, host: str) -> Progress:
        """Begin to resolve a name; no effect for a name already begun."""
        if host in self._open:
            return Progress()
        self._open[host] = 1 + len(self.resolvers) * len(FAMILIES)
        ask: list[DnsQuestion | OsLookup] = []
        done: list[str] = []
        if self.health[OS].dead:
            self._close(host, done)
        else:
            ask.append(OsLookup(host))
        for resolver in self.resolvers:
            for rtype in FAMILIES:
                key = (host, resolver, rtype)
                self._by_host[host].append(key)
                self._advance(key, ask, done)
        return Progress(tuple(ask), tuple(done))

    def record(self, seen: Observation) -> Progress:
        """Take an answer."""
        ask: list[DnsQuestion | OsLookup] = []
        done: list[str] = []
        if isinstance(seen.step, OsLookup):
            self._record_os(seen, seen.step, ask, done)
        elif isinstance(seen.step, DnsQuestion):
            self._record_dns(seen, seen.step, ask, done)
        return Progress(tuple(ask), tuple(done))

    def wanted(self, step: DnsQuestion | OsLookup) -> bool:
        """Whether a question is still worth asking."""
        return not self.health[OS if isinstance(step, OsLookup) else step.resolver].dead

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every name begun."""
        return tuple(self._open)

    def complete(self, host: str) -> bool:
        return self._open.get(host) == 0

    def chains(self, host: str) -> tuple[Chain, ...]:
        """Chains of `host`, by resolver in order, A before AAAA."""
        return tuple(self._chains[key] for key in self._by_host.get(host, ()) if key in self._chains)

    def os_answer(self, host: str) -> Observation | None:
        return self._os.get(host)

    def seen(self, question: DnsQuestion) -> Observation | None:
        """The observation of a question; of its repeat, if there was one."""
        return self._seen.get(replace(question, attempt=2)) or self._seen.get(question)

    def links(self, host: str) -> tuple[DnsQuestion, ...]:
        """Questions for every later name of the CNAME chains of `host`, each by itself, that have not been asked yet."""
        wanted: dict[DnsQuestion, None] = {}
        for chain in self.chains(host):
            if chain.rtype == "A":
                for link in chain.links:
                    wanted[DnsQuestion(chain.resolver, link.value, "A")] = None
        return tuple(q for q in wanted if q not in self._seen and not self.health[q.resolver].dead)

    def _record_os(
        self, seen: Observation, step: OsLookup, ask: list[DnsQuestion | OsLookup], done: list[str]
    ) -> None:
        health = self.health[OS]
        answer = seen.evidence
        error = answer.error if isinstance(answer, OsAnswer) else ""
        if seen.failure is not None and seen.failure.code in LOCAL_CODES:
            pass  # a fault of this host or a bug of ours says nothing about the resolution
        elif seen.failure is not None or (error in NO_SERVER and seen.elapsed >= SLOW):
            health.failed += 1
        elif (
            error not in NO_SERVER
        ):  # a quick EAI_AGAIN may be one refused name: it says nothing about the rest
            health.answered += 1
        unanswered = seen.failure is not None or error in NO_SERVER
        if unanswered and step.attempt == 1 and not health.dead:
            # A name that the system cannot resolve is as bad as a blocked one.
            ask.append(replace(step, attempt=2))
        elif step.name not in self._os:
            self._os[step.name] = seen
            self._close(step.name, done)
        if health.dead:
            for host in [h for h, left in self._open.items() if left and h not in self._os]:
                self._os[host] = replace(seen, step=OsLookup(host), evidence=None, failure=_dead(OS))
                self._close(host, done)

    def _record_dns(
        self, seen: Observation, step: DnsQuestion, ask: list[DnsQuestion | OsLookup], done: list[str]
    ) -> None:
        self._seen[step] = seen
        health = self.health[step.resolver]
        if seen.failure is not None and seen.failure.code in NO_ANSWER:
            health.failed += 1
            health.reasons.add(seen.failure.code)
        elif seen.failure is None or seen.failure.code not in LOCAL_CODES:
            health.answered += 1
        first = replace(step, attempt=1)
        if step.attempt == 1 and _doubtful(seen) and not health.dead:
            ask.append(replace(step, attempt=2))
            return
        for key in sorted(self._waiting.pop(first, ())):
            self._advance(key, ask, done)
        if health.dead:
            self._bury(step.resolver, done)

    def _bury(self, resolver: str, done: list[str]) -> None:
        if all(self.health[r].dead for r in self.resolvers):
            self.health[OS].needed = DEAD_AFTER
        for question in [q for q in self._waiting if q.resolver == resolver]:
            for key in sorted(self._waiting.pop(question)):
                host, _, rtype = key
                outcome = (
                    Outcome.TIMEOUT if Code.TIMEOUT in self.health[resolver].reasons else Outcome.UNREACHABLE
                )
                self._chains[key] = Chain(
                    resolver, host, rtype, outcome=outcome, at=host, detail="resolver is dead"
                )
                self._close(host, done)

    def _advance(
        self, key: tuple[str, str, RecordType], ask: list[DnsQuestion | OsLookup], done: list[str]
    ) -> None:
        host, resolver, rtype = key
        chain = follow_chain(resolver, host, rtype, self._lookup)
        if chain.ask is not None and not self.health[resolver].dead:
            waiting = self._waiting.setdefault(chain.ask, set())
            if not waiting:
                ask.append(chain.ask)
            waiting.add(key)
            return
        if chain.ask is not None:
            chain = replace(chain, ask=None, outcome=Outcome.TIMEOUT, detail="resolver is dead")
        # return the same question objects: equal copies for thousands of names would take megabytes
        self._chains[key] = replace(chain, questions=tuple(map(self._asked, chain.questions)))
        self._close(host, done)

    def _asked(self, question: DnsQuestion) -> DnsQuestion:
        seen = self._seen.get(question)
        return seen.step if seen is not None and isinstance(seen.step, DnsQuestion) else question

    def _lookup(self, question: DnsQuestion) -> tuple[DnsAnswer | None, Failure | None] | None:
        seen = self.seen(question)
        if seen is None or (
            seen.step.attempt == 1 and _doubtful(seen) and not self.health[question.resolver].dead
        ):
            return None  # not asked, or asked again without an answer yet
        return (seen.evidence if isinstance(seen.evidence, DnsAnswer) else None), seen.failure

    def _close(self, host: str, done: list[str]) -> None:
        if host in self._open:
            self._open[host] -= 1
            if self._open[host] == 0:
                done.append(host)


def _doubtful(seen: Observation) -> bool:
    """Whether to ask again: SERVFAIL and refusals may be temporary, unless the resolver states that they are its policy.

    A timeout was already retried several times.
    """
    if isinstance(seen.evidence, DnsAnswer):
        passes = seen.evidence.rcode not in ("NOERROR", "NXDOMAIN")
        return passes and resolver_statement(seen.evidence, resolved=False) is None
    return seen.failure is not None and seen.failure.code is Code.MALFORMED


def _dead(resolver: str) -> Failure:
    return Failure(Stage.DNS, Code.TIMEOUT, f"{resolver}: no answer to any name")

"""DNS: one question, its answer, and the CNAME chain of several answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, TypeAlias

from rules.model.failure import Code, Failure
from rules.model.kind import Interval, Kind, Needs, Resolution, StageName

RecordType: TypeAlias = Literal["A", "AAAA", "CNAME"]
#: Failures that mean that nobody answered.
NO_ANSWER = frozenset({Code.TIMEOUT, Code.REFUSED, Code.UNREACHABLE, Code.NO_ROUTE, Code.DENIED})
OS = "os"  #: the operating system's name in lists of resolvers


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """Ask `resolver` (address literal, port 53) for `name` `rtype`, recursion desired (RFC 1035 section 4.1)."""

    resolver: str
    name: str  # A-label form, lower case, without the trailing dot
    rtype: RecordType
    attempt: int = 1
    walk: bool = False  # part of a walk along a failing chain: answered within a second, or not at all


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the answer section. `value`: a name for CNAME, an address for A and AAAA, else presentation format."""

    name: str
    type: str
    ttl: int  # seconds, clamped to 0..86400
    value: str


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A parsed response. A question without any acceptable response is an observation with a failure instead."""

    rcode: str  # "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", ... or "RCODE23"
    records: tuple[Record, ...] = ()
    ad: bool = False  # the resolver says it validated (reported, never relied on)
    # An SOA record says that the last name has no record of this type (RFC 2308 section 2.2).
    negative: bool = False
    truncated: bool = False  # the UDP answer had TC set
    transport: Literal["udp", "tcp"] = "udp"
    edns: bool = True  # False: the answer came only without EDNS (a network device drops it)
    tries: int = 1  # datagrams sent
    junk: int = 0  # datagrams dropped: wrong id, question, sender or not DNS
    ede: str = ""  # extended error (RFC 8914): code and text, through display()
    tcp_failure: str = ""  # truncated, and TCP 53 failed like this: the answer is what fitted in the datagram
    soa: str = ""  # owner of the first SOA record behind the answers: the zone whose server says no
    # Numbers of the extended errors in `ede`, in order; () in older recordings.
    ede_codes: tuple[int, ...] = ()


class Outcome(StrEnum):
    """The end of one name's resolution at one resolver. Values are the words of `dns.*` causes."""

    RESOLVED = "ok"
    NXDOMAIN = "nxdomain"
    NO_ADDRESS = "no-address"  # the name exists, without a record of this type (NODATA)
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    CHAIN_BROKEN = "chain-broken"  # a later name of the chain fails
    LOOP = "chain-loop"
    TOO_LONG = "chain-too-long"
    MALFORMED = "malformed"
    WRONG_SOURCE = "wrong-source"  # answers come from an address or port that was not asked
    TCP_BLOCKED = "tcp-blocked"  # truncated, and TCP 53 does not answer
    UNREACHABLE = "unreachable"  # no packet left this host, or ICMP came back
    NOT_MEASURED = "not-measured"  # a fault of this host or a bug of ours: it says nothing about the name


#: Longest chain that is followed. BIND and Unbound give up after 11, dnspython at 16.
MAX_LINKS = 16

Lookup: TypeAlias = Callable[[DnsQuestion], "tuple[DnsAnswer | None, Failure | None] | None"]


@dataclass(frozen=True, slots=True)
class Chain:
    """The CNAME chain from a name to its addresses at one resolver.

    `links` are the CNAMEs in order, `addresses` the records at the end. `ask` is the question whose answer is needed
    next; None when the chain has ended with `outcome` at the name `at`.
    """

    resolver: str
    name: str
    rtype: RecordType
    links: tuple[Record, ...] = ()
    addresses: tuple[Record, ...] = ()
    outcome: Outcome = Outcome.RESOLVED
    at: str = ""
    detail: str = ""
    questions: tuple[DnsQuestion, ...] = ()
    ask: DnsQuestion | None = None
    tcp_blocked: bool = False  # an earlier answer was truncated and TCP 53 failed
    sign: str = ""  # of the failure that ended it: `Failure.sign`

    @property
    def end(self) -> str:
        """The last name of the chain: the one that holds, or should hold, the addresses."""
        return self.links[-1].value if self.links else self.name


_RCODES = {"NXDOMAIN": Outcome.NXDOMAIN, "SERVFAIL": Outcome.SERVFAIL, "REFUSED": Outcome.REFUSED}
_CODES = {
    Code.TIMEOUT: Outcome.TIMEOUT,
    Code.REFUSED: Outcome.UNREACHABLE,
    Code.UNREACHABLE: Outcome.UNREACHABLE,
    Code.NO_ROUTE: Outcome.UNREACHABLE,
    Code.MALFORMED: Outcome.MALFORMED,
    Code.WRONG_SOURCE: Outcome.WRONG_SOURCE,
    Code.TOO_LARGE: Outcome.MALFORMED,
}


def follow_chain(resolver: str, name: str, rtype: RecordType, lookup: Lookup) -> Chain:
    """Follow `name` as far as the known answers go (RFC 1034 section 3.6.2, RFC 6604 for the rcode of a chain).

    `lookup` gives (answer, failure) of a question, or None if it has not been asked. A name that an answer leads to
    without resolving it is asked for by itself.
    """
    chain = Chain(resolver, name, rtype)
    current, visited = name, {name}
    while True:
        question = DnsQuestion(resolver, current, rtype)
        got = lookup(question)
        if got is None:
            return replace(chain, ask=question, at=current)
        answer, failure = got
        chain = replace(chain, questions=(*chain.questions, question), at=current)
        if answer is None:
            chain = replace(chain, sign=failure.sign if failure else "")
            return _ended(chain, outcome_of(failure), failure.detail if failure else "")
        chain, current, loop = _follow(chain, answer, current, visited)
        if loop:
            return replace(chain, outcome=Outcome.LOOP, at=current)
        if chain.addresses:
            return replace(chain, at=current)
        if len(chain.links) > MAX_LINKS:
            return replace(chain, outcome=Outcome.TOO_LONG, at=current)
        if answer.tcp_failure:
            broken = answer.tcp_failure == "malformed"  # an answer came, so the port is open
            ended = Outcome.MALFORMED if broken else Outcome.TCP_BLOCKED
            return _ended(replace(chain, at=current), ended, answer.tcp_failure)
        if answer.rcode != "NOERROR":
            ended = _RCODES.get(answer.rcode, Outcome.SERVFAIL)
            return _ended(replace(chain, at=current), ended, f"{answer.rcode} {answer.ede}".strip())
        if current == question.name or answer.negative:
            return _ended(replace(chain, at=current), Outcome.NO_ADDRESS, "")


def _follow(chain: Chain, answer: DnsAnswer, current: str, visited: set[str]) -> tuple[Chain, str, bool]:
    """Follow the aliases inside one answer. Return the longer chain, its last name, and whether it closed a loop."""
    aliases = {record.name: record for record in answer.records if record.type == "CNAME"}
    links = list(chain.links)
    blocked = chain.tcp_blocked or bool(answer.tcp_failure)
    while (alias := aliases.get(current)) is not None and len(links) <= MAX_LINKS:
        links.append(alias)
        current = alias.value
        if current in visited:
            return replace(chain, links=tuple(links), tcp_blocked=blocked), current, True
        visited.add(current)
    addresses = tuple(r for r in answer.records if r.name == current and r.type == chain.rtype)
    return replace(chain, links=tuple(links), addresses=addresses, tcp_blocked=blocked), current, False


def outcome_of(failure: Failure | None) -> Outcome:
    """The outcome of a question without an acceptable answer."""
    return _CODES.get(failure.code, Outcome.NOT_MEASURED) if failure else Outcome.NOT_MEASURED


def _ended(chain: Chain, outcome: Outcome, detail: str) -> Chain:
    """The chain ends here without an address. Below an alias that is a broken chain, for any reason."""
    broken = bool(chain.links) and outcome in (
        Outcome.NXDOMAIN,
        Outcome.SERVFAIL,
        Outcome.REFUSED,
        Outcome.TIMEOUT,
    )
    if broken:
        detail = f"{outcome.value} {detail}".strip()
        outcome = Outcome.CHAIN_BROKEN
    return replace(chain, outcome=outcome, detail=detail)


def _interval(step: DnsQuestion, needs: Needs) -> Interval | None:
    """A question for a link by itself, or for a name that is no target's, has an interval."""
    asked = step in needs.questions or step.name in needs.names
    return "extras" if step.attempt == 1 and (step.walk or not asked) else None


def _significant(answer: DnsAnswer) -> Hashable:
    records = frozenset((r.name, r.type, r.value) for r in answer.records)
    return (answer.rcode, records, answer.negative, answer.tcp_failure, answer.soa)


def _walk_of(
    step: DnsQuestion, answer_to: Callable[[DnsQuestion], DnsAnswer | None]
) -> Sequence[DnsQuestion]:
    found: list[DnsQuestion] = []
    name = step.name
    while (link := replace(step, name=name, rtype="CNAME", attempt=1, walk=True)) not in found:
        found.append(link)
        found.append(replace(link, rtype="A"))
        answer = answer_to(link)
        alias = (r for r in answer.records if r.type == "CNAME" and r.name == name) if answer else ()
        name = next((r.value for r in alias), name)
    return found


def _literals(answer: DnsAnswer) -> Iterable[tuple[str, str]]:
    for at, record in enumerate(answer.records):
        if record.type in ("A", "AAAA"):
            yield f"records[{at}].value", record.value


def resolved_in(elapsed: float, _: object, ok: bool) -> tuple[tuple[StageName, float], ...]:
    """The stage of a resolution: its whole duration in seconds."""
    return (("dns", elapsed),) if ok else ()


KIND: Kind[DnsQuestion, DnsAnswer] = Kind(
    word="dns_question",
    step=DnsQuestion,
    evidence=DnsAnswer,
    queue="dns",
    name=lambda step: step.name,
    resolution=Resolution(
        resolver=lambda step: step.resolver,
        addresses=lambda answer: tuple(r.value for r in answer.records if r.type in ("A", "AAAA")),
        aliased=lambda answer: answer.rcode == "NOERROR" and any(r.type == "CNAME" for r in answer.records),
        unanswered=lambda _: False,
        walks=lambda step: step.walk,
        walk_of=_walk_of,
    ),
    interval=_interval,
    ages=True,
    significant=_significant,
    literals=_literals,
    stages=resolved_in,
)

"""What of an observation can change a verdict. Two answers with the same essence are judged alike, but for the time.

The appliance asks the same questions again and again; only an answer with another essence is worth a new judgement.
What is left out on purpose: durations, TTLs, the order of records, our own ports, ciphers, and of headers everything
but what a judgement reads: the sort of document, and the signs of a page that somebody on the way wrote.

What a kind of question can say of its own evidence its record says (`Kind.significant`). Here stands what takes a judgement
to know, which the values of `rules/model` may not import: what a page is, how far the peer's clock is from ours.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from rules.http_answer.page import header, is_html, looks_like_block_page
from rules.judge.clock import skew_of
from rules.model.extended_errors import resolver_statement
from rules.model.failure import Failure
from rules.model.kind import Kind
from rules.model.kinds import dns_chain, http_fetch, tls_handshake
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, Step, kind_of
from rules.pki.ocsp import says_revoked

S = TypeVar("S", bound=Step)
E = TypeVar("E")

#: Seconds by which a Date header may differ from our clock before it counts, and the step in which more of it counts.
CLOCK_TOLERANCE = 60.0


def significant_part(seen: Observation) -> Hashable:
    """A value that is equal for answers that mean the same."""
    evidence = seen.evidence
    if evidence is None:
        return (_failure(seen.failure), None)
    kind = kind_of(seen.step)
    judged = _JUDGED.get(kind.word)
    more = judged(seen.step, evidence, seen) if judged is not None else None
    return (_failure(seen.failure), kind.significant(evidence), more)


def _failure(failure: Failure | None) -> Hashable:
    return (
        (failure.stage, failure.code, failure.alert, failure.icmp, failure.sign)
        if failure is not None
        else None
    )


def _policy(_: DnsQuestion, answer: DnsAnswer, _seen: Observation) -> Hashable:
    """The resolver's own word on why it does not answer; 0 without one."""
    policy = resolver_statement(answer, resolved=False)
    return policy.code if policy is not None else 0


def _handshake(_: TlsHandshake, facts: TlsFacts, seen: Observation) -> Hashable:
    revoked = facts.staple is not None and says_revoked(facts.staple)
    return (revoked, _clock(seen, facts.http_headers) if facts.http_headers else 0)


def _document(fetch: HttpFetch, exchange: HttpExchange, seen: Observation) -> Hashable:
    """What the headers say about the body: its sort, how it is packed, who seems to have written it."""
    page = looks_like_block_page(exchange, fetch.host)
    return (
        "html" in header(exchange, "content-type").lower(),
        is_html(exchange),
        header(exchange, "content-encoding"),
        (page.kind, page.vendor, bool(page.marks), bool(page.evidence)) if page is not None else None,
        _clock(seen, exchange.headers),
    )


def _clock(seen: Observation, headers: tuple[tuple[str, str], ...]) -> int:
    """By how many steps our clock differs from the time that the peer's headers tell; 0 where they tell none."""
    skew = skew_of(seen, headers)
    return int(skew / CLOCK_TOLERANCE) if skew is not None and abs(skew) >= 2 * CLOCK_TOLERANCE else 0


_Judged = Callable[[Any, Any, Observation], Hashable]


def _of(kind: Kind[S, E], judged: Callable[[S, E, Observation], Hashable]) -> tuple[str, _Judged]:
    """An entry of the table, whose function takes the step and the evidence of its kind."""
    return kind.word, judged


#: Kinds of whose evidence more counts than they can say themselves.
_JUDGED: Mapping[str, _Judged] = dict(
    (
        _of(dns_chain.KIND, _policy),
        _of(tls_handshake.KIND, _handshake),
        _of(http_fetch.KIND, _document),
    )
)

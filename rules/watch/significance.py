"""Which part of an observation can change a verdict. Two answers with the same significant part get the same verdict,
unless it depends on the time.

The service asks the same questions repeatedly; only an answer with another significant part needs a new judgement. Left
out on purpose: durations, TTLs, the order of records, our own ports, ciphers, and all headers that no judgement reads.
A judgement reads from headers the type of the document, and signs that a network device wrote the page.

The record of a kind says what it can about its own evidence (`Kind.significant`). This module adds the parts that need
a judgement, which `rules/model` may not import: what a page is, and how far the peer's clock is from ours.
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

#: A Date header counts from twice this many seconds of difference from our clock, and then in steps of this many
#: seconds.
CLOCK_TOLERANCE = 60.0


def significant_part(seen: Observation) -> Hashable:
    """A value that is equal for answers with the same meaning."""
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
    """The resolver's own reason for not answering; 0 without one."""
    policy = resolver_statement(answer, resolved=False)
    return policy.code if policy is not None else 0


def _handshake(_: TlsHandshake, facts: TlsFacts, seen: Observation) -> Hashable:
    revoked = facts.staple is not None and says_revoked(facts.staple)
    return (revoked, _clock(seen, facts.http_headers) if facts.http_headers else 0)


def _document(fetch: HttpFetch, exchange: HttpExchange, seen: Observation) -> Hashable:
    """What the headers say about the body: its type, its encoding, who seems to have written it."""
    page = looks_like_block_page(exchange, fetch.host)
    return (
        "html" in header(exchange, "content-type").lower(),
        is_html(exchange),
        header(exchange, "content-encoding"),
        (page.kind, page.vendor, bool(page.marks), bool(page.evidence)) if page is not None else None,
        _clock(seen, exchange.headers),
    )


def _clock(seen: Observation, headers: tuple[tuple[str, str], ...]) -> int:
    """By how many steps our clock differs from the time in the peer's headers; 0 without a time."""
    skew = skew_of(seen, headers)
    return int(skew / CLOCK_TOLERANCE) if skew is not None and abs(skew) >= 2 * CLOCK_TOLERANCE else 0


_Judged = Callable[[Any, Any, Observation], Hashable]


def _of(kind: Kind[S, E], judged: Callable[[S, E, Observation], Hashable]) -> tuple[str, _Judged]:
    """An entry of the table; its function takes the step and the evidence of the kind."""
    return kind.word, judged


#: Kinds whose evidence has significant parts beyond those in their record.
_JUDGED: Mapping[str, _Judged] = dict(
    (
        _of(dns_chain.KIND, _policy),
        _of(tls_handshake.KIND, _handshake),
        _of(http_fetch.KIND, _document),
    )
)

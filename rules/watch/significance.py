"""What of an observation can change a verdict. Two answers with the same essence are judged alike, but for the time.

The appliance asks the same questions again and again; only an answer with another essence is worth a new judgement.
What is left out on purpose: durations, TTLs, the order of records, our own ports, ciphers, and of headers everything
but what a judgement reads: the sort of document, and the signs of a page that somebody on the way wrote.
"""

from __future__ import annotations

from collections.abc import Hashable

from rules.http_answer.page import header, is_html, looks_like_block_page
from rules.judge.clock import skew_of
from rules.model.extended_errors import own_word
from rules.model.failure import Failure
from rules.model.kinds.dns_chain import DnsAnswer
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.os_lookup import OsAnswer
from rules.model.kinds.tls_handshake import TlsFacts
from rules.model.observation import Observation
from rules.pki.ocsp import says_revoked

#: Seconds by which a Date header may differ from our clock before it counts, and the step in which more of it counts.
CLOCK_TOLERANCE = 60.0


def essence(seen: Observation) -> Hashable:
    """A value that is equal for answers that mean the same."""
    failure, evidence = seen.failure, seen.evidence
    if failure is None and isinstance(evidence, TlsFacts):  # the answer that comes most often
        return (_tls(evidence), _clock(seen, evidence.http_headers) if evidence.http_headers else 0)
    return (_failure(failure), _evidence(seen))


def _failure(failure: Failure | None) -> Hashable:
    return (
        (failure.stage, failure.code, failure.alert, failure.icmp, failure.sign)
        if failure is not None
        else None
    )


def _evidence(seen: Observation) -> Hashable:
    match seen.evidence:
        case DnsAnswer() as answer:
            records = frozenset((r.name, r.type, r.value) for r in answer.records)
            policy = own_word(answer, resolved=False)
            said = policy.code if policy is not None else 0
            return (answer.rcode, records, answer.negative, answer.tcp_failure, answer.soa, said)
        case OsAnswer() as answer:
            return (frozenset(answer.addresses), answer.error)
        case TlsFacts() as facts:
            return (_tls(facts), _clock(seen, facts.http_headers))
        case HttpExchange() as exchange:
            return (
                exchange.status,
                exchange.sha256,
                _document(seen, exchange),
                _clock(seen, exchange.headers),
            )
        case other:
            return other  # facts of the host and of its stores are compared whole


def _document(seen: Observation, exchange: HttpExchange) -> Hashable:
    """What the headers say about the body: its sort, how it is packed, who seems to have written it."""
    page = looks_like_block_page(exchange, seen.step.host if isinstance(seen.step, HttpFetch) else "")
    return (
        "html" in header(exchange, "content-type").lower(),
        is_html(exchange),
        header(exchange, "content-encoding"),
        (page.kind, page.vendor, bool(page.marks), bool(page.evidence)) if page is not None else None,
    )


def _tls(facts: TlsFacts) -> Hashable:
    return (
        facts.chain,
        facts.version,
        facts.client_certificate_asked,
        facts.key_proven,
        facts.key_refuted,
        facts.certificate_sent,
        facts.http_status,
        facts.http_failure,
        bool(facts.first_bytes),
        facts.staple is not None and says_revoked(facts.staple),
    )


def _clock(seen: Observation, headers: tuple[tuple[str, str], ...]) -> int:
    """By how many steps our clock differs from the time that the peer's headers tell; 0 where they tell none."""
    skew = skew_of(seen, headers)
    return int(skew / CLOCK_TOLERANCE) if skew is not None and abs(skew) >= 2 * CLOCK_TOLERANCE else 0

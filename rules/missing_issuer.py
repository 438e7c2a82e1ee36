"""What came from the addresses where a chain's missing issuer should be: it decides what to do about the chain.

"page"         a web page comes in the certificate's place
"answered"     HTTP answers, and not with that certificate: an error, a redirect, another document
"no-answer"    port 80 opens there, and no whole answer comes
"not-asked"    port 80 opens there for other documents, and this one was not asked for
""             not asked for, or no connection opens
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from rules.context import Context
from rules.display import display
from rules.failure import Stage
from rules.fetches import Wanted
from rules.kinds.http_fetch import (
    HttpExchange,
    HttpFetch,
    failure_text,
    is_html,
    looks_like_block_page,
    page_text,
    unproved,
)
from rules.observation import Observation

Circumstance: TypeAlias = Literal["page", "answered", "no-answer", "not-asked", ""]
_MOST_TELLING: tuple[Circumstance, ...] = ("page", "answered", "no-answer")


def tries(context: Context, chain: tuple[bytes, ...]) -> tuple[Observation, ...]:
    """All that was asked at these addresses."""
    return tuple(seen for _, seen in _tries(context, chain))


def circumstance(context: Context, chain: tuple[bytes, ...]) -> Circumstance:
    """What was seen of them, the most telling of all tries."""
    asked = tries(context, chain)
    found = {_one(seen) for seen in asked}
    told = next((word for word in _MOST_TELLING if word in found), None)
    if told is not None:
        return told
    if not _opens(context, chain):
        return ""
    return "no-answer" if asked else "not-asked"


def details(context: Context, chain: tuple[bytes, ...]) -> tuple[tuple[str, str], ...]:
    """The same in words, for the evidence."""
    return tuple(
        dict.fromkeys(
            ("issuer's address", f"{display(url, 200)}: {_words(seen)}")
            for url, seen in _tries(context, chain)
        )
    )


def _tries(context: Context, chain: tuple[bytes, ...]) -> Iterator[tuple[str, Observation]]:
    for url in context.audit.chains.missing_at(chain):
        for seen in context.audit.fetches.results.get(Wanted(url, "aia"), ()):
            yield url, seen


def _one(seen: Observation) -> Circumstance:
    exchange = seen.evidence
    if isinstance(exchange, HttpExchange) and exchange.status is not None:
        if seen.failure is not None:
            return "no-answer"
        page = looks_like_block_page(exchange, _host(seen))
        if page is None or page.location or not is_html(exchange):
            return "answered"
        return "answered" if page.kind == "failed" or (page.kind == "refused" and unproved(page)) else "page"
    return "no-answer" if _opened(seen) else ""


def _opens(context: Context, chain: tuple[bytes, ...]) -> bool:
    """Whether port 80 was seen open at a host of these addresses, whatever was asked there."""
    hosts = {Wanted(url, "aia").host for url in context.audit.chains.missing_at(chain)}
    return any(_opened(seen) for seen in context.observations if _host(seen) in hosts)


def _opened(seen: Observation) -> bool:
    failure = seen.failure
    return isinstance(seen.step, HttpFetch) and (
        failure is None or failure.stage not in (Stage.TCP, Stage.LOCAL)
    )


def _host(seen: Observation) -> str:
    return seen.step.host if isinstance(seen.step, HttpFetch) else ""


def _words(seen: Observation) -> str:
    exchange, failure = seen.evidence, seen.failure
    if not isinstance(exchange, HttpExchange) or exchange.status is None:
        return failure_text(failure)
    if failure is not None:
        return f"HTTP {exchange.status}, then {failure_text(failure)}"
    page = looks_like_block_page(exchange, _host(seen))
    if page is not None:
        return page_text(page, exchange.status)
    reason = f" {display(exchange.reason, 60)}" if exchange.reason else ""
    return f"HTTP {exchange.status}{reason}, and no certificate of the issuer"

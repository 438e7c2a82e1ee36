"""What the addresses of a chain's missing issuer gave: it decides the remedy for the chain.

"page"         a web page came instead of the certificate
"answered"     HTTP answers, without that certificate: an error, a redirect, another document
"no-answer"    port 80 opens there, and no whole answer comes
"not-asked"    port 80 opens there for other documents, and this one was not asked for
""             not asked for, or no connection opens
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.audit.documents import DocumentRequest
from rules.http_answer.page import failure_text, is_html, looks_like_block_page, page_text, unproved
from rules.judge.evidence import Context
from rules.model.failure import Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.observation import Observation
from rules.text.display import display

Circumstance: TypeAlias = Literal["page", "answered", "no-answer", "not-asked", ""]
_MOST_TELLING: tuple[Circumstance, ...] = ("page", "answered", "no-answer")


@dataclass(frozen=True, slots=True)
class MissingIssuer:
    """The results at these addresses. `tries`: all requests there; `details`: the same in words, for the evidence."""

    circumstance: Circumstance = ""
    tries: tuple[Observation, ...] = ()
    details: tuple[tuple[str, str], ...] = ()


def missing_issuer(context: Context, chain: tuple[bytes, ...]) -> MissingIssuer:
    """The results at the addresses that a chain (DER, the server's first) names for its missing issuer."""
    wanted = {url: DocumentRequest(url, "aia") for url in context.audit.chains.missing_at(chain)}
    results = context.audit.fetches.results
    asked = [(url, seen) for url, one in wanted.items() for seen in results.get(one, ())]
    tries = tuple(seen for _, seen in asked)
    found = {_outcome_of(seen) for seen in tries}
    circumstance = next((word for word in _MOST_TELLING if word in found), None)
    if circumstance is None:
        hosts = {one.host for one in wanted.values()}
        opens = any(_opened(seen) for seen in context.observations if _host(seen) in hosts)
        circumstance = ("no-answer" if tries else "not-asked") if opens else ""
    lines = (("issuer's address", f"{display(url, 200)}: {_words(seen)}") for url, seen in asked)
    return MissingIssuer(circumstance, tries, tuple(dict.fromkeys(lines)))


def _outcome_of(seen: Observation) -> Circumstance:
    exchange = seen.evidence
    if isinstance(exchange, HttpExchange) and exchange.status is not None:
        if seen.failure is not None:
            return "no-answer"
        page = looks_like_block_page(exchange, _host(seen))
        if page is None or page.location or not is_html(exchange):
            return "answered"
        return "answered" if page.kind == "failed" or (page.kind == "refused" and unproved(page)) else "page"
    return "no-answer" if _opened(seen) else ""


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

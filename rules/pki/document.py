"""Why an exchange over port 80 brought no document: no HTTP answer, a page instead, a status, a redirect, a coding.

This holds for a CRL and for an OCSP answer alike; `revocation.py` and `ocsp.py` judge the body itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.http_answer.page import (
    CIRCUMSTANCES,
    content_coding,
    failure_cause,
    failure_text,
    header,
    looks_like_block_page,
    page_cause,
    page_text,
    unproved,
)
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import LOCAL_CODES, Code, Failure, Stage
from rules.model.kinds.http_fetch import BlockPage, HttpExchange
from rules.model.verdict import Status
from rules.pki.crl_form import find_list
from rules.pki.long_list import begins_as_list
from rules.text.display import display


@dataclass(frozen=True, slots=True)
class Fault:
    """What came instead of the document.

    `reachable`: HTTP answered. `circumstance`: the observed fact about the cause, "" for none: "cut" (the answer
    began), "host-redirects" (within its own zone), "other-zone" (the redirect leads out of it), "page" (a web page
    came), "proxy-failed" (a proxy on the path cannot fetch from the host).
    """

    cause: Cause
    status: Status
    summary: str
    reachable: bool = True
    page: BlockPage | None = None
    circumstance: str = ""


def answered(
    exchange: HttpExchange | None, failure: Failure | None, host: str, check: str, word: str
) -> HttpExchange | Fault:
    """The exchange, if it may have brought the document; else why it did not.

    `check` is "crl" or "ocsp", `word` the document's name in a sentence. If no connection opened, the cause is
    "<check>.unreachable". If one opened and HTTP failed, it is `http.timeout`, `http.reset` or `http.malformed`: port
    80 is open, and something behind it drops, cuts or replaces the answer.
    """
    if exchange is None or exchange.status is None:
        return _no_answer(failure, check, word)
    page = looks_like_block_page(exchange, host)
    if page is not None and page.kind == "refused" and unproved(page):
        return replace(_status(exchange, host), page=page)
    if page is not None:
        cause = (
            (causes.CRL_NOT_A_CRL if check == "crl" else causes.OCSP_NOT_OCSP)
            if page.kind == "page"
            else page_cause(page)
        )
        text = page_text(page, exchange.status)
        circumstance = "page" if page.kind == "page" else CIRCUMSTANCES.get(page.kind, "")
        return Fault(cause, Status.FAIL, text, page=page, circumstance=circumstance)
    if exchange.status != 200:
        return _status(exchange, host)
    coding = content_coding(exchange)
    if coding:
        return Fault(causes.HTTP_COMPRESSED, Status.FAIL, f"the {word} came compressed ({coding}), although the request asked "
                     "for it as it is; whether the server or a network device packed it does not show")  # fmt: skip
    if failure is not None and failure.code is not Code.TOO_LARGE:
        return _not_whole(exchange, failure, check, word)
    cut = exchange.body is not None and exchange.size > len(exchange.body)
    # of a long body that is no list only the beginning is kept: enough to recognise it
    if failure is not None or (cut and (check == "ocsp" or _long_list(exchange))):
        return _too_large(exchange, check)
    return exchange


def _long_list(exchange: HttpExchange) -> bool:
    """Whether a long body may be a whole list that could not be kept. Its length must match its own header."""
    return begins_as_list(exchange.body or b"") and find_list(exchange) is None


def _no_answer(failure: Failure | None, check: str, word: str) -> Fault:
    # A fault of this host or a bug of ours is no block.
    if failure is not None and failure.code in LOCAL_CODES:
        cause, why = LOCAL_CODES[failure.code]
        return Fault(cause, Status.INCONCLUSIVE, f"no {word}: {why}", reachable=False)
    if failure is not None and failure.stage is Stage.HTTP:
        text = f"no {word}: TCP opened, then {failure_text(failure)}"
        return Fault(failure_cause(failure), Status.FAIL, text, reachable=False)
    return Fault(unreachable(check), Status.FAIL, f"no {word}: {failure_text(failure)}", reachable=False)


def unreachable(check: str) -> Cause:
    """The cause of a document for which no connection opened. `check` is "crl" or "ocsp"."""
    return causes.CRL_UNREACHABLE if check == "crl" else causes.OCSP_UNREACHABLE


def _status(exchange: HttpExchange, host: str) -> Fault:
    """An error or a redirect without a sign of a device. RFC 5280 section 8: a list behind https may recurse without
    end, because its server's certificate has to be checked first. Whether Windows follows a redirect for a list is
    unknown (no Microsoft page says it), so it is a finding, and the publisher's own."""
    location = display(header(exchange, "location"), 200)
    if location and exchange.status is not None and 300 <= exchange.status < 400:
        if not host:
            text = f"the request is sent elsewhere, to {location} (not followed)"
            return Fault(causes.HTTP_REDIRECTED, Status.FAIL, text)
        secure = location.lower().startswith("https:")
        more = "; for a list over https its server's certificate has to be checked first" if secure else ""
        text = (
            f"the host itself sends the request to {location} (HTTP {exchange.status}, not followed; whether Windows "
            f"follows is not known){more}"
        )
        return Fault(causes.HTTP_REDIRECTED, Status.FAIL, text, circumstance="host-redirects")
    reason = f" {display(exchange.reason, 60)}" if exchange.reason else ""
    return Fault(causes.HTTP_STATUS, Status.FAIL, f"the host answers HTTP {exchange.status}{reason}")


def _too_large(exchange: HttpExchange, check: str) -> Fault:
    if check == "ocsp":
        text = f"what came is no OCSP answer: it is larger than what is read ({exchange.size} bytes came)"
        return Fault(causes.OCSP_NOT_OCSP, Status.FAIL, text)
    text = f"more came than is read, and no whole list ({exchange.size} bytes): not judged"
    return Fault(causes.CRL_TOO_LARGE, Status.INCONCLUSIVE, text)


def _not_whole(exchange: HttpExchange, failure: Failure, check: str, word: str) -> Fault:
    if failure.code in LOCAL_CODES:
        cause, why = LOCAL_CODES[failure.code]
        return Fault(cause, Status.INCONCLUSIVE, f"the {word} did not come whole: {why}")
    text = f"the {word} did not come whole ({exchange.size} bytes): {failure_text(failure)}"
    cause = failure_cause(failure) if failure.stage is Stage.HTTP else unreachable(check)
    return Fault(cause, Status.FAIL, text, circumstance="cut")

"""Verdicts on addresses: TCP, TLS and HTTP of every address of a target."""

from __future__ import annotations

from collections.abc import Iterator

from rules.audit.addresses import Candidate
from rules.audit.guard import is_v6
from rules.audit.targets import Target
from rules.http_answer.page import judge_reach, oddities
from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.judge.revocation import judge_document
from rules.judge.revocation_sources import page_detail
from rules.judge.tls import judge_tls
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import LOCAL_CODES, Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, got_through
from rules.model.verdict import Check, Endpoint, Status, Verdict


def judge_address(context: Context, target: Target, candidate: Candidate) -> Iterator[Verdict]:
    """All verdicts of one address: TCP first, then TLS and HTTP."""
    step = context.audit.step_for(target, candidate.address)
    attempts = context.seen(step)
    shared = bool(attempts) and all(s.stale for s in attempts)  # the document came from another address
    if not attempts or (shared and _out_of_reach(context, candidate)):
        yield _unreached(context, target, candidate)
        return
    if shared and isinstance(step, HttpFetch):  # the path to this address was not tested
        yield _over_http(context, target, candidate, step, attempts)
        return
    opened = next((s for s in reversed(attempts) if _opened(s)), None)
    if opened is None:
        yield _tcp_failed(context, target, candidate, attempts)
        return
    yield _tcp_opened(context, target, candidate, attempts, opened)
    usable = tuple(s for s in attempts if _opened(s))
    if isinstance(step, TlsHandshake):
        tls = judge_tls(context, target, candidate.address, usable)
        yield tls
        yield from _inside(context, target, candidate.address, usable, tls)
    else:
        yield _over_http(context, target, candidate, step, usable)


def address_verdict(
    context: Context,
    target: Target,
    address: str,
    check: Check,
    status: Status,
    cause: Cause,
    summary: str,
    seen: tuple[Observation, ...] = (),
    circumstance: str = "",
    details: tuple[tuple[str, str], ...] = (),
) -> Verdict:
    """A verdict on an address of a target. `circumstance`: the observed fact that decides the remedy."""
    assert target.host is not None
    return Verdict(
        target.id,
        target.rule.title,
        Endpoint(target.host, target.port, address),
        check,
        status,
        cause,
        summary,
        remedy(cause, circumstance, port=target.port) if status in _ACTED_ON else "",
        target.rule.severity.value,
        target.rule.citation.id,
        context.evidence(*seen),
        target.rule.group.value,
        details,
        circumstance,
    )


#: Statuses that require an action.
_ACTED_ON = (Status.WARN, Status.FAIL)


def _opened(seen: Observation) -> bool:
    return seen.failure is None or seen.failure.stage not in (Stage.TCP, Stage.LOCAL, Stage.PROXY)


def _out_of_reach(context: Context, candidate: Candidate) -> bool:
    """Whether nothing gets through over the address's family."""
    guard = context.audit.guard
    return guard.family_broken(is_v6(candidate.address)) and candidate.address not in guard.opened


#: Why an audit that stopped early did not ask.
_STOPPED = {
    "interrupted": "the audit was interrupted",
    "budget": "the time ran out first",
    "sweep": "too many hosts had met silence or a reset",
}


def _unreached(context: Context, target: Target, candidate: Candidate) -> Verdict:
    status, cause = Status.INCONCLUSIVE, context.audit.unasked
    why = _STOPPED.get(context.audit.stopped, "no answer is recorded")
    if _out_of_reach(context, candidate):
        status, cause = Status.NOT_APPLICABLE, causes.PATH_FAMILY_BROKEN
        why = f"{'IPv6' if is_v6(candidate.address) else 'IPv4'} goes nowhere on this host"
    elif context.audit.guard.sweep:
        cause = causes.PATH_SWEEP_DETECTED
        why = "a firewall had begun to drop this host's traffic"
    return address_verdict(context, target, candidate.address, "tcp", status, cause, f"not tried: {why}")


def _tcp_failed(
    context: Context, target: Target, candidate: Candidate, attempts: tuple[Observation, ...]
) -> Verdict:
    failure = attempts[-1].failure or Failure(Stage.TCP, Code.TIMEOUT)
    guard = context.audit.guard
    details: tuple[tuple[str, str], ...] = ()
    if failure.code in LOCAL_CODES:
        cause, why = LOCAL_CODES[failure.code]
        status = Status.BROKEN if failure.code is Code.BUG else Status.INCONCLUSIVE
        detail = "" if failure.detail == why else failure.detail
        what = f": {why} {detail}".rstrip()
    elif guard.family_broken(is_v6(candidate.address)):
        status, cause = Status.NOT_APPLICABLE, causes.PATH_FAMILY_BROKEN
        what = " fails like every address of its family"
    elif guard.sweep and failure.code is Code.TIMEOUT:
        status, cause = Status.INCONCLUSIVE, causes.PATH_SWEEP_DETECTED
        what = " got no answer, after a firewall began to drop this host's traffic"
    else:
        status = Status.FAIL
        cause, why = _tcp_cause(context, failure)
        what = f" {why}"
        sender = failure.icmp.sender if failure.icmp else None
        hop = (("sent by", sender),) if sender else ()
        details = (("tries", _tries(attempts, cause)), *hop, *_flow(attempts))
    summary = f"TCP to {candidate.address} port {target.port}{what}"
    return address_verdict(
        context, target, candidate.address, "tcp", status, cause, summary, attempts, details=details
    )


def _tries(attempts: tuple[Observation, ...], cause: Cause) -> str:
    elapsed = attempts[-1].elapsed
    if cause == causes.TCP_TIMEOUT:
        took = f"each waited {elapsed:.1f} s"
    else:
        took = f"answered after {elapsed:.1f} s" if elapsed >= 1 else "each answered at once"
    return f"{len(attempts)}, {took}"


def _tcp_cause(context: Context, failure: Failure) -> tuple[Cause, str]:
    if failure.code is Code.REFUSED:
        return causes.TCP_RESET, "is refused with a reset (by a firewall or by the host itself)"
    if failure.icmp is not None:
        admin = (failure.icmp.type, failure.icmp.code) in ((3, 9), (3, 10), (3, 13), (1, 1))
        word = (
            "administratively prohibited"
            if admin
            else f"ICMP type {failure.icmp.type} code {failure.icmp.code}"
        )
        sender = f", sent by {failure.icmp.sender}" if failure.icmp.sender else ""
        host = context.audit.host
        if host is not None and failure.icmp.sender in host.addresses:
            sender = ", by this host itself: a local firewall, or a next hop that does not answer"
        return causes.TCP_UNREACHABLE, f"is unreachable ({word}{sender})"
    if failure.code in (Code.UNREACHABLE, Code.NO_ROUTE):
        return causes.TCP_UNREACHABLE, "is unreachable (this host has no way there)"
    return causes.TCP_TIMEOUT, "gets no answer: something drops it silently"


def _tcp_opened(
    context: Context,
    target: Target,
    candidate: Candidate,
    attempts: tuple[Observation, ...],
    opened: Observation,
) -> Verdict:
    facts = opened.evidence
    took = f" in {facts.connect_s * 1000:.0f} ms" if isinstance(facts, TlsFacts | HttpExchange) else ""
    status, again = Status.PASS, ""
    if not _opened(attempts[0]):
        status, again = Status.NOTICE, ", at the second try only"
    summary = f"opened{took}{again}"
    return address_verdict(
        context,
        target,
        candidate.address,
        "tcp",
        status,
        causes.OK,
        summary,
        attempts,
        details=_flow((opened,)),
    )


def _flow(seen: tuple[Observation, ...]) -> tuple[tuple[str, str], ...]:
    """Our own address and source port, so that the firewall engineer finds the connection in a log."""
    flows = [
        f"{address} port {port}" if ":" in address else f"{address}:{port}"
        for s in seen
        if s.local is not None
        for address, port in (s.local,)
    ]
    return (("from", ", ".join(flows)),) if flows else ()


def _inside(
    context: Context, target: Target, address: str, usable: tuple[Observation, ...], tls: Verdict
) -> Iterator[Verdict]:
    """HTTP inside the TLS session: when the session is genuine, any status proves the path."""
    if target.path is None or tls.status not in (Status.PASS, Status.NOTICE, Status.WARN):
        return
    facts = next((s.evidence for s in usable if isinstance(s.evidence, TlsFacts) and s.failure is None), None)
    if facts is None:
        if any(got_through(s) for s in usable):
            text = f"GET {target.path} was not sent: the server wants a client certificate before any request"
            yield address_verdict(
                context, target, address, "http", Status.NOT_APPLICABLE, causes.OK, text, usable
            )
        return
    asked = "; it asked for the client certificate" if facts.client_certificate_asked else ""
    status, cause, circumstance = Status.PASS, causes.OK, ""
    if facts.http_status is not None:
        normal = ", its normal answer without a client certificate" if facts.http_status == 403 else ""
        text = f"HTTP {facts.http_status}{normal}{asked}"
    elif facts.http_failure in _CUT:
        status, cause, circumstance = Status.WARN, _CUT[facts.http_failure], "session-cut"
        text = f"the TLS session opened, then GET {target.path} met a {facts.http_failure}"
    elif facts.http_failure and not facts.client_certificate_asked:
        status = Status.NOTICE
        text = f"the TLS session opened, and GET {target.path} got no answer in it ({facts.http_failure})"
    elif facts.http_failure:
        text = f"the server ended the session without a client certificate ({facts.http_failure}){asked}"
    else:
        return
    yield address_verdict(context, target, address, "http", status, cause, text, usable, circumstance)


#: How a GET can end in an open session.
_CUT = {"timeout": causes.HTTP_TIMEOUT, "reset": causes.HTTP_RESET}


def _over_http(
    context: Context, target: Target, candidate: Candidate, step: HttpFetch, usable: tuple[Observation, ...]
) -> Verdict:
    """Port 80: the document where one is known, else any answer of the host's own."""
    if step.purpose == "crl":
        return judge_document(context, target, candidate.address, usable)
    best = next((s for s in usable if s.failure is None), usable[-1])
    exchange = best.evidence if isinstance(best.evidence, HttpExchange) else None
    found = judge_reach(exchange, best.failure, target.host or "")
    status = Status.PASS if found.cause == causes.OK else Status.FAIL
    if found.cause in _LOCAL_HTTP:
        status = Status.INCONCLUSIVE
    cause, summary = found.cause, found.summary
    if found.cause == causes.OK and not _asked_for_documents(context, target.host or ""):
        summary = f"{summary}: reachable, no document of it is known to verify"
    if exchange is not None and found.cause == causes.OK:
        status, cause, summary = _page_compared(context, best, exchange, summary)
    if (target.host, candidate.address) in context.proved:  # a proof counts before a sign
        if cause == causes.HTTP_SAME_PAGE:
            status, cause, summary = Status.PASS, causes.OK, found.summary
        elif status is Status.FAIL:
            status, summary = Status.NOTICE, f"{summary}; a signed document came from here all the same"
    details = (*page_detail(found.page), *_flow((best,)))
    circumstance = found.circumstance if cause == found.cause else ""
    return address_verdict(
        context, target, candidate.address, "http", status, cause, summary, usable, circumstance, details
    )


def _page_compared(
    context: Context, seen: Observation, exchange: HttpExchange, summary: str
) -> tuple[Status, Cause, str]:
    """The status, cause and summary of an answer without a sign of a device, compared with other answers."""
    canary = context.from_canary(seen)
    if canary:
        return (
            Status.FAIL,
            causes.HTTP_BLOCK_PAGE,
            f"the very same answer (HTTP {exchange.status}) comes from {canary}, an unused address: a network device wrote it",
        )
    same_page = context.same_page_hosts(seen)
    if same_page:
        more = f" and {len(same_page) - 1} more" if len(same_page) > 1 else ""
        text = (
            f"{summary}, with the same web page as {same_page[0]}{more}: common front ends and servers' first pages look so, "
            "and so does a page that a network device writes"
        )
        return Status.NOTICE, causes.HTTP_SAME_PAGE, text
    odd = oddities(exchange)
    return (
        (Status.NOTICE, causes.HTTP_ODD_HEADER, f"{summary}; {odd}")
        if odd
        else (Status.PASS, causes.OK, summary)
    )


def _asked_for_documents(context: Context, host: str) -> bool:
    """Whether the host was asked for a list or an OCSP answer that certificates name: these have their own rows."""
    return any(wanted.host == host for wanted in context.audit.fetches.tries)


_LOCAL_HTTP = frozenset(
    {causes.LOCAL_STARVED, causes.AUDIT_NOT_REACHED, causes.AUDIT_NOT_RECORDED, causes.LOCAL_NO_DESCRIPTORS}
)

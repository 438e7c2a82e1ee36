"""The TLS verdict of one address: all its handshakes together, each judged by its chain."""

from __future__ import annotations

from dataclasses import replace

from rules.context import Context
from rules.failure import Code, Failure
from rules.interception import InterceptionFinding
from rules.judge_revocation import revoked_by
from rules.kinds.dns_chain import OS
from rules.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.observation import Observation
from rules.remedies import remedy
from rules.ruleset import Group
from rules.targets import Target
from rules.tls_cause import TlsCause, judge_leaf, tls_cause
from rules.verdict import Endpoint, Status, Verdict

_OLD = ("SSLv3", "TLSv1", "TLSv1.1")


def judge_tls(context: Context, target: Target, address: str, attempts: tuple[Observation, ...]) -> Verdict:
    """The heaviest proven thing over the attempts; a failure counts only when it was not better the second time."""
    shown = [s for s in attempts if isinstance(s.evidence, TlsFacts) and s.evidence.chain]
    causes = [(seen, _cause(context, target, seen)) for seen in shown]
    proven = [(s, c) for s, c in causes if c.cause == "tls.intercepted"]
    if proven:
        others = [c for _, c in causes if c.cause == "ok"]
        return _verdict(context, target, address, attempts, _partly(proven[0][1], len(others)), proven[0][0])
    good = [(s, c) for s, c in causes if s.failure is None and c.status in (Status.PASS, Status.NOTICE)]
    if good:
        seen, cause = good[0]
        if any(s.failure is not None for s in attempts):
            cause = replace(
                cause,
                summary=f"{cause.summary} (at the second try only)",
                status=max(cause.status, Status.NOTICE, key=lambda s: s.weight),
            )
        return _verdict(context, target, address, attempts, cause, seen)
    doubtful = [(s, c) for s, c in causes if c.cause != "ok"]
    if doubtful:
        seen, cause = max(doubtful, key=lambda pair: pair[1].status.weight)
        return _verdict(context, target, address, attempts, cause, seen)
    last = attempts[-1]
    return _verdict(context, target, address, attempts, _failed(context, target, last), last)


def _cause(context: Context, target: Target, seen: Observation) -> TlsCause:
    """The cause of one handshake that showed a chain."""
    assert isinstance(seen.evidence, TlsFacts)
    assert target.host is not None
    judgement = context.audit.chains.judge(seen.evidence.chain, context.now)
    finding = context.intercepted.get(context.ids[seen.step])
    return tls_cause(
        judgement,
        judge_leaf(seen.evidence.chain, target.host, context.now),
        target.rule.expect,
        target.rule.group,
        intercepted=_sentence(finding),
        revoked=revoked_by(context, judgement),
    )


def _partly(cause: TlsCause, genuine: int) -> TlsCause:
    if not genuine:
        return cause
    return replace(
        cause,
        summary=f"{cause.summary} (in some handshakes: {genuine} of the same name and address was genuine)",
    )


def _failed(context: Context, target: Target, seen: Observation) -> TlsCause:
    """A handshake that ended without a certificate."""
    failure = seen.failure
    if failure is None:
        return TlsCause("tls.malformed", Status.INCONCLUSIVE, "the handshake ended without a certificate")
    if _tls13_answers(context, seen):
        status = Status.FAIL if target.rule.group is Group.SERVICE else Status.NOTICE
        return TlsCause("tls.version", status, "TLS 1.2 is refused; TLS 1.3 works")
    if isinstance(seen.evidence, TlsFacts) and seen.evidence.version in _OLD:
        text = f"only {seen.evidence.version} is to be had, the connector needs TLS 1.2"
        return TlsCause("tls.version", Status.FAIL, text)
    cause, text = _words(failure, seen)
    if cause.startswith(("local.", "audit.")):
        return TlsCause(cause, Status.INCONCLUSIVE, text)
    return TlsCause(cause, Status.FAIL, text)


def _tls13_answers(context: Context, seen: Observation) -> bool:
    step = seen.step
    assert isinstance(step, TlsHandshake)
    other = context.seen(replace(step, hello="tls13", path=None))
    return any(s.failure is None for s in other)


def _words(failure: Failure, seen: Observation) -> tuple[str, str]:
    got = seen.evidence.bytes_received if isinstance(seen.evidence, TlsFacts) else 0
    match failure.code:
        case Code.TIMEOUT:
            return (
                "tls.timeout",
                f"TCP opened, then nothing more than {got} bytes came for {seen.elapsed:.1f} s",
            )
        case Code.RESET:
            return "tls.reset", "TCP opened, then the connection was reset after our ClientHello"
        case Code.EOF:
            return "tls.reset", "TCP opened, then the connection was closed after our ClientHello"
        case Code.ALERT:
            return "tls.alert", f"TLS was refused with alert {failure.alert} {failure.detail}".rstrip()
        case Code.NOT_TLS:
            return "tls.not-tls", f"what answers is not TLS: {failure.detail}".rstrip(": ")
        case Code.STARVED:
            return "local.starved", "this host was too busy to notice an answer in time"
        case Code.NOT_REACHED:
            return "audit.not-reached", "the audit ended before an answer came"
        case Code.NOT_RECORDED:
            return "audit.not-recorded", "the recording does not hold an answer"
        case _:
            return "tls.malformed", f"the answer breaks the protocol: {failure.detail}".rstrip(": ")


def _verdict(
    context: Context,
    target: Target,
    address: str,
    attempts: tuple[Observation, ...],
    cause: TlsCause,
    seen: Observation,
) -> Verdict:
    assert target.host is not None
    finding = context.intercepted.get(context.ids[seen.step])
    circumstance = "clock-agrees" if cause.cause == "tls.expired" and context.clock_agrees else ""
    details = (
        *cause.details,
        *_served(context, seen),
        *_found(finding),
        *_told_by(context, target.host, address),
    )
    flows = tuple(f"{s.local[0]} port {s.local[1]}" for s in attempts if s.local)
    if flows:
        details = (*details, ("from", ", ".join(flows)))
    return Verdict(
        target.id,
        target.rule.title,
        Endpoint(target.host, target.port, address),
        "tls",
        cause.status,
        cause.cause,
        cause.summary,
        "" if cause.status is Status.PASS else remedy(cause.cause, circumstance),
        target.rule.severity.value,
        target.rule.citation.id,
        context.evidence(*attempts),
        target.rule.group.value,
        tuple(dict.fromkeys(details)),
        circumstance,
    )


def _told_by(context: Context, host: str, address: str) -> tuple[tuple[str, str], ...]:
    """Which resolvers gave the address, where not all of them did."""
    mine = next((c for c in context.audit.candidates(host) if c.address == address), None)
    everybody = {r for c in context.audit.candidates(host) for r in c.resolvers}
    if mine is None or everybody <= set(mine.resolvers):
        return ()
    names = ("the operating system" if r == OS else r for r in mine.resolvers)
    return (("address given by", f"{', '.join(names)} alone"),)


def _served(context: Context, seen: Observation) -> tuple[tuple[str, str], ...]:
    """What the handshake itself was like."""
    evidence = seen.evidence
    if not isinstance(evidence, TlsFacts):
        return ()
    found = []
    if evidence.version:
        took = f" in {evidence.handshake_s * 1000:.0f} ms" if evidence.handshake_s is not None else ""
        found.append(("handshake", f"{evidence.version} {evidence.cipher or ''}{took}"))
    if evidence.client_certificate_asked:
        found.append(("client certificate", "asked for, as the service does"))
    if evidence.chain and len(evidence.chain) > 10:
        found.append(("chain", f"{len(evidence.chain)} certificates"))
    return tuple(found)


def _found(finding: InterceptionFinding | None) -> tuple[tuple[str, str], ...]:
    """What all handshakes together prove, and the key by which verdicts of one interceptor are grouped."""
    if finding is None:
        return ()
    by = {"by-name": (("by", "name"),), "by-address": (("by", "address"),)}.get(finding.reach, ())
    return (*finding.details, ("issuing key", finding.issuing_key), *by)


def _sentence(finding: InterceptionFinding | None) -> str:
    return finding.sentence if finding is not None else ""

"""The TLS verdict of one address: all its handshakes together, each judged by its chain."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rules.audit.addresses import resolvers_that_gave
from rules.audit.guard import PROTOCOL_VERSION
from rules.audit.targets import Target
from rules.judge.evidence import Context
from rules.judge.missing_issuer import MissingIssuer, missing_issuer
from rules.judge.portals import server_mark
from rules.judge.remedies import remedy
from rules.judge.revocation import revoked_by, stapled
from rules.model import causes
from rules.model.causes.record import Cause, Layer
from rules.model.failure import UNREAD_FORM, Code, Failure
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, got_through
from rules.model.ruleset import Group
from rules.model.verdict import Endpoint, Status, Verdict
from rules.pki.certificate import facts
from rules.pki.handshake import TlsCause, judge_leaf, tls_cause
from rules.pki.interception import InterceptionFinding
from rules.pki.trust import ChainJudgement

_OLD = ("SSLv3", "TLSv1", "TLSv1.1")
#: Layers of causes that do not concern the network.
_OURS = frozenset[Layer]({"local", "audit"})
_WEIGHTY = (Status.FAIL, Status.INCONCLUSIVE)


def judge_tls(context: Context, target: Target, address: str, attempts: tuple[Observation, ...]) -> Verdict:
    """The heaviest proven result of the attempts. A failure counts only if the second attempt was no better."""
    shown = [s for s in attempts if isinstance(s.evidence, TlsFacts) and s.evidence.chain]
    judged = [(seen, _cause(context, target, seen)) for seen in shown]
    proven = [(s, c) for s, c in judged if c.cause == causes.TLS_INTERCEPTED]
    if proven:
        others = [c for _, c in judged if c.cause == causes.OK]
        return _verdict(context, target, address, attempts, _partly(proven[0][1], len(others)), proven[0][0])
    good = [(s, c) for s, c in judged if got_through(s) and c.status in (Status.PASS, Status.NOTICE)]
    if good:
        seen, cause = good[0]
        cause = _without_certificate(target, seen, cause)
        if not all(got_through(s) for s in attempts):
            cause = replace(
                cause,
                summary=f"{cause.summary} (at the second try only)",
                status=max(cause.status, Status.NOTICE, key=lambda s: s.rank),
            )
        return _verdict(context, target, address, attempts, cause, seen)
    # A good chain does not excuse a failed handshake, and a passing cause does not replace it.
    doubtful = [
        (s, c) for s, c in judged if c.cause != causes.OK and (got_through(s) or c.status in _WEIGHTY)
    ]
    if doubtful:
        seen, cause = max(doubtful, key=lambda pair: pair[1].status.rank)
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
        revoked=_revoked(context, judgement, seen),
    )


def _revoked(context: Context, judgement: ChainJudgement, seen: Observation) -> str:
    staple = seen.evidence.staple if isinstance(seen.evidence, TlsFacts) else None
    found = stapled(context, judgement, staple)
    if found is not None and found.revoked:
        return "the certificate is revoked (by the OCSP answer that the server itself sent)"
    return revoked_by(context, judgement)


def _without_certificate(target: Target, seen: Observation, cause: TlsCause) -> TlsCause:
    """A genuine server that ends the handshake because it wants a client certificate counts as reached
    (`wants_certificate`)."""
    if seen.failure is None:
        return cause
    end = f"alert {seen.failure.alert}" if seen.failure.alert else "closes the connection"
    text = f"{cause.summary}; asks for a client certificate, and ends the handshake as none is sent ({end})"
    if _expects_certificate(target):
        return replace(cause, summary=text)
    text = f"{text}, which the rule set does not expect of this name"
    return replace(cause, summary=text, status=max(cause.status, Status.NOTICE, key=lambda s: s.rank))


def _expects_certificate(target: Target) -> bool:
    return target.probe is not None and target.probe.expects_client_certificate


def _partly(cause: TlsCause, genuine: int) -> TlsCause:
    if not genuine:
        return cause
    return replace(
        cause,
        summary=f"{cause.summary} (in some handshakes: {genuine} of the same name and address was genuine)",
    )


def _failed(context: Context, target: Target, seen: Observation) -> TlsCause:
    """A handshake that did not finish, or showed no certificate."""
    failure = seen.failure
    if failure is None:
        return TlsCause(
            causes.TLS_MALFORMED, Status.INCONCLUSIVE, "the handshake ended without a certificate"
        )
    newer = _tls13_answers(context, seen)
    if newer and _refuses_version(seen):
        status = Status.FAIL if target.rule.group is Group.SERVICE else Status.NOTICE
        return TlsCause(causes.TLS_VERSION, status, "TLS 1.2 is refused; TLS 1.3 works")
    if isinstance(seen.evidence, TlsFacts) and seen.evidence.version in _OLD:
        text = f"only {seen.evidence.version} is offered, the connector needs TLS 1.2"
        return TlsCause(causes.TLS_VERSION, Status.FAIL, text)
    if _unread(seen):
        text = f"the certificate was read here, and the TLS library goes no further with its form: {failure.detail}"
        return TlsCause(causes.TLS_UNVERIFIED, Status.INCONCLUSIVE, text)
    cause, text = _words(failure, seen)
    if cause.layer in _OURS:
        return TlsCause(cause, Status.INCONCLUSIVE, text)
    details = (("TLS 1.3", "comes through at this address"),) if newer else ()
    return TlsCause(cause, Status.FAIL, text, details, circumstance=_circumstance(cause, seen, newer))


def _circumstance(cause: Cause, seen: Observation, newer: bool) -> str:
    """The way in which a handshake failed, where it decides the remedy (a `Circumstance` of the cause)."""
    facts = seen.evidence
    if not isinstance(facts, TlsFacts) or cause not in (
        causes.TLS_RESET,
        causes.TLS_ALERT,
        causes.TLS_MALFORMED,
    ):
        return ""
    if facts.key_refuted:
        return "key-refuted"
    if cause == causes.TLS_MALFORMED:
        return ""
    if facts.certificate_sent:
        return "certificate-asked" if facts.key_proven else "key-not-proved"
    if facts.chain:
        return "certificate-shown"
    return "tls13-passes" if newer else ""


def _unread(seen: Observation) -> bool:
    """Whether the handshake ended because our TLS library cannot read a certificate that this program can read.

    Other readers (SChannel among them) may accept its form, so it proves nothing about the path.
    """
    failure, shown = seen.failure, seen.evidence
    if failure is None or failure.code is not Code.MALFORMED or not isinstance(shown, TlsFacts):
        return False
    return failure.sign == UNREAD_FORM and bool(shown.chain) and facts(shown.chain[0]).loads


def _refuses_version(seen: Observation) -> bool:
    """Whether an alert may concern the version: protocol_version, or a fatal one before any ServerHello.

    A ServerHello that chose TLS 1.2 shows that the server supports it, whatever follows (RFC 5246 section 7.4.1.3). A
    reset or a close shows nothing about versions, even where TLS 1.3 passes: a filter may inspect one and not the
    other.
    """
    failure, facts = seen.failure, seen.evidence
    if failure is None or failure.code is not Code.ALERT:
        return False
    return failure.alert == PROTOCOL_VERSION or not (isinstance(facts, TlsFacts) and facts.version)


def _tls13_answers(context: Context, seen: Observation) -> bool:
    step = seen.step
    assert isinstance(step, TlsHandshake)
    other = context.seen(replace(step, hello="tls13", path=None))
    return any(got_through(s) for s in other)


def _moment(seen: Observation) -> str:
    """The progress of the handshake when it ended."""
    facts = seen.evidence if isinstance(seen.evidence, TlsFacts) else TlsFacts(0.0)
    if facts.certificate_sent:
        return "after our answer to its request for a client certificate"
    if facts.chain:
        return "after the server's certificate"
    return "after its ServerHello" if facts.version else "after our ClientHello"


def _words(failure: Failure, seen: Observation) -> tuple[Cause, str]:
    got = seen.evidence.bytes_received if isinstance(seen.evidence, TlsFacts) else 0
    match failure.code:
        case Code.TIMEOUT:
            return (
                causes.TLS_TIMEOUT,
                f"TCP opened, then nothing more than {got} bytes came for {seen.elapsed:.1f} s",
            )
        case Code.RESET:
            return causes.TLS_RESET, f"TCP opened, then the connection was reset {_moment(seen)}"
        case Code.EOF:
            return causes.TLS_RESET, f"TCP opened, then the connection was closed {_moment(seen)}"
        case Code.ALERT:
            when = (
                f" {_moment(seen)}" if isinstance(seen.evidence, TlsFacts) and seen.evidence.version else ""
            )
            return (
                causes.TLS_ALERT,
                f"TLS was refused with alert {failure.alert} {failure.detail}".rstrip() + when,
            )
        case Code.NOT_TLS:
            return causes.TLS_NOT_TLS, f"what answers is not TLS: {failure.detail}".rstrip(": ")
        case Code.STARVED:
            return causes.LOCAL_STARVED, "this host was too busy to notice an answer in time"
        case Code.NOT_REACHED:
            return causes.AUDIT_NOT_REACHED, "the audit ended before an answer came"
        case Code.NOT_RECORDED:
            return causes.AUDIT_NOT_RECORDED, "the recording does not hold an answer"
        case (
            Code.MALFORMED
            | Code.TOO_LARGE
            | Code.REFUSED
            | Code.UNREACHABLE
            | Code.NO_ROUTE
            | Code.NO_DESCRIPTORS
            | Code.NO_PORTS
            | Code.DENIED
            | Code.WRONG_SOURCE
            | Code.LOOKUP
            | Code.BUG
        ):
            if isinstance(seen.evidence, TlsFacts) and seen.evidence.key_refuted:
                text = "what answers shows this certificate and does not have its key: its signature over the handshake is false"
                return causes.TLS_MALFORMED, text
            return causes.TLS_MALFORMED, f"the answer breaks the protocol: {failure.detail}".rstrip(": ")
        case _:
            assert_never(failure.code)


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
    lacking = MissingIssuer()
    if cause.cause == causes.TLS_INCOMPLETE_CHAIN and isinstance(seen.evidence, TlsFacts):
        lacking = missing_issuer(context, seen.evidence.chain)
    circumstance = cause.circumstance or lacking.circumstance or _compared(context, cause, seen)
    details = (
        *cause.details,
        *lacking.details,
        *_served(target, seen),
        *_stapled(context, seen),
        *_found(finding),
        *resolvers_that_gave(address, context.audit.candidates(target.host)),
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
        context.evidence(*attempts, *lacking.tries),
        target.rule.group.value,
        tuple(dict.fromkeys(details)),
        circumstance,
    )


def _compared(context: Context, cause: TlsCause, seen: Observation) -> str:
    """What other observations add to the cause, where that decides the remedy."""
    if cause.cause in (causes.TLS_EXPIRED, causes.TLS_NOT_YET_VALID) and context.clock.basis == "right":
        return "clock-agrees"
    shown = seen.evidence.chain if isinstance(seen.evidence, TlsFacts) else ()
    if (
        cause.cause == causes.TLS_NAME_MISMATCH
        and shown
        and server_mark(facts(shown[0])) in context.everywhere
    ):
        return "many-addresses"
    return ""


def _served(target: Target, seen: Observation) -> tuple[tuple[str, str], ...]:
    """Details of the handshake itself."""
    evidence = seen.evidence
    if not isinstance(evidence, TlsFacts):
        return ()
    found = []
    if evidence.version:
        took = f" in {evidence.handshake_s * 1000:.0f} ms" if evidence.handshake_s is not None else ""
        found.append(("handshake", f"{evidence.version} {evidence.cipher or ''}{took}"))
    if evidence.client_certificate_asked:
        expected = _expects_certificate(target)
        usual = "as the service does" if expected else "which the rule set does not expect of this name"
        found.append(("client certificate", f"asked for, {usual}"))
    if evidence.chain and len(evidence.chain) > 10:
        found.append(("chain", f"{len(evidence.chain)} certificates"))
    return tuple(found)


def _stapled(context: Context, seen: Observation) -> tuple[tuple[str, str], ...]:
    """The content of the OCSP answer in the handshake."""
    judgement = context.judgement(seen)
    staple = seen.evidence.staple if isinstance(seen.evidence, TlsFacts) else None
    found = stapled(context, judgement, staple) if judgement is not None else None
    if found is None:
        return ()
    word = "good" if found.certificate == "good" else f"{found.cause}: {found.summary}"
    return (("stapled OCSP answer", word),)


def _found(finding: InterceptionFinding | None) -> tuple[tuple[str, str], ...]:
    """The result of all handshakes together, and the key that groups the verdicts of one interceptor."""
    if finding is None:
        return ()
    by = {"by-name": (("by", "name"),), "by-address": (("by", "address"),)}.get(finding.reach, ())
    return (*finding.details, ("issuing key", finding.issuing_key), *by)


def _sentence(finding: InterceptionFinding | None) -> str:
    return finding.sentence if finding is not None else ""

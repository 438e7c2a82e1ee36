"""Makes the parts of a `State` from a judgement and the records of targets: see `rules/watch/state.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from rules.audit.documents import DocumentRequest
from rules.audit.machine import Audit
from rules.audit.targets import Target
from rules.judge.answer import passes
from rules.judge.requests import pattern
from rules.model import causes
from rules.model.kinds.dns_chain import Chain
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Report, Status, Verdict
from rules.pki.certificate import facts
from rules.pki.revocation import expires, split_url
from rules.text.display import display
from rules.watch import faulty_documents
from rules.watch.state import OFF_LIST, CheckName, CheckState, IssuerClass, Key, SourceState, TargetState
from rules.watch.targets import TargetRecord, TargetRecords

#: Most characters of a peer's name to show.
SHOWN = 120
_OPEN = (Status.INCONCLUSIVE, Status.BROKEN, Status.NOT_APPLICABLE)
_CLASSES: Mapping[str, IssuerClass] = {
    "genuine": "expected",
    "issuer-unexpected": "public",
    "intercepted": "intercepted",
    "untrusted": "untrusted",
    "self-signed": "self-signed",
    "incomplete-chain": "incomplete",
    "malformed": "incomplete",
    "unverified": "incomplete",
}


def rows_of(report: Report) -> dict[Key, list[Verdict]]:
    """Verdicts by the name and port that they are about."""
    found: dict[Key, list[Verdict]] = {}
    for verdict in report.verdicts:
        if verdict.endpoint is not None and verdict.rule:
            found.setdefault((verdict.endpoint.host, verdict.endpoint.port), []).append(verdict)
    return found


def target_states(
    audit: Audit,
    tracks: TargetRecords,
    rows: Mapping[Key, list[Verdict]],
    now: float,
    observations: Sequence[Observation] = (),
) -> tuple[TargetState, ...]:
    """Every target that has a name, in the order of the rules. `since` stays None: `rules/watch/confirmation.py` sets
    it.

    `observations`: those of the report that contains `rows`; only `documents` needs them.
    """
    seen: set[tuple[str, Key]] = set()
    found = []
    for target in audit.targets:
        if target.host is None or (target.id, (target.host, target.port)) in seen:
            continue
        key = (target.host, target.port)
        seen.add((target.id, key))
        mine = [row for row in rows.get(key, ()) if row.rule == target.id]
        found.append(_target(audit, target, mine, tracks.record_of(key), now, observations))
    return tuple(found)


def _target(
    audit: Audit,
    target: Target,
    rows: list[Verdict],
    track: TargetRecord,
    now: float,
    observations: Sequence[Observation],
) -> TargetState:
    assert target.host is not None
    known = [row for row in rows if row.cause != causes.AUDIT_NOT_RECORDED] or rows
    worst = max(known, key=lambda row: row.status.rank, default=None)
    dns = [row for row in rows if row.check == "dns"]
    way = [row for row in rows if row.check != "dns"]
    name = _path_check(target)
    chain = _chain(audit, target.host)
    served = list(_served(audit, target))
    state = TargetState(
        target.host,
        target.port,
        target.id,
        target.rule.group.value,
        target.required,
        worst.status if worst else Status.INCONCLUSIVE,
        (worst.cause if worst else causes.AUDIT_NOT_REACHED).word,
        "dns" if worst is None or worst.check == "dns" else name,
        worst.summary if worst else f"{target.host} was not asked for yet",
        _checks(_dns_check(dns), _way_check(name, way)),
        chain=tuple(display(link.value, SHOWN) for link in chain.links) if chain else (),
        ttl=float(min(r.ttl for r in (*chain.links, *chain.addresses)))
        if chain and chain.addresses
        else None,
        resolvers_agree=_agree(audit, target.host, dns),
        issuer=_issuer(served),
        issuer_class=_issuer_class(audit, served, way, now),
        root=_root(audit, served, now),
        tls_version=_version(served),
        expiry=min((e for f in served if (e := facts(f.chain[0]).not_after) is not None), default=None),
        documents=faulty_documents.of_target(known, observations) if observations else (),
        need=target.need,
        pattern=pattern(target.rule),
        region=target.probe.region if target.probe is not None else "",
    )
    return with_latest(state, track)


def with_latest(state: TargetState, track: TargetRecord) -> TargetState:
    """The same state with the details of the newest answers: tried addresses, stages, handshakes."""
    return replace(
        state,
        addresses=tuple(track.addresses.values()),
        stages=track.stages,
        handshakes=len(track.handshakes),
        intercepted=track.intercepted,
        measured=track.measured,
    )


def _path_check(target: Target) -> CheckName:
    if target.port != 80:
        return "tls"
    return "crl" if target.document is not None and target.document.kind == "crl" else "http"


@lru_cache(maxsize=1024)
def _checks(*checks: CheckState) -> tuple[CheckState, ...]:
    """One copy of each value: thousands of targets have few different ones."""
    return checks


def _dns_check(rows: list[Verdict]) -> CheckState:
    row = max(rows, key=lambda r: r.status.rank, default=None)
    if row is None:
        return CheckState("dns", False, False, Status.INCONCLUSIVE, causes.AUDIT_NOT_REACHED.word)
    measured = row.status not in _OPEN
    return CheckState("dns", measured and row.status is not Status.FAIL, measured, row.status, row.cause.word)


def _way_check(name: CheckName, rows: list[Verdict]) -> CheckState:
    """A name passes if one of its addresses passes and none is intercepted."""
    made = [row for row in rows if row.status not in _OPEN]
    by_address: dict[str, list[Verdict]] = {}
    for row in made:
        if row.endpoint is not None and row.endpoint.address is not None:
            by_address.setdefault(row.endpoint.address, []).append(row)
    if not by_address:  # a verdict on the list itself is not a measurement of this name
        first = next((row for row in rows if row.status in _OPEN), None)
        return CheckState(
            name,
            False,
            False,
            Status.INCONCLUSIVE,
            (first.cause if first else causes.AUDIT_NOT_REACHED).word,
        )
    worst = max(made, key=lambda row: row.status.rank)
    caught = any(r.cause == causes.TLS_INTERCEPTED and r.status in (Status.FAIL, Status.WARN) for r in made)
    success = any(passes(found) for found in by_address.values()) and not caught
    return CheckState(name, success, True, worst.status, worst.cause.word)


def _chain(audit: Audit, host: str) -> Chain | None:
    """The chain to show: the first that leads to an address, else the first of all."""
    chains = [c for c in audit.names.chains(host) if c.rtype == "A"] or list(audit.names.chains(host))
    return next((c for c in chains if c.addresses), chains[0] if chains else None)


def _agree(audit: Audit, host: str, rows: list[Verdict]) -> bool | None:
    if any(row.cause in (causes.DNS_RESOLVERS_DISAGREE, causes.DNS_OS_DIFFERS) for row in rows):
        return False
    # if one resolver resolves the name and no row is about the others, these resolve nothing at all and do not count
    resolved = {c.resolver for c in audit.names.chains(host) if c.addresses}
    asked = len(resolved) or sum(1 for r in audit.names.resolvers if not audit.names.health[r].dead)
    system = audit.names.os_answer(host)
    answered = asked + (system is not None and system.failure is None)
    return True if answered > 1 else None


def _served(audit: Audit, target: Target) -> Iterable[TlsFacts]:
    """The handshakes that decide the verdict, at every address that counts now."""
    if target.port == 80 or target.host is None:
        return
    for candidate in audit.candidates(target.host):
        step = audit.step_for(target, candidate.address) if candidate.tried else None
        seen = audit.seen.get(step) if isinstance(step, TlsHandshake) else None
        if seen is not None and isinstance(seen.evidence, TlsFacts) and seen.evidence.chain:
            yield seen.evidence


def _issuer(served: list[TlsFacts]) -> str:
    names = dict.fromkeys(
        display(leaf.issuer_cn or leaf.issuer_o or leaf.issuer_text, SHOWN)
        for leaf in (facts(found.chain[0]) for found in served)
    )
    return ", ".join(name for name in list(names)[:3] if name)


def _issuer_class(audit: Audit, served: list[TlsFacts], rows: list[Verdict], now: float) -> IssuerClass:
    if any(row.cause == causes.TLS_INTERCEPTED and row.status in (Status.FAIL, Status.WARN) for row in rows):
        return "intercepted"
    found = {_CLASSES.get(audit.chains.judge(f.chain, now).verdict, "incomplete") for f in served}
    if "intercepted" in found and not any(row.cause == causes.TLS_INTERCEPTED for row in rows):
        found = found - {"intercepted"} | {
            "untrusted"
        }  # a root of this host only, and a certificate for another name
    if not found:
        return ""
    return next(iter(found)) if len(found) == 1 else "mixed"


def _root(audit: Audit, served: list[TlsFacts], now: float) -> str:
    names = dict.fromkeys(audit.chains.judge(f.chain, now).anchor_name or "" for f in served)
    return ", ".join(display(name, SHOWN) for name in list(names)[:3] if name)


def _version(served: list[TlsFacts]) -> str:
    """The lowest negotiated version, by its name."""
    return min((found.version for found in served if found.version), default="")


# --- revocation sources ------------------------------------------------------------------------------------------------


def source_states(report: Report, audit: Audit) -> tuple[SourceState, ...]:
    """Every CRL and OCSP source that was judged: those that certificates name, and the lists that rules name."""
    found: dict[tuple[str, str], SourceState] = {}
    on_rule = {target.host for target in audit.targets if target.port == 80}
    shown = {name: f"{name}:443" for names in audit.revocations.named_by.values() for name in names}
    for verdict in report.verdicts:
        url = dict(verdict.details).get("source", "")
        if not url or verdict.check not in ("crl", "ocsp"):
            continue
        kind = "crl" if verdict.check == "crl" else "ocsp"
        host = (split_url(url) or ("",))[0]
        named = audit.revocations.named_by.get(url, ())
        state = _source(kind, host if host in on_rule else OFF_LIST, url, verdict, _until(audit, kind, url))
        found[(kind, url)] = replace(state, endpoints=tuple(shown[name] for name in sorted(named)))
    for target in audit.targets:
        document = target.document
        if document is None or document.kind != "crl" or target.host is None:
            continue
        url = f"http://{target.host}{document.path}"
        for verdict in report.verdicts:
            about = verdict.endpoint
            if about is None or verdict.rule != target.id or about.host != target.host:
                continue
            if verdict.check != "crl" and verdict.status is not Status.FAIL:
                continue  # a name or an address that fails blocks the list; one that opens does not prove the list
            step = audit.step_for(target, about.address or "")
            seen = audit.seen.get(step) if isinstance(step, HttpFetch) else None
            exchange = seen.evidence if seen is not None and isinstance(seen.evidence, HttpExchange) else None
            until = expires(exchange) if exchange is not None else None
            state = _source("crl", target.host, url, verdict, until)
            before = found.get(("crl", url))
            if before is None or (state.reachable, state.valid) > (before.reachable, before.valid):
                found[("crl", url)] = replace(state, endpoints=before.endpoints if before is not None else ())
    return tuple(found.values())


def _source(kind: str, target: str, url: str, verdict: Verdict, until: float | None) -> SourceState:
    measured = verdict.status not in _OPEN
    reached = verdict.check in ("crl", "ocsp") and not verdict.cause.unheard
    reached = reached and verdict.cause.layer not in ("dns", "tcp", "path")  # else its host's cause
    return SourceState(
        "crl" if kind == "crl" else "ocsp",
        target,
        display(url, 300),
        reachable=measured and reached,
        valid=measured and reached and verdict.status in (Status.PASS, Status.NOTICE),
        measured=measured,
        cause=verdict.cause.word,
        next_update=until,
    )


def _until(audit: Audit, kind: str, url: str) -> float | None:
    if kind != "crl":
        return None
    best = audit.fetches.best(DocumentRequest(url, "crl"))
    exchange = best.evidence if best is not None else None
    return expires(exchange) if isinstance(exchange, HttpExchange) else None


def host_faults(report: Report) -> tuple[str, ...]:
    """Causes of this host itself that prevent it from measuring."""
    weighty = (Status.INCONCLUSIVE, Status.FAIL, Status.BROKEN)
    found = (v.cause.word for v in report.verdicts if v.cause.layer == "local" and v.status in weighty)
    return tuple(dict.fromkeys(found))

"""The report: every row has its verdict, grouped into causes, rolled up into the answer."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from rules.answer import answer, answer_text, exit_code, passes, roll_up
from rules.audit import Audit
from rules.candidates import Candidate
from rules.causes import ADDRESS_FROM, group
from rules.context import Context
from rules.judge_host import judge_host, local_stop
from rules.judge_names import judge_name
from rules.judge_revocation import covered, judge_revocation, known_issuers
from rules.judge_rows import judge_address
from rules.kinds.http_fetch import HttpExchange
from rules.kinds.local_host import ProxySetting
from rules.kinds.revocation import digest_crl
from rules.observation import Observation
from rules.ruleset import Severity
from rules.targets import Target
from rules.verdict import Endpoint, Report, RulesUsed, Status, Vantage, Verdict

#: Days after which a set that nobody has reviewed says so in every report.
STALE_AFTER = 180
#: Bodies larger than this are kept as facts only.
BODY_KEPT = 65_536
_GOOD = (Status.PASS, Status.NOTICE)


def make_report(audit: Audit, started: float, finished: float, version: str) -> Report:
    """Judge all that was seen. Times are Unix time; everything is judged at `started`."""
    context = Context(audit, started)
    stop = local_stop(context)
    by_target: dict[Target, list[Verdict]] = {}
    if stop is not None:
        verdicts = [stop, *(_untested(t, stop) for t in audit.targets)]
        states = [roll_up(t, [_untested(t, stop)]) for t in audit.targets]
    else:
        by_target = {target: list(_of_target(context, target)) for target in audit.targets}
        _samples(by_target)
        by_target = {target: _swept(context, rows) for target, rows in by_target.items()}
        by_target = {target: _proxied(context, rows) for target, rows in by_target.items()}
        _retired(by_target)
        states = [roll_up(target, rows) for target, rows in by_target.items()]
        found = [v for rows in by_target.values() for v in rows]
        verdicts = [
            *judge_host(context),
            *found,
            *_proxied(context, _swept(context, judge_revocation(context))),
        ]
    decided = answer(states, verdicts, audit.stopped if stop is None else (audit.stopped or "no-resolver"))
    text = answer_text(
        decided, states, verdicts, audit.stopped or ("no-resolver" if stop is not None else "")
    )
    return Report(
        version,
        started,
        finished,
        audit.plan,
        _vantage(audit),
        _used(audit, started),
        decided,
        text,
        exit_code(decided, verdicts),
        group(verdicts),
        tuple(verdicts),
        _kept(context),
        stopped=audit.stopped,
        notes=_notes(audit, started),
    )


def _of_target(context: Context, target: Target) -> Iterable[Verdict]:
    if target.host is None:
        yield _no_name(target)
        return
    tried = [c for c in context.audit.candidates(target.host) if c.tried]
    rows = [row for candidate in tried for row in judge_address(context, target, candidate)]
    by_address: dict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        if row.endpoint is not None and row.endpoint.address is not None:
            by_address[row.endpoint.address].append(row)
    passing = {a for a, found in by_address.items() if passes(found)}
    genuine = any(v.check in ("tls", "crl") and v.status in _GOOD for v in rows) or (
        target.port == 80 and bool(passing)
    )
    systems = [c for c in tried if "os" in c.resolvers]
    os_passed = any(c.address in passing for c in systems)
    name = judge_name(context, target, genuine, os_passed)
    if systems and passing and not os_passed and _differs(context, target):
        name = replace(
            name,
            status=Status.FAIL,
            cause="dns.os-differs",
            summary=f"{target.host} is {systems[0].address} for programs on this host, and that address fails; the addresses "
            "that the resolvers give work",
            remedy="Look for this name in the hosts file and in the name resolution policy.",
        )
        passing = set()
        rows = [_of_this_host_alone(row, systems) for row in rows]
    yield name
    for row in rows:
        if row.status is Status.FAIL and passing and row.cause != "tls.intercepted":
            row = replace(row, status=Status.WARN)
        yield row
    if not tried and name.status in _GOOD:
        yield _nothing_tried(context, target)


def _of_this_host_alone(row: Verdict, systems: list[Candidate]) -> Verdict:
    """What fails at an address that only this host believes in is nothing for a firewall to open."""
    if row.status is not Status.FAIL or row.endpoint is None:
        return row
    if all(row.endpoint.address != c.address for c in systems):
        return row
    remedy = "Mend the name on this host first: no resolver gives this address."
    return replace(row, remedy=remedy, details=(*row.details, (ADDRESS_FROM, "this host alone")))


def _differs(context: Context, target: Target) -> bool:
    """Whether the operating system's addresses are none that a resolver gave."""
    assert target.host is not None
    return not any(
        "os" in c.resolvers and len(c.resolvers) > 1 for c in context.audit.candidates(target.host)
    )


def _no_name(target: Target) -> Verdict:
    if target.why == "audit.no-tenant":
        summary, remedy = (
            f"{target.shown} holds the tenant's id, which is not known",
            "Give --tenant with the tenant's id or domain.",
        )
    else:
        summary = f"{target.shown}: no citable name under this wildcard is known, so nothing could be tried"
        remedy = "Allow the wildcard; nothing here shows whether it is open."
    return _plain(target, "dns", Status.INCONCLUSIVE, target.why, summary, remedy)


def _nothing_tried(context: Context, target: Target) -> Verdict:
    assert target.host is not None
    whys = {c.why for c in context.audit.candidates(target.host)}
    return _plain(
        target,
        "tcp",
        Status.NOT_APPLICABLE,
        "ok",
        f"no address was tried: {'; '.join(sorted(whys)) or 'none is usable'}",
    )


def _untested(target: Target, stop: Verdict) -> Verdict:
    return _plain(
        target, "dns", Status.INCONCLUSIVE, stop.cause, f"{target.shown} was not tested: {stop.summary}"
    )


def _plain(target: Target, check: str, status: Status, cause: str, summary: str, remedy: str = "") -> Verdict:
    rule = target.rule
    return Verdict(
        target.id,
        rule.title,
        Endpoint(target.shown, target.port),
        "dns" if check == "dns" else "tcp",
        status,
        cause,
        summary,
        remedy,
        rule.severity.value,
        rule.citation.id,
        (),
        rule.group.value,
    )


def _samples(by_target: dict[Target, list[Verdict]]) -> None:
    """Samples go stale: one that no resolver knows is not applicable; a wildcard fails only when all that resolve fail."""
    wildcards: dict[tuple[str, int], list[Target]] = defaultdict(list)
    for target in by_target:
        if target.sample:
            wildcards[(target.id, target.port)].append(target)
    for found in wildcards.values():
        resolving = []
        for target in found:
            rows = by_target[target]
            if any(
                v.check == "dns" and v.cause in ("dns.nxdomain", "dns.no-address") and v.status is Status.FAIL
                for v in rows
            ):
                by_target[target] = [_stale(v) for v in rows]
            else:
                resolving.append(target)
        if not resolving:
            first = found[0]
            by_target[first].append(
                _plain(
                    first,
                    "dns",
                    Status.INCONCLUSIVE,
                    "dns.nxdomain",
                    f"none of {len(found)} sample names under {first.rule.host} "
                    "resolves: they may be out of date, or an internal zone hides the public one",
                    f"Ask whoever runs the resolver whether it serves a zone of its own for {first.rule.host.removeprefix('*.')}.",
                )
            )
            continue
        if any(not _failing(by_target[t]) for t in resolving):
            for target in resolving:
                by_target[target] = [
                    replace(v, status=Status.WARN)
                    if v.status is Status.FAIL and v.cause != "tls.intercepted"
                    else v
                    for v in by_target[target]
                ]


#: Causes that silence makes, and that prove nothing once a firewall drops everything of this host's.
_SILENCE = frozenset(
    {"tcp.timeout", "tls.timeout", "http.timeout", "crl.unreachable", "ocsp.unreachable", "dns.timeout"}
)


def _swept(context: Context, rows: Iterable[Verdict]) -> list[Verdict]:
    """After a firewall took the audit for a scan, silence is no evidence."""
    if not context.audit.guard.sweep:
        return list(rows)
    return [
        replace(v, status=Status.INCONCLUSIVE, cause="path.sweep-detected", remedy="")
        if v.cause in _SILENCE and v.status in (Status.FAIL, Status.WARN)
        else v
        for v in rows
    ]


def _stale(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        status=Status.NOT_APPLICABLE,
        summary=f"{verdict.summary}: a sample name that is no longer in use",
    )


def _failing(rows: Iterable[Verdict]) -> bool:
    return any(v.status in (Status.FAIL, Status.BROKEN) for v in rows)


def _retired(by_target: dict[Target, list[Verdict]]) -> None:
    """Rows that Microsoft retired, and optional ones, never weigh more than a notice."""
    for target, rows in by_target.items():
        if target.rule.severity is not Severity.REQUIRED:
            by_target[target] = [
                replace(v, status=Status.NOTICE, remedy="")
                if v.status in (Status.FAIL, Status.WARN, Status.INCONCLUSIVE)
                else v
                for v in rows
            ]


#: Layers of causes that a firewall on the direct way can make.
_ON_THE_WAY = ("tcp.", "tls.", "http.", "crl.", "ocsp.")


def _proxied(context: Context, rows: Iterable[Verdict]) -> list[Verdict]:
    """A proxy is set and the direct way fails: that proves nothing, and no firewall need be opened for it."""
    host = context.audit.host
    if host is None or not host.proxies:
        return list(rows)
    return [v if _goes_direct(v, host.proxies) else _behind_proxy(v, host.proxies[0].source) for v in rows]


def _behind_proxy(verdict: Verdict, source: str) -> Verdict:
    if verdict.status in (Status.FAIL, Status.WARN):
        return _not_through_proxy(verdict, source)
    if not verdict.remedy or not verdict.cause.startswith(_ON_THE_WAY):
        return verdict
    if verdict.status is Status.INCONCLUSIVE:
        return _not_through_proxy(verdict, source)
    return replace(verdict, remedy="")


def _goes_direct(verdict: Verdict, proxies: tuple[ProxySetting, ...]) -> bool:
    return verdict.endpoint is None or any(_bypassed(verdict.endpoint.host, p.bypass) for p in proxies)


def _not_through_proxy(verdict: Verdict, source: str) -> Verdict:
    return replace(
        verdict,
        status=Status.INCONCLUSIVE,
        cause="proxy.not-tested",
        summary=f"{verdict.summary} (on the direct way: {verdict.cause}); a proxy is set ({source}) and was not used",
        remedy="Test the way through the proxy; nothing needs to be opened for the direct way as long as the connector uses it.",
    )


def _bypassed(host: str, bypass: str) -> bool:
    """Whether `host` is in a NO_PROXY or bypass list: exact names, leading dots or stars, "*" for all."""
    for entry in bypass.replace(";", ",").split(","):
        word = entry.strip().lower()
        if not word:
            continue
        if word == "*" or host == word or fnmatchcase(host, word) or host.endswith("." + word.lstrip("*.")):
            return True
    return False


def _vantage(audit: Audit) -> Vantage:
    host = audit.host
    if host is None:
        return Vantage(
            "",
            "",
            "",
            (),
            audit.plan.resolvers,
            (),
            audit.plan.tenant,
            audit.plan.tenant_source,
            audit.plan.labels,
        )
    tenant_source = "connector" if host.tenant and not audit.plan.tenant else audit.plan.tenant_source
    return Vantage(
        host.host,
        host.user,
        host.os,
        host.sources,
        audit.plan.resolvers or host.resolvers,
        host.proxies,
        audit.tenant,
        tenant_source,
        audit.plan.labels,
    )


def _used(audit: Audit, started: float) -> tuple[RulesUsed, ...]:
    rules = audit.rules
    sets = [
        RulesUsed(
            r.name,
            r.version,
            r.reviewed.isoformat(),
            "rules",
            r.sha256,
            r.unpublished or _age(r.reviewed, started),
        )
        for r in rules.rulesets
    ]
    return (
        *sets,
        *(
            RulesUsed(c.name, c.version, c.reviewed.isoformat(), "cas", c.sha256, _age(c.reviewed, started))
            for c in rules.cas
        ),
    )


def _age(reviewed: datetime.date, started: float) -> str:
    days = (datetime.datetime.fromtimestamp(started, datetime.UTC).date() - reviewed).days
    return f"not reviewed for {days} days" if days > STALE_AFTER else ""


def _notes(audit: Audit, started: float) -> tuple[str, ...]:
    notes = list(audit.plan.notes)
    for used in _used(audit, started):
        if used.note.startswith("not reviewed"):
            what = "rule set" if used.kind == "rules" else "CA set"
            notes.append(
                f"My list is old: the {what} {used.name} was {used.note}. Update wayclear before acting on this report."
            )
        elif used.note:
            notes.append(f"{used.name}: {used.note}")
    if audit.stopped == "budget":
        notes.append("The time budget ended before everything was asked; --budget gives more.")
    return tuple(notes)


def _kept(context: Context) -> tuple[Observation, ...]:
    """Observations as they go into the report: large documents are kept as facts."""
    found = {s for url in context.audit.revocations.crls for s in covered(context, url)[1]}
    serials = tuple(sorted(found))
    return tuple(_digested(context, seen, serials) for seen in context.observations)


def _digested(context: Context, seen: Observation, serials: tuple[str, ...]) -> Observation:
    exchange = seen.evidence
    if not isinstance(exchange, HttpExchange) or exchange.body is None or len(exchange.body) <= BODY_KEPT:
        return seen
    digest = digest_crl(exchange.body, known_issuers(context), serials)
    return replace(seen, evidence=replace(exchange, body=None, digest=digest))

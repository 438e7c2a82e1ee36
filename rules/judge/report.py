"""The report of a run or of a recording: each row gets its verdict, verdicts form causes, and all give the answer.

A recorded report is judged again, offline, with today's rules: the recording answers every step of a fresh audit. A
question of today's rules without a recorded answer is inconclusive (`audit.not-recorded`). So is what only a missing
CA set could prove (`missing_sets.py`). What the recorded run itself did not reach stays `audit.not-reached`.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

from rules.audit.machine import Audit
from rules.audit.targets import Target
from rules.files.recording import check
from rules.judge import missing_sets
from rules.judge.answer import NameState, answer, answer_text, exit_code, roll_up, without_clock
from rules.judge.circumstances import (
    adjust_after_sweep,
    adjust_retired,
    adjust_samples,
    adjust_unresolved,
    optional_where_unknown,
)
from rules.judge.evidence import Context
from rules.judge.findings import findings
from rules.judge.host import judge_host, local_stop
from rules.judge.missing_sets import adjust_without_sets, set_names
from rules.judge.proxies import proxied
from rules.judge.revocation import judge_revocation, known_issuers, named_by
from rules.judge.some_addresses import one_range
from rules.judge.target import judge_target, untested_verdict
from rules.model import causes
from rules.model.kinds.http_fetch import BODY_KEPT, HttpExchange
from rules.model.observation import Observation
from rules.model.ruleset import Group, Rules
from rules.model.verdict import Answer, Report, RulesUsed, Vantage, Verdict
from rules.pki.revocation import digest_crl
from rules.text.moments import utc

#: Days without a review after which every report mentions the set.
STALE_AFTER = 180


def make_report(
    audit: Audit, started: float, finished: float, version: str, missing: tuple[RulesUsed, ...] = ()
) -> Report:
    """Judge all observations. Times are Unix time; everything is judged at `started`.

    `missing`: CA sets that a recording was judged with and that are not available now.
    """
    context = Context(audit, started)
    stop = local_stop(context)
    by_target: dict[Target, list[Verdict]] = {}
    if stop is not None and (stop.cause != causes.LOCAL_NO_RESOLVER or not audit.last_good):
        verdicts = [stop, *(untested_verdict(t, stop) for t in audit.targets)]
        states = [roll_up(t, [untested_verdict(t, stop)]) for t in audit.targets]
    else:
        by_target = {target: list(judge_target(context, target)) for target in audit.targets}
        if stop is not None:  # no resolver works; the path to earlier addresses is a separate finding
            by_target = {target: adjust_unresolved(rows, stop) for target, rows in by_target.items()}
        by_target = optional_where_unknown(by_target)
        adjust_samples(by_target)
        one_range(by_target)
        by_target = {target: adjust_after_sweep(context, rows) for target, rows in by_target.items()}
        by_target = {target: proxied(context, rows) for target, rows in by_target.items()}
        by_target = {target: adjust_without_sets(rows, missing) for target, rows in by_target.items()}
        adjust_retired(by_target)
        states = [_by_clock(context, roll_up(target, rows)) for target, rows in by_target.items()]
        found = [v for rows in by_target.values() for v in rows]
        verdicts = [
            *([stop] if stop is not None else ()),
            *adjust_without_sets(judge_host(context), missing),
            *found,
            *adjust_without_sets(
                proxied(context, adjust_after_sweep(context, judge_revocation(context))), missing
            ),
        ]
    stopped = audit.stopped or ("no-resolver" if stop is not None else "")
    decided = answer(states, verdicts, stopped)
    if audit.plan.only and decided in (Answer.YES, Answer.DEGRADED):
        decided = Answer.NOT_PROVEN  # a part of the list can prove a block, but not a working network
    text = answer_text(decided, states, verdicts, stopped, _open_reason(audit, missing), audit.plan.region)
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
        findings(context, verdicts),
        tuple(verdicts),
        _recorded_observations(context),
        stopped=audit.stopped,
        notes=_notes(audit, started),
    )


def _by_clock(context: Context, state: NameState) -> NameState:
    """A name of the service passes by the network, and fails by this host's clock."""
    refused = state.target.rule.group is Group.SERVICE and state.target.host in context.clock.refused
    return without_clock(state) if refused and state.passed else state


def _open_reason(audit: Audit, missing: tuple[RulesUsed, ...]) -> str:
    """Why the answer stays open, whatever was seen."""
    if missing:
        return f"the recording was judged with the CA set {set_names(missing)}, which is not given here"
    unpublished = [r.unpublished for r in audit.rules.rulesets if r.unpublished]
    if unpublished and not audit.targets:
        return unpublished[0].rstrip(".")
    return f"only names like {audit.plan.only} were asked for" if audit.plan.only else ""


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
        host.utc_offset,
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
    days = (utc(started).date() - reviewed).days
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


def _recorded_observations(context: Context) -> tuple[Observation, ...]:
    """Observations for the report: of large documents only facts are kept."""
    found = {s for url in context.audit.revocations.crls for s in named_by(context, url).serials}
    serials = tuple(sorted(found))
    return tuple(_digested(context, seen, serials) for seen in context.observations)


def _digested(context: Context, seen: Observation, serials: tuple[str, ...]) -> Observation:
    exchange = seen.evidence
    if not isinstance(exchange, HttpExchange):
        return seen
    document = exchange.long_list or exchange.body
    if document is None or (isinstance(document, bytes) and len(document) <= BODY_KEPT):
        return seen
    digest = digest_crl(document, known_issuers(context), serials)
    return replace(seen, evidence=replace(exchange, body=None, digest=digest, long_list=None))


def replay(report: Report, rules: Rules) -> Report:
    """Judge the observations of `report` with `rules`, at the time they were made. BadReport if that is impossible."""
    check(report)
    audit = Audit(rules, report.plan, {seen.step: seen for seen in report.observations})
    if report.stopped:
        audit.stop(report.stopped)
    missing = missing_sets.missing_ca_sets(report, rules)
    made = make_report(audit, report.started, report.finished, report.version, missing)
    said = "Judged again from a recording; nothing was asked of the network."
    return replace(made, notes=(*made.notes, *missing_sets.missing_set_notes(report, rules), said))

"""Adjust verdicts by the whole audit: stale samples, retired rows, a firewall that took the audit for a scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from rules.audit.focus import ASKED_FOR
from rules.audit.targets import Target
from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.judge.target import simple_verdict
from rules.model import causes
from rules.model.ruleset import Severity
from rules.model.verdict import Status, Verdict


def optional_where_unknown(by_target: dict[Target, list[Verdict]]) -> dict[Target, list[Verdict]]:
    """The names of the connector's region that no resolver knows are samples like others: they went out of use."""
    return {
        replace(target, in_region=False) if target.in_region and any(map(_unknown, rows)) else target: rows
        for target, rows in by_target.items()
    }


def adjust_samples(by_target: dict[Target, list[Verdict]]) -> None:
    """Stale samples: one that no resolver knows is not applicable. A wildcard fails only when all samples that
    resolve fail."""
    wildcards: dict[tuple[str, int], list[Target]] = defaultdict(list)
    for target in by_target:
        if target.sample:
            wildcards[(target.id, target.port)].append(target)
    known = {(t.id, t.port) for t in by_target if t.in_region}  # these resolve, or a reason is given
    for place, found in wildcards.items():
        resolving = []
        for target in found:
            rows = by_target[target]
            if any(_unknown(v) for v in rows):
                by_target[target] = [_stale(v, target) for v in rows]
            else:
                resolving.append(target)
        if not resolving and place not in known:
            first = found[0]
            _hidden(by_target, first)
            met = {v.cause for t in found for v in by_target[t] if v.check == "dns"}
            by_target[first].append(
                simple_verdict(
                    first,
                    "dns",
                    Status.INCONCLUSIVE,
                    causes.DNS_NXDOMAIN if causes.DNS_NXDOMAIN in met else causes.DNS_NO_ADDRESS,
                    f"none of {len(found)} sample names under {first.rule.host} "
                    "resolves: they may be out of date, or an internal zone hides the public one",
                    "zone-unknown",
                )
            )
            continue
        if any(not _failing(by_target[t]) for t in resolving):
            for target in resolving:
                by_target[target] = [
                    replace(v, status=Status.WARN)
                    if v.status is Status.FAIL and v.cause != causes.TLS_INTERCEPTED
                    else v
                    for v in by_target[target]
                ]


def _unknown(verdict: Verdict) -> bool:
    """No resolver knows the name, and none gives a reason: an unknown zone or a filter does not make a sample stale."""
    nothing = (
        verdict.cause in (causes.DNS_NXDOMAIN, causes.DNS_NO_ADDRESS)
        and verdict.circumstance != "private-zone"
    )
    return verdict.check == "dns" and nothing and verdict.status is Status.FAIL


def _hidden(by_target: dict[Target, list[Verdict]], sample: Target) -> None:
    """The whole zone is unknown: when a required name of it is unknown too, that does not show a wrong tenant id."""
    for target, rows in by_target.items():
        if target.id == sample.id and target.required:
            by_target[target] = [
                replace(v, remedy=remedy(v.cause, "zone-unknown"), circumstance="zone-unknown")
                if v.cause == causes.DNS_NXDOMAIN and v.remedy and v.circumstance != "private-zone"
                else v
                for v in rows
            ]


def adjust_after_sweep(context: Context, rows: Iterable[Verdict]) -> list[Verdict]:
    """After a firewall took the audit for a scan, silence is no evidence."""
    if not context.audit.guard.sweep:
        return list(rows)
    return [
        replace(v, status=Status.INCONCLUSIVE, cause=causes.PATH_SWEEP_DETECTED, remedy="")
        if v.cause.silence and v.status in (Status.FAIL, Status.WARN)
        else v
        for v in rows
    ]


def adjust_unresolved(rows: Iterable[Verdict], stop: Verdict) -> list[Verdict]:
    """Rows of a host without a working resolver: this is one finding about the host, and no failure of any name."""
    return [
        replace(v, status=Status.INCONCLUSIVE, cause=stop.cause, summary=stop.summary, remedy="")
        if v.check == "dns" and v.status in (Status.FAIL, Status.WARN)
        else v
        for v in rows
    ]


def _stale(verdict: Verdict, target: Target) -> Verdict:
    asked = target.probe is not None and target.probe.note == ASKED_FOR
    why = (
        "no row lists this very name, so it may be a typing error"
        if asked
        else "a sample name that is no longer in use"
    )
    return replace(
        verdict,
        status=Status.NOT_APPLICABLE,
        summary=f"{verdict.summary}: {why}",
        remedy="" if asked else verdict.remedy,
    )


def _failing(rows: Iterable[Verdict]) -> bool:
    return any(v.status in (Status.FAIL, Status.BROKEN) for v in rows)


def adjust_retired(by_target: dict[Target, list[Verdict]]) -> None:
    """Rows that Microsoft retired, and optional rows, are at most a notice."""
    for target, rows in by_target.items():
        if target.rule.severity is not Severity.REQUIRED:
            by_target[target] = [
                replace(v, status=Status.NOTICE, remedy="")
                if v.status in (Status.FAIL, Status.WARN, Status.INCONCLUSIVE)
                else v
                for v in rows
            ]

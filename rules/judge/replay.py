"""A recorded report judged again, offline, with today's rules.

The recording answers every step of a fresh audit. What today's rules ask and the recording lacks is inconclusive
(`audit.not-recorded`), and so is what a CA set of the recording would tell that is not given now (`missing_sets.py`);
what the recorded run itself did not reach stays `audit.not-reached`.
"""

from __future__ import annotations

from dataclasses import replace

from rules.audit.machine import Audit
from rules.files.recording import check
from rules.judge import missing_sets
from rules.judge.report import make_report
from rules.model.ruleset import Rules
from rules.model.verdict import Report


def replay(report: Report, rules: Rules) -> Report:
    """Judge the observations of `report` with `rules`, at the time they were made. BadReport where it cannot be judged."""
    check(report)
    audit = Audit(rules, report.plan, {seen.step: seen for seen in report.observations})
    if report.stopped:
        audit.stop(report.stopped)
    missing = missing_sets.missing_ca_sets(report, rules)
    made = make_report(audit, report.started, report.finished, report.version, missing)
    said = "Judged again from a recording; nothing was asked of the network."
    return replace(made, notes=(*made.notes, *missing_sets.notes(report, rules), said))

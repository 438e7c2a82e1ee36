"""Judges a rehearsal: the machine and the rules of an audit, with the answers of a network that was never measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from rules.audit.machine import Audit
from rules.files.recording import check
from rules.judge import missing_sets
from rules.judge.report import make_report
from rules.model.observation import Observation, Step
from rules.model.ruleset import Rules
from rules.model.verdict import Report
from rules.rehearse.changes import Change, Forge, Rehearsed
from rules.rehearse.marks import marked

NOTE = "REHEARSAL: nothing of this was measured. It is a recording with some answers replaced; no packet was sent."
Recorded: TypeAlias = dict[Step, Observation]


def rehearse(
    recorded: Report, rules: Rules, changes: Sequence[Change], forge: Forge, silence: float
) -> Report:
    """The report that an audit would write if `changes` were so. BadReport if the recording cannot be judged.

    `silence`: seconds that an audit waits for a connection. The pace is the fast one: a polite audit stops when twenty
    hosts are silent, and what it does not reach would hide what is asked for here.
    """
    check(recorded)
    plan = replace(recorded.plan, labels=marked(recorded.plan), pace="fast")
    known: Recorded = {seen.step: seen for seen in recorded.observations}
    audit = Audit(rules, plan, Rehearsed(known, changes, forge, silence, plan.control_name))
    missing = missing_sets.missing_ca_sets(recorded, rules)
    made = make_report(audit, recorded.started, recorded.finished, recorded.version, missing)
    return replace(made, notes=(NOTE, *made.notes, *missing_sets.missing_set_notes(recorded, rules)))

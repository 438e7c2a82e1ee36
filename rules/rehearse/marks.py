"""How a rehearsal is told from a measurement: a label of its plan, which every report of it carries."""

from __future__ import annotations

from rules.model.verdict import Plan, Report

#: The label and its value. It stands beside "Tested from" in each text, and in the JSON under `vantage.labels`.
LABEL = "REHEARSAL"
NOTHING = "nothing of this was measured"


def marked(plan: Plan) -> tuple[tuple[str, str], ...]:
    """The labels of a rehearsal's plan."""
    return ((LABEL, NOTHING), *(pair for pair in plan.labels if pair[0] != LABEL))


def is_rehearsal(report: Report) -> bool:
    """Whether a report is a rehearsal, also one that was judged again."""
    return any(name == LABEL for name, _ in (*report.vantage.labels, *report.plan.labels))

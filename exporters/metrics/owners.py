"""Who must act, in words, for the labels that people read in alerts and on dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from exporters.terminal.audit import WRONG
from exporters.terminal.owners import owner_name
from rules.model import causes
from rules.model.verdict import CauseGroup, Report, Status
from rules.watch.state import TargetState

Owners: TypeAlias = Mapping[tuple[str, int, str], str]
"""Who must act, by host, port and cause, as the findings of a report say."""

#: Statuses with which nobody has to act.
_FINE = (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE)


def needs_action(found: TargetState) -> bool:
    """Whether somebody has to look at this target: it fails, warns or could not be tested."""
    return found.status not in _FINE


def owners(report: Report | None) -> Owners:
    """Who must act about each name and cause of `report`. The findings are in order, so the heaviest decides."""
    named: dict[tuple[str, int, str], str] = {}
    if report is None:
        return named
    for finding in report.causes:
        for endpoint in finding.endpoints:
            named.setdefault((endpoint.host, endpoint.port, finding.cause.word), _name(report, finding))
    return named


def _name(report: Report, finding: CauseGroup) -> str:
    return owner_name(finding.owner, report.plan.owners)


def owner(found: TargetState, named: Owners) -> str:
    """Who must act about a target: "" if nobody has to.

    A confirmed state can be newer or older than the report. Then the record of the cause says who acts.
    """
    if not needs_action(found):
        return ""
    known = named.get((found.host, found.port, found.cause))
    return known or owner_name(causes.from_word(found.cause).owner)


def heaviest(report: Report) -> tuple[str, str]:
    """The heaviest cause of a report and who must act: what is wrong first, else what could not be tested.

    ("ok", "") if the report has neither.
    """
    for wanted in (WRONG, frozenset({Status.INCONCLUSIVE})):
        for finding in report.causes:
            if finding.status in wanted and not finding.because:
                return finding.cause.word, _name(report, finding)
    return causes.OK.word, ""

"""Who must act, in words, for the labels that people read in alerts and on dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from exporters.terminal.audit import OWNERS, WRONG
from rules.model import causes
from rules.model.verdict import Report, Status
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
    for finding in report.causes if report is not None else ():
        for endpoint in finding.endpoints:
            named.setdefault((endpoint.host, endpoint.port, finding.cause.word), OWNERS[finding.owner])
    return named


def owner(found: TargetState, named: Owners) -> str:
    """Who must act about a target: "" if nobody has to.

    A confirmed state can be newer or older than the report. Then the record of the cause says who acts.
    """
    if not needs_action(found):
        return ""
    known = named.get((found.host, found.port, found.cause))
    return known or OWNERS[causes.from_word(found.cause).owner]


def heaviest(report: Report) -> tuple[str, str]:
    """The heaviest cause of a report and who must act: what is wrong first, else what could not be tested.

    ("ok", "") if the report has neither.
    """
    for wanted in (WRONG, frozenset({Status.INCONCLUSIVE})):
        for finding in report.causes:
            if finding.status in wanted:
                return finding.cause.word, OWNERS[finding.owner]
    return causes.OK.word, ""

"""Who must act, in words, for the labels that people read in alerts and on dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporters.terminal.findings_view import WRONG
from exporters.terminal.owners import owner_name
from rules.model import causes
from rules.model.verdict import CauseGroup, Report, Status
from rules.watch.state import TargetState

#: Statuses that need no action.
_FINE = (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE)


def needs_action(found: TargetState) -> bool:
    """Whether this target needs a look: it fails, warns or could not be tested."""
    return found.status not in _FINE


@dataclass(frozen=True, slots=True)
class Owners:
    """Who must act, as the findings of a report say."""

    by_cause: Mapping[tuple[str, int, str], str] = field(default_factory=dict)  # by host, port and cause
    names: tuple[tuple[str, str], ...] = ()  # what the organisation calls its teams (`Plan.owners`)

    @classmethod
    def of(cls, report: Report | None) -> Owners:
        """The findings are in order, so the heaviest decides. Who repairs a finding repairs what follows from it."""
        if report is None:
            return cls()
        by_id = {finding.id: finding for finding in report.causes}
        found: dict[tuple[str, int, str], str] = {}
        for finding in report.causes:
            root = next((by_id[one] for one in finding.because if one in by_id), finding)
            for endpoint in finding.endpoints:
                found.setdefault((endpoint.host, endpoint.port, finding.cause.word), _name(report, root))
        return cls(found, report.plan.owners)

    def owner(self, found: TargetState) -> str:
        """Who must act about a target: "" if no action is needed.

        A confirmed state can be newer or older than the report. Then the record of the cause says who acts.
        """
        if not needs_action(found):
            return ""
        known = self.by_cause.get((found.host, found.port, found.cause))
        return known or owner_name(causes.from_word(found.cause).owner, self.names)


def _name(report: Report, finding: CauseGroup) -> str:
    return owner_name(finding.owner, report.plan.owners)


def heaviest(report: Report) -> tuple[str, str]:
    """The heaviest cause of a report and who must act: what is wrong first, else what could not be tested.

    ("ok", "") if the report has neither.
    """
    for wanted in (WRONG, frozenset({Status.INCONCLUSIVE})):
        for finding in report.causes:
            if finding.status in wanted and not finding.because:
                return finding.cause.word, _name(report, finding)
    return causes.OK.word, ""

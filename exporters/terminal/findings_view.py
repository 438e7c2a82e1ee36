"""The findings of a report by their place: what is wrong, what could not be tested, notices, and who must act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporters.terminal.headline import unlisted
from exporters.terminal.owners import helpers, owner_text
from rules.model.verdict import Answer, CauseGroup, Report, Status

WRONG = frozenset({Status.BROKEN, Status.FAIL, Status.WARN})


@dataclass(frozen=True, slots=True)
class FindingsView:
    """The roots of `report`, heaviest first. What follows from a root is in none of the three lists."""

    report: Report
    wrong: tuple[CauseGroup, ...]
    untested: tuple[CauseGroup, ...]
    notices: tuple[CauseGroup, ...]

    def followers(self, root: CauseGroup) -> list[CauseGroup]:
        """What follows from a root."""
        return [found for found in self.report.causes if root.id in found.because]

    def owner(self, found: CauseGroup) -> str:
        """Who must act, as the organisation calls them."""
        return owner_text(found.owner, self.report.plan.owners)

    def acting(self, most: int | None = None) -> dict[str, list[CauseGroup]]:
        """Who must act, on which of the first `most` findings (None: of all)."""
        owners: dict[str, list[CauseGroup]] = {}
        for found in self.wrong[:most]:
            owners.setdefault(self.owner(found), []).append(found)
        return owners

    def helpers(self) -> list[str]:
        """The teams that could make a finding testable and have nothing to repair."""
        return helpers(self.untested, self.wrong, self.report.plan.owners)

    def nobody_text(self) -> str:
        """The text when no action is needed and no team could help."""
        if self.untested:
            return "No action is needed for what was tested: see below what could not be tested."
        if self.report.answer is Answer.NOT_PROVEN and unlisted(self.report):
            return "Ask Microsoft for the list, or write a rule set of your own (docs/rules.md)."
        return "Nothing to do."


def findings_view(report: Report) -> FindingsView:
    """The view of a report. A finding whose root the report lacks counts as a root, so that nothing is hidden."""
    known = {found.id for found in report.causes}
    roots = [found for found in report.causes if known.isdisjoint(found.because)]
    wrong = tuple(found for found in roots if found.status in WRONG)
    return FindingsView(report, wrong, _of(roots, Status.INCONCLUSIVE), _of(roots, Status.NOTICE))


def _of(roots: Sequence[CauseGroup], status: Status) -> tuple[CauseGroup, ...]:
    return tuple(found for found in roots if found.status is status)


def finding_numbers(found: Sequence[CauseGroup]) -> str:
    """`finding 1`, `findings 1, 3`."""
    return f"finding{'s' if len(found) > 1 else ''} {', '.join(one.id for one in found)}"

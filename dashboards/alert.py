"""What an alert is: a query, a comparison, a number, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["page", "ticket", "reminder", "none"]
Comparison: TypeAlias = Literal["<", ">"]
About: TypeAlias = Literal["", "connector", "connector_group", "site"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `query` as in `dashboards/promql.py`; durations as in Prometheus ("5m").

    `severity`: a page calls the person on call, a ticket waits for office hours, a reminder comes once a week, "none"
    exists only to inhibit others. `summary` and `description` are written as `dashboards/annotations.py` says; the anchor in the
    runbook is made of the name. `panel`: uid of a dashboard and title of a panel that shows it. `about`: the label by
    which the page with the details is found.
    """

    name: str
    severity: Severity
    query: str
    comparison: Comparison
    threshold: float
    pending: str  # `for`
    keep: str  # `keep_firing_for`
    summary: str
    description: str
    panel: tuple[str, str]
    about: About = "connector"
    silence_is_trouble: bool = False  # in Grafana: no data at all fires it
    waits: bool = False  # the threshold is a time that is waited for, in seconds: it follows a test's scale

    @property
    def expr(self) -> str:
        """Query, comparison and threshold as one expression."""
        return (
            f"(\n  {self.query.replace(chr(10), chr(10) + '  ')}\n)\n{self.comparison} {self.threshold_text}"
        )

    @property
    def threshold_text(self) -> str:
        """The threshold as PromQL, written as in `dashboards/promql.py`."""
        return f"@{self.threshold:.15g}s@" if self.waits else f"{self.threshold:.15g}"

    @property
    def anchor(self) -> str:
        """Anchor of its heading in `docs/alerts.md` and on the page `/runbook`."""
        return self.name.lower()

"""`python -m tests.lab.findings_table`: of each scenario the answer, the findings with their owners, and the lines on a screen."""

from __future__ import annotations

from dataclasses import replace

from exporters.terminal.style import Style
from exporters.terminal.summary import render
from rules.model.verdict import Report, Status
from tests.lab.scenarios import SCENARIOS
from tests.rules import goldens

WRONG = (Status.FAIL, Status.WARN, Status.BROKEN)


def row(name: str, report: Report) -> str:
    """A row of the table: what a live audit shows, without the notes of a recording."""
    found = [c for c in report.causes if c.status in WRONG and not c.because]
    below = sum(1 for c in report.causes if c.because)
    lines = len(render(replace(report, notes=()), Style(100)).splitlines())
    shown = ", ".join(f"{c.cause} ({c.owner})" for c in found) or "-"
    return f"| `{name}` | {report.answer} | {len(found)} | {shown} | {below} | {lines} |"


def main() -> None:
    """Print the table."""
    print("| scenario | answer | findings | causes (owner) | what follows | lines |")
    print("| --- | --- | ---: | --- | ---: | ---: |")
    for scenario in SCENARIOS:
        print(row(scenario.name, goldens.golden(scenario.name)))


if __name__ == "__main__":
    main()

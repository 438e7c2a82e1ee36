"""docs/alerts.md: a runbook for every alert, with queries that work. `python -m tests.dashboards.test_runbooks` writes
its table, and the copy that the service shows.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dashboards.alert import Alert
from dashboards.alerts import ALERTS
from exporters.runbook.page import render
from probe.command.main import ENTRIES
from tests.dashboards import promtool
from tests.dashboards.test_panel_queries import complaints

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "alerts.md"
SERVED = ROOT / "exporters" / "runbook" / "alerts.md"
TEXT = PAGE.read_text("utf-8")
PARTS = re.split(r"^### (\w+)$", TEXT, flags=re.MULTILINE)
RUNBOOKS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
SECTIONS = re.split(r"^## (\w+)$", TEXT, flags=re.MULTILINE)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
QUERIES = re.findall(r"```promql\n(.*?)```", TEXT, re.DOTALL)


def table() -> str:
    """The alerts with their waits, from the definition."""
    head = ["| alert | severity | after it has held for | goes on for |", "| --- | --- | --- | --- |"]
    rows = [f"| [{a.name}](#{a.anchor}) | {a.severity} | {a.pending} | {a.keep} |" for a in ALERTS]
    return "\n".join([*head, *rows])


def written(text: str) -> str:
    """The page with its table as it should be."""
    pattern = r"(<!-- alerts: [^\n]* -->\n).*?(<!-- end of alerts -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{table()}\n{m[2]}", text, flags=re.DOTALL)


def test_the_table_is_that_of_the_definition() -> None:
    assert written(TEXT) == TEXT
    assert table() in TEXT


def test_every_alert_has_one_runbook_and_every_runbook_an_alert() -> None:
    assert PARTS[1::2] == [alert.name for alert in ALERTS]


@each_alert
def test_a_runbook_stands_under_its_severity(alert: Alert) -> None:
    heading = {"page": "Pages", "ticket": "Tickets", "reminder": "Reminders", "none": "Sources"}[
        alert.severity
    ]
    assert f"### {alert.name}\n" in dict(zip(SECTIONS[1::2], SECTIONS[2::2], strict=True))[heading]


@each_alert
def test_a_runbook_says_what_somebody_needs_who_was_just_woken(alert: Alert) -> None:
    text = RUNBOOKS[alert.name]
    words = ["Means", "Users see", "Look at", "Who acts", "Silence"]
    assert re.findall(r"^- \*\*([^*:]+):\*\*", text, re.MULTILINE) == words
    look = text.partition("**Look at:**")[2].partition("- **Who acts")[0]
    assert re.findall(r"^  (\d)\. ", look, re.MULTILINE) == ["1", "2", "3"]
    assert len(re.findall(r"```promql", look)) == 1
    assert set(re.findall(r"`wayclear ([a-z]+)", look)) & {entry.name for entry in ENTRIES}


@each_alert
def test_the_anchor_of_an_alert_is_that_of_its_heading(alert: Alert) -> None:
    assert alert.anchor == re.sub(r"[^a-z0-9-]", "", alert.name.lower())


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([a-z-]+)\)", TEXT))
def test_links_within_the_page_lead_to_a_heading(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("query", QUERIES)
def test_metrics_and_labels_of_its_queries_exist(query: str) -> None:
    assert complaints(query) == []


def test_prometheus_parses_its_queries(tmp_path: Path) -> None:
    recorded = [{"record": f"q{index}", "expr": query} for index, query in enumerate(QUERIES)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}), "utf-8")
    done = promtool.run("check", "rules", path)
    assert f"{len(ALERTS)} rules found" in done.stdout, done.stdout + done.stderr


def test_the_page_of_the_service_has_this_text() -> None:
    assert SERVED.read_text("utf-8") == TEXT, "run `python -m tests.dashboards.test_runbooks`"


@each_alert
def test_the_page_of_the_service_has_its_anchor(alert: Alert) -> None:
    assert f'<h3 id="{alert.anchor}">{alert.name}</h3>' in render(TEXT, "c1")


if __name__ == "__main__":
    PAGE.write_text(written(TEXT), "utf-8")
    SERVED.write_text(written(TEXT), "utf-8")

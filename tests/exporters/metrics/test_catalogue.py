"""The catalogue against its contract, the vocabularies of the code and the page.

`python -m tests.exporters.metrics.test_catalogue` writes the tables of the page anew.
"""

from __future__ import annotations

import re
import subprocess
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from dashboards.alerts import BY_NAME as BY_ALERT
from exporters.metrics import catalogue
from exporters.metrics.catalogue import BY_NAME, CATALOGUE, PROCESS_METRICS, Label, Metric
from exporters.metrics.connector import MOST_MEMBERS
from exporters.metrics.text_format import cause
from probe.measure.tls_records import VERSIONS
from rules.model.kind import StageName
from rules.model.verdict import RulesUsed
from rules.watch.state import CheckName, Family, IssuerClass, SourceState
from tests.test_docs import ROOT, between, entries, page

PAGE = "docs/metrics.md"
OURS = [metric for metric in CATALOGUE if metric not in PROCESS_METRICS]
#: Gauges of 0 and 1 by their names' last words.
YES_OR_NO = "can_live|answer|degraded|not_proven|host_fault|maintenance|success|measured|reachable|valid|successful|writable|info"


# --- names and texts ------------------------------------------------------------------------------------------------


def test_every_name_stands_once() -> None:
    assert len(BY_NAME) == len(CATALOGUE)


@pytest.mark.parametrize("metric", OURS, ids=lambda m: m.name)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"wayclear_[a-z0-9_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.type == "counter")
    names = [label.name for label in metric.labels]
    assert len(set(names)) == len(names)
    assert not set(names) & {*catalogue.CONSTANT, "job", "instance", "le", "quantile"}


@pytest.mark.parametrize("metric", OURS, ids=lambda m: m.name)
def test_help_states_the_unit_and_what_1_means(metric: Metric) -> None:
    assert metric.help.endswith(".")
    assert metric.help.isascii()
    unit = metric.name.removesuffix("_total").rpartition("_")[2]
    if unit in ("seconds", "bytes"):
        assert f"in {unit}" in metric.help
    if metric.name.endswith("timestamp_seconds"):
        assert "since 1970 (Unix time)" in metric.help
    if re.search(rf"_({YES_OR_NO})$", metric.name):
        assert metric.help.startswith("1")
    elif unit not in ("seconds", "bytes", "ratio", "member"):
        assert "umber of" in metric.help, "a count of what?"


def test_the_names_a_query_can_use() -> None:
    assert BY_NAME["wayclear_maintenance"].series == ("wayclear_maintenance",)
    lag = "wayclear_schedule_lag_seconds"
    assert BY_NAME[lag].series == (f"{lag}_bucket", f"{lag}_sum", f"{lag}_count")


def test_the_catalogue_is_the_contract() -> None:
    contract = page("docs/design/010-appliance.md").partition("## Metrics")[2]
    found: set[str] = set()
    for row in re.findall(r"^\| (`wayclear_[^|]+) \|", contract, re.MULTILINE):
        first, *more = re.findall(r"`(\w+)`", row)
        for name in (first, *more):
            short = name if name.startswith("wayclear") else first.rpartition("_")[0] + name
            found.add(short.replace("can_degraded", "degraded").replace("can_not_proven", "not_proven"))
    assert found == {metric.name for metric in OURS}


def test_the_process_metrics_are_those_of_the_library() -> None:
    told = {family.name: family for family in ProcessCollector(registry=CollectorRegistry()).collect()}
    assert {name: (f.type, f.documentation) for name, f in told.items()} == {
        m.name.removesuffix("_total"): (m.type, m.help) for m in PROCESS_METRICS
    }


# --- vocabularies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "values"),
    [
        (catalogue.CHECK, get_args(CheckName)),
        (catalogue.STAGE, get_args(StageName)),
        (catalogue.FAMILY, get_args(Family)),
        (catalogue.ISSUER_CLASS, get_args(IssuerClass)),
        (catalogue.TLS_VERSION, ("", *VERSIONS.values())),
        (catalogue.SOURCE_KIND, ("crl", "ocsp")),
        (catalogue.RULESET_KIND, ("rules", "cas")),
    ],
    ids=lambda value: value.name if isinstance(value, Label) else "",
)
def test_a_label_takes_the_values_that_the_code_has(label: Label, values: tuple[str, ...]) -> None:
    assert label.values == values


def test_the_kinds_are_those_of_the_values() -> None:
    assert "Literal['crl', 'ocsp']" in str(SourceState.__annotations__["kind"]).replace('"', "'")
    assert "Literal['rules', 'cas']" in str(RulesUsed.__annotations__["kind"]).replace('"', "'")


def test_every_cause_may_be_a_label() -> None:
    causes = entries()
    assert len(causes) > 50
    assert [name for name in causes if cause(name) != name] == []


def test_a_closed_label_takes_nothing_else() -> None:
    assert catalogue.CHECK.closed("tls") == "tls"
    assert catalogue.CHECK.closed("TLS") == "other"


# --- the page -------------------------------------------------------------------------------------------------------


def metric_tables() -> str:
    """A heading and a table for each group."""
    lines: list[str] = []
    for group, metrics in groupby(CATALOGUE, key=lambda metric: metric.group):
        lines += [f"### {group}", "", "| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
        for m in metrics:
            own = ", ".join(f"`{label.name}`" for label in m.labels)
            lines.append(f"| `{m.name}` | {m.type} | {own} | {m.help} |")
        lines.append("")
    return "\n".join(lines[:-1])


def label_table() -> str:
    """Each label with its values, and where it stands if its name has several meanings."""
    used: dict[Label, list[str]] = {}
    for metric in CATALOGUE:
        for label in metric.labels:
            used.setdefault(label, []).append(metric.name)
    names = [label.name for label in used]
    lines = ["| label | values | on |", "| --- | --- | --- |"]
    for label, metrics in used.items():
        values = ", ".join(f"`{value}`" if value else "empty" for value in label.values) or label.source
        where = ", ".join(f"`{name}`" for name in metrics) if names.count(label.name) > 1 else ""
        lines.append(f"| `{label.name}` | {values} | {where} |")
    return "\n".join(lines)


def test_the_page_has_every_metric() -> None:
    assert between(PAGE, "metrics") == metric_tables()


def test_the_page_has_every_label() -> None:
    assert between(PAGE, "labels") == label_table()


def test_the_page_tells_the_limits() -> None:
    text = " ".join(page(PAGE).split())
    assert (
        f"At most {catalogue.SERIES_OF_A_TARGET} for a target, and at most {catalogue.SERIES_BESIDES} besides"
        in text
    )
    assert f"A scrape has at most {catalogue.SERIES:,}" in text
    assert f"an inventory of more than {MOST_MEMBERS} connectors" in text


def queries() -> list[str]:
    return re.findall(r"```promql\n(.*?)```", page(PAGE), re.DOTALL)


def test_every_query_of_the_page_is_one_and_names_metrics_that_exist(tmp_path: Path) -> None:
    assert len(queries()) > 5
    known = {name for metric in CATALOGUE for name in metric.series}
    assert {name for query in queries() for name in re.findall(r"wayclear_\w+", query)} <= known
    rules = [{"record": f"page:query:{n}", "expr": query} for n, query in enumerate(queries())]
    promtool(tmp_path, {"groups": [{"name": "page", "rules": rules}]}, "check")


def test_interception_is_asked_for_as_the_alert_does() -> None:
    alert = BY_ALERT["WayclearServiceIntercepted"]
    (query,) = [query for query in queries() if "interception_ratio" in query]
    assert query.strip().endswith(f"{alert.comparison} {alert.threshold_text}")


def test_the_join_of_the_page_gives_the_cause(tmp_path: Path) -> None:
    base = 'connector="c1", target="a.example", port="443", rule_group="service", via="direct"'
    join = next(query for query in queries() if "group_left" in query)
    labels = f'{{cause="tls.reset", check="tls", {base}}}'
    series = {
        f'wayclear_check_success{{{base}, check="tls"}}': 0,
        f'wayclear_check_measured{{{base}, check="tls"}}': 1,
        f'wayclear_check_success{{{base}, check="dns"}}': 0,
        f'wayclear_check_measured{{{base}, check="dns"}}': 0,
        f'wayclear_target_info{{{base}, check="tls", cause="tls.reset", issuer_class="", tls_version=""}}': 1,
    }
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{value}x5"} for name, value in series.items()],
        "promql_expr_test": [
            {"expr": join, "eval_time": "2m", "exp_samples": [{"labels": labels, "value": 0}]}
        ],
    }
    promtool(tmp_path, {"rule_files": [], "evaluation_interval": "1m", "tests": [case]}, "test")


def promtool(directory: Path, content: object, verb: str) -> None:
    """Let Debian's promtool look at a file of rules, or of tests."""
    file = directory / "page.yml"
    file.write_text(yaml.safe_dump(content), "utf-8")
    run = subprocess.run(
        ["promtool", verb, "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def write_tables() -> None:
    """Put the tables between the comments of the page."""
    for word, table in (("metrics", metric_tables()), ("labels", label_table())):
        (ROOT / PAGE).write_text(page(PAGE).replace(between(PAGE, word), table), "utf-8")


if __name__ == "__main__":
    write_tables()

"""The schema that ships is the one of the types, and reports obey it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

import rules
from rules.files.report_json import dumps
from rules.files.report_schema import schema
from rules.model.verdict import Report
from tests.exporters import samples
from tests.rules.files.test_report_json import parsed, values

SHIPPED = Path(rules.__file__).parent / "schema" / "report-1.json"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_shipped_file_is_the_generated_one() -> None:
    assert json.loads(SHIPPED.read_text("utf-8")) == json.loads(json.dumps(schema())), (
        "run: python -m exporters.report.schema > rules/schema/report-1.json"
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("report", [samples.report(), samples.healthy(), samples.behind_proxy()])
def test_samples_are_valid(report: Report) -> None:
    VALIDATOR.validate(json.loads(dumps(report)))


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
@given(values(Report))
def test_whatever_is_written_is_valid_but_for_the_exit_code(report: Report) -> None:
    VALIDATOR.validate(parsed(report) | {"exit_code": 0})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("answer",), "maybe"),
        (("exit_code",), 4),
        (("started",), "now"),
        (("vantage", "proxy"), []),
        (("observations", 4, "step", "port"), "443"),
        (("observations", 4, "facts", "hello_size"), None),
        (("observations", 4, "local"), ["10.20.0.5"]),
        (("verdicts", 0, "check"), "smell"),
        (("causes", 0, "mechanism"), "magic"),
    ],
)
def test_it_refuses(path: tuple[Any, ...], value: object) -> None:
    data: Any = parsed(samples.report())
    spot = data
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    assert not VALIDATOR.is_valid(data)


def test_kinds_to_come_are_allowed() -> None:
    data = parsed(samples.report())
    data["observations"][0] |= {"kind": "path_trace", "step": {"ttl": 1}, "facts": {"hops": []}}
    VALIDATOR.validate(data)

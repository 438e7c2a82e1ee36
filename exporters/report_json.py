"""The report as JSON: exactly `wayclear.report/1`, for scripts and for `wayclear replay`."""

from __future__ import annotations

import json
import sys

from exporters.style import Style
from rules.verdict import Report
from rules.wire import dumps
from rules.wire_schema import schema


def render(report: Report, style: Style) -> str:
    """The report's JSON text. `style` changes nothing: scripts read it."""
    del style
    return dumps(report)


def schema_text() -> str:
    """The JSON Schema as the package ships it (`rules/schema/report-1.json`)."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())

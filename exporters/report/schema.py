"""The JSON Schema of the report, as the package ships it.

python -m exporters.report.schema > rules/schema/report-1.json
"""

from __future__ import annotations

import json
import sys

from rules.files.report_schema import schema


def text() -> str:
    """The schema as the file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())

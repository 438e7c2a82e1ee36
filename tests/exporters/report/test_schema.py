"""The command that writes the schema writes the file that ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import rules
from exporters.report.schema import text


def test_the_command_writes_the_shipped_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporters.report.schema"], capture_output=True, check=True, timeout=60
    )
    shipped = Path(rules.__file__).parent / "schema" / "report-1.json"
    assert done.stdout.decode() == text() == shipped.read_text("utf-8")

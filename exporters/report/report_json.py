"""The report as JSON: exactly `wayclear.report/1`, for scripts and for `wayclear replay`."""

from __future__ import annotations

from exporters.terminal.style import Style
from rules.files.report_json import dumps, pieces
from rules.model.verdict import Report

__all__ = ["pieces", "render"]


def render(report: Report, style: Style) -> str:
    """The report's JSON text. `style` changes nothing: scripts read it."""
    del style
    return dumps(report)

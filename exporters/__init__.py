"""Tells what was found: values of ``rules`` in; text, pages or metric families out. No network."""

from __future__ import annotations

from collections.abc import Callable

from exporters.report import report_json
from exporters.terminal import audit
from exporters.terminal.style import Style
from rules.model.verdict import Report

#: Formats by the word that `--format` takes; the list is written by hand, nothing registers itself.
FORMATS: dict[str, Callable[[Report, Style], str]] = {
    "text": audit.render,
    "json": report_json.render,
}

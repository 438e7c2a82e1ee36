"""Tells what was found: values of ``rules`` in; text, pages or metric families out. No network."""

from __future__ import annotations

from collections.abc import Callable

from exporters import report_json, text
from exporters.style import Style
from rules.verdict import Report

#: Formats by the word that `--format` takes; the list is written by hand, nothing registers itself.
FORMATS: dict[str, Callable[[Report, Style], str]] = {
    "text": text.render,
    "json": report_json.render,
}

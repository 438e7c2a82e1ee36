"""The formats of a report: one record for each value of `--format`. The list is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from exporters.metrics.exposition import from_state
from exporters.terminal import audit, summary
from exporters.terminal.style import Style
from probe.audit.state import place_of, state_of
from probe.config.settings import Config
from probe.host.output_file import PRIVATE, READABLE
from rules.files import report_json
from rules.model.ruleset import Rules
from rules.model.verdict import Report


@dataclass(frozen=True, slots=True)
class JudgedReport:
    """A report with the rules and the configuration that it was judged by."""

    report: Report
    rules: Rules
    config: Config


@dataclass(frozen=True, slots=True)
class Format:
    """How a report is written. `utf8`: ignore the terminal's encoding. `mode`: the permissions of its file."""

    render: Callable[[JudgedReport, Style], Iterable[str]]  # the text, whole or in pieces
    utf8: bool
    mode: int


def _text(judged: JudgedReport, style: Style) -> Iterable[str]:
    return [(audit if style.verbose else summary).render(judged.report, style)]


def _json(judged: JudgedReport, _: Style) -> Iterable[str]:
    return report_json.pieces(judged.report)


def _prometheus(judged: JudgedReport, _: Style) -> Iterable[str]:
    place = place_of(judged.config, judged.report.vantage.host)
    return [from_state(state_of(judged.report, judged.rules, place))]


FORMATS: Mapping[str, Format] = {
    "text": Format(_text, utf8=False, mode=PRIVATE),
    # always UTF-8 (RFC 8259 section 8.1); in pieces, because it may be large
    "json": Format(_json, utf8=True, mode=PRIVATE),
    "prometheus": Format(_prometheus, utf8=True, mode=READABLE),
}

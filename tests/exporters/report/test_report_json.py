"""The JSON format is the contract and nothing else."""

from __future__ import annotations

import json

import pytest

from exporters import FORMATS
from exporters.report.report_json import render
from exporters.terminal.style import Style
from rules.files.report_json import loads, to_json
from tests.exporters import samples


@pytest.mark.parametrize("style", [Style(), Style(40, color=True, verbose=True, encoding="ascii")])
def test_it_is_the_report_whatever_the_style(style: Style) -> None:
    shown = render(samples.report(), style)
    assert json.loads(shown) == to_json(samples.report())
    assert loads(shown).answer_text == samples.report().answer_text
    assert shown.endswith("}\n")


def test_formats_are_a_list_written_by_hand() -> None:
    assert list(FORMATS) == ["text", "json"]

"""The formats of a report."""

from __future__ import annotations

import pytest

from exporters.terminal.style import Style
from probe.command.formats import FORMATS, JudgedReport
from probe.command.main import parse
from probe.config.settings import Config, load_rules
from rules.files.report_json import dumps, loads
from tests.exporters import samples


@pytest.mark.parametrize("style", [Style(), Style(40, color=True, verbose=True, encoding="ascii")])
def test_json_is_the_report_whatever_the_style(style: Style) -> None:
    shown = "".join(FORMATS["json"].render(JudgedReport(samples.report(), load_rules(), Config()), style))
    assert shown == dumps(samples.report())
    assert loads(shown).answer_text == samples.report().answer_text
    assert shown.endswith("}\n")


@pytest.mark.parametrize("command", [["audit"], ["explain", "login.windows.net"], ["replay", "r.json"]])
@pytest.mark.parametrize("word", FORMATS)
def test_every_format_is_offered_by_every_command_that_writes_a_report(command: list[str], word: str) -> None:
    assert parse([*command, "--format", word])[1].format == word


def test_text_is_for_the_terminal_and_the_others_for_programs() -> None:
    assert [(word, form.utf8, oct(form.mode)) for word, form in FORMATS.items()] == [
        ("text", False, "0o640"),
        ("json", True, "0o640"),
        ("prometheus", True, "0o644"),
    ]

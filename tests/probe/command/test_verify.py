"""The options of `wayclear verify`, and what it refuses before it asks anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from probe.command import main as cli
from probe.command.main import parse
from probe.command.verify import VerifyOptions, parsed
from probe.errors import CommandError
from rules.files.report_json import dumps
from rules.rehearse.marks import marked
from tests import recordings
from tests.exporters import samples


def options(*words: str) -> VerifyOptions:
    return parsed(parse(["verify", *words])[1])


def test_the_finding_stands_behind_a_hash() -> None:
    assert (options("report.json").report, options("report.json").finding) == ("report.json", "")
    found = options("a#b.json#1.2", "--watch")
    assert (found.report, found.finding, found.watch) == ("a#b.json", "1.2", True)
    assert options("-").report == "-"


def test_a_file_with_a_hash_in_its_name_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "report#1"
    path.write_text("{}")
    assert options(str(path)).finding == ""


@pytest.mark.parametrize(
    ("words", "told"), [("report.json#", "no number at its #"), ("#1", "no file at its #")]
)
def test_a_half_of_it_is_refused_with_an_example(words: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        options(words)


def test_a_rehearsal_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = samples.report()
    path = tmp_path / "rehearsed.json"
    path.write_text(dumps(replace(report, plan=replace(report.plan, labels=marked(report.plan)))))
    assert cli.main(["verify", str(path)]) == 3
    assert "is a rehearsal, nothing of it was measured" in capsys.readouterr().err


def test_nothing_is_asked_where_nothing_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(recordings.whole("healthy")) | {"observations": []}
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(report))
    assert cli.main(["verify", str(path), "--config", "tests/probe/empty.toml"]) == 0
    assert capsys.readouterr().err.startswith(f"Nothing failed in {path}")


def test_the_help_has_three_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["verify", "--help"])
    assert capsys.readouterr().out.count("  wayclear verify ") >= 3

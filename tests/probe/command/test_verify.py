"""The options of `wayclear verify`, and what it refuses before it asks anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from probe.command import main as cli
from probe.command.main import parse
from probe.command.verify import VerifyOptions, exit_code, parsed
from probe.errors import CommandError
from rules.files.report_json import dumps
from rules.model.verdict import FlowState
from rules.rehearse.marks import marked
from rules.verify.flows import Flow, Standing
from rules.verify.rounds import Progress
from tests import recordings
from tests.exporters import samples
from tests.lab import audit_files


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


def test_an_empty_recording_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(recordings.whole("healthy")) | {"observations": []}
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(report))
    assert cli.main(["verify", str(path), "--config", "tests/probe/empty.toml"]) == 3
    assert capsys.readouterr().err.startswith(f"Nothing failed in {path}")


@pytest.mark.parametrize(
    ("recording", "finding", "code", "told"),
    [
        ("healthy", "", 0, "Nothing failed in {path}, so there is nothing to ask again.\n"),
        ("healthy", "#1", 0, "Finding 1 of {path} is a remark, so there is nothing to ask again.\n"),
        (
            "no-tenant",
            "",
            3,
            "Nothing failed in {path}, so there is nothing to ask again. The answer was NOT PROVEN, because something could "
            "not be tested (#1 audit.no-tenant). `wayclear audit` tests it again.\n",
        ),
        (
            "no-tenant",
            "#1",
            3,
            "Finding 1 of {path} could not be tested, and verify has no question that it could ask",
        ),
        (
            "no-tenant",
            "#1",
            3,
            "[audit.no-tenant]. `wayclear audit --tenant contoso.onmicrosoft.com` tests it.\n",
        ),
    ],
)
def test_where_nothing_is_to_be_asked_it_says_why(
    recording: str, finding: str, code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_text(recordings.whole(recording), "utf-8")
    cas = tmp_path / "cas.toml"
    cas.write_text(audit_files.ca_set(), "utf-8")
    argv = ["verify", f"{path}{finding}", "--config", "tests/probe/empty.toml", "--ca-set", str(cas)]
    assert cli.main(argv) == code
    assert told.format(path=path) in capsys.readouterr().err
    assert cli.main([*argv, "--exit-zero", "--watch"]) == 0, "and does not wait for what cannot come"


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((FlowState.PASSES, FlowState.PASSES), 0),
        ((FlowState.PASSES, FlowState.WAITS), 3),
        ((FlowState.FAILS, FlowState.WAITS), 2),
    ],
)
def test_the_exit_code_is_that_of_the_heaviest_flow(states: tuple[FlowState, ...], code: int) -> None:
    flows = {Flow(f"host{n}.example", 443): Standing(state) for n, state in enumerate(states)}
    assert exit_code(Progress(1, flows, {}, 2, 2)) == code


def test_the_help_has_three_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["verify", "--help"])
    assert capsys.readouterr().out.count("  wayclear verify ") >= 3

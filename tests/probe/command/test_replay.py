"""`wayclear replay`: the reader's region and teams, and the mark of a rehearsal; names as reports print them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recordings
from tests.lab import audit_files
from tests.probe.command.test_main import wayclear

EUROPE = 'region = "Europe"\n[owners]\nfirewall = "NETSEC queue"\n'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("replay")
    (directory / "report.json").write_text(recordings.whole("one-region-dropped"), "utf-8")
    (directory / "cas.toml").write_text(audit_files.ca_set(), "utf-8")
    (directory / "europe.toml").write_text(EUROPE, "utf-8")
    return directory


def replayed(files: Path, *more: str) -> tuple[int, str]:
    done = wayclear("replay", f"{files}/report.json", "--ca-set", f"{files}/cas.toml", *more)
    return done.returncode, done.stdout + done.stderr


def test_a_recording_is_judged_for_another_region(files: Path) -> None:
    code, shown = replayed(files)
    assert code == 1
    assert "if your connector group is in Europe, this is an outage" in " ".join(shown.split())
    code, shown = replayed(files, "--region", "Europe")
    assert code == 2
    assert "connector group in Europe" in shown
    assert replayed(files, "--region", "asia")[0] == 1


def test_the_configuration_names_the_region_and_the_teams(files: Path) -> None:
    code, shown = replayed(files, "--config", f"{files}/europe.toml")
    assert code == 2
    assert "Who must act: NETSEC queue." in shown


def test_a_mistyped_region_is_refused_with_the_right_one(files: Path) -> None:
    code, shown = replayed(files, "--region", "Europa")
    assert code == 3
    assert "did you mean Europe?" in shown


def test_a_rehearsal_stays_one_when_it_is_judged_again(tmp_path: Path) -> None:
    made = tmp_path / "rehearsal.json"
    wayclear("rehearse", "--block", "*.servicebus.windows.net", "--format", "json", "--output", str(made))
    shown = wayclear("replay", str(made)).stdout
    assert "REHEARSAL: nothing of this was measured." in shown.split("\n\n")[0]


def test_a_name_can_be_copied_from_a_report_into_explain() -> None:
    asked = wayclear("explain", "{tenant}.bootstrap.msappproxy.net")
    assert asked.returncode == 3
    assert "explain '{tenant}.bootstrap.msappproxy.net' --tenant 1111" in asked.stderr

"""The files of the recordings are written one way, and hold what was seen and nothing that the rules say of it."""

from __future__ import annotations

import json

import pytest

from rules.files.report_json import dumps, loads
from tests import recordings
from tests.exporters import samples


@pytest.mark.parametrize("name", recordings.names())
def test_the_files_are_as_recording_writes_them(name: str) -> None:
    """So recording anew changes what changed; no certificate stands there twice, and none without a use."""
    files = {entry.name: entry.read_text("utf-8") for entry in (recordings.DIRECTORY / name).iterdir()}
    assert files == recordings.texts(json.loads(recordings.whole(name)))


def test_keeping_a_report_loses_nothing_that_was_seen(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads(recordings.whole("healthy"))
    monkeypatch.setattr(recordings, "DIRECTORY", tmp_path_factory.mktemp("scenarios"))
    recordings.keep("healthy", report)
    assert json.loads(recordings.whole("healthy")) == report
    assert recordings.names() == ("healthy",)


def test_words_and_verdicts_are_not_kept() -> None:
    report = json.loads(dumps(samples.report()))
    text = recordings.texts(report)["report.json"]
    kept = json.loads(text)
    assert [kept[key] for key in ("answer_text", "causes", "verdicts")] == ["", [], []]
    assert loads(text).observations == loads(json.dumps(report)).observations

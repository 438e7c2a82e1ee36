"""The file that `--output` names: checked before the audit, whole or as it was after it. Files are real files."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.host import output_file


def test_a_file_is_written_whole_and_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    output_file.write_whole(path, "old")
    output_file.write_whole(path, "néw")
    assert path.read_text("utf-8") == "néw"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="No space left on device"):
        output_file.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    output_file.write_whole(link, "x")
    assert link.is_symlink()
    assert real.read_text() == "x"


def test_a_device_is_written_as_it_is() -> None:
    output_file.check_writable(Path(os.devnull))
    output_file.write_whole(Path(os.devnull), "x")
    assert not Path(os.devnull).is_file()


def test_a_directory_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is a directory"):
        output_file.check_writable(tmp_path)
    with pytest.raises(CommandError, match="there is no directory"):
        output_file.check_writable(tmp_path / "no" / "report.json")
    output_file.check_writable(tmp_path / "report.json")


def test_an_output_that_may_not_be_looked_at_is_a_message(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(CommandError, match="cannot be written: Too many levels of symbolic links"):
        output_file.check_writable(loop)
    with pytest.raises(CommandError, match="cannot be written: File name too long"):
        output_file.check_writable(tmp_path / ("x" * 300))


def test_what_is_read_is_not_written_over_by_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, soft, hard = (tmp_path / name for name in ("r.json", "soft", "hard"))
    recording.write_text("{}")
    soft.symlink_to(recording)
    hard.hardlink_to(recording)
    for output in (recording, soft, hard, tmp_path / "." / "r.json"):
        with pytest.raises(CommandError, match="which is read here and would be overwritten"):
            output_file.check_spares(output, ["-", str(recording)])
    output_file.check_spares(tmp_path / "other.json", [str(recording), str(tmp_path / "none")])
    output_file.check_spares(Path(os.devnull), [os.devnull])
    with recording.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(CommandError, match="is standard input, which is read"):
            output_file.check_spares(recording, ["-"])

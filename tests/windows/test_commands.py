"""Commands that measure nothing, as Linux answers them; and a place where nothing may be written."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests import recordings
from tests.windows.wine import Finished, Wine, finished

EXAMPLE = Path("packaging/wayclear.example.toml")


def plain(done: Finished) -> tuple[int, str, str]:
    """With the line ends (argparse's) and the paths of Linux."""
    out, err = (part.decode().replace("\r\n", "\n") for part in (done.stdout, done.stderr))
    return done.code, out, err.replace("Z:\\", "/").replace("\\", "/")


def linux(*arguments: str, cwd: Path) -> Finished:
    """On Linux, with the encoding that a pipe has on Windows."""
    command = [sys.executable, "-m", "probe", *arguments]
    return finished(command, cwd=cwd, environment={"LC_ALL": "C", "PYTHONIOENCODING": "cp1252"})


def test_the_versions_of_the_program_and_its_libraries(wine: Wine, tmp_path: Path) -> None:
    code, told, complaint = plain(wine.run(wine.wayclear("--version", "--verbose"), cwd=tmp_path))
    assert (code, complaint) == (0, "")
    assert re.match(r"wayclear \S+ \(Python 3\.11\.\d+\)\nOpenSSL \d", told)
    here = plain(linux("--version", "--verbose", cwd=tmp_path))[1]
    assert told.splitlines()[1:] == here.splitlines()[1:], "the wheels of one lock"


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "list"),
        ("rules", "show", "entra-app-proxy"),
        ("rules", "show", "no-such-set"),
        ("validate", "wayclear.toml"),
        ("validate", "slip.toml", "no-such-file.toml"),
        ("explain", "www.example.com:443"),
        ("explain", "a b"),
        ("replay", "slip.toml"),
        ("history", "--state", "nowhere"),
        ("audit", "--output", "no-such-directory/report.json"),
        ("explain", "--help"),
    ],
    ids=" ".join,
)
def test_a_command_answers_as_on_linux(wine: Wine, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    shutil.copyfile(Path(__file__).parents[2] / EXAMPLE, tmp_path / "wayclear.toml")
    (tmp_path / "slip.toml").write_text("speling = 1\n", "utf-8")
    there = plain(wine.run(wine.wayclear(*arguments), cwd=tmp_path))
    assert there == plain(linux(*arguments, cwd=tmp_path))


def test_a_directory_without_rights_ends_a_command_with_a_sentence(wine: Wine, tmp_path: Path) -> None:
    """Nobody makes a file in /sys, whatever the account: `tempfile` tries for ever there."""
    (tmp_path / "report.json").write_text(recordings.whole("healthy"), "utf-8")
    command = wine.wayclear("replay", "report.json", "--format", "json", "--output", r"Z:\sys\report.json")
    code, told, complaint = plain(wine.run(command, cwd=tmp_path, timeout=60))
    assert (code, told) == (3, "")
    assert "--output /sys/report.json: Permission denied" in complaint

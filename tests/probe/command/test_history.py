"""`wayclear history`: times and endpoints that people type, and what is printed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.command.history import HistoryOptions, found_at, output, parse_since, run
from probe.errors import CommandError
from probe.history.store import DAY, Store
from tests.probe.history_disk import HOST, NOW, X, filled
from tests.probe.isolated import ROOT


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("7d", NOW - 7 * DAY),
        ("12h", NOW - 12 * 3600),
        ("30m", NOW - 1800),
        ("90s", NOW - 90),
        (" 2w ", NOW - 14 * DAY),
        ("999999999w", 0.0),
        ("2026-11-01", 1793491200.0),
        ("2026-11-01T01:00:00+01:00", 1793491200.0),
        ("2026-11-01T00:00:00.5Z", 1793491200.5),
        ("1900-01-01", 0.0),
    ],
)
def test_times_that_can_be_named(text: str, begin: float) -> None:
    assert parse_since(text, NOW) == begin


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is neither a span of time nor a date"),
        ("yesterday", "is neither a span of time nor a date"),
        ("7", "is neither a span of time nor a date"),
        ("-7d", "is neither a span of time nor a date"),
        ("7 d", "is neither a span of time nor a date"),
        ("1h30m", "is neither a span of time nor a date"),
        ("7D", "is neither a span of time nor a date"),
        ("٧d", "is neither a span of time nor a date"),
        ("9999999999d", "is neither a span of time nor a date"),
        ("2026-02-30", "is no date that exists"),
        ("2026-11-01T25:00:00Z", "is no date that exists"),
        ("2026-11-01T00:00:00", "names no time zone: put a Z behind it for UTC"),
        ("2100-01-01", "is in the future"),
        ("\x1b[2J" + "x" * 9999, "is neither a span of time nor a date"),
    ],
)
def test_times_that_cannot(text: str, what: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_since(text, NOW)
    assert what in caught.value.what
    assert caught.value.what.isprintable()
    assert caught.value.advice.startswith("for example: --since 7d")
    assert "one number with one unit: s, m (minutes), h, d or w" in caught.value.advice


@pytest.mark.parametrize(
    ("endpoint", "advice"),
    [
        ("login.windws.net", f"did you mean {HOST}?"),
        (f"{HOST}x:443", f"did you mean {HOST}?"),
        ("q.test", "`wayclear"),
    ],
)
def test_an_endpoint_that_was_never_seen_is_not_known(tmp_path: Path, endpoint: str, advice: str) -> None:
    path = str(filled(tmp_path / "history.sqlite"))
    with pytest.raises(CommandError, match="is not known: it was never seen") as caught:
        output(path, endpoint, "1d", False, NOW + 99)
    assert caught.value.advice.startswith(advice)


@pytest.mark.parametrize("endpoint", [f"{HOST}:80", HOST, "connector", "revocation"])
def test_what_is_known_and_did_not_change_lately_is_no_trouble(tmp_path: Path, endpoint: str) -> None:
    path = filled(tmp_path / "history.sqlite")
    connection = sqlite3.connect(path)
    connection.executescript("DELETE FROM ledger; DELETE FROM drifts")
    connection.close()
    said = output(str(path), endpoint, "1s", False, NOW + 9999)
    assert said.startswith(f"The history has no change about {endpoint}")


def test_the_command_prints_text_or_json(tmp_path: Path) -> None:
    path = str(filled(tmp_path / "history.sqlite"))
    text = output(path, "LOGIN.windows.net.:443", "1d", False, NOW + 60)
    assert "pass -> fail" in text
    assert f"Ever seen of {X}:" in text
    told = json.loads(output(path, None, None, True, NOW))
    assert told["schema"] == "wayclear.history/1"
    assert len(told["events"]) == 5
    assert "yes -> no" in output(path, "connector", None, False, NOW)


def test_the_command_refuses_what_is_no_endpoint(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="example: wayclear history login"):
        output(str(filled(tmp_path / "history.sqlite")), "http://x/", None, False, NOW)


# --- where it looks ------------------------------------------------------------------------------------------------------


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "probe", "history", *words],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_says_which_file_it_read(tmp_path: Path) -> None:
    path = filled(tmp_path / "wayclear/history.sqlite")
    for words in ([], ["--format", "json"], ["connector"]):
        done = command(
            *words, XDG_STATE_HOME=str(tmp_path), STATE_DIRECTORY="", XDG_CONFIG_HOME=str(tmp_path)
        )
        assert (done.returncode, done.stderr) == (0, f"Read from {path}\n")
    done = command("--state", str(path.parent))
    assert (done.returncode, done.stderr) == (0, f"Read from {path}\n")


def test_the_first_place_with_a_history_is_read(tmp_path: Path) -> None:
    places = [str(tmp_path / name / "history.sqlite") for name in "abcd"]
    with pytest.raises(CommandError, match="there is no history at ") as caught:
        found_at(places)
    assert all(place in caught.value.what for place in places)
    assert "`wayclear serve` writes it" in caught.value.advice
    for place in (places[1], places[3]):
        Path(place).parent.mkdir()
        Path(place).touch()
    assert found_at(places) == places[1], "an empty one where no other is there"
    filled(Path(places[3]))
    assert found_at(places) == places[3]
    (tmp_path / "a").mkdir()
    filled(Path(places[0]))
    assert found_at(places) == places[0]


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every account may pass. pytest's own is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


def test_a_history_that_this_account_may_not_read_is_told(open_place: Path) -> None:
    """As nobody, where there is a nobody to become."""
    closed, own = open_place / "system", open_place / "own"
    path = filled(closed / "history.sqlite")
    own.mkdir()
    script = (
        "import os, sys\nfrom probe.command.history import found_at\nfrom probe.errors import CommandError\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: print(found_at(sys.argv[1:]))\nexcept CommandError as error: print(error)"
    )

    def told(*places: Path) -> str:
        words = [sys.executable, "-c", script, *map(str, places)]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout

    for mode, of in ((0, closed), (0, path)):
        kept = of.stat().st_mode
        of.chmod(mode)
        shown = told(path, own / "history.sqlite")
        assert shown.startswith(
            f"history: this account may not read {path}\n  run it as an administrator (`sudo"
        )
        filled(own / "history.sqlite").chmod(0o644)
        assert told(path, own / "history.sqlite") == f"{own / 'history.sqlite'}\n", "the one that it can read"
        (own / "history.sqlite").unlink()
        of.chmod(kept)


def test_a_wrong_time_is_told_before_a_missing_history(tmp_path: Path) -> None:
    options = HistoryOptions(None, "banana", None, str(tmp_path / "none"), "text")
    with pytest.raises(CommandError, match="--since banana is neither"):
        run(options)


def test_an_empty_file_is_a_history_that_has_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.touch()
    assert output(str(path), None, None, False, NOW) == "The history has no change.\n"
    assert json.loads(output(str(path), None, None, True, NOW))["events"] == []
    with pytest.raises(CommandError, match="is not known: it was never seen"):
        output(str(path), HOST, None, False, NOW)
    assert path.stat().st_size == 0, "only read"
    store = Store(path, 400 * DAY, 2**30, busy=1.0, log_cap=2**20)
    store.open()  # as `serve` does
    store.close()
    assert output(str(path), None, None, False, NOW) == "The history has no change.\n"

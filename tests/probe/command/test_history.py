"""`wayclear history`: times and endpoints that people type, and what is printed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from probe.command.history import output, parse_since
from probe.errors import CommandError
from probe.history.store import DAY
from tests.probe.history_disk import HOST, NOW, X, filled


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

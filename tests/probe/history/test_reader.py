"""Reading the history from another process: while the daemon writes, with no more rights than needed, in words."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.history import reader
from probe.history.pending import rows_of
from probe.history.reader import history_command, parse_since, read_history
from probe.history.store import DAY, Store
from probe.history.writer import History
from rules.watch.events import Drift, LedgerEntry
from tests.probe.history_disk import NOW, X, changed, rows, using
from tests.probe.internet import RELAY, ZONE, Internet
from tests.probe.isolated import ROOT
from tests.probe.serve_process import served

HOST = X.partition(":")[0]
#: A reader that is root in name only: of the file's owner it has what the mode gives, as a member of its group has.
READ = """
import sys
from probe.history.reader import read_history
print([t.summary for t in read_history(sys.argv[1]).transitions])
"""


def filled(path: Path) -> Path:
    one = Store(path, 400 * DAY, 1 << 30, busy=0.1, log_cap=1 << 30)
    one.write(
        rows_of(
            [changed(1), changed(2, subject="connector", before="yes", after="no"), changed(3, subject=f"{HOST}:80")],
            [Drift(NOW + 4, HOST, "cname", "b.example", "a new suffix"), Drift(NOW + 5, X, "issuer", "CN=B", "a class")],
            [
                LedgerEntry(HOST, "cname", "b.example", NOW, NOW + 4),
                LedgerEntry(X, "issuer", "CN=B", NOW, NOW + 5),
                LedgerEntry("other.example", "cname", "c.example", NOW, NOW),
            ],
        )
    )  # fmt: skip
    one.close()
    return path


def trouble(path: Path) -> str:
    with pytest.raises(CommandError) as caught:
        read_history(path)
    return str(caught.value)


def values(
    path: Path, endpoint: str | None = None, since: float | None = None, limit: int = reader.LIMIT
) -> list[float]:
    found = read_history(path, endpoint, since, limit)
    return [event.at - NOW for event in found.events()]


# --- what is found -------------------------------------------------------------------------------------------------


def test_events_of_all_or_of_one_endpoint_newest_first(tmp_path: Path) -> None:
    path = filled(tmp_path / "history.sqlite")
    assert values(path) == [5, 4, 3, 2, 1]
    assert values(path, X) == [5, 4, 1]  # what stands under the host is shared by its ports
    assert values(path, HOST) == [5, 4, 3, 1]
    assert values(path, "connector") == [2]
    assert values(path, f"{HOST}:8") == [4]
    assert values(path, "windows.net") == values(path, "%") == []


def test_events_since_a_time_and_up_to_a_number(tmp_path: Path) -> None:
    path = filled(tmp_path / "history.sqlite")
    assert values(path, since=NOW + 3) == [5, 4, 3]
    assert values(path, limit=2) == [5, 4]
    assert [read_history(path, limit=n).more for n in (4, 5)] == [True, False]


def test_the_ledger_comes_with_an_endpoint(tmp_path: Path) -> None:
    path = filled(tmp_path / "history.sqlite")
    assert read_history(path).ledger == ()
    assert [e.value for e in read_history(path, X).ledger] == ["b.example", "CN=B"]
    assert [e.value for e in read_history(path, HOST, since=NOW + 99).ledger] == ["b.example", "CN=B"]
    assert [e.value for e in read_history(path, "other.example:443").ledger] == ["c.example"]


def test_it_is_read_while_the_daemon_writes(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"

    async def body(history: History) -> None:
        for i in range(50):
            assert await history.record([changed(i)])
            found = await asyncio.to_thread(read_history, path)
            assert found.transitions[0].summary == f"number {i}"

    using(path, body)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "history.sqlite")
    content = path.read_bytes()
    read_history(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("daemon", ["runs", "has ended"])
def test_who_may_read_the_file_and_not_write_it_can_read_it(tmp_path: Path, daemon: str) -> None:
    path = tmp_path / "state" / "history.sqlite"
    one = Store(path, DAY, 1 << 30, busy=0.1, log_cap=1 << 30)
    one.write(rows_of([changed(1)]))
    if daemon == "has ended":
        one.close()
    for name in path.parent.iterdir():
        name.chmod(0o440)
    path.parent.chmod(0o550)
    try:
        done = subprocess.run(
            ["unshare", "-Ur", "setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", READ, str(path)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        path.parent.chmod(0o750)
        one.close()
    assert (done.stdout, done.stderr) == ("['number 1']\n", "")


# --- what cannot be read -------------------------------------------------------------------------------------------


def test_a_history_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    assert trouble(path).startswith(f"there is no history at {path}\n  `wayclear serve` writes it")
    assert "`--state DIR` names its directory, .state for the one of `make serve`" in trouble(path)
    assert not path.exists()
    assert "is not a regular file" in trouble(tmp_path)


def test_what_is_no_history(tmp_path: Path) -> None:
    garbage, other, newer = tmp_path / "garbage", tmp_path / "other", tmp_path / "newer"
    garbage.write_bytes(b"garbage" * 1000)
    rows(other, "CREATE TABLE t(x)")
    rows(filled(newer), "PRAGMA user_version = 9")
    assert "garbage is damaged: SQLITE_NOTADB\n" in trouble(garbage)
    assert f"{other} is a file\n  `--state DIR` names the directory" in trouble(other / "history.sqlite")
    assert "is not a history of wayclear" in trouble(other)
    assert "was written by a newer wayclear" in trouble(newer)


def test_a_history_that_somebody_has_spoiled(tmp_path: Path) -> None:
    wrong, bytes_ = filled(tmp_path / "wrong"), filled(tmp_path / "bytes")
    for path, statement in (
        (wrong, "UPDATE transitions SET at = 'yesterday'"),
        (bytes_, "UPDATE transitions SET summary = CAST(x'61ff1b' AS TEXT)"),
    ):
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()
    assert "is damaged: could not convert string to float" in trouble(wrong)
    assert read_history(bytes_).transitions[0].summary == "a\\xff\x1b"
    assert "\x1b" not in history_command(str(bytes_), None, None, False, NOW)
    assert "\x1b" not in history_command(str(bytes_), None, None, True, NOW)


def test_a_reader_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite"
    one = Store(path, DAY, 1 << 30, busy=0.1, log_cap=1 << 30)
    one.write(rows_of(changed(i) for i in range(20_000)))
    one.close()
    monkeypatch.setattr(reader, "READ_LIMIT", 0.0)
    with pytest.raises(CommandError, match="took more than 0 s\n  ask for less"):
        read_history(path, limit=20_000)


# --- the command ---------------------------------------------------------------------------------------------------


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
        history_command(path, endpoint, "1d", False, NOW + 99)
    assert caught.value.advice.startswith(advice)


@pytest.mark.parametrize("endpoint", [f"{HOST}:80", HOST, "connector", "revocation"])
def test_what_is_known_and_did_not_change_lately_is_no_trouble(tmp_path: Path, endpoint: str) -> None:
    path = filled(tmp_path / "history.sqlite")
    connection = sqlite3.connect(path)
    connection.executescript("DELETE FROM ledger; DELETE FROM drifts")
    connection.close()
    said = history_command(str(path), endpoint, "1s", False, NOW + 9999)
    assert said.startswith(f"The history has no change about {endpoint}")


def test_the_command_prints_text_or_json(tmp_path: Path) -> None:
    path = str(filled(tmp_path / "history.sqlite"))
    text = history_command(path, "LOGIN.windows.net.:443", "1d", False, NOW + 60)
    assert "pass -> fail" in text
    assert f"Ever seen of {X}:" in text
    told = json.loads(history_command(path, None, None, True, NOW))
    assert told["schema"] == "wayclear.history/1"
    assert len(told["events"]) == 5
    assert "yes -> no" in history_command(path, "connector", None, False, NOW)


def test_the_command_refuses_what_is_no_endpoint(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="example: wayclear history login"):
        history_command(str(filled(tmp_path / "history.sqlite")), "http://x/", None, False, NOW)


def test_what_changed_between_two_processes_is_told_and_the_rest_is_so_since_before(tmp_path: Path) -> None:
    """The first service sees everything well; before the second one starts a name begins to fail."""
    path, name = tmp_path / "state" / "history.sqlite", f"{RELAY}:443"
    with served(tmp_path) as daemon:
        daemon.ready()
        assert daemon.end()[0] == 0
    assert [(t.before, t.after) for t in read_history(path, name).transitions] == [("", "pass")]
    net = Internet(tmp_path)
    net.places = dict.fromkeys(ZONE[RELAY], "forged")
    with served(tmp_path, net=net) as daemon:
        daemon.ready()
        daemon.until(lambda: len(read_history(path, name).transitions) > 1)
        assert daemon.end()[0] == 0
    assert [(t.before, t.after) for t in read_history(path, name).transitions] == [
        ("pass", "fail"),
        ("", "pass"),
    ]
    assert {t.subject for t in read_history(path).transitions} == {name, "connector"}, (
        "nothing else has changed"
    )

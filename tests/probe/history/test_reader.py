"""Reading the history from another process: while the daemon writes, with no more rights than needed, in words."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from probe.command.history import output
from probe.errors import CommandError
from probe.history import reader
from probe.history.pending import rows_of
from probe.history.reader import read_history
from probe.history.store import DAY, Store
from probe.history.writer import History
from tests.probe.history_disk import HOST, NOW, X, changed, filled, rows, using
from tests.probe.internet import RELAY, ZONE, Internet
from tests.probe.isolated import ROOT
from tests.probe.serve_process import served

#: A reader that is root in name only: of the file's owner it has what the mode gives, as a member of its group has.
READ = """
import sys
from probe.history.reader import read_history
print([t.summary for t in read_history(sys.argv[1]).transitions])
"""


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
    assert "\x1b" not in output(str(bytes_), None, None, False, NOW)
    assert "\x1b" not in output(str(bytes_), None, None, True, NOW)


def test_a_reader_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite"
    one = Store(path, DAY, 1 << 30, busy=0.1, log_cap=1 << 30)
    one.write(rows_of(changed(i) for i in range(20_000)))
    one.close()
    monkeypatch.setattr(reader, "READ_LIMIT", 0.0)
    with pytest.raises(CommandError, match="took more than 0 s\n  ask for less"):
        read_history(path, limit=20_000)


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

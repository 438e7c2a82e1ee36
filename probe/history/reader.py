"""Reads the history while the daemon, another process, writes it.

The file is opened with `mode=ro`. A reader has a time limit, because a long one prevents SQLite from truncating its
write-ahead log.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probe.errors import CommandError
from probe.history.check import OK, first_fault
from probe.history.pending import Table
from probe.history.tables import (
    APPLICATION,
    EVENTS,
    SCHEMA,
    SELECT,
    VERSION,
    decode_text,
    error_words,
    is_damage,
    read_drift,
    read_ledger_entry,
    read_transition,
    sqlite_code,
)
from rules.text.display import display
from rules.watch.events import HistoryExtract

LIMIT = 1000  #: most events to show
LEDGER_LIMIT = 10_000
READ_LIMIT = 30.0  #: seconds that a reader may take
_BUSY = 5.0  # seconds to wait for a writer; only where there is no write-ahead log
_STEPS = 10_000  # instructions of SQLite's virtual machine between two checks of the time
#: Advice where there is no file.
NO_HISTORY = (
    "`wayclear serve` writes it; run this as its account or as an administrator, where it runs. It may also lie elsewhere: "
    "`--state DIR` names its directory, .state for the one of `make serve`"
)


def known_names(path: str | Path) -> set[str]:
    """Every subject and endpoint that the history has ever seen; CommandError if the file cannot be read."""
    place = Path(path)
    with _read_errors(place), _opened(place) as connection:
        rows = connection.execute(
            "SELECT subject FROM transitions UNION SELECT endpoint FROM drifts UNION SELECT endpoint FROM ledger"
        )
        return {str(name) for (name,) in rows}


def read_history(
    path: str | Path, endpoint: str | None = None, since: float | None = None, limit: int = LIMIT
) -> HistoryExtract:
    """Transitions and drift, newest first, together at most `limit`; CommandError if the file cannot be read.

    `since` is Unix time. `endpoint` is "host:port", or "host" for all its ports. With it comes its ledger of all times: rows
    of the host (names, addresses) and of its port (issuers).
    """
    place = Path(path)
    with _read_errors(place), _opened(place) as connection:
        connection.execute("BEGIN")  # one snapshot for all three queries
        transitions = _events(connection, "transitions", "subject", endpoint, since, limit)
        drifts = _events(connection, "drifts", "endpoint", endpoint, since, limit)
        ledger: list[tuple[object, ...]] = []
        if endpoint is not None:
            under, names = _under("endpoint", endpoint)
            ledger = connection.execute(
                f"{SELECT['ledger']} WHERE {under} ORDER BY kind, last DESC, value LIMIT ?",
                (*names, LEDGER_LIMIT),
            ).fetchall()
        whole = HistoryExtract(
            tuple(map(read_transition, transitions)),
            tuple(map(read_drift, drifts)),
            tuple(map(read_ledger_entry, ledger)),
            endpoint or "",
            since,
        )
    return _cut(whole, limit)


def _cut(whole: HistoryExtract, limit: int) -> HistoryExtract:
    """The newest `limit` events of both kinds."""
    events = whole.events()
    if len(events) <= limit:
        return whole
    oldest = events[limit - 1].id
    return HistoryExtract(
        tuple(t for t in whole.transitions if t.id >= oldest),
        tuple(d for d in whole.drifts if d.id >= oldest),
        whole.ledger, whole.endpoint, whole.since, more=True,
    )  # fmt: skip


def _events(
    connection: sqlite3.Connection,
    table: Table,
    column: str,
    endpoint: str | None,
    since: float | None,
    limit: int,
) -> list[tuple[object, ...]]:
    wanted, values = ["1"], list[str | float]()
    if endpoint is not None:
        under, names = _under(column, endpoint)
        wanted.append(under)
        values += names
    elif table == "transitions":  # of one endpoint also its first status
        wanted.append(EVENTS)
    if since is not None:
        wanted.append("at >= ?")
        values.append(since)
    statement = f"{SELECT[table]} WHERE {' AND '.join(wanted)} ORDER BY id DESC LIMIT ?"
    return connection.execute(statement, (*values, limit + 1)).fetchall()


def _under(column: str, endpoint: str) -> tuple[str, list[str]]:
    """A condition for an endpoint: for a host all its ports, for a port also the rows of the host."""
    host, colon, _ = endpoint.partition(":")
    if colon:
        return f"{column} IN (?, ?)", [endpoint, host]
    return f"({column} = ? OR ({column} > ? AND {column} < ?))", [
        host,
        f"{host}:",
        f"{host};",
    ]  # ";" follows ":"


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection whose queries are interrupted after `READ_LIMIT`."""
    if path.parent.is_file():
        what = f"there is no history at {display(str(path))}: {display(str(path.parent))} is a file"
        raise CommandError(what, "`--state DIR` names the directory in which the history lies")
    if not path.exists():
        raise CommandError(f"there is no history at {display(str(path))}", NO_HISTORY)
    if not path.is_file():
        raise CommandError(
            f"{display(str(path))} is not a regular file, and so no history", "name another path"
        )
    connection = _readable(path)
    try:
        connection.text_factory = decode_text
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            # An empty file, for example of 0 bytes, is a history that has not begun: `serve` begins it.
            connection.close()
            connection = _empty()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise CommandError(f"{display(str(path))} is not a history of wayclear", "name another path")
        if version > VERSION:
            raise CommandError(
                f"{display(str(path))} was written by a newer wayclear",
                "read it with that one: its tables are others",
            )
        if (fault := first_fault(connection)) not in (OK, None):
            what = f"the history {display(str(path))} is damaged: {display(str(fault))}"
            raise CommandError(what, "`wayclear serve` mends it, or puts it aside, when it starts")
        end = time.monotonic() + READ_LIMIT
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        yield connection
    finally:
        connection.close()


def _empty() -> sqlite3.Connection:
    """A history without rows, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


def _readable(path: Path) -> sqlite3.Connection:
    """Open the file, also in a directory where this account may not write.

    With a write-ahead log SQLite needs shared memory beside the file. Without a running daemon it does not exist, and an
    account that may only read cannot create it. But then the log has been merged, and the file is complete.
    """
    place = path.absolute().as_uri()
    connection = sqlite3.connect(f"{place}?mode=ro", timeout=_BUSY, isolation_level=None, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = Path(f"{path}-wal")
        if sqlite_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or log.exists():
            raise
        return sqlite3.connect(f"{place}?mode=ro&immutable=1", isolation_level=None, uri=True)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turn every error into a CommandError."""
    shown = display(str(path))
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        if sqlite_code(error) == sqlite3.SQLITE_INTERRUPT:
            what = f"reading the history {shown} took more than {READ_LIMIT:.0f} s"
            raise CommandError(what, "ask for less: --since 7d, or one endpoint") from error
        if is_damage(error) or isinstance(error, ValueError | TypeError):
            name = getattr(error, "sqlite_errorname", "")  # its text would say "damaged" once more
            what = f"the history {shown} is damaged: {name or display(error_words(error))}"
            raise CommandError(
                what, "`wayclear serve` puts it aside and begins a new one when it starts"
            ) from error
        raise CommandError(
            f"the history {shown} cannot be read: {display(error_words(error))}", NO_HISTORY
        ) from error

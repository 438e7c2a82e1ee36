"""The history's file: SQLite, written by one thread, one transaction at a time.

Write-ahead log with synchronous=FULL: a commit is on the disk when it returns, and readers never block the writer. If SQLite
refuses that log (a network file system without shared memory), the rollback journal is used. Every error of the disk becomes
`Unavailable` with a sentence; a damaged file is renamed and never deleted.
"""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from probe.history.check import repair
from probe.history.lock import LockHeld, WriterLock
from probe.history.pending import Row, Table, Value
from probe.history.tables import (
    APPLICATION,
    BATCH,
    EVENTS,
    INSERT,
    LATEST,
    OLDEST,
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
from rules.watch.events import Drift, LedgerEntry, Transition

LOADED = 50  #: transitions and drifts that a starting daemon loads
LOADED_LEDGER = 100_000
DAY = 86_400.0
MOST_ASIDE = 5  #: damaged files that are kept; more mean that the disk is faulty
_BESIDE = ("-wal", "-shm")  # SQLite's files beside the history
_HORIZON_STEP = 7 * DAY  # at once
_HORIZON_PACE = 7.0  # seconds for each one since the last time
_EARLIEST = 1_577_836_800.0  # 2020-01-01: an earlier clock has not been set yet
_LOG_LIMIT = 4 * 1024 * 1024  # bytes to which the write-ahead log is cut back when it was larger
_CACHE = 256  # KiB of pages in memory: rows are written once and seldom read
_MARGIN = 0.9  # of the largest size: what remains after deleting the oldest rows
#: SQLite's errors on a file system without shared memory.
_NO_LOG = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
)


class Unavailable(Exception):  # noqa: N818 - a state, not a fault
    """The history cannot be written now. The message is a sentence for the user."""


class _Damaged(Unavailable):
    """The file is damaged, so a later attempt fails as well."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The rows that a daemon needs when it starts. `ledger`: by last time, oldest first; the others: newest first.

    `latest`: each subject's last transition, which gives its status and the time since when it holds.
    """

    ledger: tuple[LedgerEntry, ...] = ()
    transitions: tuple[Transition, ...] = ()
    drifts: tuple[Drift, ...] = ()
    latest: dict[str, Transition] = field(default_factory=dict)


class Store:
    """The file of the history. Use all methods except the constructor in one thread. They raise Unavailable for disk
    errors."""

    def __init__(self, path: Path, keep: float, max_bytes: int, *, busy: float, log_cap: int) -> None:
        """`keep` and `busy` (how long to wait for others) in seconds; `log_cap`: largest write-ahead log, in bytes."""
        self.path = path
        self.note = ""  # a sentence about a repair when the file was opened
        self.size = 0  # bytes of the file and its log, when last written
        self.too_large = False  # when last written
        self.border = 0.0  # Unix time; what is older was deleted by the last retention
        self._keep = keep
        self._max_bytes = max_bytes
        self._busy = busy
        self._log_cap = log_cap
        self._log = Path(f"{path}-wal")
        self._lock = WriterLock(Path(f"{path}.writer"))
        self._connection: sqlite3.Connection | None = None
        self._identity: os.stat_result | None = None
        self._next_id = 1

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    # --- opening and closing ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lock, and open or create the file. Rename a damaged file, and create a new one."""
        self._drop()
        self._lock.release()
        with self._disk_errors():
            self._claim()
            try:
                self._connection = self._connect()
            except (sqlite3.DatabaseError, _Damaged) as error:
                if not (isinstance(error, _Damaged) or is_damage(error)):
                    raise
                self._put_aside()
                self._claim()
                self._connection = self._connect()
            self._identity = self.path.stat()
            self._next_id = 1 + max(
                self._number("SELECT max(id) FROM transitions"), self._number("SELECT max(id) FROM drifts")
            )
            self._measure()

    def close(self) -> None:
        """Write the log into the file, close it and release the lock. Never raises."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._drop()
        self._lock.release()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _claim(self) -> None:
        """Create the directory, the lock and a regular file; only the group may read them."""
        directory = self.path.parent
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o750)  # regardless of the umask
        self._lock.acquire()
        with suppress(FileExistsError):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
            os.close(descriptor)
            self.path.chmod(0o640)  # SQLite gives the files beside it the same mode
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise Unavailable(f"The history {self.path} is not a regular file: name another path.")

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._started("WAL")
        except sqlite3.OperationalError as error:
            if sqlite_code(error) not in _NO_LOG:
                raise
            return self._started("DELETE")

    def _started(self, journal: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw", timeout=self._busy, isolation_level=None, uri=True
        )
        try:
            connection.text_factory = decode_text
            if journal == "DELETE":  # without shared memory only a single user can read and remove a log
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            is_new = self._identify(connection)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA journal_mode = {journal}")
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            connection.execute("BEGIN IMMEDIATE")  # proves that the file is writable
            if is_new:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('opened', ?)", (time.time(),))
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _identify(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is empty. sqlite3.DatabaseError for damage; Unavailable if it is not a history of ours."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            return True
        if application != APPLICATION:
            raise Unavailable(f"{self.path} is a database of another program: name another path.")
        if version > VERSION:
            raise Unavailable(
                f"The history {self.path} was written by a newer wayclear (version {version} of its tables, "
                f"this one knows {VERSION}): use that one, or name another path."
            )
        fault, done = repair(connection)
        if fault:
            raise _Damaged(f"The history {self.path} is damaged: {fault[:200]}.")
        self.note = done or self.note
        return False

    def _put_aside(self) -> None:
        """Rename a damaged file. It is not deleted: its rows may be recoverable."""
        self._drop()
        beside = self.path.parent.glob(f"{self.path.name}.damaged-*")
        kept = [p for p in beside if not p.name.endswith(_BESIDE)]
        if len(kept) >= MOST_ASIDE:
            raise Unavailable(
                f"The history {self.path} is damaged again, and {len(kept)} damaged ones lie beside it: "
                "look at the disk, then move them away."
            )
        name = f"{self.path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        tries = (Path(f"{name}-{number}" if number else name) for number in range(MOST_ASIDE + 1))
        aside = next(place for place in tries if not place.exists())  # the directory has fewer than that
        for ending in (
            *_BESIDE,
            "",
        ):  # the file itself last: after an interruption the next start finds it damaged again
            with suppress(FileNotFoundError):
                Path(f"{self.path}{ending}").rename(f"{aside}{ending}")
        self.note = f"The history was damaged: it was kept as {aside}, and a new one was begun."

    # --- writing ---------------------------------------------------------------------------------------------------

    def write(self, rows: Sequence[Row]) -> None:
        """Commit `rows` in one transaction, all or none. Opens the file if it is closed, also without rows."""
        try:
            self._write(rows)
        except _Damaged:
            with self._disk_errors():
                self._put_aside()
            self.open()
            self._write(rows)

    def _write(self, rows: Sequence[Row]) -> None:
        if not self.is_open or not self._in_place():
            self.open()
        if not rows:
            return
        with self._disk_errors():
            self._bound_log()
            number = self._next_id
            grouped: dict[Table, list[tuple[Value, ...]]] = {}
            for row in rows:
                values = row.values
                if row.table in ("transitions", "drifts"):
                    values = (number, *values)
                    number += 1
                grouped.setdefault(row.table, []).append(values)
            with self._transaction() as connection:
                for table, found in grouped.items():
                    connection.executemany(INSERT[table], found)
            self._next_id = number
            self._measure()

    def _in_place(self) -> bool:
        """Whether our open file still has its name: if the directory was cleaned, rows would be lost."""
        assert self._identity is not None
        try:
            return os.path.samestat(self._identity, self.path.stat()) and self._lock.in_place()
        except OSError:
            return False

    def _bound_log(self) -> None:
        """Refuse to write while the log is large and a reader prevents its checkpoint."""
        if self._size_of(self._log) <= self._log_cap:
            return
        (busy, _, _) = self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable(
                f"Another program reads the history {self.path} without an end, and its log has reached "
                f"{self._log_cap >> 20} MiB: end that program."
            )

    # --- keeping it small ------------------------------------------------------------------------------------------

    def retention(self, now: float | None) -> Iterator[int]:
        """Delete rows that are too old at `now` (None: check the size only) and, oldest first, rows above the size limit.

        Yields the number of deleted rows after each short transaction, so that writes can come between.
        """
        if now is not None:
            self.border = before = self._horizon(now) - self._keep
            for statement in OLDEST:
                while (deleted := self._delete(statement, before)) > 0:
                    yield deleted
        if self._used() > self._max_bytes:
            for statement in OLDEST:
                while self._used() > self._max_bytes * _MARGIN and (
                    deleted := self._delete(statement, math.inf)
                ):
                    yield deleted
        while self._vacuum():
            yield 0

    def _horizon(self, now: float) -> float:
        """`now`, limited to a slow advance from the last retention, so that a clock that is years ahead deletes little.

        The advance is a week at once, then a week a day. The time of the last retention is stored, so that a restart does not
        allow another week.
        """
        if now < _EARLIEST:
            return now
        with self._disk_errors(), self._transaction() as connection:
            known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
            since = max(0.0, now - float(known.get("retained", 0.0)))
            step = min(_HORIZON_STEP, since * _HORIZON_PACE)
            horizon = min(now, float(known.get("horizon", now)) + step)
            marks = (("horizon", horizon), ("retained", now))
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks)
        return horizon

    def _delete(self, statement: str, before: float) -> int:
        with self._disk_errors(), self._transaction() as connection:
            return connection.execute(statement, (before,)).rowcount

    def _vacuum(self) -> bool:
        """Return some free pages to the file system; whether there are more."""
        with self._disk_errors():
            before = self._number("PRAGMA freelist_count")
            if before:
                self._execute(f"PRAGMA incremental_vacuum({BATCH})").fetchall()
            self._measure()
            return 0 < self._number("PRAGMA freelist_count") < before

    def _used(self) -> int:
        with self._disk_errors():
            pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
            return pages * self._number("PRAGMA page_size")

    # --- reading ---------------------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """The rows that a daemon needs when it starts."""
        with self._disk_errors():
            transitions = self._execute(
                f"{SELECT['transitions']} WHERE {EVENTS} ORDER BY id DESC LIMIT ?", LOADED
            )
            drifts = self._execute(f"{SELECT['drifts']} ORDER BY id DESC LIMIT ?", LOADED)
            ledger = self._execute(f"{SELECT['ledger']} ORDER BY last DESC LIMIT ?", LOADED_LEDGER)
            return Loaded(
                tuple(map(read_ledger_entry, ledger))[::-1],
                tuple(map(read_transition, transitions)),
                tuple(map(read_drift, drifts)),
                {found.subject: found for found in map(read_transition, self._execute(LATEST))},
            )

    # --- the connection --------------------------------------------------------------------------------------------

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Turn errors of the disk into Unavailable; close the connection after an error that may have damaged it."""
        try:
            yield
        except LockHeld as error:
            by = f"process {error.holder}" if error.holder else "another process"
            raise Unavailable(
                f"The history {self.path} is written by {by}: end it, or name another path."
            ) from error
        except (sqlite3.Error, OSError, ValueError) as error:
            code = sqlite_code(error)
            if code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                self._drop()
            kind = _Damaged if is_damage(error) else Unavailable
            raise kind(f"The history {self.path} cannot be written: {error_words(error)}.") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _execute(self, statement: str, *values: Value) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(statement, values)

    def _number(self, statement: str) -> int:
        (found,) = self._execute(statement).fetchone()
        return int(found or 0)

    def _measure(self) -> None:
        """Update the sizes after a commit. Errors are ignored: the rows are on the disk."""
        self.size = self._size_of(self.path) + self._size_of(self._log)
        with suppress(Unavailable):
            self.too_large = self._used() > self._max_bytes

    @staticmethod
    def _size_of(path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError:
            return 0

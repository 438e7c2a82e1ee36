"""Is a history whole? Its tables and what its indexes say of them.

`PRAGMA quick_check` does not compare indexes with tables: a page of an index that the disk has lost the last write of passes
it, and from then on rows are read, counted and deleted by an index that does not know them. `PRAGMA integrity_check`
compares. It takes about 6 ms for each MiB: 0.4 s for a year of a service that looks every minute (68 MiB), 1.2 s for the
largest file that is kept (200 MiB), on a machine with two cores.
"""

from __future__ import annotations

import sqlite3
import time

from probe.history.tables import code_of

OK = "ok"
LONGEST = 8.0  #: seconds that the comparison may take; on a disk that is slower it is left out
_STEPS = 10_000  # instructions of SQLite's machine between two looks at the time


def first_fault(connection: sqlite3.Connection, longest: float = LONGEST) -> str | None:
    """What is wrong first, "ok" where nothing is, None where that could not be found out in `longest` seconds."""
    end = time.monotonic() + longest
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if code_of(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return str(found)


def repair(connection: sqlite3.Connection, longest: float = LONGEST) -> tuple[str, str]:
    """What is wrong and cannot be helped ("" where nothing is), and a sentence about what was done or left undone.

    Where the tables are whole and an index is not, all indexes are made anew from the tables: no row is lost.
    """
    fault = first_fault(connection, longest)
    if fault == OK:
        return "", ""
    (tables,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if tables != OK:
        return str(tables), ""
    if fault is None:
        return (
            "",
            "The indexes of the history were not compared with its tables: the disk is too slow for that.",
        )
    try:
        connection.execute("REINDEX")
    except sqlite3.IntegrityError as error:  # rows that a whole index would not have let in
        return f"{fault} ({error})", ""
    after = first_fault(connection, longest)
    if after not in (OK, None):
        return str(after), ""
    return (
        "",
        f"An index of the history was damaged ({fault}): all indexes were made anew, and no row was lost.",
    )

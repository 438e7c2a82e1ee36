"""One writer for a history: a lock on a file beside it, which ends with its process however that ends.

SQLite would let two daemons write by turns, and each would tell the other's transitions as its own.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_AT = 1 << 20  # the byte that is locked on Windows, beyond the text: a locked byte cannot be read there


class Held(Exception):  # noqa: N818 - says what is the case
    """Another process holds the lock. `holder`: its process id as it wrote it, "" where that cannot be read."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by process {holder}" if holder else "held by another process")
        self.holder = holder


class FileLock:
    """A lock on the file `path`, made with mode 0640 where it is missing. It is never removed: that would be a race."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise Held; OSError where the file cannot be made. Taking it twice is fine."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o640)
        try:
            if not _locked(descriptor):
                raise Held(_holder(descriptor))
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; doing so without holding it is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def in_place(self) -> bool:
        """Whether the file that is locked is still the one that others find under its name."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False


def _holder(descriptor: int) -> str:
    with suppress(OSError):
        text = os.read(descriptor, 20).strip()
        return text.decode("ascii") if text.isdigit() else ""
    return ""


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had. A file system that knows no locks gives it to everybody."""
    if sys.platform == "win32":
        import msvcrt

        try:
            os.lseek(descriptor, _AT, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True
    import errno
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True

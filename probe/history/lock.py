"""Allows one writer for a history: a lock on a file beside it. The operating system releases it when the process ends.

SQLite would let two daemons write in turn, and each would report the other's transitions as its own. filelock makes the
lock; the file, its mode and the process id in it are ours, because the message to the second writer names the first.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

from filelock import lock_descriptor

_HOLDER = re.compile(rb"process ([0-9]{1,10})\s")
_LOCKED = 1  # bytes at the start of the file that the lock covers; on Windows no other process can read them


class LockHeld(Exception):  # noqa: N818 - a state, not a fault
    """Another process holds the lock. `holder`: its process id as it wrote it, "" if it cannot be read."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by process {holder}" if holder else "held by another process")
        self.holder = holder


class WriterLock:
    """A lock on the file `path`, which is created with mode 0640 and never removed: removing it would be a race."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise LockHeld; OSError if the file cannot be created. Taking it twice is fine."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o640)
        try:
            if not _locked(descriptor):
                raise LockHeld(_holder(descriptor))
            # of fixed length, so that no digit of an older id remains behind it
            os.write(descriptor, b" " * _LOCKED + f"process {os.getpid():<10}\n".encode("ascii"))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock; without it this does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def in_place(self) -> bool:
        """Whether the locked file still has its name, so that other processes find it."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False


def _holder(descriptor: int) -> str:
    with suppress(OSError):
        os.lseek(descriptor, _LOCKED, os.SEEK_SET)
        if found := _HOLDER.match(os.read(descriptor, 32)):
            return found[1].decode("ascii")
    return ""


def _locked(descriptor: int) -> bool:
    """Whether the lock was free. On a file system without locks every process gets it."""
    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        return error.errno != errno.EACCES

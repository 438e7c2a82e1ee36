"""Which files a reload reads, and whether one of them has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

Mark = tuple[int, int, int] | None


class Sources:
    """Files with what they looked like when this was made."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._marks: dict[str, Mark] = {path: _mark(path) for path in dict.fromkeys(paths) if path}

    def renew(self, paths: Iterable[str]) -> None:
        """These are read from now on; those that were read before keep their marks: a change since then is one."""
        self._marks = {
            path: self._marks[path] if path in self._marks else _mark(path)
            for path in dict.fromkeys(paths)
            if path
        }

    def changed(self) -> bool:
        """Whether a file is another than before, is gone or is there at last. Waits for the disk: call it in a thread."""
        found = {path: _mark(path) for path in self._marks}
        differs = found != self._marks
        self._marks = found
        return differs


def _mark(path: str) -> Mark:
    with contextlib.suppress(OSError, ValueError):
        seen = Path(path).stat()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino
    return None

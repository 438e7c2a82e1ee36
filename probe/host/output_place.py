"""Finds the place of an output file that the user named: follows links as the kernel does, without a race.

In a directory where others may write, another user could make a link and so choose where the report goes (with root's
permissions). Linux refuses to open a file through such a link (proc_sys_fs(5), protected_symlinks), but a file that is
replaced is never opened under its name. So the same rule is kept here: a link is followed only if its owner is this account
or the owner of its directory. Each directory of the path stays open while the next name is checked, and a link is read by
the handle that gave its owner: no process can replace it in between.

On other systems links are followed without a check: Windows lets only administrators make them.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from probe.host.files import replace_file

MOST_LINKS = 40  #: as the kernel's
_OTHERS = 0o022  # group and the world may write


class ForeignLink(OSError):  # noqa: N818 - a kind of file, not a fault
    """A link, pipe or device of another account in a directory where others may write."""

    def __init__(self, what: str, name: str, owner: int) -> None:
        text = f"{name} is a {what} of another account (uid {owner}) in a directory where others may write"
        super().__init__(errno.EACCES, text)


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """A name in an open directory. `folder` is its descriptor, None on systems without such descriptors."""

    folder: int | None
    name: str
    special: bool  # a pipe or a device: written directly, never replaced


@contextmanager
def hold_place(path: str) -> Iterator[OutputPlace]:
    """The place that `path` leads to, with its directory open; the file itself may be missing. OSError if there is none,
    ForeignLink if the path contains another user's link."""
    if sys.platform == "linux":
        walk = _Walk(path)
        try:
            yield walk.place()
        finally:
            os.close(walk.folder)
    else:
        found = os.path.realpath(path)
        special = False
        with suppress(FileNotFoundError):
            mode = os.stat(found).st_mode  # noqa: PTH116
            special = not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        yield OutputPlace(None, found, special)


def may_write(place: OutputPlace) -> bool:
    """Whether this account may create a file there, as far as the system can say before."""
    if place.folder is None:
        return os.access(os.path.dirname(place.name), os.W_OK | os.X_OK)  # noqa: PTH120
    return os.access(".", os.W_OK | os.X_OK, dir_fd=place.folder)


def write_place(place: OutputPlace, pieces: Iterable[bytes], mode: int) -> None:
    """Write all of `pieces` or leave the file unchanged. `mode` ignores the umask. OSError.

    Waits for the disk. A pipe or a device is written directly.
    """
    if place.special:
        with os.fdopen(
            os.open(place.name, os.O_WRONLY | getattr(os, "O_BINARY", 0), dir_fd=place.folder), "wb"
        ) as file:
            file.writelines(pieces)
        return
    replace_file(place.name, pieces, mode, place.folder)


if sys.platform == "linux":
    _LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

    class _Walk:
        """Walks along a path. `folder` is the descriptor of the present directory."""

        def __init__(self, path: str) -> None:
            self.folder = os.open("/" if path.startswith("/") else ".", _LOOK | os.O_DIRECTORY)
            self._left = deque(_words(path))

        def place(self) -> OutputPlace:
            """The place at the end of the path. OSError if there is none."""
            for _ in range(MOST_LINKS + 1):
                self._go_down()
                if not self._left:
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                place, target = self._look()
                if place is not None:
                    return place
                self._left.popleft()
                self._left.extendleft(reversed(_words(target)))
                if target.startswith("/"):
                    self._go_to(os.open("/", _LOOK | os.O_DIRECTORY))
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

        def _go_to(self, folder: int) -> None:
            os.close(self.folder)
            self.folder = folder

        def _go_down(self) -> None:
            """Descend while the next name is a directory and not the last one."""
            while len(self._left) > 1 or self._left == deque([".."]):
                found = os.open(self._left[0], _LOOK, dir_fd=self.folder)
                if not stat.S_ISDIR(os.fstat(found).st_mode):
                    os.close(found)
                    return
                self._go_to(found)
                self._left.popleft()

        def _look(self) -> tuple[OutputPlace | None, str]:
            """The place, if the next name is the last one and not a link; else the target of the link."""
            name, last = self._left[0], len(self._left) == 1
            try:
                found = os.open(name, _LOOK, dir_fd=self.folder)
            except FileNotFoundError:
                if not last:
                    raise
                return OutputPlace(self.folder, name, special=False), ""
            try:
                seen, around = os.fstat(found), os.fstat(self.folder)
                if stat.S_ISLNK(seen.st_mode):
                    _check("link", name, seen, around)
                    if last and not around.st_mode & _OTHERS and _is_special(name, self.folder):
                        return OutputPlace(
                            self.folder, name, special=True
                        ), ""  # /dev/stdout: its target has no name
                    return None, os.readlink("", dir_fd=found)
                if not last:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                special = not (stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode))
                if special and around.st_mode & _OTHERS:
                    _check("pipe or device", name, seen, around)
                return OutputPlace(self.folder, name, special), ""
            finally:
                os.close(found)

    def _words(path: str) -> list[str]:
        return [word for word in path.split("/") if word not in ("", ".")]

    def _check(what: str, name: str, seen: os.stat_result, around: os.stat_result) -> None:
        trusted = {os.geteuid(), around.st_uid}
        if not around.st_mode & _OTHERS:
            trusted.add(0)
        if seen.st_uid not in trusted:
            raise ForeignLink(what, name, seen.st_uid)

    def _is_special(name: str, folder: int) -> bool:
        with suppress(OSError):
            mode = os.stat(name, dir_fd=folder).st_mode
            return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        return False

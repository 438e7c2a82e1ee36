"""Where a file that the user named is written: links are followed as the kernel would, and what is checked is what is used.

In a directory where others may write, another user's link leads a report (and root's rights) wherever that user likes.
Linux refuses to open a file through such a link (proc_sys_fs(5), protected_symlinks), but a file that is replaced as a
whole is never opened under its name. So the same rule is kept here: a link is followed only where its owner is this account
or the owner of the directory that it lies in. Each directory of the way is held open while the next step is looked at, and a
link is read by the handle by which its owner was seen: no process can exchange it in between.

Elsewhere than on Linux the links are followed as they are: Windows lets only administrators make them.
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


class ForeignLink(OSError):  # noqa: N818 - says what is there
    """A link, or a pipe or device, that another account has put where others may write."""

    def __init__(self, what: str, name: str, owner: int) -> None:
        text = f"{name} is a {what} of another account (uid {owner}) in a directory where others may write"
        super().__init__(errno.EACCES, text)


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """A name in a directory that is held open. `folder` is None where the system has no such handles."""

    folder: int | None
    name: str
    special: bool  # a pipe or a device: written as it is and never replaced


@contextmanager
def hold_place(path: str) -> Iterator[OutputPlace]:
    """The place that `path` leads to, its directory held open; a file of that name may be missing. OSError if there is
    none, ForeignLink where the way leads over another user's link."""
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
    """Whether this account may put a file there, as far as the system tells beforehand."""
    if place.folder is None:
        return os.access(os.path.dirname(place.name), os.W_OK | os.X_OK)  # noqa: PTH120
    return os.access(".", os.W_OK | os.X_OK, dir_fd=place.folder)


def write_place(place: OutputPlace, pieces: Iterable[bytes], mode: int) -> None:
    """All of `pieces` under the place's name, with `mode` whatever the umask says, or what was there before. OSError.

    Waits for the disk. A pipe or a device is written as it is.
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
        """The way down to a name. `folder` is the directory that it has come to, held open."""

        def __init__(self, path: str) -> None:
            self.folder = os.open("/" if path.startswith("/") else ".", _LOOK | os.O_DIRECTORY)
            self._left = deque(_words(path))

        def place(self) -> OutputPlace:
            """The end of the way. OSError where there is none."""
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
            """As long as the next name is a directory and not the last one."""
            while len(self._left) > 1 or self._left == deque([".."]):
                found = os.open(self._left[0], _LOOK, dir_fd=self.folder)
                if not stat.S_ISDIR(os.fstat(found).st_mode):
                    os.close(found)
                    return
                self._go_to(found)
                self._left.popleft()

        def _look(self) -> tuple[OutputPlace | None, str]:
            """The place where the next name is the last one and no link; else where the link leads."""
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
                        ), ""  # /dev/stdout: its end has no name
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

"""Files as a whole: those that a person wrote are read, those for others replaced in one step.

Read are only regular files, of a size that a person writes, and never blocking. A FIFO would wait for ever, `/dev/zero`
never ends, and 1,000 nested brackets end in a RecursionError: each is refused with a sentence instead.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import re
import secrets
import stat
import sys
import time
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rules.files.fields import BadFile, Fault
from rules.files.limits import DEEPEST, deeper

LARGEST = 2 * 1024 * 1024  #: bytes of a rules or configuration file
STANDARD_INPUT = "-"  #: as a file's name
MOST_DOTS = 256  #: in one line: `tomllib` takes time in proportion to the square of a dotted key's parts
UNFINISHED = ".tmp"  #: ending of a file that is going to replace another
_NEW_NAMES = 16  # tried: one that exists already is a coincidence
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_BUSY_TRIES = 20  # Windows does not replace a file while somebody has it open
_BUSY_WAIT = 0.05  # seconds between two tries
_WHERE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed file with its name as the user knows it and the SHA-256 of its bytes."""

    source: str
    data: Mapping[str, object]
    sha256: str


def read_file(path: str, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file of at most `largest` bytes; BadFile for everything else."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _bad(path, f"cannot be read: {_reason(error)}") from None
    try:
        kind = os.fstat(descriptor)
        if not stat.S_ISREG(kind.st_mode):
            raise _bad(path, "is not a regular file, and only those are read")
        if kind.st_size > largest:
            raise _bad(path, f"has {kind.st_size} bytes, at most {largest} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise _bad(path, f"cannot be read: {_reason(error)}") from None
    finally:
        os.close(descriptor)
    if len(content) > largest:  # it grew while it was read, or told no size
        raise _bad(path, f"has more than {largest} bytes")
    return content


def read_input(path: str, largest: int = LARGEST) -> bytes:
    """A regular file or, by the name `-`, standard input; unpacked where it is gzip (RFC 1952). BadFile if not.

    Never more than `largest` bytes, packed or unpacked.
    """
    content = _standard_input(largest) if path == STANDARD_INPUT else read_file(path, largest)
    return _unpacked(content, shown_name(path), largest)


def _unpacked(content: bytes, source: str, largest: int) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as plain:
            data = plain.read(largest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _bad(source, f"cannot be unpacked: {error}") from None
    if len(data) > largest:
        raise _bad(source, f"has more than {largest} bytes when unpacked")
    return data


def decode_text(content: bytes, source: str) -> str:
    """The text of a file; BadFile with the first byte that is none.

    UTF-8 with or without a byte order mark, and what Windows PowerShell writes by `>`: UTF-16 with one. Of UTF-16 and
    UTF-32 without a mark the zero bytes at the beginning tell (as RFC 4627 section 3 says of JSON).
    """
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding[:6].rstrip("-").upper()
        raise _bad(source, f"is not {name} text (byte {error.start}): save it as UTF-8") from None


def shown_name(path: str) -> str:
    """What a person calls it: `-` is standard input."""
    return "standard input" if path == STANDARD_INPUT else path


def _standard_input(largest: int) -> bytes:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise _bad(shown_name(STANDARD_INPUT), "cannot be read: it is closed")
    try:
        content: bytes = stream.read(largest + 1)
    except (OSError, ValueError) as error:
        raise _bad(shown_name(STANDARD_INPUT), f"cannot be read: {_reason(error)}") from None
    if len(content) > largest:
        raise _bad(shown_name(STANDARD_INPUT), f"has more than {largest} bytes")
    return content


def read_toml(path: str) -> TomlFile:
    """A TOML file, unpacked where it is gzip; BadFile with line and column for a syntax error."""
    return parse_toml(_unpacked(read_file(path), path, LARGEST), path)


def parse_toml(content: bytes, source: str) -> TomlFile:
    """TOML in what `decoded` reads."""
    text = decode_text(content, source)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise _bad(
                f"{source}:{number}", f"more than {MOST_DOTS} dots in one line: write it on several lines"
            )
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise _bad(source, f"is nested deeper than {DEEPEST}") from None
    except ValueError as error:  # TOMLDecodeError, and integers of more than 4,300 digits
        raise _syntax(source, str(error)) from None
    if deeper(data, DEEPEST + 1):  # the document itself is a table
        raise _bad(source, f"is nested deeper than {DEEPEST}")
    return TomlFile(source, data, hashlib.sha256(content).hexdigest())


def replace_file(path: str, pieces: Iterable[bytes], mode: int, folder: int | None = None) -> None:
    """All of `pieces` under that name, or what was there before: a reader never sees a part. OSError.

    `mode` holds whatever the umask says; on Windows a file has the rights of its directory. `folder` is a descriptor of the
    directory that `path` is relative to. Waits for the disk. If the process is killed, a file `.NAME.*.tmp` may stay.
    """
    descriptor, unfinished = _new_file(path, folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if sys.platform != "win32":
                os.fchmod(descriptor, mode)
            file.writelines(pieces)
            file.flush()
            os.fsync(descriptor)
        _rename(unfinished, path, folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
        raise


def _new_file(path: str, folder: int | None) -> tuple[int, str]:
    """Descriptor and name of a new file beside `path`.

    Not `tempfile`: for it PermissionError may be a name that is taken, and on Windows it tries 2,147,483,647 names in a
    directory where this account may not write.
    """
    directory, name = os.path.split(path)
    for _ in range(_NEW_NAMES):
        unfinished = os.path.join(directory, f".{name[:200]}.{secrets.token_hex(6)}{UNFINISHED}")  # noqa: PTH118
        with suppress(FileExistsError):
            return os.open(unfinished, _NEW, 0o600, dir_fd=folder), unfinished
    raise FileExistsError(errno.EEXIST, "no free name beside it")


def _rename(unfinished: str, path: str, folder: int | None) -> None:
    if sys.platform == "win32":
        for _ in range(_BUSY_TRIES):
            try:
                os.replace(unfinished, path)  # noqa: PTH105
            except PermissionError:
                time.sleep(_BUSY_WAIT)
            else:
                return
    os.replace(unfinished, path, src_dir_fd=folder, dst_dir_fd=folder)


FileStamp: TypeAlias = tuple[int, int, int, int] | None
"""How a file looks from outside: times of its content and of its rights, size, inode; None where it cannot be looked at."""


def file_stamp(path: Path) -> FileStamp:
    """What differs when the file may be another. Waits for the disk, never raises."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino


def exists(path: str) -> bool:
    """Whether something has that name; BadFile where that may not be looked at."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise _bad(path, f"cannot be looked at: {_reason(error)}") from None
    return True


def _syntax(source: str, message: str) -> BadFile:
    place = _WHERE.search(message)
    text = ascii(_WHERE.sub("", message))[1:-1]
    at = f"{source}:{place[1]}:{place[2]}" if place else source
    return _bad(at, f"is not TOML: {text[:200]}")


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _bad(source: str, message: str) -> BadFile:
    return BadFile(source, [Fault("", message)])

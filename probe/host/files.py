"""Reads files that the user wrote, and replaces output files in one step.

Only regular files up to a limit are read, without blocking. A FIFO would block without limit, `/dev/zero` never ends, and
1,000 nested brackets raise RecursionError: each is refused with a sentence.
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
MOST_DOTS = 256  #: in one line: the time of `tomllib` grows with the square of a dotted key's parts
UNFINISHED = ".tmp"  #: ending of a file that will replace another
_NEW_NAMES = 16  # names to try: one that already exists is a coincidence
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_BUSY_TRIES = 20  # Windows does not replace a file while a program has it open
_BUSY_WAIT = 0.05  # seconds between two tries
#: The first line of a YAML document: its mark, an item of a list, or a key with a colon.
_YAML = re.compile(r"(---|%YAML |- |[A-Za-z_][\w.-]*:(\s|$))")
_WHERE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed file with the name that the user gave and the SHA-256 of its bytes."""

    source: str
    data: Mapping[str, object]
    sha256: str


def read_file(path: str, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file of at most `largest` bytes. BadFile for everything else."""
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
    if len(content) > largest:  # it grew while it was read, or its size was unknown
        raise _bad(path, f"has more than {largest} bytes")
    return content


def read_input(path: str, largest: int = LARGEST) -> bytes:
    """A regular file, or standard input for the name `-`; gzip (RFC 1952) is unpacked. BadFile for a fault.

    At most `largest` bytes, packed or unpacked.
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
    """The text of a file. BadFile with the position of the first invalid byte.

    Reads UTF-8 with or without a byte order mark, and UTF-16 with one, which `>` of Windows PowerShell writes. UTF-16 and
    UTF-32 without a mark are recognised by the zero bytes at the start (RFC 4627 section 3).
    """
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding[:6].rstrip("-").upper()
        raise _bad(source, f"is not {name} text (byte {error.start}): save it as UTF-8") from None


def shown_name(path: str) -> str:
    """The name in messages: `-` is "standard input"."""
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
    """A TOML file; gzip is unpacked. BadFile with line and column for a syntax error."""
    return parse_toml(_unpacked(read_file(path), path, LARGEST), path)


def parse_toml(content: bytes, source: str) -> TomlFile:
    """Parse TOML in any encoding that `decode_text` reads. BadFile for a fault."""
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
        raise _syntax(source, str(error), text) from None
    if deeper(data, DEEPEST + 1):  # the document itself is a table
        raise _bad(source, f"is nested deeper than {DEEPEST}")
    return TomlFile(source, data, hashlib.sha256(content).hexdigest())


def replace_file(path: str, pieces: Iterable[bytes], mode: int, folder: int | None = None) -> None:
    """Replace the file by `pieces` in one step: a reader sees the old content or the new one. OSError.

    `mode` ignores the umask; on Windows a file gets the permissions of its directory. `folder` is a descriptor of the
    directory that `path` is relative to. Waits for the disk. If the process is killed, a file `.NAME.*.tmp` may remain.
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

    Not `tempfile`: it takes PermissionError for a name that exists, and on Windows tries 2,147,483,647 names in a directory
    where this account may not write.
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
"""Modification time, status change time, size and inode of a file; None if stat fails."""


def file_stamp(path: Path) -> FileStamp:
    """A stamp that differs if the file may have changed. Waits for the disk, never raises."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino


def exists(path: str) -> bool:
    """Whether the name exists. BadFile if this account may not look."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise _bad(path, f"cannot be looked at: {_reason(error)}") from None
    return True


def _syntax(source: str, message: str, content: str) -> BadFile:
    place = _WHERE.search(message)
    text = ascii(_WHERE.sub("", message))[1:-1]
    at = f"{source}:{place[1]}:{place[2]}" if place else source
    other = _other_format(content)
    hint = f'. It seems to be {other}: write it as TOML, key = "value" in each line' if other else ""
    return _bad(at, f"is not TOML: {text[:200]}{hint}")


def _other_format(content: str) -> str:
    """The format that a file seems to have if it is not TOML; "" if nothing tells."""
    lines = (line for line in content.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    first = next(lines, "").strip()
    if first.startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            json.loads(content)
            return "JSON"
    if first.startswith("<"):
        return "XML or HTML"
    return "YAML" if _YAML.match(first) else ""


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _bad(source: str, message: str) -> BadFile:
    return BadFile(source, [Fault("", message)])

"""The file of `--output`: checked before a long audit, replaced as a whole after it."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from probe.errors import CommandError
from probe.host import output_place
from probe.host.files import STANDARD_INPUT

PRIVATE = 0o640  #: a report holds the tenant's data
READABLE = 0o644  #: metrics for a collector, which runs under another account


def check_writable(path: Path) -> None:
    """CommandError if writing would fail: a directory, a missing or read-only directory, another user's link."""
    kind = _mode(path)
    if kind is not None and stat.S_ISDIR(kind):
        raise CommandError(
            f"--output {path}: is a directory", f"name a file in it: --output {path / 'report.json'}"
        )
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise CommandError(
            f"--output {path}: there is no directory {folder}", "create it, or name another place"
        )
    try:
        with output_place.hold_place(str(path)) as place:
            writable = place.special or output_place.may_write(place)
    except OSError as error:
        raise _unwritable(path, error) from error
    if not writable:
        raise CommandError(f"--output {path}: this account may not write in {folder}", "name another place")


def _unwritable(path: Path, error: OSError) -> CommandError:
    if isinstance(error, output_place.ForeignLink):
        return CommandError(
            f"--output {path}: {error.strerror}, and is not followed",
            "name the file that is meant, or a directory where only this account may write",
        )
    return CommandError(
        f"--output {path}: {error.strerror or error}", "name another place, or leave --output out"
    )


def _mode(path: Path) -> int | None:
    """Type and permissions; None if the name does not exist. CommandError if this account may not look."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"--output {path}: cannot be written: {reason}", "name another place") from error


def check_spares(output: Path, inputs: Iterable[str]) -> None:
    """CommandError if `output` is one of the input files, also under another name: it would be overwritten."""
    for name in inputs:
        if _is_same(output, name):
            raise CommandError(
                f"--output {output}: is {'standard input' if name == STANDARD_INPUT else name}, which is read here and "
                "would be overwritten",
                "name another file",
            )


def _is_same(output: Path, name: str) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it does not exist: nothing to lose
        read = os.fstat(sys.stdin.fileno()) if name == STANDARD_INPUT else Path(name).stat()
        return stat.S_ISREG(read.st_mode) and os.path.samestat(output.stat(), read)
    return False


def write_whole(path: Path, text: str | Iterable[str], mode: int = PRIVATE) -> None:
    """Write all of `text` (whole or in pieces) or leave the file unchanged. `mode` ignores the umask.

    A symbolic link remains a link; another user's link is not followed (`probe.host.output_place`). Devices and pipes are
    written directly.
    """
    data = (piece.encode("utf-8") for piece in ([text] if isinstance(text, str) else text))
    try:
        with output_place.hold_place(str(path)) as place:
            output_place.write_place(place, data, mode)
    except OSError as error:
        raise _unwritable(path, error) from error

"""The terminal and the files that the command line writes and reads."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TextIO

from probe.errors import Trouble
from probe.host import output_place
from probe.host.files import STANDARD_INPUT

WIDTH = 100  #: columns of text that goes to no terminal
PRIVATE = 0o640  #: a report holds the tenant's data
READABLE = 0o644  #: metrics for a collector, which runs under another account
WIDEST = 140  #: columns that a person still reads


class Bar:
    """Progress on a terminal: lines that stay and one that is written over. Silent where nobody watches."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._watched = is_terminal(stream)
        self._planned = False
        self._shown = ""

    def tell(self, phase: str, done: int, planned: int, eta_s: float, line: str | None) -> None:
        """Show how far it is; `line` is a sentence that stays. The first one is the plan: nothing is drawn before it."""
        if not self._watched:
            return
        if line:
            self.erase()
            self._stream.write(f"{line}\n")
            self._planned = True
        if not self._planned:
            return
        share = min(1.0, done / planned) if planned else 0.0
        full = int(share * 24)
        left = f", about {eta_s:.0f} s left" if eta_s >= 1 else ""
        counted = f"{done}/{planned} " if planned else ""  # before names are resolved nobody knows how many
        text = f"[{'#' * full}{'.' * (24 - full)}] {counted}{phase}{left}"
        self._draw(text[: max(terminal_width(self._stream) - 1, 20)])

    def erase(self) -> None:
        """Leave no trace of the bar."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if text == self._shown:
            return
        blank = " " * (len(self._shown) - len(text))
        self._stream.write(f"\r{text}{blank}" if text else f"\r{blank}\r")
        self._stream.flush()
        self._shown = text


def is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # none at all, or closed
        return False


def terminal_width(stream: IO[str]) -> int:
    """Columns of the terminal behind `stream`; of no terminal the width that a page has."""
    if not is_terminal(stream):
        return WIDTH
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0  # a terminal that does not tell
    return min(columns or WIDTH, WIDEST)


def wants_color(stream: IO[str], refused: bool) -> bool:
    """Colour only on a terminal that can, and never where NO_COLOR is set (no-color.org) or it was refused."""
    return (
        not refused
        and is_terminal(stream)
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def say(text: str) -> None:
    """A line for the person at the terminal, beside the output."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens: not a reason to fail
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stderr.flush()


def put(text: str | Iterable[str], encoding: str) -> None:
    """Write the output (whole or in pieces), in its encoding and with the line ends as they are.

    Trouble where it cannot be written; BrokenPipeError where the reader went away.
    """
    pieces = [text] if isinstance(text, str) else text
    check_open()
    binary = getattr(sys.stdout, "buffer", None)
    try:
        if binary is None:  # replaced by something that takes text only
            sys.stdout.writelines(pieces)
            return
        sys.stdout.flush()
        binary.writelines(piece.encode(encoding, "backslashreplace") for piece in pieces)
        binary.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise Trouble(
            f"standard output cannot be written: {error.strerror or error}",
            "make room there, or name a file with --output",
        ) from error


def check_open() -> None:
    """Trouble where standard output is closed."""
    if sys.stdout is None or sys.stdout.closed:
        raise Trouble("standard output is closed", "open it, or name a file with --output")


def drop_output() -> None:
    """Nobody takes it: let nothing more be written, also not at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def check_writable(path: Path) -> None:
    """Say before a long audit what would fail after it: a directory, a missing or a read-only one, another user's link."""
    kind = _mode(path)
    if kind is not None and stat.S_ISDIR(kind):
        raise Trouble(
            f"--output {path}: is a directory", f"name a file in it: --output {path / 'report.json'}"
        )
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise Trouble(f"--output {path}: there is no directory {folder}", "create it, or name another place")
    try:
        with output_place.held(str(path)) as place:
            writable = place.special or output_place.may_write(place)
    except OSError as error:
        raise _unwritable(path, error) from error
    if not writable:
        raise Trouble(f"--output {path}: this account may not write in {folder}", "name another place")


def _unwritable(path: Path, error: OSError) -> Trouble:
    if isinstance(error, output_place.ForeignLink):
        return Trouble(
            f"--output {path}: {error.strerror}, and is not followed",
            "name the file that is meant, or a directory where only this account may write",
        )
    return Trouble(f"--output {path}: {error.strerror or error}", "name another place, or leave --output out")


def _mode(path: Path) -> int | None:
    """Kind and permissions; None where nothing has that name. Trouble where it may not be looked at."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Trouble(f"--output {path}: cannot be written: {reason}", "name another place") from error


def check_spares(output: Path, inputs: Iterable[str]) -> None:
    """Trouble where `output` is one of the files that are read, by whatever name: it would be lost."""
    for name in inputs:
        if _is_same(output, name):
            raise Trouble(
                f"--output {output}: is {'standard input' if name == STANDARD_INPUT else name}, which is read here and "
                "would be overwritten",
                "name another file",
            )


def _is_same(output: Path, name: str) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not there: nothing to lose
        read = os.fstat(sys.stdin.fileno()) if name == STANDARD_INPUT else Path(name).stat()
        return stat.S_ISREG(read.st_mode) and os.path.samestat(output.stat(), read)
    return False


def write_whole(path: Path, text: str | Iterable[str], mode: int = PRIVATE) -> None:
    """The file has all of `text` (whole or in pieces) or stays as it was; its mode is `mode`, whatever the umask.

    A symbolic link stays one, and another user's is not followed (`probe.host.output_place`). Devices and pipes are written as
    they are.
    """
    data = (piece.encode("utf-8") for piece in ([text] if isinstance(text, str) else text))
    try:
        with output_place.held(str(path)) as place:
            output_place.write(place, data, mode)
    except OSError as error:
        raise _unwritable(path, error) from error

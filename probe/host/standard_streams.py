"""Writes to standard output and standard error; a closed, full or broken stream becomes a message. Imports little."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from probe.errors import CommandError


def print_message(text: str) -> None:
    """Print a message for the user to standard error."""
    with contextlib.suppress(
        OSError, ValueError, AttributeError
    ):  # a broken standard error is not a reason to fail
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stderr.flush()


def write_output(text: str | Iterable[str], encoding: str, otherwise: str = "") -> None:
    """Write the output (whole or in pieces) in its encoding, with its line ends unchanged.

    `otherwise`: where else this command can write, for the message (", or name a file with --output").
    CommandError if it cannot be written; BrokenPipeError if the reader has closed the pipe.
    """
    pieces = [text] if isinstance(text, str) else text
    check_open(otherwise)
    binary = getattr(sys.stdout, "buffer", None)
    try:
        if binary is None:  # replaced by an object that accepts text only
            sys.stdout.writelines(pieces)
            return
        sys.stdout.flush()
        binary.writelines(piece.encode(encoding, "backslashreplace") for piece in pieces)
        binary.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise CommandError(
            f"standard output cannot be written: {error.strerror or error}",
            f"make room there{otherwise}",
        ) from error


def check_open(otherwise: str = "") -> None:
    """CommandError if standard output is closed. `otherwise` as in `write_output`."""
    if sys.stdout is None or sys.stdout.closed:
        raise CommandError("standard output is closed", f"open it{otherwise}")


def drop_output() -> None:
    """Send further output to the null device, so that a flush at exit does not fail."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)

"""Standard output and standard error, written so that a stream that is closed, full or gone is a message. Imports little."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from probe.errors import CommandError


def print_message(text: str) -> None:
    """A line for the person at the terminal, beside the output."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens: not a reason to fail
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stderr.flush()


def write_output(text: str | Iterable[str], encoding: str) -> None:
    """Write the output (whole or in pieces), in its encoding and with the line ends as they are.

    CommandError where it cannot be written; BrokenPipeError where the reader went away.
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
        raise CommandError(
            f"standard output cannot be written: {error.strerror or error}",
            "make room there, or name a file with --output",
        ) from error


def check_open() -> None:
    """CommandError where standard output is closed."""
    if sys.stdout is None or sys.stdout.closed:
        raise CommandError("standard output is closed", "open it, or name a file with --output")


def drop_output() -> None:
    """Nobody takes it: let nothing more be written, also not at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)

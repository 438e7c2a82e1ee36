"""Lines that are drawn again in place on a terminal, and appended to any other stream."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TextIO

from probe.host.terminal import is_terminal

ROWS = 24  #: of a terminal that does not tell


class LiveLines:
    """Writes to `stream`. A terminal that cannot move its cursor (TERM=dumb) gets appended lines as well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.redraws = is_terminal(stream) and os.environ.get("TERM") != "dumb"
        self._drawn = 0

    @property
    def rows(self) -> int:
        """The height of the terminal in lines."""
        try:
            return os.get_terminal_size(self._stream.fileno()).lines or ROWS
        except (OSError, ValueError, AttributeError):
            return ROWS

    def draw(self, lines: Sequence[str]) -> None:
        """Put `lines` in place of those drawn before. Only where `redraws`."""
        up = f"\x1b[{self._drawn}F" if self._drawn else ""  # CPL, ECMA-48 section 8.3.13
        # EL (section 8.3.41) erases the rest of each line, ED (8.3.39) what was below
        self._write(up + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._drawn = len(lines)

    def append(self, lines: Sequence[str]) -> None:
        """Write `lines` below what was written before."""
        self._write("".join(f"{line}\n" for line in lines))
        self._drawn = 0

    def _write(self, text: str) -> None:
        if not text:
            return
        with contextlib.suppress(
            OSError, ValueError, AttributeError
        ):  # a closed standard error is no reason to fail
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()

"""Lines that are drawn again in place on a terminal, and appended to any other stream."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from probe.host.terminal import obeys_escapes, terminal_width

ROWS = 24  #: of a terminal that does not tell
_PIECE = re.compile(
    r"(\x1b\[[0-9;]*m)|(.)", re.DOTALL
)  # a colour (SGR, ECMA-48 section 8.3.117) or a character


class LiveLines:
    """Writes to `stream`. A terminal that cannot move its cursor (TERM=dumb, an old console of Windows) gets appended lines
    as well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.redraws = obeys_escapes(stream)
        self._drawn = 0

    @property
    def rows(self) -> int:
        """The height of the terminal in lines."""
        try:
            return os.get_terminal_size(self._stream.fileno()).lines or ROWS
        except (OSError, ValueError, AttributeError):
            return ROWS

    def draw(self, lines: Sequence[str]) -> None:
        """Put `lines` in place of those drawn before, each cut to the width of the terminal. Only where `redraws`."""
        # A line that wraps takes two rows, and a list longer than the screen scrolls: then CPL goes up too few.
        width = terminal_width(self._stream) - 1
        lines = [cut(self._encodable(line), width) for line in lines[: max(self.rows - 1, 1)]]
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
            self._stream.write(self._encodable(text))
            self._stream.flush()

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "ascii"
        return text.encode(encoding, "backslashreplace").decode(encoding)


def cut(line: str, columns: int) -> str:
    """`line` in at most `columns` columns. Colours take none, and none of them is cut off; a Chinese character takes two."""
    kept: list[str] = []
    for color, character in _PIECE.findall(line):
        columns -= _columns(character) if character else 0
        if color or columns >= 0:
            kept.append(color or character)
    return "".join(kept)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

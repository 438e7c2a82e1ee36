"""The terminal: its width, its colours, and the progress bar on it."""

from __future__ import annotations

import os
from typing import IO, TextIO

from probe.host.windows_console import shows_escapes

WIDTH = 100  #: columns of text that does not go to a terminal
WIDEST = 140  #: most columns; longer lines are hard to read


class Bar:
    """A progress bar below lines that stay. Writes nothing if the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._watched = is_terminal(stream)
        self._planned = False
        self._shown = ""

    def show(self, phase: str, done: int, planned: int, eta_s: float | None, line: str | None) -> None:
        """Show the progress; `line` is a sentence that stays. The bar appears after the first one, which is the plan.

        `eta_s`: seconds left; None: not known, which the bar says.
        """
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
        counted = f"{done}/{planned} " if planned else ""  # unknown before names are resolved
        text = f"[{'#' * full}{'.' * (24 - full)}] {counted}{phase}, {time_left(eta_s)}"
        self._draw(text[: max(terminal_width(self._stream) - 1, 20)])

    def erase(self) -> None:
        """Remove the bar."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if text == self._shown:
            return
        blank = " " * (len(self._shown) - len(text))
        self._stream.write(f"\r{text}{blank}" if text else f"\r{blank}\r")
        self._stream.flush()
        self._shown = text


def time_left(seconds: float | None) -> str:
    """A remaining time as people say it; None is not known."""
    if seconds is None:
        return "time left not known"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    return f"about {round(seconds / 60)} min left"


def is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no stream, or closed
        return False


def terminal_width(stream: IO[str]) -> int:
    """Columns of the terminal behind `stream`; `WIDTH` if it is not a terminal."""
    if not is_terminal(stream):
        return WIDTH
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0  # the terminal does not know
    return min(columns or WIDTH, WIDEST)


def obeys_escapes(stream: IO[str]) -> bool:
    """Whether `stream` is a terminal that obeys escape sequences, and does not show them as text."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb" and shows_escapes(stream)


def wants_color(stream: IO[str], refused: bool) -> bool:
    """Colour only on a terminal that can show it; never with NO_COLOR (no-color.org) or `refused`."""
    return not refused and not os.environ.get("NO_COLOR") and obeys_escapes(stream)

"""The error that a user can correct: one message, exit code 3, no traceback."""

from __future__ import annotations

EXIT_INTERRUPTED = 130  #: 128 + SIGINT, as shells show it


class CommandError(Exception):
    """`what` happened, and `advice` says what the user can do."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}\n  {advice}" if advice else what)
        self.what = what
        self.advice = advice


def one_line(message: str) -> str:
    """Join a message of several lines to one line for a log."""
    first, *others = [line.strip() for line in message.split("\n") if line.strip()] or [""]
    if not others:
        return first
    rest = "; ".join(others)
    return f"{first}{'' if first.endswith((':', '.', ';')) else ':'} {rest}"

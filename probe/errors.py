"""What stops the program and a person can change: one message, exit code 3, no traceback."""

from __future__ import annotations

EXIT_INTERRUPTED = 130  #: 128 + SIGINT, as shells show it


class Trouble(Exception):  # noqa: N818 - what a person reads, not what a programmer catches
    """`what` happened, and `advice`: what to do about it."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}\n  {advice}" if advice else what)
        self.what = what
        self.advice = advice


def one_line(message: str) -> str:
    """A message of several lines as one, for a log: the first line heads the others."""
    first, *others = [line.strip() for line in message.split("\n") if line.strip()] or [""]
    if not others:
        return first
    told = "; ".join(others)
    return f"{first}{'' if first.endswith((':', '.', ';')) else ':'} {told}"

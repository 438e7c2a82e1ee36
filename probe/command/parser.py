"""The parser of the command line and its argument types. Imports argparse only: `--version` and `--help` need no more."""

from __future__ import annotations

import argparse
from typing import NoReturn

EXIT_ERROR = 3  #: wrong usage or configuration, or a bug: the network was not measured


class Parser(argparse.ArgumentParser):
    """An argument parser whose usage errors exit with 3, as every run that measured nothing does."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_ERROR, f"{self.prog}: {safe(message)}\n  {self.prog} --help lists the options\n")


def safe(text: str) -> str:
    """A text of the user or of a library as one line of printable ASCII."""
    return (
        text.encode("ascii", "backslashreplace")
        .decode()
        .translate({i: f"\\x{i:02x}" for i in (*range(32), 127)})
    )


def non_blank(text: str) -> str:
    """An argument that is not blank. A blank one usually is an unset variable of a shell, so it is an error."""
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "is empty: was a variable not set? Leave the option out, or give it a value"
        )
    return text


def seconds(text: str) -> float:
    """A number of seconds, at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{safe(text)} is no number of seconds from 1 to 86400")
    return value

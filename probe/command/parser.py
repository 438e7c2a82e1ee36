"""The parser of the command line and the types of its words. Imports argparse only: `--version` and `--help` need no more."""

from __future__ import annotations

import argparse
from typing import NoReturn

EXIT_TROUBLE = 3  #: wrong usage or configuration, or a bug: nothing is known about the network


class Parser(argparse.ArgumentParser):
    """Usage errors end with 3, like every case in which nothing was measured."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_TROUBLE, f"{self.prog}: {safe(message)}\n  {self.prog} --help lists the options\n")


def safe(text: str) -> str:
    """What the user or a library wrote, on one line that a terminal can print."""
    return (
        text.encode("ascii", "backslashreplace")
        .decode()
        .translate({i: f"\\x{i:02x}" for i in (*range(32), 127)})
    )


def filled(text: str) -> str:
    """A word that says something. An empty one is a shell's variable that was not set: to pass over it would hide that."""
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

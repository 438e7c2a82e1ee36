"""The parser of the command line and its argument types. Standard library only: `--version` and `--help` need no more."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

EXIT_ERROR = 3  #: wrong usage or configuration, or a bug: the network was not measured


_ALIKE = 0.66  # difflib's ratio, as for the keys of a file


class Parser(argparse.ArgumentParser):
    """An argument parser whose usage errors exit with 3, as every run that measured nothing does.

    A command refuses the arguments that it does not know itself, so that the message names its own `--help`.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as the overloads of the base
        """As in the base class, which `parse_args` and the parent of a sub-command call; nothing unknown remains."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = next((word for word in unknown if word.startswith("-")), "").partition("=")[0]
            near = nearest(option, self._option_string_actions) if option else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_ERROR, f"{self.prog}: {safe(message)}\n  {self.prog} --help lists the options\n")


def nearest(word: str, words: Iterable[str]) -> str:
    """`, did you mean x?` if one of `words` is similar; "" if none is."""
    near = get_close_matches(word.lower()[:40], list(words), 1, _ALIKE)
    return f", did you mean {near[0]}?" if near else ""


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

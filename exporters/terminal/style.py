"""Text layout: width, colour, and replacements for an ASCII terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from rules.text.display import display

#: The replacement for a character that an encoding lacks. Every other such character becomes a backslash escape.
PLAIN = str.maketrans(
    {
        "…": "...",
        "→": "->",
        "·": "-",
        "–": "-",
        "—": "-",
        "’": "'",
        "“": '"',
        "”": '"',
        "─": "-",
        "│": "|",
        "├": "|",
        "└": "`",
        "×": "x",
        "✓": "ok",
    }
)

#: SGR parameters (ECMA-48 section 8.3.117) by the meaning of the text.
COLOURS = {"good": "1;32", "bad": "1;31", "doubt": "1;33", "note": "36", "heading": "1", "quiet": "2"}


@dataclass(frozen=True, slots=True)
class Style:
    """The layout that the reader wants: `width` in columns, the output's `encoding`, colour only on request."""

    width: int = 100
    color: bool = False
    verbose: bool = False
    encoding: str = "utf-8"
    tenant: str = ""  # the tenant's id, which stands once in a report: names show "{tenant}" in its place

    def paint(self, tone: str, text: str) -> str:
        """`text` in a colour, or as it is."""
        return f"\x1b[{COLOURS[tone]}m{text}\x1b[0m" if self.color and text else text

    def wrap(self, text: str, indent: str = "", first: str | None = None) -> list[str]:
        """`text` as lines of at most the width. Names and addresses are never cut, so that they can be copied."""
        lines = textwrap.wrap(
            text.replace(self.tenant, "{tenant}") if self.tenant else text,
            max(self.width, 40),
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return lines or [(indent if first is None else first).rstrip()]

    def pairs(self, rows: Iterable[tuple[str, str]], indent: str) -> list[str]:
        """Labels and their texts in two columns."""
        found = list(rows)
        column = min(max((len(label) for label, _ in found), default=0), 24)
        lines: list[str] = []
        for label, text in found:
            hang = indent + " " * (column + 2)
            lines += self.wrap(text, hang, f"{indent}{label:<{column}}  ")
        return lines

    def finish(self, lines: Iterable[str]) -> str:
        """The lines as one text in characters of the output's encoding."""
        return encodable("\n".join(lines) + "\n", self.encoding)


def encodable(text: str, encoding: str) -> str:
    """`text` if `encoding` can hold it, else with the nearest ASCII characters and escapes."""
    try:
        text.encode(encoding)
    except LookupError:
        return text.translate(PLAIN).encode("ascii", "backslashreplace").decode("ascii")
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text


def say(text: str) -> str:
    """One of our sentences, which may quote a peer: harmless, and cut only when it is longer than a screen."""
    return display(text, 1024)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 connection`, `3 connections`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def seconds(value: float) -> str:
    """A duration for readers: `12 ms`, `0.25 s`, `41.2 s`, `3 min 5 s`, `22 h 41 min`, `5 d 3 h`."""
    if value < 0.1:
        return f"{value * 1000:.3g} ms"
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    if value < 7200:
        return f"{int(value) // 60} min {int(value) % 60} s"
    if value < 172_800:
        return f"{int(value) // 3600} h {int(value) % 3600 // 60} min"
    return f"{int(value) // 86_400} d {int(value) % 86_400 // 3600} h"

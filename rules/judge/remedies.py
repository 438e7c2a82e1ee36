"""The remedy of a cause, by its circumstance.

A cause alone does not determine the remedy. A *circumstance* is a short word for the observed facts; "" means that
nothing more is known. The texts are in the records of `rules.model.causes`. A circumstance may also name who must act
and how strong the evidence is, where that differs from the cause's own.

tests/rules/judge/test_remedies.py names for each row a network in which the remedy would be wrong, and one in which
it is right where a recording shows it.
"""

from __future__ import annotations

from dataclasses import replace

from rules.model.causes import ANY_CAUSE
from rules.model.causes.record import Cause


def in_circumstance(cause: Cause, circumstance: str) -> Cause:
    """The cause with the remedy, plural, owner and confidence that it has in this circumstance: the cause's own circumstance
    decides, else one that holds for any cause, else the cause alone."""
    found = next((row for row in (*cause.circumstances, *ANY_CAUSE) if row.word == circumstance), None)
    if found is None:
        return cause
    return replace(
        cause,
        remedy=found.remedy,
        plural=found.plural or cause.plural,
        owner=found.owner or cause.owner,
        confidence=found.confidence or cause.confidence,
        command=found.command or cause.command,
    )


def remedy(cause: Cause, circumstance: str = "", **values: str | int) -> str:
    """The remedy in a sentence; "" where nothing has to be done. `values` fill the text's placeholders."""
    return in_circumstance(cause, circumstance).remedy.format(**values)

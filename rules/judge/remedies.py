"""What to do: the remedy of a cause, by what was seen of it.

A cause alone does not tell what to do. A *circumstance* is the short word for what was seen. "" stands for a cause of which
nothing more is known. The texts stand in the records of `rules.model.causes`; a circumstance may also name who must act and
how much the evidence carries, where that differs from the cause's own.

tests/rules/judge/test_remedies.py names for each row a network in which it must not be said, and one in which it is where a
recording shows it.
"""

from __future__ import annotations

from rules.model.causes import ANY_CAUSE
from rules.model.causes.record import Cause, Circumstance


def advice(cause: Cause, circumstance: str) -> Circumstance | None:
    """What was seen of a cause: its own circumstance, else one that holds for any cause; None where only the cause counts."""
    return next((row for row in (*cause.circumstances, *ANY_CAUSE) if row.word == circumstance), None)


def remedy(cause: Cause, circumstance: str = "", **values: str | int) -> str:
    """What to do, in a sentence; "" where there is nothing to do. `values` fill the places of the text."""
    return (advice(cause, circumstance) or cause).remedy.format(**values)

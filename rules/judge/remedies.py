"""What to do: one table of advice, by cause and by what was seen of it.

A cause alone does not tell what to do: a list that ran out is one thing behind a cache that names itself and another where
nothing but its date is known. A *circumstance* is the short word for what was seen. "" stands for a cause of which nothing
more is known: its text accuses no device and no team that the evidence does not show. A row may also name who must act and
how much the evidence carries, where that differs from what `rules.judge.causes` says of the cause.

tests/rules/judge/test_remedies.py names for each row a network in which it must not be said, and one in which it is where a
recording shows it.
"""

from __future__ import annotations

from rules.judge.advice import ANY, Advice
from rules.judge.advice_on_documents import HTTP, REVOCATION
from rules.judge.advice_on_names import DNS, HOST
from rules.judge.advice_on_sessions import TCP, TLS

#: All rows, the lower layers first.
ADVICE: dict[tuple[str, str], Advice] = {**HOST, **DNS, **TCP, **TLS, **HTTP, **REVOCATION}

#: By cause alone: what is said where nothing more is known.
BY_CAUSE: dict[str, str] = {
    cause: advice.text for (cause, circumstance), advice in ADVICE.items() if not circumstance
}


def advice(cause: str, circumstance: str = "") -> Advice | None:
    """The row for a cause in a circumstance: the cause's own, one that holds for any cause, or what holds always."""
    for row in ((cause, circumstance), (ANY, circumstance), (cause, "")):
        if row in ADVICE:
            return ADVICE[row]
    return None


def remedy(cause: str, circumstance: str = "", **values: str | int) -> str:
    """What to do, in a sentence; "" where there is nothing to do. `values` fill the places of the text."""
    found = advice(cause, circumstance)
    return found.text.format(**values) if found is not None else ""

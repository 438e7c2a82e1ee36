"""A row of the table of advice (`rules.judge.remedies`)."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.verdict import Confidence, Owner

#: In place of a cause: the circumstance says what to do whatever failed there.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do. `owner` and `confidence`: None where those of the cause hold. `{port}` and the like are filled in."""

    text: str
    owner: Owner | None = None
    confidence: Confidence | None = None

"""Recent changes: verdicts (transitions) and resolved names (drift), newest first."""

from __future__ import annotations

from exporters.page.markup import (
    Markup,
    ago,
    escaped,
    folded,
    moment,
    name,
    section,
    sentence_text,
    statement,
    tag,
)
from exporters.terminal.headline import ANSWERS
from rules.model.verdict import Answer, Status
from rules.watch.events import Drift, Transition
from rules.watch.state import State

SHOWN = 8  #: changes shown at once
UNFOLDED = 60  #: further changes, folded

_ANSWERS = {answer.value for answer in Answer}
_STATUSES = {status.value for status in Status}


def changes(state: State, now: float) -> Markup:
    """The section; it says so when nothing has changed."""
    found: list[Transition | Drift] = [*state.transitions, *state.drifts]
    found.sort(key=lambda change: change.at, reverse=True)
    if not found:
        return section("changes", "What changed lately", tag("p", "No change is on record."))
    items = [_change(change, now) for change in found[: SHOWN + UNFOLDED]]
    parts = [tag("ol", *items[:SHOWN], class_="changes")]
    if len(items) > SHOWN:
        parts.append(folded(f"{len(items) - SHOWN} earlier", tag("ol", *items[SHOWN:], class_="changes")))
    return section("changes", "What changed lately", *parts)


def _change(change: Transition | Drift, now: float) -> Markup:
    when = tag("div", moment(change.at), tag("small", " (", ago(change.at, now), ")", class_="soft"))
    parts = _drift(change) if isinstance(change, Drift) else _transition(change)
    return tag("li", when, tag("div", *parts))


def _transition(change: Transition) -> tuple[Markup, ...]:
    """`connector: YES → NO`, then the subject."""
    subject = "The answer" if change.subject == "connector" else change.subject
    before = (
        (_status_markup(change.before), Markup(" → ")) if change.before else (sentence_text("first seen: "),)
    )
    cause = (" ", tag("code", escaped(change.cause, 60))) if change.cause not in ("", "ok") else ()
    summary = (tag("div", sentence_text(change.summary)),) if change.summary else ()
    return (
        tag("b", name(subject)),
        Markup(": "),
        *before,
        _status_markup(change.after),
        *map(Markup, cause),
        *summary,
    )


def _drift(change: Drift) -> tuple[Markup, ...]:
    """Something new, which alerts nobody. The text usually names the endpoint."""
    named = () if change.endpoint in change.text else (tag("b", name(change.endpoint)), Markup(": "))
    return (*named, sentence_text(change.text), Markup(" "), statement(Status.NOTICE, "drift"))


def _status_markup(value: str) -> Markup:
    """The word of an answer or a status, as elsewhere on the page."""
    if value in _ANSWERS:
        word, tone, _ = ANSWERS[Answer(value)]
        return tag("b", word, class_=f"s {tone} {value}")
    if value in _STATUSES:
        return statement(Status(value))
    return escaped(value)

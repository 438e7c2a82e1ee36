"""Recent changes: verdicts (transitions) and resolved names (drift), newest first."""

from __future__ import annotations

from collections.abc import Mapping

from exporters.page.markup import (
    Markup,
    ago,
    escaped,
    folded,
    local_moment,
    name,
    section,
    sentence_text,
    statement,
    tag,
)
from exporters.terminal.headline import ANSWERS
from rules.model.verdict import Answer, Status
from rules.watch.event_groups import ANSWER, EventGroup, grouped, subject
from rules.watch.events import Drift, Transition
from rules.watch.state import State

SHOWN = 6  #: changes shown at once
UNFOLDED = 60  #: further changes, folded
NAMES = 40  #: maximum of names listed of one change

_ANSWERS = {answer.value for answer in Answer}
_STATUSES = {status.value for status in Status}


def changes(state: State, now: float) -> Markup:
    """The section; it says so when nothing has changed. Changes with the same cause are one."""
    found: list[Transition | Drift] = [*state.transitions, *state.drifts]
    found.sort(key=lambda change: change.at, reverse=True)
    if not found:
        return section("changes", "What changed lately", tag("p", "No change is on record."))
    rule_groups = {target.name: target.group for target in state.targets}
    groups = grouped(found)[: SHOWN + UNFOLDED]
    offset = state.report.vantage.utc_offset if state.report is not None else None
    items = [_change(group, rule_groups, now, offset) for group in groups]
    parts = [tag("ol", *items[:SHOWN], class_="changes")]
    if len(items) > SHOWN:
        parts.append(folded(f"{len(items) - SHOWN} earlier", tag("ol", *items[SHOWN:], class_="changes")))
    return section("changes", "What changed lately", *parts)


def _change(group: EventGroup, rule_groups: Mapping[str, str], now: float, utc_offset: int | None) -> Markup:
    when = tag(
        "div", local_moment(group.at, utc_offset), tag("small", " (", ago(group.at, now), ")", class_="soft")
    )
    newest = group.newest
    title = group.title(rule_groups)
    parts = _drift(group, title) if isinstance(newest, Drift) else _transition(group, newest, title)
    key = f"{newest.at:.3f} {subject(newest)} {'drift' if isinstance(newest, Drift) else newest.after}"
    return tag("li", when, tag("div", *parts, _names(group)), data_key=key)


def _names(group: EventGroup) -> Markup:
    """The names of several events, folded, each with what is its own."""
    if len(group.events) == 1:
        return Markup()
    items = [
        tag(
            "li",
            name(subject(event)),
            *((": ", sentence_text(event.summary)) if isinstance(event, Transition) else ()),
        )
        for event in group.events[:NAMES]
    ]
    left = len(group.events) - len(items)
    items += [tag("li", f"{left} more")] if left > 0 else []
    return folded("the names", tag("ul", *items, class_="lines"))


def _transition(group: EventGroup, change: Transition, title: str) -> tuple[Markup, ...]:
    """`The answer: YES → NO`, `13 service names: ok → FAIL tcp.timeout`."""
    shown = "The answer" if change.subject == ANSWER else title
    several = len(group.events) > 1
    before: tuple[Markup, ...] = ()
    if group.before:
        before = (_status_markup(group.before), Markup(" → "))
    elif not several:
        before = (sentence_text("first seen: "),)
    cause = (" ", tag("code", escaped(change.cause, 60))) if change.cause not in ("", "ok") else ()
    summary = (tag("div", sentence_text(change.summary)),) if change.summary and not several else ()
    return (
        tag("b", name(shown)),
        Markup(": "),
        *before,
        _status_markup(change.after),
        *map(Markup, cause),
        *summary,
    )


def _drift(group: EventGroup, title: str) -> tuple[Markup, ...]:
    """Something new, which alerts nobody. The text usually names the endpoint."""
    change = group.newest
    named = (
        ()
        if len(group.events) == 1 and subject(change) in group.text
        else (tag("b", name(title)), Markup(": "))
    )
    return (*named, sentence_text(group.text), Markup(" "), statement(Status.NOTICE, "drift"))


def _status_markup(value: str) -> Markup:
    """The word of an answer or a status, as elsewhere on the page."""
    if value in _ANSWERS:
        word, tone, _ = ANSWERS[Answer(value)]
        return tag("b", word, class_=f"s {tone} {value}")
    if value in _STATUSES:
        return statement(Status(value))
    return escaped(value)

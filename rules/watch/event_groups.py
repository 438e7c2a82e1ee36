"""Events for people: one event a cause. The history keeps every event; only what people read is grouped.

A break of the network changes many names within minutes. Those with the same new status and the same cause are one
group, and so are those with the same news. Changes of the answer stand alone, before what changed at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from rules.watch.events import Drift, Transition

#: Seconds between the first and the last event of a group: the confirmation of a long list takes minutes.
TOGETHER = 300.0
#: Seconds by which a change of the answer may be older than a group that stands below it.
AT_ONCE = 60.0
ANSWER = "connector"  #: the subject of changes of the answer
LISTED = 60  #: maximum of names in a line of a log
#: In place of the name, in a sentence about several.
THESE = "these names"
_GROUPS: Mapping[str, str] = {
    "service": "service name",
    "sign-in": "sign-in name",
    "cert-validation": "certificate validation name",
}

Event: TypeAlias = Transition | Drift


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events that people read as one, the newest first; at least one. All are of the same kind."""

    events: tuple[Event, ...]

    @property
    def newest(self) -> Event:
        return self.events[0]

    @property
    def at(self) -> float:
        """When the last of them happened (Unix time)."""
        return max(event.at for event in self.events)

    @property
    def lasted(self) -> float:
        """Seconds from the first to the last."""
        return self.at - min(event.at for event in self.events)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(subject(event) for event in self.events)

    @property
    def before(self) -> str:
        """The status that all of them had before; "" if they differ, and for drift."""
        found = {event.before for event in self.events if isinstance(event, Transition)}
        return found.pop() if len(found) == 1 else ""

    @property
    def text(self) -> str:
        """The sentence of a drift, about all of its names."""
        newest = self.newest
        if not isinstance(newest, Drift):
            return ""
        return newest.text if len(self.events) == 1 else newest.text.replace(newest.endpoint, THESE)

    def title(self, rule_groups: Mapping[str, str] | None = None) -> str:
        """Its subject, or how many names: "13 service names". `rule_groups`: the rule group of a subject."""
        if len(self.events) == 1:
            return subject(self.newest)
        known = rule_groups or {}
        found = {known.get(one, "") for one in self.subjects}
        word = _GROUPS.get(found.pop(), "name") if len(found) == 1 else "name"
        names = len({one.rpartition(":")[0] or one for one in self.subjects})
        return f"{names} {word}{'s' if names != 1 else ''}"


def subject(event: Event) -> str:
    """What an event is about: "connector", "host:port" or "host"."""
    match event:
        case Transition():
            return event.subject
        case Drift():
            return event.endpoint
        case _:
            assert_never(event)


def grouped(events: Iterable[Event]) -> tuple[EventGroup, ...]:
    """The events, newest first, as groups. The order of the changes of one subject stays."""
    groups: list[list[Event]] = []
    spans: list[tuple[float, float]] = []  # of each group: its first and its last time
    of_key: dict[tuple[str, ...], int] = {}  # the newest place of each
    of_subject: dict[str, int] = {}
    for event in events:
        key, about, at = _key(event), subject(event), event.at
        place = of_key.get(key, -1)
        # a name that changed again meanwhile must not be told before that
        if place > of_subject.get(about, -1) and about != ANSWER:
            first, last = min(at, spans[place][0]), max(at, spans[place][1])
            if last - first <= TOGETHER:
                groups[place].append(event)
                spans[place] = first, last
                of_subject[about] = place
                continue
        of_key[key] = of_subject[about] = len(groups)
        groups.append([event])
        spans.append((at, at))
    return tuple(EventGroup(tuple(group)) for group in _answers_first(groups))


def _key(event: Event) -> tuple[str, ...]:
    match event:
        case Transition():
            cause = event.cause if event.cause not in ("", "ok") else event.cause_before
            return ("transition", "answer" if event.subject == ANSWER else "", event.after, cause)
        case Drift():
            return ("drift", event.kind, event.text.replace(event.endpoint, THESE))
        case _:
            assert_never(event)


def _answers_first(groups: list[list[Event]]) -> list[list[Event]]:
    """Each change of the answer before the groups of the same time."""
    ordered: list[list[Event]] = []
    for group in groups:
        place = len(ordered)
        if subject(group[0]) == ANSWER:
            while place and _at_once(ordered[place - 1], group[0]):
                place -= 1
        ordered.insert(place, group)
    return ordered


def _at_once(group: list[Event], answer: Event) -> bool:
    return subject(group[0]) != ANSWER and abs(min(one.at for one in group) - answer.at) <= AT_ONCE


def merged(group: EventGroup, rule_groups: Mapping[str, str] | None = None) -> Transition | None:
    """A group of transitions as one, for a log: its subject is the title, its summary lists the names. None for drift."""
    newest = group.newest
    if not isinstance(newest, Transition):
        return None
    if len(group.events) == 1:
        return newest
    left = len(group.events) - LISTED
    return Transition(
        group.at,
        group.title(rule_groups),
        group.before,
        newest.after,
        newest.cause_before,
        newest.cause,
        ", ".join(group.subjects[:LISTED]) + (f" and {left} more" if left > 0 else ""),
    )

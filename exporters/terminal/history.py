"""The history as text and as JSON: what changed, what is new, and what an endpoint showed.

The text tells events with the same cause as one, with their names below; the JSON has each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from exporters.terminal.style import Style, count, say, seconds
from rules.files.report_json import to_rfc3339
from rules.text.display import display
from rules.text.moments import FIRST, LAST
from rules.watch.event_groups import EventGroup, grouped
from rules.watch.events import Drift, HistoryExtract, LedgerKind, Transition

SCHEMA = "wayclear.history/1"
_KINDS: Mapping[LedgerKind, str] = {
    "cname": "names in the chain",
    "address": "addresses",
    "issuer": "issuers",
    "crl": "CRLs",
    "ocsp": "OCSP responders",
}
_COLUMN = 48  # maximum width, in characters, of an aligned subject or value


def render(found: HistoryExtract, style: Style) -> str:
    """Events, newest first; for an endpoint also its ledger."""
    events = found.events()
    groups = grouped(events)
    lines: list[str] = []
    column = min(max((len(display(group.title())) for group in groups), default=0), _COLUMN)
    for group in groups:
        lines += style.wrap(_line(group, column), " " * 25, f"{moment(group.at)}  ")
        for event in group.events if len(group.events) > 1 else ():
            lines += style.wrap(_below(event), " " * 29, " " * 27)
    if not events:
        lines += style.wrap(_nothing(found))
    if found.more:
        lines += ["", *style.wrap(f"Only the newest {len(events)} are shown: --since shows others.")]
    if found.ledger:
        lines += ["", *style.wrap(f"Ever seen of {display(found.endpoint)}:"), *_ledger(found, style)]
    return style.finish(lines)


def moment(at: float) -> str:
    """Unix time as `2026-11-25 09:12:03 UTC`; a number outside the calendar stays a number."""
    if not FIRST <= at <= LAST:
        return f"{at:.0f}"
    return f"{to_rfc3339(at)[:19].replace('T', ' ')} UTC"


def _nothing(found: HistoryExtract) -> str:
    about = f" about {display(found.endpoint)}" if found.endpoint else ""
    since = "" if found.since is None else f" since {moment(found.since)}"
    return f"The history has no change{about}{since}."


def _line(group: EventGroup, column: int) -> str:
    """One event, or what several have in common."""
    title = f"{display(group.title()):<{column}}"
    event = group.newest
    if isinstance(event, Drift):
        return f"{title}  new  {say(group.text)}"
    change = (
        f"{display(group.before)} -> {display(event.after)}" if group.before else f"is {display(event.after)}"
    )
    cause = "" if event.cause == "ok" else f"  {display(event.cause)}"
    several = len(group.events) > 1
    rest = (f"within {seconds(group.lasted)}" if group.lasted >= 1 else "") if several else say(event.summary)
    return f"{title}  {change}{cause}  {rest}".rstrip()


def _below(event: Transition | Drift) -> str:
    """One of several events: its name, and what is its own."""
    if isinstance(event, Drift):
        return display(event.endpoint)
    return f"{display(event.subject)}  {say(event.summary)}".rstrip()


def _ledger(found: HistoryExtract, style: Style) -> Iterator[str]:
    """By kind, last seen first, with the first and the last time."""
    for kind, title in _KINDS.items():
        entries = [entry for entry in found.ledger if entry.kind == kind]
        if not entries:
            continue
        yield f"  {title} ({count(len(entries), 'entry', 'entries')}), first and last time:"
        for entry in entries:
            times = f"{moment(entry.first)}  {moment(entry.last)}  "
            yield from style.wrap(display(entry.value, 1024), " " * (4 + len(times)), f"    {times}")


def to_json(found: HistoryExtract) -> str:
    """`wayclear.history/1`, which only grows. Times are RFC 3339 in UTC; non-ASCII characters are escaped."""
    document = {
        "schema": SCHEMA,
        "endpoint": found.endpoint or None,
        "since": None if found.since is None else _time(found.since),
        "more": found.more,
        "events": [_event(event) for event in found.events()],
        "ledger": [
            {
                "endpoint": entry.endpoint,
                "kind": entry.kind,
                "value": entry.value,
                "first": _time(entry.first),
                "last": _time(entry.last),
            }
            for entry in found.ledger
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _event(event: Transition | Drift) -> dict[str, object]:
    if isinstance(event, Drift):
        return {
            "type": "drift",
            "id": event.id,
            "at": _time(event.at),
            "endpoint": event.endpoint,
            "kind": event.kind,
            "value": event.value,
            "text": event.text,
        }
    return {
        "type": "transition",
        "id": event.id,
        "at": _time(event.at),
        "subject": event.subject,
        "before": event.before,
        "after": event.after,
        "cause_before": event.cause_before,
        "cause": event.cause,
        "summary": event.summary,
    }


def _time(at: float) -> str | None:
    """RFC 3339; None outside the calendar."""
    return to_rfc3339(at) if FIRST <= at <= LAST else None

"""What a finding asks for, apart from what was tested.

A tested name under a wildcard is an example: who allows the examples builds a wrong rule. So the patterns stand open,
and the names are folded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from exporters.page.markup import (
    Markup,
    anchor,
    beyond,
    escaped,
    folded,
    joined,
    link,
    name,
    sentence_text,
    source_link,
    tag,
)
from exporters.terminal.audit import ADDRESSES
from exporters.terminal.evidence import hostport
from exporters.terminal.finding import NEEDS, WILDCARD, need_text, row_text
from exporters.terminal.style import count
from rules.model.request import Action, Need, Request, RequestRow, TestedName

PATTERNS = 12  #: patterns shown at once
SOURCES = 6  #: maximum of pages named as sources
UNFOLDED = 60  #: maximum of further patterns, and of names, in a folded list

_TITLES: Mapping[Action, str] = {
    "allow": "What to allow",
    "exempt": "What to exempt from TLS inspection",
    "resolve": "What must resolve to its public addresses",
}


def title(request: Request) -> str:
    """What the request is: "What to allow"."""
    return _TITLES[request.action]


def asked(request: Request) -> Markup:
    """The patterns with ports, whether TLS may be inspected, and who says so."""
    lines = list(dict.fromkeys(_row(row, request.action) for row in request.rows))
    shown, rest = lines[:PATTERNS], lines[PATTERNS : PATTERNS + UNFOLDED]
    parts = [tag("ul", *shown, class_="lines")]
    if rest:
        left = beyond(len(lines) - PATTERNS - UNFOLDED, "patterns")
        parts.append(folded(f"{len(lines) - PATTERNS} more", tag("ul", *rest, class_="lines"), left))
    if any(pattern.startswith("*.") for pattern in request.patterns):
        parts.append(tag("p", WILDCARD))
    cited = list(dict.fromkeys((row.citation, row.url, row.date) for row in request.rows))
    parts += [_source(*one) for one in cited[:SOURCES]]
    return joined(parts)


def _row(row: RequestRow, action: Action) -> Markup:
    """`*.servicebus.windows.net  TCP 443, never inspect TLS`."""
    purpose = tag("span", " (", escaped(row.purpose, 160), ")", class_="soft") if row.purpose else ""
    return tag("li", tag("code", name(row.pattern)), " ", sentence_text(row_text(row, action)), purpose)


def _source(citation: str, url: str, date: str) -> Markup:
    dated = f", {date}" if date else ""
    return tag("p", "Source: ", source_link(url, escaped(citation)), escaped(dated, 40), class_="soft")


def tested(found: Sequence[TestedName], anchors: Collection[str]) -> Markup:
    """The names, folded, required ones first; each says why it was tested. `anchors`: as in `findings`."""
    order: tuple[Need, ...] = ("required", "example", "named", "optional", "retired", "untried")
    ranked = sorted(found, key=lambda one: order.index(one.need))
    counts = Counter(one.need for one in ranked)
    each = ", ".join(f"{counts[need]} {NEEDS[need][counts[need] > 1]}" for need in order if counts[need])
    lines = [_tested(one, anchors) for one in ranked[:UNFOLDED]]
    return folded(
        f"{count(len(found), 'name')}: {each}",
        tag("ul", *lines, class_="lines"),
        beyond(len(found) - UNFOLDED, "names"),
    )


def _tested(one: TestedName, anchors: Collection[str]) -> Markup:
    place, shown_name = anchor(f"{one.host}:{one.port}"), name(hostport(one.host, one.port))
    linked = link(f"#{place}", shown_name) if place in anchors else shown_name
    shown = one.addresses if len(one.addresses) <= ADDRESSES + 1 else one.addresses[:ADDRESSES]
    at = f" at {', '.join(escaped(a, 80) for a in shown)}" if shown else ""
    more = f", +{len(one.addresses) - len(shown)} more" if len(one.addresses) > len(shown) else ""
    needed = tag("span", need_text(one.need, one.pattern, one.region))
    return tag("li", linked, " (", needed, ")", tag("span", Markup(at), more, class_="soft"))

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
from exporters.terminal.finding import WILDCARD
from exporters.terminal.style import count
from rules.model.geography import GEOGRAPHIES
from rules.model.request import Action, Need, Request, RequestRow, TestedName
from rules.text.display import display

PATTERNS = 12  #: patterns shown at once
SOURCES = 6  #: maximum of pages named as sources
UNFOLDED = 60  #: maximum of further patterns, and of names, in a folded list

_TITLES: Mapping[Action, str] = {
    "allow": "What to allow",
    "exempt": "What to exempt from TLS inspection",
    "resolve": "What must resolve to its public addresses",
}
_COUNTED: Mapping[Need, tuple[str, str]] = {
    "required": ("required", "required"),
    "example": ("example", "examples"),
    "optional": ("optional", "optional"),
    "retired": ("retired by Microsoft", "retired by Microsoft"),
    "named": ("on no list", "on no list"),
}


def title(request: Request) -> str:
    """What the request is: "What to allow"."""
    return _TITLES[request.action]


def need_text(need: Need, pattern: str, region: str = "") -> str:
    """Why a name was tested. `region`: the code of a geography (`rules.model.geography`), "" if it is not known.

    An example of a required wildcard is never "not required": a connector needs the names that it is handed.
    """
    match need:
        case "required":
            return "required"
        case "example":
            where = GEOGRAPHIES.get(region, "")
            needed = f", needed by connector groups in {where}" if where else ""
            return f"example of {display(pattern, 120)}{needed}"
        case "optional":
            return "optional: not in Microsoft's table"
        case "retired":
            return "retired by Microsoft"
        case "named":
            return "on no list, certificates name it"


def asked(request: Request) -> Markup:
    """The patterns with ports, whether TLS may be inspected, and who says so."""
    lines = [_pattern(request.action, rows) for rows in _by_pattern(request)]
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


def _by_pattern(request: Request) -> list[list[RequestRow]]:
    """The rows of each pattern, in the order of the request."""
    found: dict[str, list[RequestRow]] = {pattern: [] for pattern in request.patterns}
    for row in request.rows:
        found.setdefault(row.pattern, []).append(row)
    bare = RequestRow("", request.ports, request.inspect, "", "")
    return [rows or [_named(bare, pattern)] for pattern, rows in found.items()]


def _named(row: RequestRow, pattern: str) -> RequestRow:
    return RequestRow(pattern, row.ports, row.inspect, row.purpose, row.citation, row.url, row.date)


def _pattern(action: Action, rows: Sequence[RequestRow]) -> Markup:
    """`*.servicebus.windows.net  TCP 443, never inspect TLS`."""
    facts = []
    ports = sorted({port for row in rows for port in row.ports})
    if ports and action != "resolve":
        facts.append(f"TCP {', '.join(map(str, ports))}")
    if any(row.inspect == "never" for row in rows):
        facts.append("never inspect TLS")
    purposes = dict.fromkeys(row.purpose for row in rows if row.purpose)
    purpose = tag("span", " (", escaped("; ".join(purposes), 160), ")", class_="soft") if purposes else ""
    return tag("li", tag("code", name(rows[0].pattern)), " ", sentence_text(", ".join(facts)), purpose)


def _source(citation: str, url: str, date: str) -> Markup:
    dated = f", {date}" if date else ""
    return tag("p", "Source: ", source_link(url, escaped(citation)), escaped(dated, 40), class_="soft")


def may_be_inspected(request: Request) -> str:
    """What else is intercepted although nobody forbids it, and the consequence; "" for none."""
    if not request.may_inspect:
        return ""
    shown = ", ".join(display(pattern, 120) for pattern in request.may_inspect[:UNFOLDED])
    left = len(request.may_inspect) - UNFOLDED
    more = f" and {left} more" if left > 0 else ""
    return (
        f"Microsoft does not forbid to inspect: {shown}{more}; without the inspecting CA in this host's trust store, "
        "sign-in and installing fail there"
    )


def tested(found: Sequence[TestedName], anchors: Collection[str]) -> Markup:
    """The names, folded, required ones first; each says why it was tested. `anchors`: as in `findings`."""
    order: tuple[Need, ...] = ("required", "example", "named", "optional", "retired")
    ranked = sorted(found, key=lambda one: order.index(one.need))
    counts = Counter(one.need for one in ranked)
    each = ", ".join(f"{counts[need]} {_COUNTED[need][counts[need] > 1]}" for need in order if counts[need])
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

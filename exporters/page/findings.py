"""Who must act and on what, what could not be tested, and notices: the audit's report as part of a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from exporters.page.markup import (
    Markup,
    anchor,
    beyond,
    escaped,
    folded,
    joined,
    link,
    name,
    rows,
    section,
    sentence_text,
    statement,
    tag,
)
from exporters.terminal import audit
from exporters.terminal.audit import ADDRESSES, FLOWS, FOLD, WORDS, WRONG
from exporters.terminal.evidence import connection_text, hostport
from exporters.terminal.owners import OWNERS
from exporters.terminal.style import count
from rules.model.verdict import CauseGroup, Endpoint, Report, Status
from rules.watch.state import State

CAUSES = 40  #: maximum of causes shown, of each kind
UNFOLDED = 60  #: maximum of endpoints listed under a cause


def findings(report: Report, anchors: Collection[str]) -> Markup:
    """Who must act and on what, then what could not be tested. `anchors`: ids of targets that the page shows in full."""
    wrong = [c for c in report.causes if c.status in WRONG]
    untested = [c for c in report.causes if c.status is Status.INCONCLUSIVE]
    return joined((_act(report, wrong, untested, anchors), _untested(untested, anchors)))


def notices(state: State) -> Markup:
    """Findings that need no action, and the notes of the audit and of the appliance."""
    lines: list[str] = []
    notes = state.notes
    if state.report is not None:
        causes = [c for c in state.report.causes if c.status is Status.NOTICE]
        lines += [audit.notice(state.report, cause) for cause in causes[:CAUSES]]
        notes = (*state.report.notes, *notes)
    lines += dict.fromkeys(notes)
    if not lines:
        return Markup()
    listed = tag("ul", *(tag("li", line) for line in lines[:CAUSES]), class_="plain")
    return section("notices", "Worth knowing", listed, beyond(len(lines) - CAUSES, "notes"))


def _act(
    report: Report, wrong: list[CauseGroup], untested: list[CauseGroup], anchors: Collection[str]
) -> Markup:
    """The causes by owner, numbered as in the audit's report."""
    numbered = list(enumerate(wrong, 1))
    owners: dict[str, list[tuple[int, CauseGroup]]] = defaultdict(list)
    for number, cause in numbered[:CAUSES]:
        owners[cause.owner].append((number, cause))
    parts = [
        joined((tag("h3", OWNERS[owner]), *(_cause(report, n, c, anchors) for n, c in mine)))
        for owner, mine in owners.items()
    ]
    parts.append(beyond(len(numbered) - CAUSES, "causes"))
    helpers = audit.other_owners({cause.owner for cause in wrong}, untested)
    parts += [tag("p", line) for line in helpers or ([] if wrong else [audit.nobody_text(untested)])]
    return section("act", "Who must act", *parts)


def _cause(report: Report, number: int, cause: CauseGroup, anchors: Collection[str]) -> Markup:
    """One cause: the problem, the remedy, the endpoints, the evidence."""
    heading = tag(
        "h4",
        f"{number}. ",
        statement(cause.status),
        " ",
        sentence_text(cause.summary),
        " ",
        tag("code", escaped(cause.cause, 60)),
    )
    body = rows(
        (
            ("Do", sentence_text(cause.remedy) if cause.remedy else ""),
            ("How sure", sentence_text(audit.confidence_text(cause))),
            (_at_title(cause.endpoints), endpoints(cause.endpoints, anchors) if cause.endpoints else ""),
            ("Evidence", _evidence(report, cause)),
        ),
        Do="do",
    )
    return tag("article", heading, body, class_=f"cause {WORDS[cause.status][1]}")


def _at_title(found: tuple[Endpoint, ...]) -> str:
    names = {(e.host, e.port) for e in found}
    return count(len(names), "endpoint").capitalize()


def endpoints(found: tuple[Endpoint, ...], anchors: Collection[str]) -> Markup:
    """A line for each name and port with its addresses. More than a few are folded; their number is bounded."""
    names: dict[tuple[str, int], list[str]] = {}
    for endpoint in found:
        addresses = names.setdefault((endpoint.host, endpoint.port), [])
        if endpoint.address:
            addresses.append(endpoint.address)
    fold = len(names) if len(names) <= FOLD + 1 else FOLD
    lines = [_endpoint(*key, names[key], anchors) for key in list(names)[: fold + UNFOLDED]]
    shown = tag("ul", *lines[:fold], class_="lines")
    if len(names) <= fold:
        return shown
    rest = tag("ul", *lines[fold:], class_="lines")
    return joined(
        (shown, folded(f"{len(names) - fold} more", rest, beyond(len(names) - len(lines), "endpoints")))
    )


def _endpoint(host: str, port: int, addresses: list[str], anchors: Collection[str]) -> Markup:
    place = anchor(f"{host}:{port}")
    shown_name = name(hostport(host, port))
    shown = addresses if len(addresses) <= ADDRESSES + 1 else addresses[:ADDRESSES]
    at = f" at {', '.join(escaped(a, 80) for a in shown)}" if shown else ""
    more = f", +{len(addresses) - len(shown)} more" if len(addresses) > len(shown) else ""
    linked = link(f"#{place}", shown_name) if place in anchors else shown_name
    return tag("li", linked, tag("span", Markup(at), more, class_="soft"))


def _evidence(report: Report, cause: CauseGroup) -> Markup:
    """The short lines first, then the connections as they appear in a firewall's log, folded."""
    seen = audit.observations_of(report, cause.evidence)
    lines = audit.detail_lines(report, cause, seen)
    parts = []
    if lines:
        items = (tag("li", tag("span", escaped(k, 40)), tag("div", sentence_text(v))) for k, v in lines)
        parts.append(tag("ul", *items, class_="pairs"))
    if seen:
        shown = audit.distinct_first(seen)[:FLOWS]
        items = (tag("li", tag("code", connection_text(one))) for one in shown)
        title = f"{len(shown)} of {count(len(seen), 'observation')}, as a log knows them"
        parts.append(folded(title, tag("ul", *items, class_="lines")))
    return joined(parts)


def _untested(causes: list[CauseGroup], anchors: Collection[str]) -> Markup:
    """What could not be tested, and why."""
    if not causes:
        return Markup()
    items = []
    for cause in causes[:CAUSES]:
        body = [
            statement(cause.status),
            " ",
            sentence_text(cause.summary),
            " ",
            tag("code", escaped(cause.cause, 60)),
        ]
        if cause.remedy:
            body.append(tag("p", "To test it: ", sentence_text(cause.remedy)))
        if cause.endpoints:
            body.append(folded(_at_title(cause.endpoints), endpoints(cause.endpoints, anchors)))
        items.append(tag("li", *body))
    listed = tag("ul", *items, class_="plain")
    left = beyond(len(causes) - CAUSES, "causes")
    return section("untested", "What could not be tested, and why", listed, left)

"""Who must act and on what, what could not be tested, and notices: the audit's report as part of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from exporters.page import request
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
from exporters.terminal.audit import ADDRESSES, FLOWS, FOLD, WORDS
from exporters.terminal.evidence import connection_text, hostport
from exporters.terminal.finding import inspected_text
from exporters.terminal.findings_view import FindingsView, findings_view
from exporters.terminal.style import count
from rules.model.verdict import CauseGroup, Endpoint, Report
from rules.watch.state import State

CAUSES = 40  #: maximum of causes shown, of each kind
UNFOLDED = 60  #: maximum of endpoints listed under a cause
DIGEST = 4  #: maximum of findings named in the answer itself


def findings(report: Report, anchors: Collection[str]) -> Markup:
    """Who must act and on what, then what could not be tested. `anchors`: ids of targets that the page shows in full."""
    view = findings_view(report)
    return joined((_act(view, anchors), _untested(view, anchors)))


def digest(report: Report) -> Markup:
    """Who must act and on what, in a line for each of the heaviest findings; nothing where no action is needed."""
    view = findings_view(report)
    items = [
        tag("li", tag("b", view.owner(cause)), ": ", link(f"#{finding_id(cause)}", _short(cause)))
        for cause in view.wrong[:DIGEST]
    ]
    left = len(view.wrong) - len(items)
    if left > 0:
        items.append(tag("li", link("#act", f"{count(left, 'more finding')}")))
    return tag("ul", *items, class_="digest") if items else Markup()


def _short(cause: CauseGroup) -> Markup:
    """The finding without its details: up to the first semicolon."""
    return joined((f"{cause.id}. ", escaped(cause.summary.partition(";")[0], 200)))


def finding_id(cause: CauseGroup) -> str:
    """The id of a finding on the page."""
    return anchor(f"finding:{cause.id}")


def notices(state: State) -> Markup:
    """Findings that need no action, and the notes of the audit and of the appliance."""
    lines: list[str] = []
    notes = state.notes
    if state.report is not None:
        view = findings_view(state.report)
        lines += [audit.notice(state.report, cause) for cause in view.notices[:CAUSES]]
        notes = (*state.report.notes, *notes)
    lines += dict.fromkeys(notes)
    if not lines:
        return Markup()
    listed = tag("ul", *(tag("li", line) for line in lines[:CAUSES]), class_="plain")
    return section("notices", "Worth knowing", listed, beyond(len(lines) - CAUSES, "notes"))


def _act(view: FindingsView, anchors: Collection[str]) -> Markup:
    """The causes by owner, with the numbers of the report."""
    keys: Counter[str] = Counter()
    parts = [
        joined((tag("h3", owner), *(_cause(view, cause, anchors, keys) for cause in mine)))
        for owner, mine in view.acting(CAUSES).items()
    ]
    parts.append(beyond(len(view.wrong) - CAUSES, "causes"))
    helpers = view.helpers()
    parts += [tag("p", f"{owner}: to make it testable, see below") for owner in helpers]
    if not (view.wrong or helpers):
        parts.append(tag("p", view.nobody_text()))
    return section("act", "Who must act", *parts)


def _cause(view: FindingsView, cause: CauseGroup, anchors: Collection[str], keys: Counter[str]) -> Markup:
    """One finding: the problem, the remedy, what to allow, what was tested, the evidence, what follows from it."""
    heading = tag("h4", f"{cause.id}. ", *_headed(cause))
    keys[cause.cause.word] += 1
    key = f"{cause.cause.word} {keys[cause.cause.word]}"  # its number may change
    wanted = cause.request
    where = (
        ("What was tested", request.tested(cause.tested, anchors))
        if cause.tested
        else (_at_title(cause.endpoints), endpoints(cause.endpoints, anchors) if cause.endpoints else "")
    )
    body = rows(
        (
            ("Do", sentence_text(cause.remedy) if cause.remedy else ""),
            ("Copy", tag("code", sentence_text(cause.command)) if cause.command else ""),
            (request.title(wanted), request.asked(wanted)) if wanted is not None else ("", ""),
            (
                "May be inspected",
                sentence_text(inspected_text(wanted, request.UNFOLDED)) if wanted is not None else "",
            ),
            where,
            ("Compared", sentence_text(cause.contrast)),
            ("How sure", sentence_text(audit.confidence_text(cause))),
            ("Evidence", _evidence(view.report, cause)),
            ("Consequences", _followers(view.followers(cause))),
        ),
        Do="do",
    )
    return tag(
        "article",
        heading,
        body,
        class_=f"cause {WORDS[cause.status][1]}",
        id=finding_id(cause),
        data_key=key,
    )


def _headed(cause: CauseGroup) -> tuple[str, ...]:
    """Status, sentence and word of a finding."""
    word = tag("code", escaped(cause.cause, 60))
    return (statement(cause.status), Markup(" "), sentence_text(cause.summary), Markup(" "), word)


def _followers(found: Sequence[CauseGroup]) -> Markup:
    """What follows from a finding, folded: it needs no action of its own."""
    if not found:
        return Markup()
    items = [tag("li", escaped(cause.id, 20), ". ", *_headed(cause)) for cause in found[:CAUSES]]
    left = beyond(len(found) - CAUSES, "findings")
    title = f"{count(len(found), 'finding follows', 'findings follow')} from this one"
    return folded(title, tag("ul", *items, class_="lines"), left)


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
        title = f"{len(shown)} of {count(len(seen), 'observation')}, as they appear in a firewall's log"
        parts.append(folded(title, tag("ul", *items, class_="lines")))
    return joined(parts)


def _untested(view: FindingsView, anchors: Collection[str]) -> Markup:
    """What could not be tested, and why."""
    if not view.untested:
        return Markup()
    items = []
    for cause in view.untested[:CAUSES]:
        body = list(_headed(cause))
        if cause.remedy:
            body.append(tag("p", f"To test it ({view.owner(cause)}): ", sentence_text(cause.remedy)))
        if cause.command:
            body.append(tag("p", tag("code", sentence_text(cause.command))))
        if cause.request is not None:
            body.append(tag("p", request.title(cause.request), ":"))
            body.append(request.asked(cause.request))
        if cause.tested:
            body.append(request.tested(cause.tested, anchors))
        elif cause.endpoints:
            body.append(folded(_at_title(cause.endpoints), endpoints(cause.endpoints, anchors)))
        items.append(tag("li", *body, data_key=f"{cause.cause.word} {cause.id}"))
    listed = tag("ul", *items, class_="plain")
    left = beyond(len(view.untested) - CAUSES, "causes")
    return section("untested", "What could not be tested, and why", listed, left)

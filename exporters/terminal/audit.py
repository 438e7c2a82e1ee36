"""The whole report as text: the answer, who must act, what is wrong, what could not be tested, what is fine.

A reader stops when they know enough, hence this order. The vantage point is on the first screen, because half of all
surprises come from the wrong account, the wrong outbound route or a forgotten proxy. `exporters.terminal.summary` is the
short form for a screen.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from exporters.terminal.evidence import connection_text, hostport, without_repeats
from exporters.terminal.finding import ACTIONS, need_text, request_notes, row_text, tested_text
from exporters.terminal.findings_view import FindingsView, finding_numbers, findings_view
from exporters.terminal.headline import ANSWERS, answer_notes, headline
from exporters.terminal.proxies import proxy_words
from exporters.terminal.style import Style, count, say, seconds
from rules.files.report_json import to_rfc3339
from rules.model import causes
from rules.model.geography import GEOGRAPHIES
from rules.model.kinds import dns_chain
from rules.model.observation import Observation, kind_of
from rules.model.verdict import CauseGroup, Endpoint, Report, Status, Verdict
from rules.text.display import display

FOLD = 6  #: maximum of endpoints shown for a cause without --verbose
ADDRESSES = 3  #: maximum of addresses shown for an endpoint without --verbose
FLOWS = 3  #: maximum of connections shown for a cause without --verbose

#: Statuses as words and colours.
WORDS: Mapping[Status, tuple[str, str]] = {
    Status.PASS: ("ok", "good"),
    Status.NOT_APPLICABLE: ("not applicable", "quiet"),
    Status.NOTICE: ("notice", "note"),
    Status.WARN: ("WARNING", "doubt"),
    Status.INCONCLUSIVE: ("NOT TESTED", "doubt"),
    Status.FAIL: ("FAIL", "bad"),
    Status.BROKEN: ("BUG IN WAYCLEAR", "bad"),
}
CHECKS: Mapping[str, str] = {
    "dns": "DNS",
    "tcp": "TCP",
    "tls": "TLS",
    "http": "HTTP",
    "crl": "CRL",
    "ocsp": "OCSP",
}

_COUNTED = re.compile(r" \(and \d+ more\)\Z")  # the end of an evidence line that stands for several


def render(report: Report, style: Style) -> str:
    """The whole report, in reading order."""
    view = findings_view(report)
    style = replace(style, tenant=report.vantage.tenant or "")
    lines: list[str] = []
    for part in (
        _answer(report, style),
        _owners(view, style),
        _vantage(report, style),
        _section("WHAT IS WRONG", _wrong(view, style), style),
        _section("WHAT COULD NOT BE TESTED, AND WHY", _untested(view, style), style),
        _section("WORTH KNOWING", _notices(view, style), style),
        _section("WHAT IS FINE", _fine(report, style), style),
        _section(
            "NOTES", [line for note in report.notes for line in style.wrap(say(note), "    ", "  - ")], style
        ),
    ):
        found = list(part)
        lines += [*found, ""] if found else []
    return style.finish(lines[:-1])


def _section(title: str, body: Iterable[str], style: Style) -> Iterator[str]:
    lines = list(body)
    if lines:
        yield style.paint("heading", title)
        yield from lines


def _answer(report: Report, style: Style) -> Iterator[str]:
    word, tone, _ = ANSWERS[report.answer]
    head, *more = style.wrap(headline(report))
    yield head.replace(word, style.paint(tone, word), 1)
    yield from more
    yield from style.wrap(say(report.answer_text), "  ")
    for sentence in answer_notes(report):
        yield from style.wrap(sentence, "  ")


def _owners(view: FindingsView, style: Style) -> Iterator[str]:
    """Who must act, on which of the numbered findings; who could make the rest testable."""
    lines = [f"{who}: {finding_numbers(found)}" for who, found in view.acting().items()]
    lines += [f"{who}: to make it testable, see below" for who in view.helpers()]
    if not lines:
        yield view.nobody_text()
        return
    yield style.paint("heading", "WHO MUST ACT")
    for line in lines:
        yield from style.wrap(line, "    ", "  ")


def _vantage(report: Report, style: Style) -> Iterator[str]:
    """Where and under which account the measurement ran, and which rule sets it used."""
    seen = report.vantage
    place = ", ".join(f"{display(k, 60)} {display(v, 120)}" for k, v in seen.labels)
    rows = [
        ("Tested from", f"{display(seen.host)} ({display(seen.os)})" + (f", {place}" if place else "")),
        ("Account", display(seen.user)),
        ("Source addresses", joined_text(seen.sources) or "none: no route to the internet"),
        ("Resolvers", joined_text(seen.resolvers) or "none configured"),
        ("Proxy", proxy_words(report)),
        ("Tenant", f"{tenant_words(report)}{region_words(report)}"),
        ("When", f"{when_text(report)}, {took_text(report)}, wayclear {display(report.version, 40)}"),
    ]
    for used in report.rulesets:
        what = "Expected CAs" if used.kind == "cas" else "Rules"
        note = f", {say(used.note)}" if used.note else ""
        rows.append(
            (
                what,
                f"{display(used.name)} {display(used.version, 40)}, reviewed {display(used.reviewed, 40)}{note}",
            )
        )
    yield from replace(style, tenant="").pairs(rows, "  ")


def when_text(report: Report) -> str:
    """When it began: in UTC, and first in the host's local time where the report knows it. All evidence is in UTC."""
    utc = to_rfc3339(report.started)[:19].replace("T", " ")
    offset = report.vantage.utc_offset
    if not offset:
        return f"{utc} UTC"
    local = to_rfc3339(report.started + offset)[:19].replace("T", " ")
    hours, minutes = divmod(abs(offset) // 60, 60)
    zone = f"UTC{'+' if offset > 0 else '-'}{hours:02}:{minutes:02}"
    return f"{local} local time ({zone}), {utc if utc[:10] != local[:10] else utc[11:]} UTC"


def took_text(report: Report) -> str:
    connections = sum(1 for o in report.observations if o.local is not None and kind_of(o.step).connects)
    took = f"took {seconds(report.finished - report.started)}"
    if report.plan.steady:  # the service's answers come from different times and are judged together
        oldest = min((o.started for o in report.observations), default=report.started)
        took = f"from answers of the {seconds(max(0.0, report.started - oldest))} before"
    return f"{took}, {count(connections, 'connection')}"


def tenant_words(report: Report) -> str:
    seen = report.vantage
    if seen.tenant is None and seen.tenant_source:
        return (
            f"not known: {display(seen.tenant_source, 120)} led to no id (see NOTES), so the tenant's own names were "
            "not tested"
        )
    if seen.tenant is None:
        return "not given, so the tenant's own names were not tested (--tenant GUID or DOMAIN)"
    source = f" (from {display(seen.tenant_source, 60)})" if seen.tenant_source else ""
    return display(seen.tenant) + source


def region_words(report: Report) -> str:
    """The connector group's region, where one was given."""
    region = report.plan.region
    return f"; connector group in {GEOGRAPHIES[region]}" if region in GEOGRAPHIES else ""


def joined_text(values: Iterable[str]) -> str:
    return ", ".join(display(value, 80) for value in values)


def _wrong(view: FindingsView, style: Style) -> Iterator[str]:
    for place, found in enumerate(view.wrong):
        if place:
            yield ""
        yield from _block(view, found, style)


def _block(view: FindingsView, found: CauseGroup, style: Style) -> Iterator[str]:
    """One finding: the problem, the remedy, what to allow, what was tested, what follows, the evidence."""
    word, tone = WORDS[found.status]
    head, *more = style.wrap(
        f"{word}: {say(found.summary)} [{display(found.cause.word, 60)}]", "     ", f"  {found.id}. "
    )
    yield head.replace(word, style.paint(tone, word), 1)
    yield from more
    rows = [("For", f"{view.owner(found)} ({confidence_text(found)})"), *_action(found)]
    if found.contrast:
        rows.append(("Compare", f"{say(found.contrast)}."))
    yield from style.pairs(rows, "     ")
    yield from _tested(found, style)
    if followers := view.followers(found):
        yield "     What follows from it"
        for below in followers:
            yield from style.wrap(notice(view.report, below), "         ", f"       {below.id} ")
            if style.verbose and below.endpoints:
                yield from _endpoints(below.endpoints, style, "         ")
    evidence = list(_evidence(view.report, found, style))
    if evidence:
        yield "     Evidence"
        yield from evidence


def _action(found: CauseGroup) -> Iterator[tuple[str, str]]:
    """What to do, the line to copy, what to allow."""
    if found.remedy:
        yield "Do", say(found.remedy)
    if found.command:
        yield "Copy", say(found.command)
    yield from _request(found)


def _request(found: CauseGroup) -> Iterator[tuple[str, str]]:
    """The rows to allow, each with the page that asks for it."""
    if found.request is None:
        return
    action = found.request.action
    rows = ((row, f" ({say(row.purpose)})" if row.purpose else "") for row in found.request.rows)
    lines = (f"{display(row.pattern)}: {row_text(row, action)}{purpose}" for row, purpose in rows)
    label = ACTIONS[action]
    for line in dict.fromkeys(lines):
        yield label, line
        label = ""
    for note in request_notes(found.request):
        yield "", note
    for url in dict.fromkeys(row.url for row in found.request.rows if row.url):
        yield "", display(url)


def _tested(found: CauseGroup, style: Style) -> Iterator[str]:
    """What was tested: each name with the reason and its addresses."""
    if not found.tested:
        if found.endpoints:
            yield from _endpoints(found.endpoints, style, "     ")
        return
    yield from style.wrap(f"Tested: {tested_text(found)}", "       ", "     ")
    if len(found.tested) == 1 and not style.verbose:
        return
    shown = found.tested if style.verbose or len(found.tested) <= FOLD + 1 else found.tested[:FOLD]
    for one in shown:
        at = _address_list(list(one.addresses), style)
        why = need_text(one.need, one.pattern, one.region)
        yield from style.wrap(f"{hostport(one.host, one.port)}{at}, {why}", "         ", "       ")
    if len(shown) < len(found.tested):
        yield f"       +{len(found.tested) - len(shown)} more (--verbose shows all)"


def confidence_text(cause: CauseGroup) -> str:
    known = {"proven": "proven", "likely": "likely, not proven", "possible": "possible, not proven"}[
        cause.confidence
    ]
    by = {
        None: "",
        "name": ", by the name asked for",
        "size": ", by the packet's size",
        "protocol": ", by the protocol",
        "address": ", by the address",
        "idle": ", after a time without traffic",
    }[cause.mechanism]
    return known + by + (f", at {display(cause.hop, 80)}" if cause.hop else "")


def _endpoints(endpoints: tuple[Endpoint, ...], style: Style, indent: str = "    ") -> Iterator[str]:
    """A line for each name and port with its addresses, below their number."""
    names: dict[str, list[str]] = {}
    for endpoint in endpoints:
        found = names.setdefault(hostport(endpoint.host, endpoint.port), [])
        if endpoint.address:
            found.append(endpoint.address)
    addresses = len({a for found in names.values() for a in found})
    at_addresses = f", at {count(addresses, 'address', 'addresses')}" if addresses > 1 else ""
    yield f"{indent}Endpoints ({len(names)}{at_addresses})"
    shown = list(names) if style.verbose or len(names) <= FOLD + 1 else list(names)[:FOLD]
    for name in shown:
        yield from style.wrap(f"{name}{_address_list(names[name], style)}", f"{indent}    ", f"{indent}  ")
    if len(shown) < len(names):
        yield f"{indent}  +{len(names) - len(shown)} more (--verbose shows all)"


def _address_list(addresses: list[str], style: Style) -> str:
    if not addresses:
        return ""
    shown = addresses if style.verbose or len(addresses) <= ADDRESSES + 1 else addresses[:ADDRESSES]
    more = len(addresses) - len(shown)
    return f" at {joined_text(shown)}" + (f", +{more} more" if more else "")


def _endpoint(endpoint: Endpoint) -> str:
    at = f" at {display(endpoint.address, 80)}" if endpoint.address else ""
    return hostport(endpoint.host, endpoint.port) + at


def _evidence(report: Report, cause: CauseGroup, style: Style) -> Iterator[str]:
    """The short lines first, then the connections as they appear in a firewall's log."""
    found = observations_of(report, cause.evidence)
    lines = detail_lines(report, cause, found)
    yield from style.pairs(((display(k, 40), say(v)) for k, v in lines), "       ")
    shown = found if style.verbose or len(found) <= FLOWS + 1 else distinct_first(found)[:FLOWS]
    for seen in shown:
        yield from style.wrap(connection_text(seen), "         ", "       ")
    if len(shown) < len(found):
        yield f"       +{len(found) - len(shown)} more (--verbose shows all)"


def detail_lines(report: Report, cause: CauseGroup, found: list[Observation]) -> list[tuple[str, str]]:
    """The short lines of a cause, without what its heading and its connections `found` already say."""
    already_shown = {"by", "from"} if any(o.local for o in found) else {"by"}
    return [
        (key, value) for key, value in without_repeats(_details(report, cause)) if key not in already_shown
    ]


def _details(report: Report, cause: CauseGroup) -> Iterator[tuple[str, str]]:
    """The short lines of a cause. For a single endpoint: up to `FLOWS` different lines instead of their number."""
    at = frozenset(cause.endpoints)
    mine = [
        pair
        for v in report.verdicts
        if v.cause == cause.cause and v.endpoint in at and v.status is cause.status
        for pair in v.details
    ]
    single = len({(e.host, e.port) for e in cause.endpoints}) == 1
    for key, value in cause.details:
        values = dict.fromkeys(text for name, text in mine if name == key)
        if single and _COUNTED.search(value) and len(values) <= FLOWS:
            yield from ((key, text) for text in values)
        else:
            yield key, value


def distinct_first(found: list[Observation]) -> list[Observation]:
    """The first connection for each name and the first question to each resolver come before any second one."""
    times: Counter[str] = Counter()
    ranked = []
    for seen in found:
        question, kind = dns_chain.KIND.asked(seen.step), kind_of(seen.step)
        name = question.resolver if question is not None else (kind.connects and kind.name(seen.step)) or ""
        ranked.append((times[name], seen))
        times[name] += 1
    return [seen for _, seen in sorted(ranked, key=lambda pair: pair[0])]


def observations_of(report: Report, names: Iterable[str]) -> list[Observation]:
    """The observations with these ids; ids that the report lacks are skipped."""
    numbers = (int(n[1:]) for n in names if n[1:].isascii() and n[1:].isdigit() and len(n) < 10)
    return [report.observations[n - 1] for n in numbers if 0 < n <= len(report.observations)]


def _untested(view: FindingsView, style: Style) -> Iterator[str]:
    for cause in view.untested:
        yield from style.wrap(f"{say(cause.summary)} [{display(cause.cause.word, 60)}]", "    ", "  - ")
        who = [("For", view.owner(cause))] if cause.remedy else []
        yield from style.pairs([*who, *_action(cause)], "    ")
        if cause.cause.layer == "local" and not style.verbose:  # the fault is in this host: no list of names
            yield from style.wrap(
                f"{count(len(cause.endpoints), 'endpoint')} could not be tested.", "    ", "    "
            )
        elif cause.endpoints:
            yield from _endpoints(cause.endpoints, style)
        if style.verbose:
            yield from _evidence(view.report, cause, style)


def _notices(view: FindingsView, style: Style) -> Iterator[str]:
    """Findings that need no action; a line each, in full with --verbose."""
    for cause in view.notices:
        yield from style.wrap(notice(view.report, cause), "    ", "  - ")
        if style.verbose:
            if cause.remedy:
                yield from style.wrap(say(cause.remedy), "    ", "    If you like: ")
            if cause.endpoints:
                yield from _endpoints(cause.endpoints, style)
            yield from _evidence(view.report, cause, style)


def notice(report: Report, cause: CauseGroup) -> str:
    """A notice, or what follows from a finding, in a line with its names."""
    names = list(dict.fromkeys(endpoint.host for endpoint in cause.endpoints))
    shown = joined_text(names[:FOLD]) + (f", +{len(names) - FOLD} more" if len(names) > FOLD else "")
    text = say(cause.summary)
    if names and cause.because and _dispensable(report, cause):
        are = "which are" if len(names) > 1 else "which is"
        text = f"the same for {shown}, {are} not required"
    elif len(names) > 1 and not any(name in cause.summary for name in names):
        text += f": {shown}"
    return f"{text} [{display(cause.cause.word, 60)}]"


def _dispensable(report: Report, cause: CauseGroup) -> bool:
    """Whether every row behind a cause is optional or was retired by Microsoft."""
    rows = [
        v.severity
        for v in report.verdicts
        if v.cause == cause.cause and v.status is cause.status and v.endpoint in cause.endpoints
    ]
    return bool(rows) and all(severity != "required" for severity in rows)


def _fine(report: Report, style: Style) -> Iterator[str]:
    """The passed checks, in a line."""
    passed = [v for v in report.verdicts if v.status is Status.PASS]
    apart = [v for v in report.verdicts if v.status is Status.NOT_APPLICABLE]
    if passed:
        checks = Counter(v.check for v in passed)
        each = ", ".join(f"{CHECKS.get(check, check)} {number}" for check, number in checks.most_common())
        endpoints = {v.endpoint.host for v in passed if v.endpoint}
        line = f"{count(len(passed), 'check')} of {count(len(endpoints), 'name')} passed ({each})"
    else:
        line = "No check passed"
    line += f"; {len(apart)} did not apply" if apart else ""
    yield from style.wrap(line + ("." if style.verbose or not passed else ". --verbose shows each."), "  ")


def _table(verdicts: Iterable[Verdict], style: Style) -> Iterator[str]:
    """Every endpoint with the result of each check."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        rows[_endpoint(verdict.endpoint) if verdict.endpoint else "this host"].append(verdict)
    column = min(max(map(len, rows), default=0), style.width // 2)
    for name in sorted(rows):
        results = ", ".join(
            f"{CHECKS.get(v.check, v.check)} {WORDS[v.status][0]}"
            + ("" if v.cause == causes.OK else f" [{display(v.cause.word, 60)}]")
            for v in rows[name]
        )
        yield from style.wrap(results, "    " + " " * column + "  ", f"    {name:<{column}}  ")

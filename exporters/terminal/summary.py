"""The report on a screen: the answer, who must act, each finding with its request and one proof, where it was measured.

Ten lines tell a healthy network, about thirty a network with one fault. The rest is counted and unfolds with --verbose
(`exporters.terminal.audit`); a file always holds everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exporters.terminal.audit import (
    WORDS,
    confidence_text,
    distinct_first,
    joined_text,
    observations_of,
    region_words,
    tenant_words,
    took_text,
    when_text,
)
from exporters.terminal.evidence import connection_text
from exporters.terminal.finding import ACTIONS, patterns_text, request_notes, row_text, tested_text
from exporters.terminal.findings_view import FindingsView, finding_numbers, findings_view
from exporters.terminal.headline import ANSWERS, answer_notes, headline
from exporters.terminal.proxies import proxy_words
from exporters.terminal.style import Style, count, say
from rules.model import causes
from rules.model.kinds.os_lookup import OsLookup
from rules.model.observation import Observation
from rules.model.verdict import CauseGroup, Report, Status
from rules.text.display import display

FULL_FINDINGS = 3  #: findings told with everything; the others get a line, their remedy and what to allow
ROWS = 4  #: maximum of rows of a request with a line each
#: Evidence that a network team recognises its device by.
TELLING = frozenset({"page", "product", "sent to", "sent by"})
LISTED = 4  #: maximum of patterns in a sentence


def render(report: Report, style: Style) -> str:
    """The report in reading order."""
    view = findings_view(report)
    style = replace(style, tenant=report.vantage.tenant or "")
    lines = [*_answer(view, style)]
    for place, found in enumerate(view.wrong):
        lines += ["", *_finding(view, found, style, full=place < FULL_FINDINGS)]
    for found in view.untested:
        lines += ["", *_untested(view, found, style)]
    lines += ["", *_place(view, style)]
    return style.finish(lines)


def _answer(view: FindingsView, style: Style) -> Iterator[str]:
    report = view.report
    word, tone, _ = ANSWERS[report.answer]
    head, *more = style.wrap(headline(report))
    yield head.replace(word, style.paint(tone, word), 1)
    yield from more
    act = _act(view)
    said = " ".join((say(report.answer_text), *answer_notes(report)))
    if view.wrong or view.untested:
        yield from style.wrap(said, "  ")
        yield from style.wrap(act, "    ", "  ")
    else:
        yield from style.wrap(f"{said} {act}", "  ")


def _act(view: FindingsView) -> str:
    """Who must act, and on which findings."""
    several = len(view.wrong) > 1
    parts = [
        f"{owner} ({finding_numbers(found)})" if several else owner for owner, found in view.acting().items()
    ]
    parts += [f"{owner} (to make it testable)" for owner in view.helpers()]
    return f"Who must act: {'; '.join(parts)}." if parts else view.nobody_text()


def _finding(view: FindingsView, found: CauseGroup, style: Style, *, full: bool) -> Iterator[str]:
    word, tone = WORDS[found.status]
    head, *more = style.wrap(
        f"{word}: {say(found.summary)} [{display(found.cause.word, 60)}]", "   ", f"{found.id}. "
    )
    yield head.replace(word, style.paint(tone, word), 1)
    yield from more
    rows = [("For", f"{view.owner(found)} ({confidence_text(found)})")]
    if found.remedy:
        rows.append(("Do", say(found.remedy)))
    if found.command:
        rows.append(("Copy", say(found.command)))
    rows += _request(found)
    if full:
        rows.append(("Tested", tested_text(found)))
        rows.append(("Compare", f"{say(found.contrast)}." if found.contrast else ""))
        rows.append(("So also", _followers(view, found)))
        rows.append(
            ("Seen", "; ".join(f"{display(k, 40)}: {say(v)}" for k, v in found.details if k in TELLING))
        )
        rows.append(("Proof", _proof(view.report, found)))
    yield from style.pairs((row for row in rows if row[1]), "   ")


def _request(found: CauseGroup) -> Iterator[tuple[str, str]]:
    """The patterns, those with the same ports and rules together where they are many."""
    if found.request is None:
        return
    label = ACTIONS[found.request.action]
    by_text: dict[str, dict[str, None]] = {}  # a pattern once, also where rows differ in what is not shown
    for row in found.request.rows:
        by_text.setdefault(row_text(row, found.request.action), {})[row.pattern] = None
    apart = sum(map(len, by_text.values())) <= ROWS
    width = max(len(display(row.pattern)) for row in found.request.rows)
    for text, patterns in by_text.items():
        if apart:
            for pattern in patterns:
                yield label, f"{display(pattern):<{width}}  {text}"
                label = ""
        else:
            yield label, f"{patterns_text(list(patterns))} ({text})"
            label = ""
    yield "", " ".join(request_notes(found.request, LISTED))


def _followers(view: FindingsView, found: CauseGroup) -> str:
    """What follows from a finding, in a sentence each."""
    below = [c for c in view.followers(found) if c.status is not Status.NOTICE]
    return "; ".join(f"{say(c.summary)} [{display(c.cause.word, 60)}]" for c in below)


def _proof(report: Report, found: CauseGroup) -> str:
    """One connection as a firewall's log shows it, or the first line of evidence."""
    seen = observations_of(report, found.evidence)
    if not seen:
        return "; ".join(f"{display(k, 40)} {say(v)}" for k, v in found.details[:1])
    ranked = distinct_first(seen)
    more = f"; +{len(seen) - 1} more" if len(seen) > 1 else ""
    return connection_text(max(ranked, key=lambda one: _telling(found, one))) + more


def _telling(found: CauseGroup, seen: Observation) -> tuple[bool, bool]:
    """How much an observation shows of the fault: this host's own resolution where that differs, else a connection."""
    of_this_host = found.cause == causes.DNS_OS_DIFFERS and isinstance(seen.step, OsLookup)
    return of_this_host, seen.local is not None


def _untested(view: FindingsView, found: CauseGroup, style: Style) -> Iterator[str]:
    names = len({(e.host, e.port) for e in found.endpoints})
    many = f" ({count(names, 'endpoint')})" if names > 1 and str(names) not in found.summary else ""
    yield from style.wrap(
        f"NOT TESTED: {say(found.summary)}{many} [{display(found.cause.word, 60)}]", "   ", "-  "
    )
    rows = [("For", view.owner(found)), ("Do", say(found.remedy))]
    if found.command:
        rows.append(("Copy", say(found.command)))
    if found.remedy:
        rows += _request(found)
    if found.tested:
        rows.append(("Names", tested_text(found)))
    if found.remedy and found.owner in ("firewall", "proxy", "dns"):
        rows.append(("Proof", _proof(view.report, found)))
    yield from style.pairs((row for row in rows if row[1] and (row[0] != "For" or found.remedy)), "   ")


def _place(view: FindingsView, style: Style) -> Iterator[str]:
    """Where, when and by which rules it was measured, and what this screen leaves out."""
    report, seen = view.report, view.report.vantage
    labels = "".join(f", {display(k, 60)} {display(v, 120)}" for k, v in seen.labels)
    proxy = f"proxy: {proxy_words(report)}" if seen.proxies else "no proxy"
    rows = [
        (
            "Tested from",
            f"{display(seen.host)} ({display(seen.os)}{labels}) as {display(seen.user)}; "
            f"{joined_text(seen.sources) or 'no route to the internet'}; resolver "
            f"{joined_text(seen.resolvers) or 'none configured'}; {proxy}",
        ),
        ("Tenant", f"{tenant_words(report)}{region_words(report)}"),
        ("When", f"{when_text(report)}; {took_text(report)}"),
        ("Rules", "; ".join(_rules(report))),
        ("Passed", _passed(view)),
    ]
    rows += [("Note", " ".join(_ended(say(note)) for note in report.notes))] if report.notes else []
    plain = replace(style, tenant="")
    if view.wrong or view.untested:
        rows.append(("Details", "--verbose shows everything; so does a file (--output report.txt)"))
    yield from plain.pairs(rows, "  ")


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."


def _rules(report: Report) -> Iterator[str]:
    for used in report.rulesets:
        what = "CAs " if used.kind == "cas" else ""
        version = "" if used.version == used.reviewed else f" {display(used.version, 40)}"
        note = f", {say(used.note)}" if used.note else ""
        yield f"{what}{display(used.name)}{version} (reviewed {display(used.reviewed, 40)}{note})"


def _passed(view: FindingsView) -> str:
    passed = [v for v in view.report.verdicts if v.status is Status.PASS]
    more = f"; {count(len(view.notices), 'notice')} (--verbose)" if view.notices else ""
    names = {v.endpoint.host for v in passed if v.endpoint}
    return (
        f"{count(len(passed), 'check')} of {count(len(names), 'name')}{more}" if passed else f"no check{more}"
    )

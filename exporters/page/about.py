"""Where the measurement ran: revocation sources, resolvers, rule sets, the host, the appliance."""

from __future__ import annotations

from exporters.page.markup import (
    Markup,
    escaped,
    folded,
    link,
    moment,
    rows,
    section,
    sentence_text,
    statement,
    tag,
)
from exporters.page.targets import source_state
from exporters.terminal import audit
from exporters.terminal.proxies import proxy_words
from exporters.terminal.style import count
from rules.model.verdict import Report, RulesUsed, Status
from rules.text.display import display
from rules.watch.state import SourceState, State

SOURCES = 40  #: maximum of revocation sources shown
RESOLVERS = 16  #: maximum of resolvers shown

_LINKS = (
    ("/metrics", "metrics"),
    ("/report.json", "the report as JSON"),
    ("/config", "configuration"),
    ("/targets", "targets for http_sd"),
)


def sources(state: State, now: float) -> Markup:
    """The revocation sources, failing ones first; nothing where none is known."""
    if not state.sources:
        return Markup()
    found = sorted(state.sources, key=lambda s: (not s.measured, s.reachable, s.valid, s.kind, s.url))
    failing = sum(s.measured and not (s.reachable and s.valid) for s in found)
    caption = f"{count(len(found), 'source')} of CRLs and OCSP answers, {failing} failing"
    if len(found) > SOURCES:
        caption += f"; the first {SOURCES} are shown"
    head = tag("tr", *(tag("th", title, scope="col") for title in ("Source", "Kind", "State")))
    body = tag("tbody", *(_source(source, now) for source in found[:SOURCES]))
    table = tag("table", tag("caption", caption), tag("thead", head), body)
    shown = table if failing else folded("All can be fetched and are valid, where tested", table)
    return section("revocation", "Revocation sources", shown)


def _source(source: SourceState, now: float) -> Markup:
    cause = "" if source.cause in ("", "ok") else tag("code", " ", escaped(source.cause, 60))
    return tag(
        "tr",
        tag("th", escaped(source.url, 512), scope="row"),
        tag("td", source.kind.upper()),
        tag("td", source_state(source, now), cause),
    )


def about(state: State) -> Markup:
    """Resolvers, host, rule sets, version."""
    report = state.report
    pairs: list[tuple[str, str]] = [("Resolvers", _resolvers(state))]
    if report is not None:
        pairs += _vantage(report)
        pairs.append(("Rule sets", tag("ul", *map(_ruleset, report.rulesets), class_="lines")))
    if state.inventory:
        pairs.append(("Inventory", sentence_text(count(len(state.inventory), "connector"))))
    running = (sentence_text(f"{state.version}, running since "), moment(state.started))
    pairs.append(("wayclear", tag("span", *running)))
    return section("about", "Where and by what it was measured", folded(_about_line(state), rows(pairs)))


def _about_line(state: State) -> Markup:
    """What surprises most often: another host, another way out, a forgotten proxy."""
    report = state.report
    if report is None:
        return sentence_text(f"wayclear {display(state.version, 40)}")
    seen = report.vantage
    way = audit.joined_text(seen.sources[:2]) or "no route to the internet"
    proxy = ", a proxy is set" if seen.proxies else ", no proxy"
    return sentence_text(f"{display(seen.host, 80)} as {display(seen.user, 80)}, from {way}{proxy}")


def _resolvers(state: State) -> Markup:
    if not state.resolvers:
        return sentence_text("none is known yet" if state.report is None else "none")
    items = [
        tag(
            "li",
            escaped(address, 80),
            " ",
            statement(Status.PASS if answers else Status.FAIL, "answers" if answers else "does not answer"),
        )
        for address, answers in state.resolvers[:RESOLVERS]
    ]
    return tag("ul", *items, class_="lines")


def _vantage(report: Report) -> list[tuple[str, str]]:
    """The host and the account, as in the audit's report."""
    seen = report.vantage
    return [
        ("Host", sentence_text(f"{display(seen.host)} ({display(seen.os)})")),
        ("Account", escaped(seen.user)),
        ("From", sentence_text(audit.joined_text(seen.sources) or "none: no route to the internet")),
        ("Proxy", sentence_text(proxy_words(report))),
        ("Tenant", sentence_text(audit.tenant_words(report))),
    ]


def _ruleset(used: RulesUsed) -> Markup:
    what = "expected CAs" if used.kind == "cas" else "rules"
    note = tag("span", f", {used.note}", class_="doubt-word") if used.note else Markup()
    return tag(
        "li",
        tag("b", escaped(used.name)),
        f" {used.version} ({what}), reviewed ",
        escaped(used.reviewed, 40),
        note,
    )


def footer() -> Markup:
    """The appliance's other pages."""
    links = (tag("li", link(target, words)) for target, words in _LINKS)
    return tag("footer", tag("nav", tag("ul", *links), aria_label="Other pages"))

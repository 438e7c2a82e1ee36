"""The targets of each rule group, worst first; healthy ones fold into a line. Each row unfolds to the CNAME chain and
the addresses.

The worst of thousands of targets are shown in full, the next ones as a line each, the rest is counted. `/report.json`
has all of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from exporters.page.markup import (
    Markup,
    ago,
    anchor,
    beyond,
    day,
    escaped,
    folded,
    joined,
    moment,
    name,
    rows,
    section,
    sentence_text,
    span,
    statement,
    tag,
)
from exporters.terminal.audit import CHECKS, WORDS
from exporters.terminal.finding import need_text
from exporters.terminal.style import count
from rules.model.verdict import Status
from rules.watch.state import AddressState, IssuerClass, SourceState, State, TargetState

WHOLE = 200  #: maximum of targets shown in full, the worst
LINES = 800  #: maximum of further targets shown as a line
ADDRESSES = 32  #: maximum of addresses shown for a target
CHAIN = 16  #: maximum of names shown of a CNAME chain
EXPIRES_SOON = 3 * 86_400  #: seconds before a certificate's end from which the page warns

#: The headings of rule groups, in order of importance; other groups follow.
GROUPS: Mapping[str, str] = {
    "service": "Service",
    "sign-in": "Sign-in",
    "cert-validation": "Certificate validation",
}
#: The number of targets with a status.
COUNTED: Mapping[Status, str] = {
    Status.PASS: "ok",
    Status.NOT_APPLICABLE: "not applicable",
    Status.NOTICE: "notice",
    Status.WARN: "warning",
    Status.INCONCLUSIVE: "not tested",
    Status.FAIL: "failing",
    Status.BROKEN: "bug",
}
HEALTHY = frozenset({Status.PASS, Status.NOT_APPLICABLE, Status.NOTICE})  #: ask for no look
_COLUMNS = (
    ("name", "Name"),
    ("status", "Status"),
    ("cause", "Cause"),
    ("since", "Since"),
    ("addresses", "Addresses"),
    ("times", "DNS / TCP / TLS time (ms)"),
    ("issuer", "Issuer"),
    ("until", "Certificate until"),
)
_HEAD = tag(
    "thead", tag("tr", *(tag("th", title, scope="col", class_=f"c-{column}") for column, title in _COLUMNS))
)
_DOUBTFUL: Mapping[IssuerClass, str] = {
    "intercepted": "bad-word",
    "untrusted": "bad-word",
    "self-signed": "bad-word",
    "incomplete": "doubt-word",
    "mixed": "doubt-word",
}


class Ranked:
    """The targets in the page's order: those shown in full, those shown as a line, the number of the rest."""

    def __init__(self, targets: Sequence[TargetState]) -> None:
        ranked = sorted(targets, key=lambda t: (-t.status.rank, not t.required, t.host, t.port))
        self.whole = ranked[:WHOLE]
        self.lines = ranked[WHOLE : WHOLE + LINES]
        self.left_out = ranked[WHOLE + LINES :]
        self.groups = sorted(
            {target.group for target in targets},
            key=lambda group: (list(GROUPS).index(group) if group in GROUPS else len(GROUPS), group),
        )
        self.anchors: dict[str, TargetState] = {}  # a name under two rules is shown once
        for target in self.whole:
            self.anchors.setdefault(anchor(target.name), target)


def group_name(group: str) -> str:
    """The heading of a rule group."""
    return GROUPS.get(group, group or "Other")


def group_id(group: str) -> str:
    """The id of a group's heading."""
    return anchor(f"group:{group or 'other'}")


def tables(state: State, ranked: Ranked, now: float) -> Markup:
    """The section with the targets of each rule group."""
    sources: dict[str, list[SourceState]] = defaultdict(list)
    for source in state.sources:
        sources[source.target].append(source)
    parts = []
    for group in ranked.groups:
        mine = [t for t in state.targets if t.group == group]
        whole = [t for t in ranked.whole if t.group == group]
        lines = [t for t in ranked.lines if t.group == group]
        rows = [(t, _whole(t, sources.get(t.host, ()), ranked, now)) for t in whole]
        rows += [(t, _line(t, now)) for t in lines]
        left = sum(t.group == group for t in ranked.left_out)
        parts.append(_group(group, mine, rows, left))
    if not parts:
        parts.append(tag("p", "No target yet."))
    return section("targets", "Targets", *parts)


def _group(
    group: str, found: Sequence[TargetState], rows: list[tuple[TargetState, Markup]], left: int
) -> Markup:
    """One group: its targets that ask for a look, then those that do not, folded into a line."""
    counts = Counter(target.status for target in found)
    heading = tag("h3", group_name(group), id=group_id(group))
    statements = joined(
        (statement(s, f"{counts[s]} {COUNTED[s]}") for s in sorted(counts, key=lambda s: -s.rank)), " "
    )
    open_rows = [row for target, row in rows if target.status not in HEALTHY]
    folded_rows = [row for target, row in rows if target.status in HEALTHY]
    rest = sum(target.status in HEALTHY for target in found)
    beyond_rows = beyond(left, "targets of this group, none worse than these,")
    if not open_rows:
        line = joined((heading, " ", statements))
        table = _table(f"{group_name(group)}: {count(len(found), 'target')}", folded_rows)
        inside: tuple[str, ...] = (folded(line, table, beyond_rows, class_="healthy"),)
    else:
        title = f"{group_name(group)}: {count(len(found) - rest, 'target')}, worst first"
        inside = (tag("div", heading, " ", statements, class_="counts"), _table(title, open_rows))
        if folded_rows:
            other = f"{group_name(group)}: {rest} healthy"
            inside += (folded(f"{rest} more, healthy", _table(other, folded_rows), class_="healthy"),)
        inside += (beyond_rows,)
    return tag("div", *inside, class_="group", data_key=f"group {group}")


def _table(caption: str, rows: Sequence[Markup]) -> Markup:
    return tag("table", tag("caption", caption), _HEAD, *rows, class_="targets") if rows else Markup()


def _whole(target: TargetState, sources: Sequence[SourceState], ranked: Ranked, now: float) -> Markup:
    """A target in full."""
    place, tone = anchor(target.name), WORDS[target.status][1]
    inside = _details(target, sources, now)
    more = tag("div", *inside, class_="more", id=place if ranked.anchors[place] is target else "")
    opened = tag("td", folded(_summary(target), more), colspan=len(_COLUMNS) - 1)
    rows = (_row(target, now, 2), tag("tr", opened, class_="open"))
    return tag("tbody", *rows, class_=tone, data_key=target.name)


def _line(target: TargetState, now: float) -> Markup:
    """A target as a row."""
    return tag("tbody", _row(target, now), class_=WORDS[target.status][1], data_key=target.name)


def _row(target: TargetState, now: float, height: int = 1) -> Markup:
    """A target's cells; its name spans `height` rows."""
    needed = need_text(target.need, target.pattern, target.region)
    named = (name(target.name), Markup() if target.need == "required" else tag("small", needed))
    head = tag("th", *named, scope="row", rowspan=height if height > 1 else "")
    cause = Markup() if target.cause in ("", "ok") else tag("code", escaped(target.cause, 60))
    return tag(
        "tr",
        head,
        tag("td", statement(target.status)),
        tag("td", cause),
        tag("td", moment(target.since, span(now - target.since)) if target.since is not None else Markup()),
        tag("td", _address_counts(target.addresses)),
        tag("td", _stages(target)),
        tag("td", _class(target.issuer_class)),
        tag("td", _until(target.expiry, now)),
        class_="row",
    )


def _stages(target: TargetState) -> Markup:
    """`dns 4, tcp 12, tls 45`: milliseconds."""
    return joined(
        (Markup(f"{escaped(stage)}&nbsp;{_milliseconds(took)}") for stage, took in target.stages), ", "
    )


def _milliseconds(took: float) -> str:
    return f"{took * 1000:.2g}" if took < 0.01 else f"{took * 1000:.0f}"


def _address_counts(addresses: Sequence[AddressState]) -> Markup:
    """`3 ok`, `2 ok, 1 failed`, `1 not tried`."""
    good = sum(a.ok is True for a in addresses)
    bad = sum(a.ok is False for a in addresses)
    rest = len(addresses) - good - bad
    parts = [sentence_text(f"{good} ok")] if good or bad else []
    if bad:
        parts.append(tag("span", f"{bad} failed", class_="bad-word"))
    if rest:
        parts.append(sentence_text(f"{rest} not tried"))
    return joined(parts, ", ")


def _class(found: IssuerClass) -> Markup:
    tone = _DOUBTFUL.get(found)
    return tag("span", found, class_=tone) if tone else escaped(found)


def _until(expiry: float | None, now: float) -> Markup:
    if expiry is None:
        return Markup()
    if expiry <= now:
        return joined((day(expiry), " ", tag("span", "expired", class_="bad-word")))
    if expiry - now < EXPIRES_SOON:
        return joined((day(expiry), " ", tag("span", f"in {span(expiry - now)}", class_="doubt-word")))
    return day(expiry)


def _summary(target: TargetState) -> Markup:
    """The text of the folded row: the problem, else the end of the CNAME chain."""
    if target.status is not Status.PASS and target.summary:
        return sentence_text(target.summary)
    facts = [f"leads to {target.chain[-1]}" if target.chain else "", target.tls_version]
    facts += [count(len(target.addresses), "address", "addresses") if target.addresses else ""]
    return sentence_text(", ".join(fact for fact in facts if fact) or target.summary or "details")


def _details(target: TargetState, sources: Sequence[SourceState], now: float) -> tuple[Markup, ...]:
    """The unfolded row: the findings, then each address."""
    facts = rows(
        (
            ("Found", sentence_text(target.summary) if target.status is Status.PASS else ""),
            ("Checks", _checks(target)),
            ("Chain", _chain(target)),
            ("Resolvers", _agreement(target)),
            ("TLS", _tls(target)),
            (
                "Issuer",
                joined((escaped(target.issuer, 512), " (", _class(target.issuer_class), ")"))
                if target.issuer
                else "",
            ),
            ("Certificate", joined(("until ", moment(target.expiry))) if target.expiry is not None else ""),
            (
                "Revocation",
                tag("ul", *(_source(s, now) for s in sources[:ADDRESSES]), class_="lines") if sources else "",
            ),
            ("Since", moment(target.since) if target.since is not None else ""),
            (
                "Measured",
                joined((moment(target.measured), f" ({span(now - target.measured)} ago)"))
                if target.measured is not None
                else "not yet",
            ),
            (
                "Rule",
                sentence_text(f"{target.rule}, {need_text(target.need, target.pattern, target.region)}"),
            ),
        )
    )
    return (facts, _addresses(target, now)) if target.addresses else (facts,)


def _checks(target: TargetState) -> Markup:
    made = []
    for check in target.checks:
        cause = "" if check.cause in ("", "ok") else tag("code", " ", escaped(check.cause, 60))
        made.append(joined((f"{CHECKS.get(check.check, check.check)} ", statement(check.status), cause)))
    return joined(made, Markup(" &nbsp;"))


def _chain(target: TargetState) -> Markup:
    if not target.chain:
        return Markup()
    names = [tag("li", name(one)) for one in (target.host, *target.chain[:CHAIN])]
    if len(target.chain) > CHAIN:
        names.append(tag("li", f"{len(target.chain) - CHAIN} more"))
    ttl = "" if target.ttl is None else tag("span", f"smallest TTL {span(target.ttl)}", class_="soft")
    return joined((tag("ol", *names, class_="chain"), ttl))


def _agreement(target: TargetState) -> str:
    if target.resolvers_agree is None:
        return "fewer than two have answered"
    return "agree" if target.resolvers_agree else "differ in what they answer"


def _tls(target: TargetState) -> str:
    facts = [target.tls_version] if target.tls_version else []
    if target.intercepted:
        facts.append(
            f"intercepted in {target.intercepted} of the last {count(target.handshakes, 'handshake')}"
        )
    return ", ".join(facts)


def _source(source: SourceState, now: float) -> Markup:
    return tag("li", f"{source.kind.upper()} ", escaped(source.url, 512), ": ", source_state(source, now))


def source_state(source: SourceState, now: float) -> Markup:
    """What is known about a revocation source, in words."""
    if not source.measured:
        return sentence_text("not tested")
    if not source.reachable:
        return tag("span", "not reachable", class_="bad-word")
    if not source.valid:
        return tag("span", "reachable, but not valid", class_="bad-word")
    if source.next_update is None:
        return sentence_text("ok")
    return joined(("ok, next update ", ago(source.next_update, now)))


def _addresses(target: TargetState, now: float) -> Markup:
    """Each address seen within the last 24 hours, failed ones first."""
    order = {False: 0, True: 1, None: 2}
    found = sorted(target.addresses, key=lambda a: (order[a.ok], not a.current))
    made = [_address(address, now) for address in found[:ADDRESSES]]
    left = len(found) - len(made)
    caption = f"Addresses of {escaped(target.name)}" + (f", {left} more are not shown" if left else "")
    head = tag("tr", *(tag("th", title, scope="col") for title in ("Address", "State", "Last tried")))
    return tag("table", tag("caption", Markup(caption)), tag("thead", head), tag("tbody", *made))


def _address(address: AddressState, now: float) -> Markup:
    status = {True: Status.PASS, False: Status.FAIL, None: Status.INCONCLUSIVE}[address.ok]
    words = {True: "ok", False: "failed", None: "not tried"}[address.ok]
    state = sentence_text(words) if address.ok is None else statement(status, words)
    cause = "" if address.cause in ("", "ok") else tag("code", " ", escaped(address.cause, 60))
    marks = [
        " stale: resolution fails now, it gave this address before" if address.stale else "",
        "" if address.current or address.stale else " no longer current",
    ]
    return tag(
        "tr",
        tag("th", escaped(address.address, 80), scope="row"),
        tag("td", state, cause, tag("span", *marks, class_="soft")),
        tag("td", ago(address.tried, now) if address.tried is not None else "never"),
    )

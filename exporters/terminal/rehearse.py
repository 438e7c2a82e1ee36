"""`wayclear rehearse` in words: the report of a network that was not measured, and the alerts that would follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from exporters.terminal import audit, summary
from exporters.terminal.headline import ANSWERS
from exporters.terminal.style import Style
from rules.model.verdict import Answer, Report
from rules.rehearse.alerts import Fires
from rules.rehearse.changes import Block, Change, ClosedPort, Inspection
from rules.text.display import display

BANNER = "REHEARSAL: nothing of this was measured"
_SUBJECTS = 4  #: maximum of names listed for an alert without --verbose


@dataclass(frozen=True, slots=True)
class Subject:
    """What is rehearsed: the changes, the answer without them, and where the recording is from ("" for the shipped one)."""

    changes: Sequence[Change]
    before: Answer
    source: str


def change_text(change: Change) -> str:
    """A change as a clause: `every connection to *.example.com is silently dropped`."""
    match change:
        case Block(pattern=pattern, port=port, reset=reset):
            where = display(pattern, 260) + (f" on port {port}" if port else "")
            return f"every connection to {where} is {'refused (RST)' if reset else 'silently dropped'}"
        case ClosedPort(port=port, reset=reset):
            how = "refused (RST)" if reset else "silently dropped"
            return f"every connection to TCP port {port} is {how}"
        case Inspection(pattern=pattern):
            where = "all names" if pattern == "*" else display(pattern, 260)
            return f"a device inspects TLS to {where}, with a CA that this host trusts"
        case _:
            assert_never(change)


def opening(subject: Subject, report: Report, style: Style) -> list[str]:
    """The banner: what is assumed, and what the answer was before."""
    before, _, _ = ANSWERS[subject.before]
    after, _, _ = ANSWERS[report.answer]
    source = (
        f"the report {display(subject.source, 260)}" if subject.source else "a healthy network of the lab"
    )
    clauses = "; ".join(map(change_text, subject.changes))
    text = (
        f"{BANNER}. The recording is {source}; no packet was sent. Assumed: {clauses}. The answer was {before}, and would "
        f"be {after}."
    )
    head, *more = style.wrap(text)
    return [head.replace(BANNER, style.paint("doubt", BANNER), 1), *more]


def render(subject: Subject, report: Report, alerts: Sequence[Fires], style: Style) -> str:
    """The whole text: the banner, the report as `audit` writes it, the alerts, the banner again."""
    told = (audit if style.verbose else summary).render(report, style)
    lines = [*opening(subject, report, style), "", *told.splitlines(), ""]
    lines += [
        style.paint("heading", "ALERTS THAT WOULD FIRE"),
        *_alerts(alerts, report.vantage.tenant, style),
    ]
    return style.finish([*lines, "", style.paint("doubt", f"{BANNER}.")])


def _alerts(alerts: Sequence[Fires], tenant: str | None, style: Style) -> Iterator[str]:
    if not alerts:
        yield "  None. `wayclear serve` would show it on its page and in its metrics."
        return
    for one in alerts:
        yield from style.wrap(alert_text(one, tenant, verbose=style.verbose), "    ", "  - ")
    yield from style.wrap(
        "Times count from the moment at which the service sees it, usually within a minute or two. Alertmanager, as it is "
        "shipped, holds back what another alert explains. docs/alerts.md explains each alert.",
        "  ",
    )


def alert_text(one: Fires, tenant: str | None = None, *, verbose: bool = True) -> str:
    """`ticket WayclearConnectorDown after 5 min: this connector`; the id of `tenant` as {tenant}."""
    names = [display(name.replace(tenant, "{tenant}") if tenant else name, 260) for name in one.subjects]
    shown = names if verbose or len(names) <= _SUBJECTS + 1 else names[:_SUBJECTS]
    more = f", +{len(names) - len(shown)} more" if len(shown) < len(names) else ""
    condition = f", only if {one.condition}" if one.condition else ""
    when = span_text(one.rule.pending)
    return f"{one.rule.severity} {one.rule.name} after {when}{condition}: {', '.join(shown)}{more}"


def span_text(value: float) -> str:
    """`5 min`, `6 h`."""
    minutes = round(value / 60)
    return f"{minutes // 60} h" if minutes >= 60 and minutes % 60 == 0 else f"{minutes} min"


def notes(subject: Subject, alerts: Sequence[Fires]) -> tuple[str, ...]:
    """What is assumed and what would fire, as sentences for the report."""
    assumed = tuple(f"Assumed: {change_text(change)}." for change in subject.changes)
    return (*assumed, *(f"Alert that would fire: {alert_text(one)}." for one in alerts))

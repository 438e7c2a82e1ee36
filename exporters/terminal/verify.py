"""`wayclear verify` in words: the flows while they are asked, and the report at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporters.terminal.evidence import clock, hostport
from exporters.terminal.style import Style, count, say
from rules.files.report_json import to_rfc3339
from rules.model import causes
from rules.model.verdict import FlowState, Report
from rules.text.display import display
from rules.verify.flows import Flow, Standing
from rules.verify.rounds import INTERVAL, Progress

#: The states as words and colours.
_WORDS: Mapping[FlowState, tuple[str, str]] = {
    FlowState.PASSES: ("passes", "good"),
    FlowState.FAILS: ("FAILS", "bad"),
    FlowState.WAITS: ("not asked", "doubt"),
}
_FOLD = 12  #: maximum of flows listed under a heading without --verbose


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: the recorded report, the number of the finding ("" for all), and who repeats the questions."""

    recorded: Report
    finding: str
    watch: bool


def flow_text(flow: Flow, tenant: str | None) -> str:
    """`20.50.0.11:443 (cwap-weur-1.servicebus.windows.net)`; the tenant's id as {tenant}."""
    if flow.cause:
        where = "this host" if causes.from_word(flow.cause).layer == "local" else "this network"
        return f"{where} [{display(flow.cause, 60)}]"
    host = flow.host.replace(tenant, "{tenant}") if tenant else flow.host
    if not flow.address:
        return hostport(host, flow.port)
    return f"{hostport(flow.address, flow.port)} ({display(host)})"


def opening(subject: Subject, flows: Sequence[Flow], units: int, style: Style) -> list[str]:
    """What is going to be asked, before the first question."""
    what = f"finding {subject.finding}" if subject.finding else "all findings that failed"
    how = f"a round every {INTERVAL:.0f} s" if subject.watch else "one round"
    end = "It ends when all of them pass, or with Ctrl-C." if subject.watch else ""
    text = f"Asking again for {what}: {count(len(flows), 'flow')}, {count(units, 'address', 'addresses')}, {how}. {end}"
    return style.wrap(text.strip())


def live(progress: Progress, tenant: str | None, style: Style, most: int) -> list[str]:
    """The flows as they are now, a line each; for more than `most` lines a line for each name, failing ones first."""
    passed = sum(1 for one in progress.standings.values() if one.state is FlowState.PASSES)
    head = (
        f"Round {progress.round}: {progress.reached} of {count(progress.addresses, 'address', 'addresses')} asked, "
        f"{passed} of {count(len(progress.standings), 'flow')} pass"
    )
    lines = [
        _line(flow, one, progress.since.get(flow), tenant, style) for flow, one in progress.standings.items()
    ]
    if len(lines) >= most:
        lines = _names(progress, tenant, style)
    if len(lines) >= most:
        lines = [*lines[: most - 2], f"  and {len(lines) - most + 2} more names"]
    return [head, *lines]


def _line(flow: Flow, one: Standing, since: float | None, tenant: str | None, style: Style) -> str:
    word, tone = _WORDS[one.state]
    return f"  {style.paint(tone, f'{word:<9}')}  {flow_text(flow, tenant)}{_why(one, since)}"


def _why(one: Standing, since: float | None) -> str:
    if one.state is FlowState.PASSES and since is not None:
        return f" since {_minute(since)}"
    return f" [{display(one.cause, 60)}]" if one.state is FlowState.FAILS else ""


def _names(progress: Progress, tenant: str | None, style: Style) -> list[str]:
    """A line for each name and port; names of which all flows pass come last."""
    names: dict[tuple[str, int], list[Standing]] = {}
    for flow, one in progress.standings.items():
        names.setdefault((flow.host or flow.cause, flow.port), []).append(one)
    lines: list[tuple[int, str]] = []
    order = (FlowState.FAILS, FlowState.WAITS, FlowState.PASSES)
    for (host, port), found in names.items():
        state = min((one.state for one in found), key=order.index)
        word, tone = _WORDS[state]
        passed = sum(1 for one in found if one.state is FlowState.PASSES)
        name = flow_text(Flow(host, port), tenant)
        painted = style.paint(tone, f"{word:<9}")
        lines.append((order.index(state), f"  {painted}  {name}, {passed} of {len(found)} pass"))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def changes(
    before: Mapping[Flow, Standing], progress: Progress, tenant: str | None, now: float
) -> Iterator[str]:
    """A line for each flow whose state differs from `before`, for a stream that keeps what was written."""
    for flow, one in progress.standings.items():
        old = before.get(flow)
        if old is None or old.state is not one.state:
            word, _ = _WORDS[one.state]
            yield f"{clock(now)[:8]} UTC  {word:<9}  {flow_text(flow, tenant)}{_why(one, None)}"


def notes(subject: Subject, report: Report, progress: Progress) -> tuple[str, ...]:
    """What was verified, as sentences for the report: a sentence for each flow."""
    tenant = subject.recorded.vantage.tenant
    seen = subject.recorded.vantage
    found = [
        f"Verified: {progress.reached} of {count(progress.addresses, 'address', 'addresses')} asked again in "
        f"{count(progress.round, 'round')} until {_moment(report.finished)}. Every other answer is from the recording of "
        f"{_moment(subject.recorded.started)}."
    ]
    if report.vantage.sources != seen.sources:
        ours, theirs = (", ".join(display(a, 80) for a in v.sources) for v in (report.vantage, seen))
        found.append(
            f"This host asks from {ours or 'no address'}, the recording is from {theirs or 'no address'}: another host may meet "
            "other rules."
        )
    if report.finished - subject.recorded.finished > 86_400:
        found.append(
            "The recording is more than a day old: names may have other addresses by now. Make a new one with `wayclear "
            "audit --format json --output report.json`."
        )
    return (*found, *(_sentence(flow, one, progress, tenant) for flow, one in progress.standings.items()))


def _sentence(flow: Flow, one: Standing, progress: Progress, tenant: str | None) -> str:
    name = flow_text(flow, tenant)
    if one.state is FlowState.PASSES:
        return f"{name} passes since {_minute(progress.since[flow])}"
    if one.state is FlowState.WAITS:
        return f"{name} was not asked again"
    return f"{name} still fails: {say(one.summary)} [{display(one.cause, 60)}]"


def render(subject: Subject, report: Report, progress: Progress, style: Style) -> str:
    """The report at the end."""
    by_state: dict[FlowState, list[str]] = {state: [] for state in FlowState}
    tenant = subject.recorded.vantage.tenant
    for flow, one in progress.standings.items():
        by_state[one.state].append(_sentence(flow, one, progress, tenant))
    lines = [*_head(by_state, style), ""]
    general = notes(subject, report, progress)[: -len(progress.standings)]
    for note in general:
        lines += style.wrap(note, "  ")
    for title, state in (
        ("WHAT STILL FAILS", FlowState.FAILS),
        ("WHAT WAS NOT ASKED AGAIN", FlowState.WAITS),
        ("WHAT PASSES NOW", FlowState.PASSES),
    ):
        if by_state[state]:
            lines += ["", style.paint("heading", f"{title} ({len(by_state[state])})")]
            lines += _folded(by_state[state], style)
    return style.finish(lines)


def _head(by_state: Mapping[FlowState, Sequence[str]], style: Style) -> list[str]:
    total = sum(map(len, by_state.values()))
    failing, waiting = len(by_state[FlowState.FAILS]), len(by_state[FlowState.WAITS])
    if failing:
        word, tone, text = "FAILS", "bad", f"{failing} of {count(total, 'flow')} still {_verb(failing)}."
    elif waiting:
        word, tone, text = "NOT PROVEN", "doubt", f"{waiting} of {count(total, 'flow')} had no turn yet."
    else:
        word, tone, text = (
            "REPAIRED",
            "good",
            f"{'all ' if total > 1 else ''}{count(total, 'flow')} that failed now {_pass(total)}.",
        )
    more = " --watch asks all of them, in turn, until they pass." if waiting else ""
    head, *rest = style.wrap(f"{word}: {text}{more}")
    return [head.replace(word, style.paint(tone, word), 1), *rest]


def _verb(number: int) -> str:
    return "fails" if number == 1 else "fail"


def _pass(number: int) -> str:
    return "passes" if number == 1 else "pass"


def _folded(sentences: Sequence[str], style: Style) -> Iterator[str]:
    shown = sentences if style.verbose or len(sentences) <= _FOLD + 1 else sentences[:_FOLD]
    for sentence in shown:
        yield from style.wrap(sentence, "    ", "  ")
    if len(shown) < len(sentences):
        yield f"  +{len(sentences) - len(shown)} more (--verbose shows all)"


def _minute(moment: float) -> str:
    return f"{clock(moment)[:5]} UTC"


def _moment(moment: float) -> str:
    return f"{to_rfc3339(moment)[:16].replace('T', ' ')} UTC"

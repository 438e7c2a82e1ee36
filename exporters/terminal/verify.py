"""`wayclear verify` in words: the flows while they are asked, and the report at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from exporters.terminal.evidence import hostport
from exporters.terminal.moments import Moments
from exporters.terminal.style import Style, count, say
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
    """What is verified: the recorded report, the number of the finding ("" for all), whether rounds are repeated, and how times
    are written. `untested`: the finding did not fail, it could not be tested. `causes`: those of each flow in the
    recorded report. `host`: the name of this host."""

    recorded: Report
    finding: str
    watch: bool
    moments: Moments
    untested: bool = False
    causes: Mapping[Flow, frozenset[str]] = field(default_factory=dict)
    host: str = ""

    @property
    def tenant(self) -> str | None:
        return self.recorded.vantage.tenant

    @property
    def still(self) -> str:
        """`still ` where it failed before."""
        return "" if self.untested else "still "


def flow_text(flow: Flow, tenant: str | None) -> str:
    """`20.50.0.11:443 (cwap-weur-1.servicebus.windows.net)`; the tenant's id as {tenant}."""
    if flow.cause:
        where = "this host" if causes.from_word(flow.cause).layer == "local" else "this network"
        return f"{where} [{display(flow.cause, 60)}]"
    host = flow.host.replace(tenant, "{tenant}") if tenant else flow.host
    if not flow.address:
        return hostport(host, flow.port)
    return f"{hostport(flow.address, flow.port)} ({display(host)})"


def opening(subject: Subject, flows: Sequence[Flow], addresses: int, names: int, style: Style) -> list[str]:
    """What is going to be asked, before the first question. `addresses` and `names` take turns."""
    what = f"finding {subject.finding}" if subject.finding else "all findings that failed"
    how = f"a round every {INTERVAL:.0f} s" if subject.watch else "one round"
    end = "It ends when all of them pass, or with Ctrl-C." if subject.watch else ""
    counted = [
        count(len(flows), "flow"),
        *([count(addresses, "address", "addresses")] if addresses else []),
        *([count(names, "name")] if names else []),
    ]
    text = f"Asking again for {what}: {', '.join(counted)}, {how}. {end}"
    lines = style.wrap(text.strip())
    recorded = subject.recorded.vantage.host
    if subject.host and recorded and subject.host.lower() != recorded.lower():
        lines += style.wrap(
            f"The report is from the host {display(recorded, 80)}, and this is {display(subject.host, 80)}: another host may meet "
            "other rules."
        )
    return lines


def _asked(progress: Progress) -> str:
    """`3 of 17 addresses`, `2 of 5 addresses and names`; what takes turns is an address, or a name that is resolved."""
    addresses, names = progress.addresses, progress.names
    total = addresses + names
    if not total:
        return "this host"
    word = "addresses and names" if addresses and names else "name" if names else "address"
    plural = "addresses" if word == "address" else "names" if word == "name" else word
    return f"{progress.reached} of {count(total, word, plural)}"


def live(subject: Subject, progress: Progress, style: Style, most: int) -> list[str]:
    """The flows as they are now, a line each; for more than `most` lines a line for each name, failing ones first."""
    passed = sum(1 for one in progress.standings.values() if one.state is FlowState.PASSES)
    head = (
        f"Round {progress.round}: {_asked(progress)} asked, "
        f"{passed} of {count(len(progress.standings), 'flow')} {_pass(len(progress.standings))}"
    )
    lines = []
    for flow, one in progress.standings.items():
        word, tone = _word(one)
        since = progress.since.get(flow)
        lines.append(
            f"  {style.paint(tone, f'{word:<9}')}  {flow_text(flow, subject.tenant)}{_why(one, since, subject)}"
        )
    if len(lines) >= most:
        lines = _names(progress, subject.tenant, style)
    if len(lines) >= most:
        lines = [*lines[: most - 2], f"  and {len(lines) - most + 2} more names"]
    return [head, *lines]


def _word(one: Standing) -> tuple[str, str]:
    word, tone = _WORDS[one.state]
    return ("untested" if one.state is FlowState.WAITS and one.cause else word), tone


def _why(one: Standing, since: float | None, subject: Subject) -> str:
    if since is not None and one.state is FlowState.PASSES:
        return f" since {subject.moments.minute(since)}"
    return f" [{display(one.cause, 60)}]" if one.cause else ""


def _names(progress: Progress, tenant: str | None, style: Style) -> list[str]:
    """A line for each name and port; names of which all flows pass come last."""
    names: dict[tuple[str, int], list[Standing]] = {}
    for flow, one in progress.standings.items():
        names.setdefault((flow.host or flow.cause, flow.port), []).append(one)
    lines: list[tuple[int, str]] = []
    order = (FlowState.FAILS, FlowState.WAITS, FlowState.PASSES)
    for (host, port), found in names.items():
        state = min((one.state for one in found), key=order.index)
        word, tone = _word(next(one for one in found if one.state is state))
        passed = sum(1 for one in found if one.state is FlowState.PASSES)
        name = flow_text(Flow(host, port), tenant)
        painted = style.paint(tone, f"{word:<9}")
        lines.append((order.index(state), f"  {painted}  {name}, {passed} of {len(found)} pass"))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def changes(
    subject: Subject, before: Mapping[Flow, Standing], progress: Progress, now: float
) -> Iterator[str]:
    """A line for each flow whose state differs from `before`, for a stream that keeps what was written."""
    for flow, one in progress.standings.items():
        old = before.get(flow)
        word, _ = _word(one)
        if old is None or _word(old)[0] != word:
            name = flow_text(flow, subject.tenant)
            yield f"{subject.moments.second(now)}  {word:<9}  {name}{_why(one, None, subject)}"


def notes(subject: Subject, report: Report, progress: Progress) -> tuple[str, ...]:
    """What was verified, as sentences for the report: a sentence for each flow."""
    return (
        *_general(subject, report, progress),
        *(_sentence(flow, one, progress, subject) for flow, one in progress.standings.items()),
    )


def _general(subject: Subject, report: Report, progress: Progress) -> list[str]:
    seen = subject.recorded.vantage
    found = [
        f"Verified: {_asked(progress)} asked again in "
        f"{count(progress.round, 'round')} until {subject.moments.dated(report.finished)}. Every other answer is from the "
        f"recording of {subject.moments.dated(subject.recorded.started)}."
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
    return found


def _sentence(flow: Flow, one: Standing, progress: Progress, subject: Subject) -> str:
    return f"{flow_text(flow, subject.tenant)} {_state_text(flow, one, progress, subject)}"


def _state_text(flow: Flow, one: Standing, progress: Progress, subject: Subject) -> str:
    """How a flow stands: `still fails: <why> [tcp.timeout]`."""
    cause = display(one.cause, 60)
    match one.state:
        case FlowState.PASSES:
            return f"passes since {subject.moments.minute(progress.since[flow])}"
        case FlowState.WAITS if one.cause:
            return f"could not be tested: {say(one.summary)} [{cause}]"
        case FlowState.WAITS:
            return "was not asked again"
        case FlowState.FAILS if _other(flow, one, subject):
            before = display(", ".join(sorted(subject.causes[flow])), 120)
            return f"fails in another way than before [{before}]: {say(one.summary)} [{cause}]"
        case FlowState.FAILS:
            return f"{subject.still}fails: {say(one.summary)} [{cause}]"
        case _:
            assert_never(one.state)


def _other(flow: Flow, one: Standing, subject: Subject) -> bool:
    """Whether a flow fails with another cause than in the recorded report."""
    return one.state is FlowState.FAILS and one.cause not in subject.causes.get(flow, (one.cause,))


def render(subject: Subject, report: Report, progress: Progress, style: Style) -> str:
    """The report at the end."""
    style = replace(style, tenant=subject.tenant or "")
    failing, unknown, waiting, passing = _sorted(progress)
    lines = [*_head(subject, progress, style), ""]
    for note in _general(subject, report, progress):
        lines += style.wrap(note, "  ")
    for title, flows in (
        (f"WHAT {subject.still.upper()}FAILS", failing),
        ("WHAT COULD NOT BE TESTED", unknown),
        ("WHAT WAS NOT ASKED AGAIN", waiting),
        ("WHAT PASSES NOW", passing),
    ):
        if flows:
            lines += ["", style.paint("heading", f"{title} ({len(flows)})")]
            texts = {flow: _state_text(flow, progress.standings[flow], progress, subject) for flow in flows}
            lines += _listed(texts, subject.tenant, style)
    return style.finish(lines)


def _sorted(progress: Progress) -> tuple[list[Flow], list[Flow], list[Flow], list[Flow]]:
    """The flows that fail, that could not be tested, that had no turn, and that pass."""
    found = progress.standings.items()
    return (
        [flow for flow, one in found if one.state is FlowState.FAILS],
        [flow for flow, one in found if one.state is FlowState.WAITS and one.cause],
        [flow for flow, one in found if one.state is FlowState.WAITS and not one.cause],
        [flow for flow, one in found if one.state is FlowState.PASSES],
    )


def _head(subject: Subject, progress: Progress, style: Style) -> list[str]:
    total = len(progress.standings)
    failing, unknown, waiting, _ = map(len, _sorted(progress))
    if failing:
        word, tone = "FAILS", "bad"
        others = sum(1 for flow, one in progress.standings.items() if _other(flow, one, subject))
        still = "" if others == failing else subject.still
        text = f"{failing} of {count(total, 'flow')} {still}{_verb(failing)}."
        if others:
            who = (
                "It fails"
                if failing == 1
                else "All of them fail"
                if others == failing
                else f"{others} of them {_verb(others)}"
            )
            text += f" {who} in another way than before."
    elif unknown or waiting:
        word, tone = "NOT PROVEN", "doubt"
        parts = [f"{waiting} of {count(total, 'flow')} had no turn yet."] if waiting else []
        parts += [f"{unknown} of {count(total, 'flow')} could not be tested."] if unknown else []
        text = " ".join(parts)
    else:
        word, tone = ("PASSES" if subject.untested else "REPAIRED"), "good"
        before = "could not be tested" if subject.untested else "failed"
        text = f"{'all ' if total > 1 else ''}{count(total, 'flow')} that {before} now {_pass(total)}."
    more = " --watch asks all of them, in turn, until they pass." if waiting and not subject.watch else ""
    head, *rest = style.wrap(f"{word}: {text}{more}")
    return [head.replace(word, style.paint(tone, word), 1), *rest]


def _verb(number: int) -> str:
    return "fails" if number == 1 else "fail"


def _pass(number: int) -> str:
    return "passes" if number == 1 else "pass"


def _listed(texts: Mapping[Flow, str], tenant: str | None, style: Style) -> Iterator[str]:
    """The flows; where several stand the same way, that is said once."""
    alike: dict[str, list[str]] = {}
    for flow, text in texts.items():
        alike.setdefault(text, []).append(flow_text(flow, tenant))
    for text, names in alike.items():
        if len(names) == 1:
            yield from style.wrap(f"{names[0]} {text}", "    ", "  ")
            continue
        yield from style.wrap(f"{len(names)} flows, each of which {text}", "    ", "  ")
        shown = names if style.verbose or len(names) <= _FOLD + 1 else names[:_FOLD]
        for name in shown:
            yield from style.wrap(name, "      ", "    ")
        if len(shown) < len(names):
            yield f"    +{len(names) - len(shown)} more (--verbose shows all)"

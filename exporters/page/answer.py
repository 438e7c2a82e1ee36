"""The answer of the status page: the word, since when, how fresh it is, and its limits."""

from __future__ import annotations

from collections.abc import Iterator

from exporters.page.findings import digest
from exporters.page.markup import (
    Markup,
    ago,
    day,
    escaped,
    joined,
    link,
    local_moment,
    name,
    sentence_text,
    span,
    tag,
    time_of_day,
)
from exporters.terminal.headline import ANSWERS, answer_notes
from exporters.terminal.style import count
from rules.audit.first_check import FirstCheck
from rules.text.display import display
from rules.watch.state import State

STALE_AFTER = 300.0  #: seconds without a measurement after which the answer is no longer current
FAULTS = 8  #: maximum of host faults named, and of names that the first check got no answer from


def title(state: State, now: float) -> str:
    """The answer, for the title of the browser tab."""
    word = "Starting" if state.report is None else ANSWERS[state.answer][0]
    old = "OLD: " if state.report is not None and staleness(state, now) else ""
    return f"{old}{word} - {state.place.connector} - wayclear"


def answer(state: State, now: float, refresh: int | None) -> Markup:
    """The section with the page's main heading. An outdated answer loses its colour."""
    if state.report is None:
        return _starting(state, now, refresh)
    word, tone, _ = ANSWERS[state.answer]
    sentence = state.headline.removeprefix(f"{word}:").strip()
    heading = _heading(word, state.answer.value, sentence[:1].upper() + sentence[1:])
    paragraphs = [tag("p", state.answer_text)] if state.answer_text else []
    paragraphs += [tag("p", more, class_="soft") for more in answer_notes(state.report)]
    if state.report.answer is not state.answer:
        newest = ANSWERS[state.report.answer][0]
        paragraphs.append(tag("p", f"The newest judgement is {newest}; it counts when it is confirmed."))
    old = staleness(state, now)
    above = (tag("p", old, class_="banner bad"),) if old else ()
    facts = _facts(state, now, refresh)
    return _section("quiet" if old else tone, *above, heading, *paragraphs, digest(state.report), facts)


def staleness(state: State, now: float) -> str:
    """Why the answer is outdated, else "". The window is `STALE_AFTER`."""
    measured = last_measured(state)
    if measured is None:
        return "No target was measured: the answer says nothing about now."
    if now - measured > STALE_AFTER:
        why = (
            f", because the maintenance window {display(state.maintenance, 60)} is open"
            if state.paused
            else ""
        )
        return f"Nothing was measured for {span(now - measured)}{why}: this is how it was then, not how it is now."
    if measured - now > STALE_AFTER:
        return "The newest measurement lies in the future: the clock of this host was set back."
    return ""


def last_measured(state: State) -> float | None:
    """When the network last answered a probe of any target (Unix time)."""
    return max((t.measured for t in state.targets if t.measured is not None), default=None)


def banners(state: State) -> Markup:
    """A refused configuration, an open maintenance window, and faults of the host itself."""
    found = []
    for sentence in state.refused:
        to_do = (" Correct the file, then check it with ", tag("code", "wayclear validate FILE"), ".")
        found.append(
            tag(
                "p",
                sentence_text(sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."),
                *to_do,
                class_="banner bad",
            )
        )
    if state.maintenance:
        window = (tag("b", "Maintenance: "), "the window ", tag("b", escaped(state.maintenance)), " is open.")
        means = (
            " Nothing is asked until it has ended, and alerts are muted."
            if state.paused
            else " Alerts are muted; what fails now may be meant to fail."
        )
        found.append(tag("p", *window, means, class_="banner note"))
    if state.host_faults:
        causes = joined((tag("code", escaped(cause, 60)) for cause in state.host_faults[:FAULTS]), ", ")
        sentence = ". What could not be tested because of it says nothing about the network."
        found.append(
            tag("p", tag("b", "A fault of this host itself: "), causes, sentence, class_="banner bad")
        )
    return joined(found)


def _starting(state: State, now: float, refresh: int | None) -> Markup:
    """How far the first check is, how long it will take, and what it has seen."""
    first = state.first
    heading = _heading(
        "STARTING",
        "not-proven",
        "First check still running"
        + (f": {first.done} of {count(first.names, 'name')}." if first is not None and first.names else "."),
    )
    left = "" if first is None or first.left is None else f", about {span(first.left)} left"
    sentence = (
        f"Started {span(now - state.started)} ago{left}. The answer stands here when every name was tried."
    )
    seen = _seen_so_far(first) if first is not None else ()
    return _section("quiet", heading, tag("p", sentence), *seen, _facts(state, now, refresh))


def _seen_so_far(first: FirstCheck) -> Iterator[Markup]:
    """The service's names so far. Certificates and other addresses are judged at the end."""
    done = len(first.through) + len(first.failed) + len(first.unresolved)
    if not done:
        return
    answered = f"{len(first.through)} of {count(done, 'service name')} answered at the first address"
    yield tag(
        "p", tag("b", "Seen so far: "), f"{answered}. It is no verdict: certificates are judged at the end."
    )
    for title, hosts in (("No answer from", first.failed), ("No address for", first.unresolved)):
        if hosts:
            left = f" and {len(hosts) - FAULTS} more" if len(hosts) > FAULTS else ""
            yield tag("p", f"{title}: ", joined((name(host) for host in hosts[:FAULTS]), ", "), left)


def _heading(word: str, sign: str, sentence: str) -> Markup:
    # Screen readers need a separator: the word stands on its own line.
    colon = tag("span", ": ", class_="hidden")
    return tag("h1", tag("b", word, colon, class_=f"word {sign}"), sentence, id="answer")


def _section(tone: str, *content: str) -> Markup:
    return tag("section", *content, class_=f"answer {tone}", aria_labelledby="answer")


def _facts(state: State, now: float, refresh: int | None) -> Markup:
    """Since when, how fresh, when this page was made and whether it renews itself."""
    offset = state.report.vantage.utc_offset if state.report is not None else None
    pairs = [("Since", _when(state.answer_since, now, offset))] if state.report is not None else []
    pairs.append(("Last measured", _when(last_measured(state), now, offset)))
    pairs.append(("Page made", joined((time_of_day(now), tag("small", day(now), ", ", _renewal(refresh))))))
    return tag("dl", *(tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs), class_="facts")


def _when(at: float | None, now: float, utc_offset: int | None) -> Markup:
    shown = local_moment(at, utc_offset)
    return escaped("not yet") if at is None else joined((ago(at, now), tag("small", shown)))


def _renewal(refresh: int | None) -> Markup:
    if refresh:
        return joined((f"renewed every {refresh} s, ", link("/?refresh=0", "stop renewing")))
    return joined(("not renewed, ", link("/?refresh=30", "renew every 30 s")))

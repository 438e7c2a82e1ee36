"""The answer's first lines: a word, a sentence about whom it concerns, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporters.terminal.style import say, seconds
from rules.model.verdict import Answer, Report, RulesUsed
from rules.text.display import display

#: The answers as words, colours and sentences about {who}.
ANSWERS: Mapping[Answer, tuple[str, str, str]] = {
    Answer.YES: ("YES", "good", "{who} will work from this network."),
    Answer.DEGRADED: (
        "DEGRADED",
        "doubt",
        "{who} will work from this network, but not everything that it needs does.",
    ),
    Answer.NO: ("NO", "bad", "{who} will not work from this network (the portal would show it as inactive)."),
    Answer.NOT_PROVEN: (
        "NOT PROVEN",
        "doubt",
        "not enough could be tested to say that {who} will work from this network.",
    ),
}
NO_LIST = "no published list"
#: The software that a rule set is for, by the set's name. Users usually name their own sets after the one they
#: extend.
_AGENTS = (
    ("app-proxy", "a connector"),
    ("pass-through-auth", "a pass-through authentication agent"),
    ("cloud-sync", "a cloud sync agent"),
)


def headline(report: Report) -> str:
    """`NO: a connector will not work from this network.`"""
    word, _, sentence = ANSWERS[report.answer]
    return f"{word}: {sentence.format(who=_who(report))}"


def answer_notes(report: Report) -> Iterator[str]:
    """Sentences that limit the answer: what it does not cover, and why there is none."""
    for used in unlisted(report):
        if used.note.rstrip(".") not in report.answer_text:
            note = "" if used.note == NO_LIST else f" ({say(used.note)})"
            yield f"Reason: {display(used.name)} has {NO_LIST}{note}."
    if report.plan.only and "only names like" not in report.answer_text:
        yield f"Only names like {display(report.plan.only)} (--only): the other names of the rules were left out."
    if report.stopped == "budget":
        yield "The time budget ended first (--budget gives more): what was not reached by then was not tested."
    if report.stopped == "interrupted":
        yield f"Interrupted after {seconds(report.finished - report.started)}: what was not reached by then was not tested."


def unlisted(report: Report) -> tuple[RulesUsed, ...]:
    """The rule sets for which Microsoft publishes no list."""
    return tuple(
        used
        for used in report.rulesets
        if used.kind == "rules" and used.note and not used.note.startswith("not reviewed")
    )


def _who(report: Report) -> str:
    """Whom the answer is about, by the rule sets in use."""
    names = [used.name for used in report.rulesets if used.kind == "rules"]
    agents = dict.fromkeys(_agent(name) for name in names)
    if len(agents) > 1:
        return "an agent that needs all of these rule sets"
    return next(iter(agents), "a connector")


def _agent(name: str) -> str:
    return next(
        (agent for part, agent in _AGENTS if part in name), f"an agent by the rules of {display(name)}"
    )

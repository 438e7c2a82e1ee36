"""The first lines of every text: the answer, about whom, and what belongs beside it."""

from __future__ import annotations

import dataclasses

import pytest

from exporters.terminal.headline import ANSWERS, answer_notes, headline
from rules.model.verdict import Answer, Plan, Report, RulesUsed
from tests.exporters import samples


def by(*names: str, note: str = "", **changes: object) -> Report:
    """A report by rule sets of these names, and by a CA set."""
    used = tuple(RulesUsed(name, "1", "2026-11-01", note=note) for name in names)
    return samples.report(rulesets=(*used, samples.RULESETS[1]), **changes)


@pytest.mark.parametrize("answer", list(Answer))
def test_every_answer_has_a_sentence_about_somebody(answer: Answer) -> None:
    shown = headline(samples.report(answer=answer))
    assert shown.startswith(ANSWERS[answer][0] + ": ")
    assert "a connector" in shown


@pytest.mark.parametrize(
    ("names", "who"),
    [
        ((), "a connector"),
        (("entra-app-proxy",), "a connector"),
        (("entra-app-proxy-usgov",), "a connector"),
        (("entra-app-proxy", "contoso-app-proxy"), "a connector"),
        (("entra-pass-through-auth",), "a pass-through authentication agent"),
        (("entra-cloud-sync",), "a cloud sync agent"),
        (("entra-app-proxy", "entra-cloud-sync"), "an agent that needs all of these rule sets"),
        (("ours\x1b",), "an agent by the rules of ours\\x1b"),
    ],
)
def test_the_sentence_is_about_whom_the_rules_are_for(names: tuple[str, ...], who: str) -> None:
    assert (
        headline(by(*names))
        == f"NO: {who} will not work from this network (the portal would show it as inactive)."
    )


def test_nothing_stands_beside_an_ordinary_answer() -> None:
    assert list(answer_notes(samples.report())) == []
    assert list(answer_notes(by("entra-app-proxy", note="not reviewed for 246 days"))) == []


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("no published list", "Reason: x has no published list."),
        ("nobody publishes it", "Reason: x has no published list (nobody publishes it)."),
    ],
)
def test_why_there_is_no_answer_stands_beside_it(note: str, told: str) -> None:
    assert list(answer_notes(by("x", note=note))) == [told]


def test_a_part_of_the_names_and_of_the_time_is_said() -> None:
    report = samples.report(plan=Plan("q", only="login.*"), stopped="interrupted")
    only, interrupted = answer_notes(report)
    assert only.startswith("Only names like login.* (--only): ")
    assert interrupted == "Interrupted after 41.2 s: what was not reached by then was not tested."
    (budget,) = answer_notes(dataclasses.replace(report, plan=Plan("q"), stopped="budget"))
    assert budget.startswith("The time budget ended first")

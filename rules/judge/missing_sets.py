"""A replay without the sets that the recording was judged with: which are missing, and what cannot be decided without them.

Without its CA set, every certificate of a recording seems to come from an unexpected, an unknown or an intercepting
CA. The replay causes that, not a network, so no verdict blames anybody for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rules.judge.causes import OWN_KEY
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.ruleset import Rules
from rules.model.verdict import Report, RulesUsed, Status, Verdict
from rules.text.display import display

CIRCUMSTANCE = "ca-set-missing"
SHOWN = 100  #: maximum of characters shown of a set's name: a file may hold any name


def missing_ca_sets(report: Report, rules: Rules) -> tuple[RulesUsed, ...]:
    """The CA sets that `report` was judged with and that `rules` do not hold, by name."""
    at_hand = {one.name for one in rules.cas}
    return tuple(used for used in report.rulesets if used.kind == "cas" and used.name not in at_hand)


def missing_set_notes(report: Report, rules: Rules) -> tuple[str, ...]:
    """Sets of the recording that are missing or have another content now, in a sentence each."""
    at_hand = {("rules", one.name): one.sha256 for one in rules.rulesets}
    at_hand |= {("cas", one.name): one.sha256 for one in rules.cas}
    found = []
    for used in report.rulesets:
        what = "rule set" if used.kind == "rules" else "CA set"
        now = at_hand.get((used.kind, used.name))
        if now is None:
            lost = "names are not judged" if used.kind == "rules" else "keys are not known"
            found.append(
                f"The recording was judged with the {what} {_set_name(used)}, which is not given here: its {lost}."
            )
        elif used.sha256 and now and used.sha256 != now:
            found.append(
                f"The {what} {display(used.name, SHOWN)} has changed since the recording: it was {_digest(used.sha256)}, and "
                f"is {_digest(now)}."
            )
    return tuple(found)


def set_names(sets: tuple[RulesUsed, ...]) -> str:
    """The sets' names in a sentence."""
    return ", ".join(_set_name(used) for used in sets)


def adjust_without_sets(rows: Iterable[Verdict], sets: tuple[RulesUsed, ...]) -> list[Verdict]:
    """The verdicts, where `sets` are missing: what only their keys could prove is inconclusive.

    A known CA's name on another key stays forged, whatever else is missing.
    """
    if not sets:
        return list(rows)
    return [_open(v, sets) if v.cause.depends_on_ca_set and not _forged(v) else v for v in rows]


def _open(verdict: Verdict, sets: tuple[RulesUsed, ...]) -> Verdict:
    called = set_names(sets)
    plural = "s" if len(sets) > 1 else ""
    return replace(
        verdict,
        status=Status.INCONCLUSIVE,
        cause=causes.AUDIT_NOT_RECORDED,
        circumstance=CIRCUMSTANCE,
        summary=f"whose certificates these are cannot be told without the CA set{plural} {called}",
        remedy=remedy(causes.AUDIT_NOT_RECORDED, CIRCUMSTANCE, sets=called),
        details=(*verdict.details, ("without the set", f"{verdict.cause}: {verdict.summary}")),
    )


def _forged(verdict: Verdict) -> bool:
    return verdict.cause == causes.TLS_INTERCEPTED and any(
        name == "expected" and value.endswith(OWN_KEY) for name, value in verdict.details
    )


def _set_name(used: RulesUsed) -> str:
    digest = f", {_digest(used.sha256)}" if used.sha256 else ""
    return f"{display(used.name, SHOWN)} (version {display(used.version, 40)}{digest})"


def _digest(sha256: str) -> str:
    return f"sha256 {display(sha256[:16], 16)}..."

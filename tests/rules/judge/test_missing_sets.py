"""A recording replayed without a CA set that it was judged with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.judge.causes import OWN_KEY
from rules.judge.missing_sets import adjust_without_sets, missing_ca_sets, missing_set_notes
from rules.judge.report import replay
from rules.model.ruleset import Rules
from rules.model.verdict import Answer, Status
from tests.rules import goldens

ALL = goldens.rules()
WITHOUT = replace(ALL, cas=tuple(one for one in ALL.cas if one.name != "lab"))


def test_the_set_that_is_missing_is_named_with_its_digest_and_nobody_is_blamed() -> None:
    report = goldens.recorded("healthy")
    used = next(used for used in report.rulesets if used.name == "lab")
    assert missing_ca_sets(report, WITHOUT) == (used,)
    again = replay(report, WITHOUT)
    assert again.answer is Answer.NOT_PROVEN
    assert "lab (version" in again.answer_text
    assert used.sha256[:16] in again.answer_text
    assert not [v for v in again.verdicts if v.status in (Status.FAIL, Status.WARN)]
    missing = [v for v in again.verdicts if v.circumstance == "ca-set-missing"]
    assert len({v.endpoint.host for v in missing if v.endpoint}) > 10
    assert {(v.status, v.cause.word) for v in missing} == {(Status.INCONCLUSIVE, "audit.not-recorded")}
    first = again.causes[0]
    assert (first.owner, first.status) == ("host", Status.INCONCLUSIVE)
    assert "lab" in first.summary
    assert "--ca-set" in first.remedy
    assert any("CA set lab" in note and "not given" in note for note in again.notes)


def test_with_the_set_nothing_is_missing() -> None:
    report = goldens.recorded("healthy")
    assert missing_ca_sets(report, ALL) == ()
    assert not any(v.circumstance for v in replay(report, ALL).verdicts if v.status is Status.INCONCLUSIVE)


@pytest.mark.parametrize("name", ["intercepted-by-squid", "private-ca", "other-public-ca"])
def test_what_only_the_missing_keys_could_tell_is_open(name: str) -> None:
    again = replay(goldens.recorded(name), WITHOUT)
    assert not [
        v.cause.word for v in again.verdicts if v.check == "tls" and v.status in (Status.FAIL, Status.WARN)
    ]


@pytest.mark.parametrize(
    ("name", "cause"),
    [("expired", "tls.expired"), ("service-dropped", "tcp.timeout"), ("alert", "tls.alert")],
)
def test_what_needs_no_key_is_told_all_the_same(name: str, cause: str) -> None:
    again = replay(goldens.recorded(name), WITHOUT)
    assert cause in {v.cause.word for v in again.verdicts if v.status is Status.FAIL}


def test_a_known_name_on_another_key_is_forged_whatever_is_missing() -> None:
    row = next(
        v for v in goldens.golden("intercepted-by-squid").verdicts if v.cause.word == "tls.intercepted"
    )
    forged = replace(row, details=(("expected", f"a known CA, {OWN_KEY}"),))
    opened, kept = adjust_without_sets([row, forged], missing_ca_sets(goldens.recorded("healthy"), WITHOUT))
    assert (opened.status, opened.cause.word) == (Status.INCONCLUSIVE, "audit.not-recorded")
    assert kept == forged


def changed(rules: Rules) -> Rules:
    sets = tuple(replace(one, sha256="f" * 64) for one in rules.cas)
    return replace(rules, cas=sets, rulesets=tuple(replace(one, name="other") for one in rules.rulesets))


def test_a_set_of_the_same_name_with_another_content_is_a_note() -> None:
    report = goldens.recorded("healthy")
    used = {one.name: one.sha256 for one in report.rulesets}
    said = missing_set_notes(report, changed(ALL))
    assert any(
        "CA set lab has changed" in note and used["lab"][:16] in note and "ffffffffffffffff" in note
        for note in said
    )
    assert any("rule set entra-app-proxy" in note and "names are not judged" in note for note in said)
    assert missing_set_notes(replay(report, ALL), ALL) == ()


def test_a_hostile_name_is_harmless() -> None:
    report = goldens.recorded("healthy")
    used = tuple(replace(u, name="\x1b[2Jx" * 100) for u in report.rulesets)
    assert "\x1b" not in "".join(missing_set_notes(replace(report, rulesets=used), WITHOUT))

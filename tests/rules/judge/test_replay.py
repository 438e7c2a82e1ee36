"""A recording judged again, without a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings

from rules.files.report_json import dumps, loads
from rules.judge.report import make_report, replay
from rules.model.failure import Code
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Report, Status
from tests.rules.chaos import Chaos, chaos
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    NO_ANSWER,
    PLAN,
    PUBLIC,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    START,
    World,
    by,
    healthy,
    judged,
    leaf,
    rows,
    rule,
    rules_of,
    run,
    shown,
    without,
)


def decided(report: Report) -> list[tuple[object, ...]]:
    """What two reports of the same observations must agree in."""
    kept = {f"o{n}": seen.step for n, seen in enumerate(report.observations, 1)}
    found = [
        (v.rule, v.endpoint, v.check, v.status, v.cause, v.summary, [kept[e] for e in v.evidence])
        for v in report.verdicts
    ]
    return [report.answer, report.answer_text, report.exit_code, report.stopped, found]  # type: ignore[list-item]


def live(network: Chaos) -> Report:
    """A run as the loop makes it: each answer a little later than the one before."""
    later = iter(range(100_000))

    def told(step: object) -> object:
        seen = network.answer(step)  # type: ignore[arg-type]
        return replace(seen, started=START + next(later) * 0.01)

    class Ticking(World):
        def answer(self, step: object) -> object:  # type: ignore[override]
            return told(step)

    return make_report(run(Ticking()), START, START + 60, "0.0")


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(chaos())
def test_a_replay_gives_the_verdicts_of_the_live_run(network: Chaos) -> None:
    report = live(network)
    assert decided(replay(report, RULES)) == decided(report)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(chaos(calm=0.5))
def test_also_when_it_went_through_a_file(network: Chaos) -> None:
    report = live(network)
    again = replay(loads(dumps(report)), RULES)
    assert decided(again) == decided(report)


@pytest.mark.parametrize(
    "world",
    [
        healthy(),
        without(BOOTSTRAP),
        healthy().when(TlsHandshake, SILENCE, server_name=BOOTSTRAP),
        healthy().when(TlsHandshake, by(CORPORATE)),
        healthy().when(HttpFetch, SILENCE),
        healthy(zone={}),
    ],
)
def test_replays_of_named_networks(world: World) -> None:
    report = judged(world)
    again = replay(report, RULES)
    assert decided(again) == decided(report)
    assert replay(again, RULES) == again


def test_a_replay_says_that_it_is_one() -> None:
    assert "nothing was asked of the network" in replay(judged(healthy()), RULES).notes[-1]


def test_what_today_s_rules_want_and_the_recording_lacks_is_inconclusive() -> None:
    report = judged(healthy(), rules_of(SIGN_IN_RULE))
    again = replay(report, RULES)
    missing = rows(again, BOOTSTRAP)
    assert {(v.status, v.cause.word) for v in missing} == {(Status.INCONCLUSIVE, "audit.not-recorded")}
    assert again.answer is Answer.NOT_PROVEN


def test_what_the_live_run_did_not_reach_stays_not_reached() -> None:
    audit = run(healthy(), lost=lambda step: isinstance(step, TlsHandshake))
    audit.stop("budget")
    report = make_report(audit, START, START + 60, "0.0")
    again = replay(report, RULES)
    assert again.stopped == "budget"
    reached = {v.cause.word for v in rows(again, BOOTSTRAP, "tcp")}
    assert reached == {"audit.not-reached"} == {v.cause.word for v in rows(report, BOOTSTRAP, "tcp")}


def test_it_is_judged_at_the_time_of_the_recording() -> None:
    """The certificates of a report from last year were in date then. One that still is speaks for the clock."""
    year = 365 * 86400.0
    lasting = shown(leaf(SIGN_IN, PUBLIC, days=900).chain)
    report = judged(healthy().when(TlsHandshake, lasting, server_name=SIGN_IN))
    late = replace(report, started=START + year, finished=START + year + 60)
    assert rows(replay(late, RULES), BOOTSTRAP, "tls")[0].cause.word == "tls.expired"
    assert rows(replay(report, RULES), BOOTSTRAP, "tls")[0].cause.word == "ok"


def test_rules_that_are_stricter_today_judge_the_same_evidence_anew() -> None:
    strict = rules_of(*RULES.rules[:-1], rule("also", "retired.microsoft.com"))
    assert rows(judged(healthy()), "retired.microsoft.com", "tls")[0].status is Status.PASS
    again = replay(judged(healthy()), strict)
    assert "tls.issuer-unexpected" in {v.cause.word for v in rows(again, "retired.microsoft.com", "tls")}


def test_a_recording_of_a_dead_resolver_needs_no_question_that_was_never_asked() -> None:
    from rules.model.kinds.dns_chain import DnsQuestion
    from rules.model.kinds.os_lookup import OsLookup

    report = judged(healthy().when((DnsQuestion, OsLookup), NO_ANSWER), plan=replace(PLAN, pace="fast"))
    again = replay(report, RULES)
    assert again.causes[0].cause.word == "local.no-resolver" == report.causes[0].cause.word
    assert Code.NOT_RECORDED not in {s.failure.code for s in again.observations if s.failure}

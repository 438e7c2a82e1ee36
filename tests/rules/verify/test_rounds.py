"""A verification driven through scripted networks: first the broken one, then the one with the changed rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.files.report_json import dumps, loads, to_rfc3339
from rules.judge.report import make_report
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step, kind_of
from rules.model.ruleset import Match, Rules
from rules.model.verdict import Answer, FlowState, Report
from rules.verify.again import address_of
from rules.verify.flows import Flow, NoSuchFinding
from rules.verify.rounds import MOST, Progress, Verification
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    NO_ANSWER,
    PLAN,
    RELAYS,
    RULES,
    SIGN_IN,
    SILENCE,
    START,
    World,
    by,
    healthy,
    judged,
    rule,
    rules_of,
    run,
    without,
)

MINUTE = 60.0
FAST = replace(PLAN, pace="fast")  #: a polite audit would stop at the twentieth silent host
SERVICE = ("203.0.113.1", "203.0.113.2", "203.0.113.11", "203.0.113.12", "203.0.113.13")


def silent(*addresses: str) -> World:
    """A network that drops TLS to these addresses."""
    world = healthy()
    for address in addresses:
        world.when(TlsHandshake, SILENCE, address=address)
    return world


def one_round(verification: Verification, world: World, now: float) -> tuple[list[Step], Report, Progress]:
    """A round through `world` at `now`: the steps that were asked, and what came of it."""
    asked: list[Step] = []
    for step in verification.questions():
        asked.append(step)
        verification.answered(replace(world.answer(step), started=now))
    audit = verification.begin()
    while True:
        ready = [item.step for item in audit.ready() if audit.wanted(item.step)]
        if not ready:
            break
        for step in ready:
            asked.append(step)
            audit.record(replace(world.answer(step), started=now))
    report, progress = verification.end(audit, now, now + 1, "0.0")
    return asked, report, progress


def places(steps: list[Step]) -> set[str]:
    return {address for step in steps if (address := address_of(step)) is not None}


def states(progress: Progress) -> dict[str, FlowState]:
    return {flow.address or flow.host or flow.cause: one.state for flow, one in progress.standings.items()}


def test_only_what_failed_is_asked_again_and_it_passes_since_the_round_that_saw_it() -> None:
    verification = Verification(RULES, judged(silent(*SERVICE)), "", START + MINUTE)
    assert {flow.address for flow in verification.flows} == set(SERVICE)
    asked, report, progress = one_round(verification, silent(*SERVICE), START + MINUTE)
    assert places(asked) == set(SERVICE)
    assert not [step for step in asked if isinstance(step, DnsQuestion | OsLookup)]
    assert set(states(progress).values()) == {FlowState.FAILS}
    assert not progress.done
    assert report.answer is Answer.NO
    part, _, progress = one_round(verification, silent(*SERVICE[2:]), START + 2 * MINUTE)
    assert places(part) >= set(SERVICE)
    assert states(progress) == {a: FlowState.PASSES if a in SERVICE[:2] else FlowState.FAILS for a in SERVICE}
    _, report, progress = one_round(verification, healthy(), START + 3 * MINUTE)
    assert progress.done
    assert report.answer is judged(healthy()).answer
    assert {flow.address: when for flow, when in progress.since.items()} == {
        a: START + (2 if a in SERVICE[:2] else 3) * MINUTE for a in SERVICE
    }


def test_a_report_has_the_flows_with_their_states_and_times() -> None:
    verification = Verification(RULES, judged(silent(*SERVICE)), "", START)
    _, report, progress = one_round(verification, silent(SERVICE[0]), START + MINUTE)
    made = replace(report, verified=progress.verified())
    found = {flow.endpoint.address: flow for flow in made.verified if flow.endpoint is not None}
    assert found.keys() == set(SERVICE)
    assert (found[SERVICE[0]].state, found[SERVICE[0]].since) == (FlowState.FAILS, "")
    assert found[SERVICE[0]].cause == "tcp.timeout"
    assert found[SERVICE[1]].since == to_rfc3339(START + MINUTE)
    assert loads(dumps(made)).verified == made.verified


def test_a_silent_address_gets_one_connection_a_round() -> None:
    verification = Verification(RULES, judged(silent(*SERVICE)), "", START + MINUTE)
    asked, _, _ = one_round(verification, silent(*SERVICE), START + MINUTE)
    handshakes = [s for s in asked if isinstance(s, TlsHandshake)]
    assert {s.attempt for s in handshakes} == {1}
    assert len(handshakes) == len(SERVICE)


def test_another_failure_than_the_recorded_one_is_looked_at_twice() -> None:
    verification = Verification(RULES, judged(silent(SERVICE[0])), "", START + MINUTE)
    refused = healthy().when(TlsHandshake, Failure(Stage.TCP, Code.REFUSED), address=SERVICE[0])
    asked, _, progress = one_round(verification, refused, START + MINUTE)
    assert [s.attempt for s in asked if isinstance(s, TlsHandshake)] == [1, 2]
    (one,) = progress.standings.values()
    assert (one.state, one.cause) == (FlowState.FAILS, "tcp.reset")


def test_a_flow_that_breaks_again_is_repaired_only_since_it_passes_again() -> None:
    verification = Verification(RULES, judged(silent(*SERVICE)), "", START)
    minutes = []
    for minute, world in enumerate((healthy(), silent(SERVICE[0]), healthy()), 1):
        _, _, progress = one_round(verification, world, START + minute * MINUTE)
        minutes.append({flow.address: when for flow, when in progress.since.items()})
    assert minutes[1].keys() == set(SERVICE[1:])
    assert minutes[2][SERVICE[0]] == START + 3 * MINUTE
    assert minutes[2][SERVICE[1]] == START + MINUTE


def test_an_open_port_with_the_wrong_issuer_is_not_repaired() -> None:
    inspected = healthy().when(TlsHandshake, by(CORPORATE))
    verification = Verification(RULES, judged(inspected), "", START)
    _, _, progress = one_round(verification, inspected, START + MINUTE)
    assert set(states(progress).values()) == {FlowState.FAILS}
    assert {one.cause for one in progress.standings.values()} == {"tls.intercepted"}
    asked, _, progress = one_round(verification, healthy(), START + 2 * MINUTE)
    assert progress.done
    assert [s for s in asked if isinstance(s, HttpFetch)], "the list of a certificate that is new is fetched"


def test_a_name_that_did_not_resolve_is_resolved_again_and_then_tried() -> None:
    verification = Verification(RULES, judged(without(BOOTSTRAP)), "", START)
    assert verification.flows == (Flow(BOOTSTRAP, 443),)
    asked, _, progress = one_round(verification, without(BOOTSTRAP), START + MINUTE)
    assert {kind_of(s).name(s) for s in asked if isinstance(s, DnsQuestion | OsLookup)} == {BOOTSTRAP}
    assert places(asked) == set()
    assert states(progress) == {BOOTSTRAP: FlowState.FAILS}
    asked, _, progress = one_round(verification, healthy(), START + 2 * MINUTE)
    assert {"203.0.113.1", "203.0.113.2"} <= places(asked)
    assert progress.done
    silent_now = Verification(RULES, judged(without(BOOTSTRAP)), "", START)
    _, _, progress = one_round(silent_now, silent("203.0.113.1", "203.0.113.2"), START + MINUTE)
    assert {one.cause for one in progress.standings.values()} == {"tcp.timeout"}, "a name is not enough"


def test_a_resolver_that_was_silent_gets_a_question_before_it_is_asked_for_names() -> None:
    def deaf(step: Step) -> object:
        return OsAnswer((), "EAI_AGAIN") if isinstance(step, OsLookup) else NO_ANSWER

    dead = healthy().when((DnsQuestion, OsLookup), deaf)  # type: ignore[arg-type]  # a test's short hand
    report = judged(dead)
    verification = Verification(RULES, report, "", START)
    assert verification.flows
    asked, _, progress = one_round(verification, dead, START + MINUTE)
    assert len([s for s in asked if isinstance(s, DnsQuestion)]) <= 2, "one question to each resolver"
    assert not progress.done
    minutes, answer = 2, Answer.NOT_PROVEN
    while not progress.done:
        asked, after, progress = one_round(verification, healthy(), START + minutes * MINUTE)
        assert len(places(asked)) <= MOST
        minutes, answer = minutes + 1, after.answer
        assert minutes < 9
    assert answer is judged(healthy()).answer


def test_one_finding_is_asked_for_with_what_follows_from_it() -> None:
    world = silent(*SERVICE[2:]).when(HttpFetch, SILENCE, host=CRL_HOST)
    report = judged(world)
    closed = next(
        c for c in report.causes if c.endpoints[0].host == CRL_HOST and c.cause.word == "tcp.timeout"
    )
    verification = Verification(RULES, report, closed.id, START)
    asked, _, progress = one_round(verification, silent(*SERVICE[2:]), START + MINUTE)
    assert places(asked) <= {"203.0.113.41", "203.0.113.42"}
    assert progress.done, "the service is another finding"
    below = [c.id for c in report.causes if closed.id in c.because]
    assert below
    assert {flow.host for flow in verification.flows} >= {
        e.host for c in report.causes if c.id in below for e in c.endpoints
    }


@pytest.mark.parametrize("number", ["7", "x", "1.9", "\x1b"])
def test_a_number_that_no_finding_has_is_refused_with_those_that_there_are(number: str) -> None:
    with pytest.raises(NoSuchFinding, match="#1"):
        Verification(RULES, judged(silent(*SERVICE)), number, START)
    with pytest.raises(NoSuchFinding, match="no finding that failed"):
        Verification(RULES, judged(healthy()), number, START)


def test_a_healthy_recording_has_nothing_to_ask() -> None:
    verification = Verification(RULES, judged(healthy()), "", START)
    assert verification.flows == ()
    assert (verification.addresses, verification.names) == (0, 0)
    assert not verification.askable


def many(number: int) -> tuple[Rules, World, World]:
    """Rows of one name each: the rules, the network that drops all of them, and the healthy one."""
    names = [f"host{n}.fabrikam.example" for n in range(number)]
    rows = [rule(f"row-{n}", name, match=Match.EXACT) for n, name in enumerate(names)]
    zone = {name: (f"203.0.113.{n + 1}",) for n, name in enumerate(names)} | {CRL_HOST: ("192.0.2.41",)}
    return rules_of(*rows), healthy(zone=zone).when(TlsHandshake, SILENCE), healthy(zone=dict(zone))


def test_a_round_asks_at_most_twenty_addresses_and_each_gets_its_turn() -> None:
    rules, broken, mended = many(45)
    recorded = make_report(run(broken, rules, FAST), START, START + 60, "0.0")
    verification = Verification(rules, recorded, "", START)
    turns = []
    for number in (1, 2, 3):
        asked, _, progress = one_round(verification, broken, START + number * MINUTE)
        turns.append((places(asked), progress))
    assert [len(addresses) for addresses, _ in turns] == [MOST] * 3
    assert [made.reached for _, made in turns] == [20, 40, 45]
    assert len(set.union(*(addresses for addresses, _ in turns))) == 45
    progress = turns[-1][1]
    assert not {state for state in states(progress).values() if state is FlowState.WAITS}
    number = 4
    while not progress.done:
        asked, _, progress = one_round(verification, mended, START + number * MINUTE)
        assert len(places(asked)) <= MOST
        number += 1
        assert number < 9


def test_what_has_had_no_turn_is_no_pass() -> None:
    rules, broken, mended = many(45)
    verification = Verification(
        rules, make_report(run(broken, rules, FAST), START, START + 60, "0.0"), "", START
    )
    _, _, progress = one_round(verification, mended, START + MINUTE)
    counts = [one.state for one in progress.standings.values()]
    assert counts.count(FlowState.WAITS) == 45 - counts.count(FlowState.PASSES)
    assert 0 < counts.count(FlowState.PASSES) <= MOST
    assert not progress.done


def test_a_scan_that_a_firewall_seems_to_block_does_not_stop_it() -> None:
    """Forty silent hosts stop a polite audit; here a rule changes, and silence is what is watched."""
    rules, broken, _ = many(40)
    recorded = make_report(run(broken, rules, FAST), START, START + 60, "0.0")
    verification = Verification(rules, recorded, "", START)
    for number in (1, 2, 3):
        _, report, _ = one_round(verification, broken, START + number * MINUTE)
        assert report.stopped == ""
        assert not [c for c in report.causes if c.cause.word == "path.sweep-detected"]


def test_a_round_that_was_interrupted_keeps_what_it_saw() -> None:
    verification = Verification(RULES, judged(silent(*SERVICE)), "", START)
    audit = verification.begin()
    ended = Failure(Stage.LOCAL, Code.NOT_REACHED)
    while ready := audit.ready():
        for step in (item.step for item in ready):
            answered = address_of(step) not in SERVICE[1:]
            seen = healthy().answer(step) if answered else Observation(step, START, 0.0, ended)
            audit.record(replace(seen, started=START + 9))
    report, progress = verification.end(audit, START + 9, START + 10, "0.0")
    assert states(progress) == {a: FlowState.PASSES if a == SERVICE[0] else FlowState.WAITS for a in SERVICE}
    assert not [v for v in report.verdicts if v.cause.word == "audit.not-reached"]


def test_old_lists_are_fetched_again_and_other_answers_are_not() -> None:
    recorded = judged(silent(SERVICE[0]))
    young, old = (Verification(RULES, recorded, "", START + age) for age in (MINUTE, 2 * 86_400))
    asked, _, _ = one_round(young, healthy(), START + MINUTE)
    assert CRL_HOST not in {s.host for s in asked if isinstance(s, HttpFetch)}
    asked, _, _ = one_round(old, healthy(), START + 2 * 86_400)
    assert CRL_HOST in {s.host for s in asked if isinstance(s, HttpFetch)}
    assert {s.server_name for s in asked if isinstance(s, TlsHandshake)} == {BOOTSTRAP}


def test_what_the_recording_never_asked_is_not_asked_now() -> None:
    recorded = judged(silent(*SERVICE))
    kept = tuple(
        seen
        for seen in recorded.observations
        if kind_of(seen.step).name(seen.step) not in (SIGN_IN, RELAYS[0])
    )
    verification = Verification(RULES, replace(recorded, observations=kept, causes=()), "", START)
    asked, _, _ = one_round(verification, healthy(), START + MINUTE)
    assert not {SIGN_IN, RELAYS[0]} & {kind_of(s).name(s) for s in asked}

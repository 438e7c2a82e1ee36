"""The appliance's memory: its verdict is the replay of the newest answers, and it is bounded by what was seen in a day."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.audit import Audit
from rules.failure import Code, Failure, Stage
from rules.kinds.dns_chain import OS, DnsAnswer, DnsQuestion, Record
from rules.kinds.http_fetch import HttpFetch
from rules.kinds.os_lookup import OsAnswer, OsLookup
from rules.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.memory import DEAD_STREAK, MAX_LAST_GOOD, REMEMBERED, ROUND, TRACKED, Memory, document
from rules.observation import Evidence, Observation, Step
from rules.replay import replay
from rules.report import make_report
from rules.verdict import Answer, Plan, Report, Status
from rules.wire import dumps, loads
from tests.rules import goldens
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    CUT,
    HOST,
    NO_ANSWER,
    PLAN,
    RELAYS,
    RESOLVERS,
    RULES,
    SILENCE,
    START,
    ZONE,
    World,
    by,
    crl,
    healthy,
    leaf,
    only,
    page,
    rows,
    run,
    shown,
)

DAY = 86_400.0
ONE, TWO = "203.0.113.41", "203.0.113.43"
LIST = HttpFetch(ONE, 80, CRL_HOST, "/issuing.crl", "crl")
ELSEWHERE = replace(LIST, address=TWO)
SHAKE = TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/")


def seen(
    step: Step, evidence: Evidence | None = None, failure: Failure | None = None, at: float = 0.0
) -> Observation:
    return Observation(step, START + at, 0.05, failure, evidence)


def told(*observations: Observation) -> Memory:
    return goldens.memory_of(observations)


# --- the verdict is the replay of the newest answers ------------------------------------------------------------------


@pytest.mark.parametrize("name", goldens.STEADY)
def test_a_memory_of_a_golden_is_judged_like_the_golden(name: str) -> None:
    assert goldens.decided(goldens.usual(name)) == goldens.decided(goldens.golden(name))


@pytest.mark.parametrize("name", goldens.STEADY[::4])
def test_in_whatever_order_the_answers_came(name: str) -> None:
    """First looks before their second looks, as everywhere: a first look makes older second looks void."""
    report, rnd = goldens.recorded(name), Random(name)
    shuffled = rnd.sample(report.observations, len(report.observations))
    memory = told(*sorted(shuffled, key=lambda one: one.step.attempt))
    assert goldens.decided(goldens.judged(memory, report)) == goldens.decided(goldens.golden(name))


def test_a_steady_memory_takes_no_silence_for_a_firewall_that_took_offence() -> None:
    causes = {v.cause for v in goldens.usual(goldens.SWEEP).verdicts}
    assert "path.sweep-detected" not in causes
    assert "tcp.timeout" in causes

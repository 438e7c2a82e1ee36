"""Steps and what was seen: one question is one key."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rules
from rules.model.failure import Failure
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.http_fetch import CrlDigest, CrlScope, HttpFetch
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tcp_connect import TcpConnect
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup
from rules.model.observation import (
    EVIDENCE,
    KINDS,
    STEPS,
    Evidence,
    Observation,
    Step,
    got_through,
    kind_of,
)
from tests.rules.script import CUT, healthy, run, wanting

EACH: tuple[Step, ...] = (
    LocalHost(),
    DnsQuestion("192.0.2.53", "a.example", "A"),
    OsLookup("a.example"),
    TcpConnect("192.0.2.1", 443),
    TlsHandshake("192.0.2.1", 443, "a.example"),
    HttpFetch("192.0.2.1", 80, "a.example", "/"),
    TrustLookup(b"\x30\x00"),
)


def test_the_tables_hold_every_kind_with_its_evidence() -> None:
    assert {kind.step for kind in KINDS} == set(get_args(Step)) == {type(step) for step in EACH}
    assert {kind.evidence for kind in KINDS} == set(get_args(Evidence))
    assert len(KINDS) == len(STEPS) == len(EVIDENCE) == len(get_args(Step))
    assert all(kind_of(step).step is type(step) for step in EACH)


def test_what_got_through() -> None:
    failure, facts = wanting((b"x",))
    ended = Observation(EACH[4], 0.0, 0.1, failure, facts)
    assert got_through(ended)
    assert got_through(dataclasses.replace(ended, failure=None))
    assert not got_through(dataclasses.replace(ended, evidence=None))
    assert not got_through(dataclasses.replace(ended, failure=CUT))


@pytest.mark.parametrize("step", EACH)
def test_a_step_is_a_key_and_a_repeat_is_another(step: Step) -> None:
    assert {step: 1}[dataclasses.replace(step)] == 1
    assert dataclasses.replace(step, attempt=2) != step
    assert step.attempt == 1


@given(st.text(max_size=9), st.text(max_size=9), st.integers(1, 65535))
def test_what_is_asked_differently_is_another_step(one: str, other: str, port: int) -> None:
    first, second = TlsHandshake(one, port, other), TlsHandshake(other, port, one)
    assert (first == second) is (one == other)
    assert len({first, second}) == (1 if one == other else 2)


def test_what_opens_a_connection_is_what_the_pace_counts() -> None:
    assert {type(step) for step in EACH if kind_of(step).connects} == {
        TcpConnect,
        TlsHandshake,
        HttpFetch,
    }


def test_evidence_of_a_run_is_of_its_step_s_kind() -> None:
    for step, seen in run(healthy()).seen.items():
        assert seen.step == step
        assert seen.evidence is None or isinstance(seen.evidence, kind_of(step).evidence)


def test_an_observation_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Observation(LocalHost(), 0.0, 0.0).elapsed = 1.0  # type: ignore[misc]


def _read() -> frozenset[str]:
    """Names of attributes that judgements and exporters read."""
    root = Path(rules.__file__).parent.parent
    files = [f for room in ("rules", "exporters") for f in (root / room).rglob("*.py")]
    trees = [ast.parse(f.read_text("utf-8")) for f in files if f.parent.name != "files"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    told = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(
        told | {name for node in nodes if isinstance(node, ast.MatchClass) for name in node.kwd_attrs}
    )


def test_what_is_collected_is_judged_or_told() -> None:
    """Evidence without a reader would be measured for nothing: each field has a reader outside the recording."""
    read = _read()
    kinds = (*EVIDENCE.values(), Observation, Failure, CrlDigest, CrlScope)
    assert {
        (kind.__name__, f.name) for kind in kinds for f in dataclasses.fields(kind) if f.name not in read
    } == set()

"""When an answer is doubtful, and which second looks tell more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.audit.guard import MAX_CONTROLS, MAX_EXTRA_NAMES, MAX_SHARED, SharedAddresses, Suspicions
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Evidence, Observation
from rules.pki.trust import ChainJudgement, ChainVerdict
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CONTROL,
    CUT,
    PLAN,
    RELAYS,
    SILENCE,
    ZONE,
    healthy,
    page,
    run,
)

STEP = TlsHandshake("203.0.113.1", 443, "login.example", path="/")


def judgement(verdict: ChainVerdict, key: str = "aa") -> ChainJudgement:
    return ChainJudgement(verdict, issuing_key=key)


NAMES = ("a.servicebus.windows.net", "b.servicebus.windows.net", "x.msappproxy.net", "login.example")


def leading(*names: str, address: str = STEP.address) -> SharedAddresses:
    mine = SharedAddresses()
    for name in names:
        mine.leads(name, (address,))
    mine.silent.add(address)
    return mine


def test_port_80_is_asked_where_unrelated_names_lead_and_nothing_else_tells() -> None:
    found = list(leading(*NAMES).pages(4))
    assert [(f.address, f.port, f.target, f.purpose) for f in found] == [(STEP.address, 80, "/", "reach")] * 2
    assert len({f.host.partition(".")[2] for f in found}) == 2
    assert list(leading(*reversed(NAMES)).pages(4)) == found, "whichever was resolved first"
    assert list(leading(*NAMES[:2]).pages(2)) == [], "one zone"
    assert list(leading(*NAMES).pages(5)) == [], "a name is not resolved yet"
    certain = leading(*NAMES)
    certain.silent.clear()
    assert list(certain.pages(4)) == [], "something shows a certificate there"


def test_a_few_addresses_are_asked_those_with_the_most_names_first() -> None:
    mine = SharedAddresses()
    for number in range(9):
        for name in NAMES[: 4 if number == 7 else 3]:
            mine.leads(name, (f"203.0.113.{number}",))
        mine.silent.add(f"203.0.113.{number}")
    asked = dict.fromkeys(f.address for f in mine.pages(4))
    assert list(asked) == ["203.0.113.7", "203.0.113.0", "203.0.113.1", "203.0.113.2"]
    assert len(asked) == MAX_SHARED


def test_a_dropped_service_asks_nothing_of_port_80() -> None:
    audit = run(healthy().when(TlsHandshake, SILENCE))
    assert not [s for s in audit.seen if isinstance(s, HttpFetch) and s.host in (BOOTSTRAP, *RELAYS)]


@pytest.mark.parametrize(
    ("verdict", "doubtful"),
    [("genuine", False), ("issuer-unexpected", False), ("untrusted", True), ("self-signed", True),
     ("intercepted", True), ("incomplete-chain", True), ("malformed", True)],
)  # fmt: skip
def test_only_a_known_key_is_beyond_doubt(verdict: ChainVerdict, doubtful: bool) -> None:
    assert Suspicions(PLAN).doubtful(judgement(verdict)) is doubtful


def test_the_control_asks_the_same_address_for_a_name_on_no_rule() -> None:
    control = Suspicions(PLAN).control(STEP, judgement("intercepted"))
    assert control == TlsHandshake(STEP.address, 443, CONTROL)


def test_an_address_has_one_control_for_a_key_and_a_key_a_few() -> None:
    mine = Suspicions(PLAN)
    steps = [replace(STEP, address=f"203.0.113.{n}") for n in (1, 1, 2, 3, 4, 5)]
    assert sum(mine.control(s, judgement("intercepted")) is not None for s in steps) == MAX_CONTROLS
    assert mine.control(steps[-1], judgement("intercepted", "bb")) is not None


def test_no_control_of_a_control_of_an_extra_or_without_a_name() -> None:
    bad = judgement("intercepted")
    assert Suspicions(PLAN).control(replace(STEP, server_name=CONTROL), bad) is None
    assert Suspicions(PLAN).control(replace(STEP, hello="large"), bad) is None
    assert Suspicions(replace(PLAN, control_name="")).control(STEP, bad) is None


@pytest.mark.parametrize(
    ("failure", "asks"),
    [
        (CUT, True),
        (Failure(Stage.TLS, Code.EOF), True),
        (Failure(Stage.TLS, Code.ALERT, alert=70), True),
        (Failure(Stage.TLS, Code.ALERT, alert=40), True),
        (Failure(Stage.TLS, Code.ALERT, alert=112), False),
        (Failure(Stage.TLS, Code.TIMEOUT), False),
        (SILENCE, False),
        (Failure(Stage.TCP, Code.RESET), False),
        (None, False),
    ],
)
def test_when_tls_1_3_is_worth_a_try(failure: Failure | None, asks: bool) -> None:
    assert Suspicions(PLAN).version(Observation(STEP, 0, 0.1, failure)) is asks


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (SILENCE, True),
        (BLOCKED, True),
        (page(302, location="http://portal.corp.example/"), True),
        (page(404), False),
        (page(200, b"\x30\x03"), False),
        (page(301, location="http://www.login.example/"), False),
    ],
)
def test_when_an_exchange_is_repeated(answer: Evidence | Failure, again: bool) -> None:
    failed = isinstance(answer, Failure)
    step = HttpFetch("203.0.113.1", 80, "login.example", "/")
    seen = Observation(step, 0, 0.1, answer if failed else None, None if failed else answer)  # type: ignore[arg-type]
    assert Suspicions(PLAN).page(seen) is again


def test_extras_are_for_the_first_address_of_a_few_service_names_whoever_answers_first() -> None:
    audit = run(healthy(), pick=lambda waiting: waiting - 1)
    extra = {
        (s.server_name, s.address)
        for s in audit.seen
        if isinstance(s, TlsHandshake) and s.hello != "connector"
    }
    assert extra == {(name, ZONE[name][0]) for name in (BOOTSTRAP, *RELAYS)}
    assert len({name for name, _ in extra}) <= MAX_EXTRA_NAMES

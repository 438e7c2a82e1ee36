"""The appliance's memory: its verdict is the replay of the newest answers, and it is bounded by what was seen in a day."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.audit.machine import Audit
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import OS, DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation, Step
from rules.watch.memory import (
    DEAD_STREAK,
    MAX_LAST_GOOD,
    MOST,
    REMEMBERED,
    ROUND,
    TRACKED,
    Memory,
    document_of,
)
from tests.lab.live import sampled
from tests.rules import goldens
from tests.rules.goldens import NAMING, question, resolves, rotating, seen
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CRL_HOST,
    CUT,
    HOST,
    NO_ANSWER,
    PLAN,
    RESOLVERS,
    RULES,
    SILENCE,
    START,
    ZONE,
    crl,
    leaf,
    page,
    shown,
    wanting,
)

DAY = 86_400.0
ONE, TWO = "203.0.113.41", "203.0.113.43"
LIST = HttpFetch(ONE, 80, CRL_HOST, "/issuing.crl", "crl")
ELSEWHERE = replace(LIST, address=TWO)
SHAKE = TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/")


def told(*observations: Observation) -> Memory:
    return goldens.memory_of(observations)


# --- the verdict is the replay of the newest answers ------------------------------------------------------------------


@sampled(goldens.STEADY)
def test_a_memory_of_a_golden_is_judged_like_the_golden(name: str) -> None:
    assert goldens.decided(goldens.usual(name)) == goldens.decided(goldens.golden(name))


@sampled(goldens.STEADY[::4])
def test_in_whatever_order_the_answers_came(name: str) -> None:
    """First looks before their second looks, as everywhere: a first look makes older second looks void."""
    report, rnd = goldens.recorded(name), Random(name)
    shuffled = rnd.sample(report.observations, len(report.observations))
    memory = told(*sorted(shuffled, key=lambda one: one.step.attempt))
    assert goldens.decided(goldens.judged(memory, report)) == goldens.decided(goldens.golden(name))


def test_a_steady_memory_takes_no_silence_for_a_firewall_that_took_offence() -> None:
    causes = {v.cause.word for v in goldens.usual(goldens.SWEEP).verdicts}
    assert "path.sweep-detected" not in causes
    assert "tcp.timeout" in causes


# --- one answer after the other ------------------------------------------------------------------------------------------


def test_only_an_answer_that_means_something_else_is_news() -> None:
    memory = Memory()
    assert memory.record(seen(SHAKE, None, SILENCE))
    assert not memory.record(seen(SHAKE, None, SILENCE, at=60))
    assert memory.record(seen(SHAKE, None, CUT, at=120))
    assert memory.known == {SHAKE: seen(SHAKE, None, CUT, at=120)}


@pytest.mark.parametrize(("second", "then"), [(CUT, SILENCE), (CUT, None), (SILENCE, CUT), (None, CUT)])
def test_a_new_first_look_makes_old_second_looks_void(second: Failure | None, then: Failure | None) -> None:
    again = replace(SHAKE, attempt=2)
    memory = told(seen(SHAKE, None, CUT), seen(again, None, second, at=1))
    assert memory.get(again) is not None
    memory.record(seen(SHAKE, None, then, at=60))
    assert memory.get(again) is None
    assert memory.record(seen(again, None, second, at=61)), "it is news again"


def test_a_second_look_that_agreed_stands_while_the_first_look_stays_the_same() -> None:
    """Else some second look is wanted at every judgement where much fails, and no change is ever confirmed."""
    again = replace(SHAKE, attempt=2)
    memory = told(seen(SHAKE, None, CUT), seen(again, None, CUT, at=1))
    assert not memory.record(seen(SHAKE, None, CUT, at=60))
    assert memory.get(again) == seen(again, None, CUT, at=1)
    memory.record(seen(SHAKE, None, None, at=120))
    assert memory.get(again) is None


def test_what_is_known_of_the_host_stands_when_it_cannot_be_looked_at() -> None:
    """Without a descriptor nothing is read, and that is no host without targets."""
    memory, failed = told(seen(LocalHost(), HOST)), Failure(Stage.LOCAL, Code.NO_DESCRIPTORS)
    assert not memory.record(seen(LocalHost(), None, failed, at=60))
    known = memory.get(LocalHost())
    assert known is not None
    assert known.evidence == HOST
    assert memory.record(seen(LocalHost(), replace(HOST, route_v4=False), at=120))
    assert Memory().record(seen(LocalHost(), None, failed))


def test_what_was_dropped_is_asked_again_and_is_news() -> None:
    memory = told(seen(SHAKE, None, CUT), seen(LIST, crl()))
    memory.drop([SHAKE, LIST, ELSEWHERE])
    assert memory.get(SHAKE) is memory.get(LIST) is memory.get(ELSEWHERE) is None
    assert memory.record(seen(SHAKE, None, CUT, at=1))


def test_what_was_shown_before_is_kept_once() -> None:
    other = replace(SHAKE, address="203.0.113.2")
    memory = told(
        seen(SHAKE, shown(tuple(bytes(der) for der in leaf(BOOTSTRAP).chain))),
        seen(other, shown(tuple(bytes(bytearray(der)) for der in leaf(BOOTSTRAP).chain))),
    )
    chains = [facts.chain for s in (SHAKE, other) if isinstance(facts := memory.known[s].evidence, TlsFacts)]
    assert chains[0] is chains[1]
    first, again = resolves("a.test", "192.0.2.1"), resolves("a.test", "192.0.2.1", at=60.0)
    assert (held := told(first, again).known[first.step]) == again
    assert [held.evidence is first.evidence, held.step is first.step] == [True, True]


def test_a_handshake_without_the_get_keeps_what_the_last_get_said() -> None:
    memory = told(seen(SHAKE, shown((b"x",), http_status=403, client_certificate_asked=True)))
    bare = replace(SHAKE, path=None)
    made = memory.with_last_get(seen(bare, shown((b"x",)), at=60), SHAKE)
    assert made.step == SHAKE
    assert made.started == START + 60
    assert not memory.record(made)
    failed = memory.with_last_get(seen(bare, TlsFacts(0.01), CUT, at=120), SHAKE)
    assert isinstance(failed.evidence, TlsFacts)
    assert failed.evidence.http_status is None
    assert memory.record(failed)


def test_a_second_look_with_a_get_agrees_with_a_first_look_that_has_none() -> None:
    again = replace(SHAKE, attempt=2)
    memory = told(seen(SHAKE, shown((b"x",))), seen(again, shown((b"x",), http_status=503), at=1))
    memory.record(seen(SHAKE, shown((b"x",)), at=60))
    assert memory.get(again) is not None
    memory.record(seen(SHAKE, shown((b"y",)), at=120))
    assert memory.get(again) is None


# --- documents -------------------------------------------------------------------------------------------------------------


def test_a_document_of_one_address_stands_in_for_another() -> None:
    memory = told(seen(LIST, crl()))
    found = memory.get(ELSEWHERE)
    assert found is not None
    assert found.stale
    assert found.step == ELSEWHERE
    assert found.evidence == crl()
    assert memory.get(replace(ELSEWHERE, target="/other.crl")) is None
    assert memory.get(replace(ELSEWHERE, attempt=2)) is None, "a second look is one at this very address"


@pytest.mark.parametrize(
    "step", [SHAKE, replace(LIST, purpose="reach"), DnsQuestion("192.0.2.1", "a.test", "A")]
)
def test_what_is_no_document_stands_for_itself_alone(step: Step) -> None:
    assert document_of(step) is None


@pytest.mark.parametrize(("hello", "end"), [("tls13", None), ("large", None), ("large", wanting((b"x",)))])
def test_an_extra_hello_is_one_of_the_name(hello: str, end: tuple[Failure, TlsFacts] | None) -> None:
    extra = replace(SHAKE, hello=hello, path=None)  # type: ignore[arg-type]  # a test's short hand
    memory = told(seen(extra, end[1], end[0]) if end else seen(extra, shown((b"x",))))
    other = memory.get(replace(extra, address="203.0.113.2"))
    assert other is not None
    assert other.stale


@pytest.mark.parametrize("bad", [seen(LIST, None, SILENCE), seen(LIST, page(503)), seen(LIST, BLOCKED)])
def test_only_a_good_document_stands_in(bad: Observation) -> None:
    assert told(bad).get(ELSEWHERE) is None
    assert told(seen(LIST, crl()), replace(bad, started=START + 1)).get(ELSEWHERE) is None, (
        "not after a newer failure"
    )


def test_tries_of_another_round_hide_nothing() -> None:
    memory = told(seen(LIST, crl()), seen(ELSEWHERE, None, SILENCE, at=ROUND / 2))
    assert memory.known.keys() == {LIST, ELSEWHERE}
    memory.record(seen(ELSEWHERE, None, SILENCE, at=ROUND * 2))
    assert memory.known.keys() == {ELSEWHERE}


# --- resolvers, and the addresses of before ------------------------------------------------------------------------------

HOSTS = tuple(ZONE)


@pytest.mark.parametrize("code", [Code.TIMEOUT, Code.REFUSED, Code.UNREACHABLE, Code.NO_ROUTE])
def test_a_resolver_is_dead_when_several_names_in_a_row_met_no_answer(code: Code) -> None:
    memory, failure = Memory(), Failure(Stage.DNS, code)
    for number in range(DEAD_STREAK):
        assert memory.dead_resolvers(100) == ()
        memory.record(seen(question(f"n{number}.test"), None, failure))
    assert memory.dead_resolvers(100) == (RESOLVERS[0],)
    memory.record(resolves("n1.test", "203.0.113.1"))
    assert memory.dead_resolvers(100) == ()
    assert memory.unanswered_names(RESOLVERS[0]) == 0


def test_one_silent_name_is_no_dead_resolver_but_where_there_is_only_one() -> None:
    memory = told(*(seen(question("same.test"), None, NO_ANSWER, at=n) for n in range(20)))
    assert memory.dead_resolvers(100) == ()
    assert memory.dead_resolvers(1) == (RESOLVERS[0],)


@pytest.mark.parametrize("code", [Code.STARVED, Code.NO_DESCRIPTORS, Code.BUG])
def test_a_fault_of_ours_says_nothing_about_a_resolver(code: Code) -> None:
    memory = told(*(seen(question(f"n{n}.test"), None, Failure(Stage.LOCAL, code)) for n in range(9)))
    assert memory.dead_resolvers(9) == ()
    silent = told(*(seen(question(f"n{n}.test"), None, NO_ANSWER) for n in range(9)))
    silent.record(seen(question("a.test"), None, Failure(Stage.LOCAL, code)))
    assert silent.dead_resolvers(9) == (RESOLVERS[0],)


def test_the_operating_system_is_a_resolver_like_others() -> None:
    memory = told(*(seen(OsLookup(f"n{n}.test"), OsAnswer((), "EAI_AGAIN")) for n in range(DEAD_STREAK)))
    assert memory.dead_resolvers(100) == (OS,)
    memory.record(seen(OsLookup("a.test"), OsAnswer((), "EAI_NONAME")))
    assert memory.dead_resolvers(100) == ()


def test_addresses_of_before_are_told_only_where_no_living_resolver_resolves() -> None:
    name, second = "a.test", RESOLVERS[1]
    memory = told(resolves(name, "203.0.113.1"), resolves(name, "203.0.113.2", resolver=second, at=1))
    assert memory.last_addresses([name]) == ()
    memory.record(seen(question(name), None, NO_ANSWER, at=2))
    assert memory.last_addresses([name]) == ()
    memory.record(seen(question(name, second), DnsAnswer("SERVFAIL"), at=3))
    assert memory.last_addresses([name, "b.test"]) == ((name, ("203.0.113.2", "203.0.113.1")),)


def test_what_a_dead_resolver_said_last_does_not_count() -> None:
    memory = told(resolves("a.test", "203.0.113.1"), resolves("b.test", "203.0.113.2", resolver=RESOLVERS[1]))
    assert memory.last_addresses(["a.test", "b.test"], dead=[RESOLVERS[0]]) == (("a.test", ("203.0.113.1",)),)


def test_an_alias_that_is_followed_counts_as_resolved() -> None:
    alias = DnsAnswer("NOERROR", (Record("a.test", "CNAME", 60, "b.test"),))
    memory = told(resolves("a.test", "203.0.113.1"), seen(question("a.test"), alias, at=1))
    assert memory.last_addresses(["a.test"]) == ()


# --- forgetting --------------------------------------------------------------------------------------------------------------


def test_what_was_not_met_for_a_day_is_forgotten() -> None:
    memory = told(
        seen(SHAKE, None, SILENCE),
        seen(replace(SHAKE, attempt=2), None, SILENCE, at=1),
        seen(LIST, crl()),
        resolves("a.test", "203.0.113.1"),
    )
    assert memory.forget(START + TRACKED - 1) == 0
    assert memory.forget(START + TRACKED + 2) == 4
    assert len(memory) == 0
    assert not any(goldens.sizes(memory).values()), "no index is left behind"


def test_facts_of_the_host_do_not_age() -> None:
    assert told(seen(LocalHost(), HOST)).forget(START + 2 * DAY) == 0


def test_addresses_of_a_name_that_is_asked_for_in_vain_live_for_a_week() -> None:
    memory = told(resolves("a.test", "203.0.113.1"))
    for day in range(1, 7):
        memory.record(seen(question("a.test"), None, NO_ANSWER, at=day * DAY))
        memory.forget(START + day * DAY)
    assert memory.last_addresses(["a.test"]) == (("a.test", ("203.0.113.1",)),)
    memory.record(seen(question("a.test"), None, NO_ANSWER, at=REMEMBERED + 1))
    memory.forget(START + REMEMBERED + 1)
    assert memory.last_addresses(["a.test"]) == ()


def test_names_and_addresses_that_rotate_for_days_are_bounded_by_a_day() -> None:
    """100,000 observations, a round of five every 20 s, for nearly five days; the retention looks once an hour."""
    memory, every, highest = Memory(), 20.0, 0
    rounds_a_day = int(DAY / every)
    for number in range(20_000):
        for one in rotating(number, number * every):
            memory.record(one)
        if number % 180 == 0:
            memory.forget(START + number * every)
            highest = max(highest, len(memory))
    assert rounds_a_day < highest < rounds_a_day + MOST + 4 * 180
    memory.forget(START + 20_000 * every)
    found = goldens.sizes(memory)
    assert found["_of_name"] <= rounds_a_day + 2
    assert found["_repeats"] <= rounds_a_day + 2
    assert found["_of_document"] == 1
    assert found["_of_document inside"] <= ROUND / every + 1
    assert found["_last_good"] <= rounds_a_day + 2
    assert found["_last_good inside"] <= rounds_a_day + 2 + 2 * MAX_LAST_GOOD
    memory.forget(START + 20_000 * every + 2 * DAY)
    assert not any(goldens.sizes(memory).values())


def test_a_name_with_a_thousand_addresses_is_remembered_by_a_few() -> None:
    memory = Memory()
    for number in range(50):
        addresses = [f"198.18.{number}.{n}" for n in range(250)]
        memory.record(resolves("a.test", *addresses, at=number))
    memory.record(seen(question("a.test"), None, NO_ANSWER, at=60))
    ((_, found),) = memory.last_addresses(["a.test"])
    assert len(found) == MAX_LAST_GOOD
    assert {address.rpartition(".")[0] for address in found} == {"198.18.49"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200_000)), max_size=60))
def test_indexes_hold_what_is_known_and_nothing_else(script: list[tuple[int, int]]) -> None:
    memory, at = Memory(), 0.0
    for number, passed in script:
        at += passed
        for one in rotating(number % 7, at):
            memory.record(one)
        if number % 3 == 0:
            memory.forget(START + at)
        if number % 5 == 0:
            memory.drop(list(memory.known)[:2])
    known = set(memory.known)
    assert memory._essence.keys() == known
    named = {s for steps in memory._of_name.values() for s in steps}
    assert named == {s for s in known if isinstance(s, NAMING)}
    assert {s for steps in memory._of_document.values() for s in steps} == {
        s for s in known if document_of(s)
    }
    assert {s for steps in memory._repeats.values() for s in steps} == {s for s in known if s.attempt > 1}


def test_a_clock_that_is_set_ages_nothing() -> None:
    """A clock that was set: five years back; what the new clock has measured already is left alone."""
    years, again = 5 * 365 * DAY, replace(SHAKE, attempt=2)
    memory = told(seen(SHAKE, None, SILENCE), seen(LIST, crl()), seen(again, None, SILENCE, at=50 - years))
    memory.clock_was_set(-years, START + 60 - years)
    assert memory.known[SHAKE].started == START - years
    assert memory.known[again].started == START + 50 - years
    found = memory.get(ELSEWHERE)
    assert found is not None
    assert found.started == START - years
    assert memory.forget(START + 60 - years) == 0


def test_a_copy_stays_as_it_was() -> None:
    memory = told(seen(LIST, crl()), seen(SHAKE, None, SILENCE))
    twin = memory.copy()
    memory.record(seen(LIST, None, SILENCE, at=1))
    memory.drop([SHAKE])
    assert twin.get(LIST) == seen(LIST, crl())
    assert twin.get(SHAKE) is not None
    found = twin.get(ELSEWHERE)
    assert found is not None
    assert found.stale


def test_a_day_at_the_full_rate_takes_little() -> None:
    """Every connection of a day (one every two seconds) to an address of its own, and its DNS answer."""
    chain = leaf(BOOTSTRAP).chain
    tracemalloc.start()
    memory = Memory()
    for number in range(4_320):  # a tenth of a day
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        memory.record(seen(replace(SHAKE, address=address), shown(chain, http_status=403), at=number * 2))
        memory.record(resolves(BOOTSTRAP, address, at=number * 2))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(memory) == 4_321
    assert taken < 8_000_000, "a whole day stays below 80 MB"


def test_the_plan_tells_what_is_known_now() -> None:
    memory = goldens.began(SILENCE, *NAMING)
    plan = memory.plan(PLAN, HOSTS)
    assert plan.steady
    assert set(plan.dead) == {*RESOLVERS, OS}
    assert dict(plan.last_good) == ZONE
    audit = Audit(RULES, plan, memory)
    assert audit.stopped == "no-resolver"
    assert audit.host == HOST

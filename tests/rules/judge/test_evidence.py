"""What the judgements share: ids, evidence, the time to judge at, pages and canaries."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.machine import Audit
from rules.files.report_json import dumps, loads
from rules.judge.clock import CLOCK_NOTICE, CLOCK_SPREAD, MIN_CLOCKS
from rules.judge.evidence import Context
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    CUT,
    ISSUING,
    PLAN,
    PUBLIC,
    QUIET,
    RESOLVERS,
    RULES,
    SIGN_IN,
    START,
    ZONE,
    by,
    healthy,
    judged,
    leaf,
    page,
    run,
    shown,
)


def clocks(*behind: float) -> Context:
    """One host after the other, each so many seconds behind this host's clock."""
    audit = Audit(RULES, QUIET)
    for n, seconds in enumerate(behind):
        stamp = formatdate(START - seconds, usegmt=True)
        step = HttpFetch("203.0.113.1", 80, f"h{n}.example", "/")
        audit.record(Observation(step, START, 0.0, None, page(404, date=stamp)))
    return Context(audit, START)


def test_ids_count_observations_by_their_start() -> None:
    audit = Audit(RULES, QUIET)
    late, early = HttpFetch("203.0.113.1", 80, "b", "/"), HttpFetch("203.0.113.1", 80, "a", "/")
    audit.record(Observation(late, START + 2, 0.1, CUT))
    audit.record(Observation(early, START + 1, 0.1, CUT))
    context = Context(audit, START)
    assert context.ids == {early: "o1", late: "o2"}
    first, second = context.observations
    assert context.evidence(second, None, first, second) == ("o2", "o1")


def test_both_attempts_belong_to_a_step() -> None:
    audit = run(healthy().when(TlsHandshake, CUT, server_name=SIGN_IN), plan=QUIET)
    context = Context(audit, START)
    step = TlsHandshake("203.0.113.21", 443, SIGN_IN)
    assert [s.step.attempt for s in context.seen(step)] == [1, 2]
    assert context.seen(replace(step, address="203.0.113.99")) == ()


# --- the clock ---------------------------------------------------------------------------------------------------


def test_what_only_port_80_tells_is_told_and_judged_by_by_nobody() -> None:
    context = clocks(600, 601, 605)
    assert context.skew == 601
    assert (context.clock.basis, context.now) == ("port-80", START)


def sessions(*behind: float, outside: float = 0.0) -> Context:
    """The same inside genuine sessions of as many hosts; port 80 of seven hosts says `outside`."""
    world = healthy()
    for name, seconds in zip(ZONE, behind, strict=False):
        stamp = ("date", formatdate(START + 0.05 - seconds, usegmt=True))
        authority = PUBLIC if name == SIGN_IN else ISSUING
        world.when(TlsHandshake, shown(leaf(name, authority).chain, http_headers=(stamp,)), server_name=name)
    audit = run(world, plan=QUIET)
    for n in range(7):
        step = HttpFetch("203.0.113.1", 80, f"h{n}.example", "/")
        stamped = page(404, date=formatdate(START - outside, usegmt=True))
        audit.record(Observation(step, START, 0.0, None, stamped))
    return Context(audit, START)


def test_a_date_of_a_genuine_session_outweighs_those_of_port_80() -> None:
    assert sessions(0, outside=20 * 86_400.0).skew == 0
    assert sessions(0, 0, 0).clock.basis == "right"
    assert sessions(0, 0, 0, outside=3600).skew == 0
    context = sessions(600, outside=600)
    assert context.skew == pytest.approx(600, abs=2)
    assert context.clock.basis == "proved"
    assert context.now == START - context.skew
    assert sessions(600, 600, 600, outside=0).skew == pytest.approx(600, abs=2)


@pytest.mark.parametrize("behind", [(), (600,), (600, 600), (0, 600, 5000), (0, 1, 600), (100, 100, 100)])
def test_too_few_or_quarrelling_clocks_prove_nothing(behind: tuple[float, ...]) -> None:
    assert clocks(*behind).now == START


def test_one_liar_among_many_is_outvoted() -> None:
    assert clocks(0, 0, 0, 90_000).skew == 0
    assert clocks(600, 600, 600, 90_000).skew == 600


def test_two_answers_of_one_host_are_one_clock() -> None:
    audit = Audit(RULES, QUIET)
    for target in ("/a", "/b", "/c"):
        step = HttpFetch("203.0.113.1", 80, "h.example", target)
        audit.record(
            Observation(step, START, 0.0, None, page(404, date=formatdate(START - 900, usegmt=True)))
        )
    assert Context(audit, START).skew == 0


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT", "-1", "\x00", "9" * 400])
def test_a_date_that_is_none_is_ignored(date: str) -> None:
    audit = Audit(RULES, QUIET)
    for n in range(MIN_CLOCKS):
        step = HttpFetch("203.0.113.1", 80, f"h{n}.example", "/")
        audit.record(Observation(step, START, 0.0, None, page(404, date=date)))
    context = Context(audit, START)
    assert (context.skew, context.clock.answers) == (0.0, ())


@pytest.mark.parametrize("zone", ["CEST", "MESZ", "", "J", "+9999"])
def test_a_zone_that_nobody_knows_tells_no_time_and_never_this_hosts(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    audit = Audit(RULES, QUIET)
    stamp = formatdate(START - 7200).removesuffix("-0000") + zone
    for n in range(MIN_CLOCKS):
        step = HttpFetch("203.0.113.1", 80, f"h{n}.example", "/")
        audit.record(Observation(step, START, 0.0, None, page(404, date=stamp)))
    context = Context(audit, START)
    assert (context.skew, context.clock.answers) == (0.0, ())


@pytest.mark.parametrize("year", [1, 1601, 1969, 3001, 9999])
def test_a_peers_date_at_the_ends_of_time_ends_no_audit(year: int) -> None:
    date = f"Mon, 01 Jan {year:04} 00:00:00 GMT"
    world = healthy().when(HttpFetch, page(404, date=date))
    for name in ZONE:
        world.when(TlsHandshake, shown(leaf(name).chain, http_headers=(("date", date),)), server_name=name)
    report = judged(world)
    assert loads(dumps(report)).answer is report.answer


@given(st.lists(st.integers(-100_000, 100_000), max_size=7))
def test_a_skew_is_one_that_enough_clocks_show(behind: list[int]) -> None:
    skew = clocks(*behind).skew
    if skew:
        assert abs(skew) > CLOCK_NOTICE
        assert sum(abs(b - skew) <= CLOCK_SPREAD + 1 for b in behind) >= MIN_CLOCKS


# --- pages, canaries, interception -------------------------------------------------------------------------------


def test_twins_are_unrelated_hosts_with_the_very_same_page() -> None:
    html = page(200, b"<html>one page</html>", content_type="text/html")
    audit = Audit(RULES, QUIET)
    seen = [
        Observation(HttpFetch("203.0.113.1", 80, host, "/"), START, 0.1, None, answer)
        for host, answer in (("a.one.example", html), ("b.two.test", html), ("c.one.example", html),
                             ("d.three.test", page(200, b"<html>another</html>", content_type="text/html")))
    ]  # fmt: skip
    for one in seen:
        audit.record(one)
    context = Context(audit, START)
    assert context.same_page_hosts(seen[0]) == ("b.two.test",)
    assert context.same_page_hosts(seen[1]) == ("a.one.example", "c.one.example")
    assert context.same_page_hosts(seen[3]) == ()


def test_a_canary_that_a_resolver_answers_is_kept_by_resolver() -> None:
    name = f"wayclear-{PLAN.nonce}.example.com"
    made_up = DnsAnswer("NOERROR", (Record(name, "A", 60, "203.0.113.200"),))
    audit = run(healthy().when(DnsQuestion, made_up, name=name, resolver=RESOLVERS[1]))
    assert Context(audit, START).canaries == {RESOLVERS[1]: frozenset({"203.0.113.200"})}
    assert Context(run(healthy()), START).canaries == {}


def test_an_interceptor_is_found_once_and_by_each_of_its_handshakes() -> None:
    context = Context(run(healthy().when(TlsHandshake, by(CORPORATE)), plan=QUIET), START)
    (finding,) = context.interceptions
    assert {context.intercepted[i] for i in finding.handshakes} == {finding}
    assert BOOTSTRAP in finding.names
    assert PLAN.control_name in finding.controls


def test_a_handshake_without_a_chain_has_no_judgement() -> None:
    context = Context(run(healthy(), plan=QUIET), START)
    step = TlsHandshake("203.0.113.1", 443, BOOTSTRAP)
    assert context.judgement(Observation(step, START, 0.1, CUT)) is None
    assert context.judgement(Observation(step, START, 0.1, None, shown(()))) is None
    judged = context.judgement(Observation(step, START, 0.1, None, shown(leaf(BOOTSTRAP).chain)))
    assert judged is not None
    assert judged.proven

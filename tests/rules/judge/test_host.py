"""Findings of this host and the way as a whole: one each, whatever they touch."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

import pytest

from rules.audit.machine import Audit
from rules.judge.report import make_report
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step
from rules.model.ruleset import Group
from rules.model.verdict import Report, Status
from tests.rules.script import (
    ALL,
    CUT,
    HOST,
    ISSUING,
    NO_ANSWER,
    PLAN,
    QUIET,
    RELAYS,
    RESOLVERS,
    RULES,
    SIGN_IN,
    SILENCE,
    START,
    ZONE,
    Answer,
    World,
    healthy,
    judged,
    leaf,
    of_host,
    page,
    rows,
    rule,
    rules_of,
    shown,
)

DUAL = replace(HOST, route_v6=True)
BOTH = {name: (*found, f"2001:db8::{n:x}") for n, (name, found) in enumerate(ZONE.items(), 1)}
V6 = tuple(found[-1] for found in BOTH.values())


def test_nothing_is_said_of_a_host_that_is_well() -> None:
    assert of_host(judged(healthy())) == []


# --- audits that could not begin ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        (healthy(facts=replace(HOST, route_v4=False)), "local.no-route"),
        (healthy().when((DnsQuestion, OsLookup), NO_ANSWER), "local.no-resolver"),
        (healthy(zone={}), "local.no-resolver"),
        (healthy().when(DnsQuestion, DnsAnswer("REFUSED")).when(OsLookup, NO_ANSWER), "local.no-resolver"),
    ],
)
def test_a_machine_without_a_network_is_told_in_one_cause(world: World, cause: str) -> None:
    report = judged(world)
    assert [c.cause.word for c in report.causes] == [cause]
    assert report.exit_code == 3
    assert {v.status for v in report.verdicts} == {Status.INCONCLUSIVE}


def test_a_resolver_that_knows_no_public_name_is_told_apart_from_a_silent_one() -> None:
    assert "answers, but knows no public name" in judged(healthy(zone={})).causes[0].summary
    silent = judged(healthy().when((DnsQuestion, OsLookup), NO_ANSWER))
    assert "No resolver answers" in silent.causes[0].summary


def test_nobody_waited_for_the_resolvers_of_an_interrupted_audit() -> None:
    audit = Audit(RULES, QUIET)
    audit.record(Observation(LocalHost(), START, 0.0, None, HOST))
    audit.stop("interrupted")
    report = make_report(audit, START, START + 1, "0")
    assert {v.cause.word for v in report.verdicts if v.endpoint and "*" not in v.endpoint.host} == {
        "audit.not-reached"
    }
    assert not any(v.cause.word.startswith("local.") for v in report.verdicts)


def stopped_early(reason: str, world: World, names: int) -> Report:
    """An audit that ends when `names` names were answered by the resolvers, and before the system's own lookups were."""
    audit, asked = Audit(rules_of(*ALL), QUIET), set[str]()
    for _ in range(20):
        for item in audit.ready():
            step = item.step
            if isinstance(step, DnsQuestion):
                asked |= {step.name} if len(asked) < names else set()
                if step.name not in asked:
                    continue
            if not isinstance(step, OsLookup):
                audit.record(world.answer(step))
    audit.stop(reason)
    return make_report(audit, START, START + 9, "0")


@pytest.mark.parametrize(
    "world",
    [healthy(zone={}), healthy().when(DnsQuestion, DnsAnswer("REFUSED"))],
    ids=["nxdomain", "refused"],
)
def test_an_interruption_and_the_budget_tell_the_same_of_a_host_that_resolves_nothing(world: World) -> None:
    found = {
        reason: [(c.cause.word, c.owner) for c in stopped_early(reason, world, 99).causes]
        for reason in ("budget", "interrupted")
    }
    assert found["interrupted"] == found["budget"]
    assert [word for word, _ in found["budget"]] == ["local.no-resolver"]


def test_a_few_names_that_were_answered_before_an_interruption_tell_nothing_of_the_host() -> None:
    report = stopped_early("interrupted", healthy(zone={}), 1)
    assert "local.no-resolver" not in {c.cause.word for c in report.causes}


def test_a_host_that_tells_nothing_of_itself_is_our_own_bug() -> None:
    report = judged(healthy().when(LocalHost, SILENCE))
    assert [(v.status, v.cause.word) for v in report.verdicts] == [(Status.BROKEN, "local.unknown")]


# --- resolvers ---------------------------------------------------------------------------------------------------


def test_one_of_two_resolvers_dead_is_a_warning_and_names_are_judged_on_the_other() -> None:
    report = judged(healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[1]))
    (finding,) = of_host(report)
    assert (finding.status, finding.cause.word) == (Status.WARN, "dns.timeout")
    assert RESOLVERS[1] in finding.summary
    assert {v.status for v in rows(report, check="dns") if v.rule} == {Status.PASS, Status.INCONCLUSIVE}


def test_a_resolver_that_answers_a_name_that_nobody_has() -> None:
    made_up = DnsAnswer("NOERROR", (Record("x", "A", 60, "203.0.113.200"),))
    world = healthy().when(
        DnsQuestion, made_up, name=f"wayclear-{PLAN.nonce}.example.com", resolver=RESOLVERS[0]
    )
    (finding,) = of_host(judged(world))
    assert (finding.status, finding.cause.word) == (Status.WARN, "dns.wildcarded")


def test_an_operating_system_that_resolves_nothing_while_the_resolver_does() -> None:
    slow = judged(healthy().when(OsLookup, NO_ANSWER))
    assert "dns.os-differs" in {v.cause.word for v in slow.verdicts}


# --- families ----------------------------------------------------------------------------------------------------


def test_a_half_configured_ipv6_is_one_finding() -> None:
    world = healthy(facts=DUAL, zone=BOTH)
    for address in V6:
        world.when((TlsHandshake, HttpFetch), SILENCE, address=address)
    report = judged(world, plan=QUIET)
    (finding,) = of_host(report)
    assert (finding.status, finding.cause.word, finding.check) == (Status.WARN, "path.family-broken", "path")
    assert {v.status for v in report.verdicts if v.endpoint and v.endpoint.address in V6} == {
        Status.NOT_APPLICABLE
    }
    assert (report.answer.value, report.exit_code) == ("yes", 1)


def test_one_ipv6_address_that_answers_is_enough_to_judge_the_others() -> None:
    world = healthy(facts=DUAL, zone=BOTH)
    for address in V6[1:]:
        world.when((TlsHandshake, HttpFetch), SILENCE, address=address)
    report = judged(world, plan=QUIET)
    assert "path.family-broken" not in {v.cause.word for v in report.verdicts}
    assert rows(report, SIGN_IN, "tcp", BOTH[SIGN_IN][-1])[0].status is Status.WARN


# --- the clock ---------------------------------------------------------------------------------------------------


def dated(ahead: float) -> Callable[[Step], Answer]:
    """Answers whose Date is `ahead` seconds behind this host's clock."""

    def answer(step: Step) -> Answer:
        stamp = ("date", formatdate(START + 0.05 - ahead, usegmt=True))
        if isinstance(step, TlsHandshake):
            return shown(leaf(step.server_name).chain, http_status=200, http_headers=(stamp,))
        return page(404, date=stamp[1])

    return answer


def off(ahead: float) -> Report:
    return judged(healthy().when((TlsHandshake, HttpFetch), dated(ahead)), plan=QUIET)


@pytest.mark.parametrize(
    ("ahead", "status"), [(600, Status.FAIL), (-7200, Status.FAIL), (180, Status.WARN), (-180, Status.WARN)]
)
def test_a_wrong_clock_is_one_finding_of_this_host(ahead: float, status: Status) -> None:
    found = [v for v in of_host(off(ahead)) if v.cause.word == "local.clock-skew"]
    assert [v.status for v in found] == [status]
    assert ("ahead" in found[0].summary) is (ahead > 0)
    assert found[0].evidence


@pytest.mark.parametrize("ahead", [0, 60, -100])
def test_a_clock_that_is_a_little_off_is_none(ahead: float) -> None:
    assert [v for v in of_host(off(ahead)) if v.cause.word == "local.clock-skew"] == []


def test_a_clock_a_year_ahead_does_not_expire_forty_certificates() -> None:
    report = off(365 * 86400)
    assert [v.cause.word for v in of_host(report) if v.status is Status.FAIL] == ["local.clock-skew"]
    assert "tls.expired" not in {v.cause.word for v in report.verdicts}


BEHIND = 20 * 86400.0  #: seconds by which this host's clock is behind


def young(*telling: str) -> Report:
    """Every certificate begins in ten days by this host's clock. Hosts whose names end so tell that it is behind."""
    world = healthy().when(HttpFetch, dated(-BEHIND) if "" in telling else page(404))
    ten, ninety = datetime.timedelta(days=10), datetime.timedelta(days=90)
    for name in ZONE:
        chain = ISSUING.leaf([name], starts=ten, ends=ninety).chain
        stamp = ("date", formatdate(START + 0.05 + BEHIND, usegmt=True))
        headers = (stamp,) if name.endswith(telling) else ()
        world.when(TlsHandshake, shown(chain, http_status=200, http_headers=headers), server_name=name)
    return judged(world, plan=QUIET)


def test_a_clock_by_which_the_services_certificates_are_not_valid_is_no() -> None:
    report = young("")
    (found,) = [v for v in of_host(report) if v.cause.word == "local.clock-skew"]
    assert (found.status, found.circumstance) == (Status.FAIL, "certificates")
    assert report.answer.value == "no"
    assert "By this host's clock" in report.answer_text
    assert not [v for v in report.verdicts if v.check == "tls" and v.status is Status.FAIL]


def test_a_clock_by_which_they_are_valid_is_not_no() -> None:
    report = off(600)
    (found,) = [v for v in of_host(report) if v.cause.word == "local.clock-skew"]
    assert (found.circumstance, report.answer.value) == ("", "degraded")
    assert "It will start" not in report.answer_text
    assert "not known" in report.answer_text


def test_dates_of_one_zone_are_one_witness() -> None:
    """Three names of one owner tell the time, the others none: the certificates have to show the rest."""
    report = young("servicebus.windows.net")
    (found,) = [v for v in of_host(report) if v.cause.word == "local.clock-skew"]
    assert (found.circumstance, report.answer.value) == ("certificates-alone", "no")
    assert "unrelated hosts" not in report.answer_text


def certified(
    begins: datetime.timedelta, ends: datetime.timedelta, *others: str, date: float | None = None
) -> Report:
    """Port 80 is closed and no server gives the time, but for one that gives `date`. Names that end so have
    certificates of the year around now, the others such as begin and end so long from now."""
    world = healthy().when(HttpFetch, SILENCE)
    year = datetime.timedelta(days=365)
    for name in ZONE:
        dates = (-year, year) if others and name.endswith(others) else (begins, ends)
        chain = ISSUING.leaf([name], starts=dates[0], ends=dates[1]).chain
        stamp = (("date", formatdate(START + 0.05 - date, usegmt=True)),) if date is not None else ()
        tells = name == next(iter(ZONE))
        world.when(
            TlsHandshake, shown(chain, http_status=200, http_headers=stamp if tells else ()), server_name=name
        )
    return judged(world, plan=QUIET)


DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("begins", "ends", "others", "word"),
    [
        (30 * DAY, 120 * DAY, (), "30 days behind"),
        (30 * DAY, 120 * DAY, (SIGN_IN,), "30 days behind"),  # one of a year ago is in date by either clock
        (-DAY, -3 * HOUR, (), "3 h ahead"),
    ],
)
def test_certificates_alone_tell_of_a_wrong_clock(
    begins: datetime.timedelta, ends: datetime.timedelta, others: tuple[str, ...], word: str
) -> None:
    report = certified(begins, ends, *others)
    (found,) = [v for v in of_host(report) if v.cause.word == "local.clock-skew"]
    assert (found.status, found.circumstance) == (Status.FAIL, "certificates-alone")
    assert f"at least {word}" in found.summary
    assert found.evidence
    assert report.answer.value == "no"
    assert "at one other time they all are" in report.answer_text
    assert not [v for v in report.verdicts if v.cause.word.startswith("tls.")]
    (told,) = [c for c in report.causes if c.cause.word == "local.clock-skew"]
    assert (told.owner, told.confidence) == ("host", "likely")


@pytest.mark.parametrize(
    ("begins", "ends", "others", "date", "cause"),
    [
        # a server that is right about the time, were it one
        (30 * DAY, 120 * DAY, (), 0.0, "tls.not-yet-valid"),
        (-DAY, -3 * HOUR, (), 10.0, "tls.expired"),
        # servers forget to renew, each by itself: one that is in date shows that the clock may be right
        (-DAY, -3 * HOUR, (SIGN_IN,), None, "tls.expired"),
        # two names are too few
        (30 * DAY, 120 * DAY, tuple(list(ZONE)[2:]), None, "tls.not-yet-valid"),
        # at no time are all in date
        (500 * DAY, 600 * DAY, (SIGN_IN,), None, "tls.not-yet-valid"),
    ],
)
def test_certificates_that_do_not_tell_of_the_clock(
    begins: datetime.timedelta,
    ends: datetime.timedelta,
    others: tuple[str, ...],
    date: float | None,
    cause: str,
) -> None:
    report = certified(begins, ends, *others, date=date)
    assert not [v for v in report.verdicts if v.cause.word == "local.clock-skew"]
    assert [v for v in report.verdicts if v.cause.word == cause]


def test_one_certificate_at_many_names_is_one_witness() -> None:
    world = healthy().when(HttpFetch, SILENCE)
    chain = ISSUING.leaf(list(ZONE), starts=30 * DAY, ends=120 * DAY).chain
    world.when(TlsHandshake, shown(chain))
    report = judged(world, plan=QUIET)
    assert not [v for v in report.verdicts if v.cause.word == "local.clock-skew"]


def test_dates_on_port_80_do_not_overrule_genuine_certificates() -> None:
    """A device on port 80 whose own clock is a year behind writes every Date there."""
    world = healthy().when(HttpFetch, dated(365 * 86400))
    for n in range(3):
        world.zone[f"h{n}.example"] = (f"203.0.113.{60 + n}",)
    extra = tuple(rule(f"h{n}", f"h{n}.example", Group.VALIDATION, 80) for n in range(3))
    report = judged(world, rules_of(*ALL, *extra), plan=QUIET)
    assert "local.clock-skew" not in {v.cause.word for v in report.verdicts}
    assert not [v for v in report.verdicts if v.check == "tls" and v.status is Status.FAIL]


def test_a_date_that_no_other_host_confirms_is_not_believed() -> None:
    world = healthy().when(HttpFetch, dated(86400)).when(TlsHandshake, dated(0))
    assert "local.clock-skew" not in {v.cause.word for v in judged(world, plan=QUIET).verdicts}


# --- the way -----------------------------------------------------------------------------------------------------


def test_a_device_that_accepts_every_connection() -> None:
    plan = replace(PLAN, canary_address="192.0.2.77:443")
    (finding,) = of_host(judged(healthy().when(TcpConnect, TcpFacts(0.01)), plan=plan))
    assert (finding.status, finding.cause.word) == (Status.WARN, "tcp.accept-all")
    assert of_host(judged(healthy(), plan=plan)) == []


def test_a_large_hello_that_vanishes_is_a_notice_at_most() -> None:
    report = judged(healthy().when(TlsHandshake, SILENCE, hello="large"))
    assert "tls.large-hello-blocked" not in {v.cause.word for v in report.verdicts}, "TCP itself failed"
    cut = judged(healthy().when(TlsHandshake, CUT, hello="large"))
    (finding,) = of_host(cut)
    assert (finding.status, finding.cause.word) == (Status.NOTICE, "tls.large-hello-blocked")
    assert (cut.answer.value, cut.exit_code) == ("yes", 0)


def test_a_large_hello_that_gets_through_somewhere_is_no_finding() -> None:
    world = healthy().when(TlsHandshake, CUT, hello="large").when(
        TlsHandshake, shown(leaf(RELAYS[0]).chain), hello="large", server_name=RELAYS[0]
    )  # fmt: skip
    assert of_host(judged(world)) == []


def test_a_firewall_that_takes_the_audit_for_a_scan() -> None:
    """What answered before goes silent in the middle: from then on silence proves nothing."""
    from tests.rules.script import SIGN_IN_RULE, rules_of

    many = {f"h{n}.example": (f"203.0.113.{n}",) for n in range(1, 31)}
    rules = rules_of(*(replace(SIGN_IN_RULE, id=f"r{n}", host=name) for n, name in enumerate(many)))
    world = healthy(zone=many).when(TlsHandshake, SILENCE)
    world.when(TlsHandshake, shown(leaf("h1.example").chain), address="203.0.113.1", attempt=1)
    report = judged(world, rules, QUIET)
    (finding,) = [v for v in of_host(report) if v.check == "path"]
    assert (finding.status, finding.cause.word) == (Status.INCONCLUSIVE, "path.sweep-detected")
    assert "tcp.timeout" not in {v.cause.word for v in report.verdicts}
    assert report.exit_code == 3

"""Closed addresses beside open ones: the table of `rules/judge/some_addresses.py`, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Report, Status
from tests.rules.script import (
    BOOTSTRAP,
    HOST,
    REFUSED,
    RELAYS,
    RESOLVERS,
    SIGN_IN,
    SILENCE,
    ZONE,
    World,
    healthy,
    judged,
    only,
    rows,
)

UNREACHABLE = Failure(Stage.TCP, Code.UNREACHABLE, icmp=Icmp(3, 13, "192.0.2.1"))
FIRST, SECOND = ZONE[BOOTSTRAP]
BOTH: HostFacts = replace(HOST, route_v6=True, sources=("198.51.100.5", "2001:db8:1::5"))


def seen(report: Report, host: str, address: str) -> tuple[str, str]:
    row = only(report, host, "tcp", address)
    assert row.status is Status.WARN
    return row.cause.word, row.circumstance


@pytest.mark.parametrize(
    ("failure", "cause"), [(SILENCE, "tcp.timeout"), (REFUSED, "tcp.reset"), (UNREACHABLE, "tcp.unreachable")]
)
def test_others_of_the_name_get_through(failure: Failure, cause: str) -> None:
    report = judged(healthy().when(TlsHandshake, failure, address=FIRST))
    assert seen(report, BOOTSTRAP, FIRST) == (cause, "others-pass")
    (found,) = [c for c in report.causes if c.cause.word == cause]
    assert "get through" in found.remedy
    assert "same resolver" in found.remedy
    assert not found.remedy.startswith("Allow")
    assert (found.owner, found.confidence) == ("firewall", "possible")
    assert ("get through", SECOND) in found.details
    assert report.answer is Answer.DEGRADED


def test_every_address_of_the_name() -> None:
    report = judged(healthy().when(TlsHandshake, SILENCE, server_name=BOOTSTRAP))
    assert {v.circumstance for v in rows(report, BOOTSTRAP, "tcp")} == {""}
    assert "Allow TCP port 443" in only(report, BOOTSTRAP, "tcp", FIRST).remedy


def test_others_that_open_and_fail_behind_it_do_not_get_through() -> None:
    cut = Failure(Stage.TLS, Code.RESET)
    world = healthy().when(TlsHandshake, cut, address=SECOND).when(TlsHandshake, SILENCE, address=FIRST)
    assert only(judged(world), BOOTSTRAP, "tcp", FIRST).circumstance == ""


def test_another_name_at_the_address_says_nothing() -> None:
    world = healthy()
    world.zone[SIGN_IN] = (FIRST,)
    report = judged(world.when(TlsHandshake, SILENCE, address=FIRST, server_name=SIGN_IN))
    assert only(report, SIGN_IN, "tcp", FIRST).circumstance == ""


@pytest.mark.parametrize(("closed", "family"), [("v4", "IPv4"), ("v6", "IPv6")])
def test_one_of_two_families(closed: str, family: str) -> None:
    v6 = ("2001:db8::1", "2001:db8::2")
    world = healthy(facts=BOTH)
    world.zone[BOOTSTRAP] = (FIRST, SECOND, *v6)
    world.zone[SIGN_IN] = (*world.zone[SIGN_IN], "2001:db8:2::1")  # the family works
    for address in v6 if closed == "v6" else (FIRST, SECOND):
        world.when(TlsHandshake, SILENCE, address=address, server_name=BOOTSTRAP)
    report = judged(world)
    for address in v6 if closed == "v6" else (FIRST, SECOND):
        assert seen(report, BOOTSTRAP, address) == ("tcp.timeout", "other-family")
        assert f"over {family}" in only(report, BOOTSTRAP, "tcp", address).remedy


def ranges(*closed: str) -> World:
    """Three names with two addresses each, the first of each in its own range."""
    world = healthy()
    world.zone |= {BOOTSTRAP: ("192.0.2.1", FIRST), SIGN_IN: ("192.0.2.2", "203.0.113.22")}
    world.zone |= {RELAYS[0]: ("192.0.2.9", "203.0.113.11")}
    for address in closed:
        world.when(TlsHandshake, SILENCE, address=address)
    return world


def test_addresses_of_several_names_in_one_range_in_which_nothing_gets_through() -> None:
    report = judged(ranges("192.0.2.1", "192.0.2.2", "192.0.2.9"))
    assert seen(report, BOOTSTRAP, "192.0.2.1") == ("tcp.timeout", "one-range")
    (found,) = [c for c in report.causes if c.cause.word == "tcp.timeout"]
    assert "192.0.2.0/28" in found.remedy
    assert len(found.endpoints) == 3


@pytest.mark.parametrize(
    "closed", [("192.0.2.1",), ("192.0.2.1", "192.0.2.9"), ("192.0.2.1", "203.0.113.22")]
)
def test_one_name_a_range_with_open_addresses_or_two_ends_of_the_internet_are_no_range(
    closed: tuple[str, ...],
) -> None:
    report = judged(ranges(*closed))
    assert {v.circumstance for v in rows(report, cause="tcp.timeout")} == {"others-pass"}


def test_the_resolver_that_alone_gives_the_closed_address_is_named() -> None:
    world = healthy().when(TlsHandshake, SILENCE, address="203.0.113.3")
    record = Record(BOOTSTRAP, "A", 60, "203.0.113.3")
    world.when(DnsQuestion, DnsAnswer("NOERROR", (record,)), name=BOOTSTRAP, resolver=RESOLVERS[1], rtype="A")
    row = only(judged(world), BOOTSTRAP, "tcp", "203.0.113.3")
    assert row.circumstance == "others-pass"
    assert ("address given by", f"{RESOLVERS[1]} alone") in row.details

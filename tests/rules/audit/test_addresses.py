"""Which addresses of a name are tried, in which order, and which never."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.addresses import Candidate, earlier_addresses, resolvers_that_gave
from rules.audit.machine import Audit
from rules.model.kinds.dns_chain import OS, DnsAnswer, DnsQuestion, Record
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.text.address import AddressClass, never_connect
from tests.rules import goldens
from tests.rules.script import (
    BOOTSTRAP,
    HOST,
    PLAN,
    QUIET,
    RESOLVERS,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    ZONE,
    healthy,
    rules_of,
    run,
)

ONLY = rules_of(SIGN_IN_RULE)


def of(
    *addresses: str, os: tuple[str, ...] = (), facts: HostFacts = HOST, limit: int = 4
) -> tuple[Candidate, ...]:
    """Candidates of a name that every resolver answers with `addresses` and the system with `os`."""

    def told(step: object) -> DnsAnswer:
        assert isinstance(step, DnsQuestion)
        mine = [a for a in addresses if (":" in a) == (step.rtype == "AAAA")]
        return DnsAnswer("NOERROR", tuple(Record(step.name, step.rtype, 60, a) for a in mine))

    world = (
        healthy(facts=facts).when(DnsQuestion, told).when(OsLookup, OsAnswer(os, "" if os else "EAI_NONAME"))
    )
    audit: Audit = run(world, ONLY, replace(QUIET, max_addresses=limit))
    return audit.candidates(SIGN_IN)


def tried(found: tuple[Candidate, ...]) -> list[str]:
    return [c.address for c in found if c.tried]


def test_the_operating_system_s_addresses_come_first_and_are_always_among_those_tried() -> None:
    found = of("203.0.113.1", "203.0.113.2", os=("203.0.113.9", "203.0.113.2"), limit=2)
    assert tried(found) == ["203.0.113.9", "203.0.113.2"]
    assert found[2].why == "more addresses than the pace allows"


def test_who_told_an_address_is_kept() -> None:
    first, second = of("203.0.113.1", os=("203.0.113.9",))
    assert (first.resolvers, second.resolvers) == (("os",), RESOLVERS)


def test_the_order_of_a_resolver_s_records_does_not_matter() -> None:
    assert of("203.0.113.2", "203.0.113.1") == of("203.0.113.1", "203.0.113.2")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", AddressClass.LOOPBACK),
        ("169.254.169.254", AddressClass.METADATA),
        ("169.254.1.1", AddressClass.LINK_LOCAL),
        ("224.0.0.1", AddressClass.MULTICAST),
        ("0.0.0.0", AddressClass.UNSPECIFIED),
        ("::ffff:127.0.0.1", AddressClass.LOOPBACK),
        ("64:ff9b::a9fe:a9fe", AddressClass.METADATA),
    ],
)
def test_some_addresses_are_never_connected_to(address: str, kind: AddressClass) -> None:
    (found,) = of(address, facts=replace(HOST, route_v6=True))
    assert (found.address_class, found.tried) == (kind, False)
    assert "never connected to" in found.why


def test_this_host_s_own_address_is_not_tried() -> None:
    (found,) = of(HOST.addresses[0])
    assert (found.tried, found.why) == (False, "an address of this host")


def test_an_address_of_a_family_without_a_route_is_not_tried() -> None:
    assert [c.why for c in of("2001:db8::1")] == ["no IPv6 route"]
    only_v6 = replace(HOST, route_v4=False, route_v6=True)
    assert [c.why for c in of("203.0.113.1", facts=only_v6)] == ["no IPv4 route"]


def test_a_private_address_is_tried_and_is_not_public() -> None:
    (found,) = of("10.1.2.3")
    assert (found.tried, found.public) == (True, False)


@given(
    st.lists(st.ip_addresses().map(str), min_size=1, max_size=12, unique=True),
    st.integers(1, 5),
    st.booleans(),
)
def test_whatever_is_answered_each_family_keeps_its_limit(addresses: list[str], limit: int, v6: bool) -> None:
    found = of(*addresses, facts=replace(HOST, route_v6=v6), limit=limit)
    assert sorted(c.address for c in found) == sorted(addresses)
    for six in (False, True):
        mine = [c for c in found if c.tried and (":" in c.address) is six]
        assert len(mine) <= limit
        assert not any(never_connect(c.address_class) for c in mine)
    assert v6 or not any(":" in c.address for c in found if c.tried)
    assert all(bool(c.why) is not c.tried for c in found)


@pytest.mark.parametrize(
    "address", ["10.9.0.7", "::ffff:10.9.0.7", "64:ff9b::a09:7", "2002:a09:7::1", "2001:db8:9::7"]
)
def test_this_host_itself_however_it_is_written(address: str) -> None:
    facts = replace(HOST, addresses=("10.9.0.7", "2001:db8:9::7"), networks=("10.9.0.0/24",))
    (found,) = of(address, facts=facts)
    assert (found.tried, found.why) == (False, "an address of this host")


@pytest.mark.parametrize("address", ["10.9.0.255", "::ffff:10.9.0.255"])
def test_the_broadcast_address_of_an_own_network(address: str) -> None:
    facts = replace(HOST, addresses=("10.9.0.7",), networks=("10.9.0.7/24",))
    (found,) = of(address, facts=facts)
    assert (found.tried, found.why) == (False, "the broadcast address of a network of this host")


def test_a_thousand_addresses_are_listed_and_four_tried() -> None:
    found = of(*(f"203.0.{n >> 8}.{n & 255}" for n in range(1000)))
    assert (len(found), len(tried(found))) == (1000, 4)


def test_addresses_of_before_are_marked_stale_and_tried() -> None:
    audit = goldens.scripted(goldens.began(SILENCE, *goldens.NAMING))
    found = audit.candidates(BOOTSTRAP)
    assert {c.address for c in found} == set(ZONE[BOOTSTRAP])
    assert all(c.stale and c.tried and c.resolvers == () for c in found)
    assert not any(c.stale for c in goldens.scripted(goldens.of_world(healthy())).candidates(BOOTSTRAP))


def test_addresses_of_before_are_refused_like_any_other() -> None:
    """What must never be connected to is not, wherever it came from."""
    bad = ("127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", HOST.addresses[0], "2001:db8::1")
    assert [c.address for c in earlier_addresses((*bad, "203.0.113.1"), HOST, PLAN) if c.tried] == [
        "203.0.113.1"
    ]
    many = tuple(f"203.0.113.{n}" for n in range(1, 10))
    assert sum(c.tried for c in earlier_addresses(many, HOST, PLAN)) == PLAN.max_addresses


def test_who_gave_an_address_is_evidence_where_not_all_did() -> None:
    first = Candidate("192.0.2.1", AddressClass.PUBLIC, ("198.51.100.1", OS), tried=True)
    second = Candidate("192.0.2.2", AddressClass.PUBLIC, ("198.51.100.1",), tried=True)
    assert resolvers_that_gave("192.0.2.1", (first, second)) == ()
    assert resolvers_that_gave("192.0.2.2", (first, second)) == (("address given by", "198.51.100.1 alone"),)
    assert resolvers_that_gave("192.0.2.9", (first, second)) == ()

"""All verdicts of one target: what its name means for its addresses, and the other way round."""

from __future__ import annotations

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Status
from tests.rules.script import BOOTSTRAP, SILENCE, healthy, judged, only


def test_a_private_address_that_dns_gave_is_one_finding_and_none_for_the_firewall() -> None:
    private = ("10.1.2.3",)
    world = healthy().when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
    world.zone[BOOTSTRAP] = private
    report = judged(world)
    assert only(report, BOOTSTRAP, "dns").cause.word == "dns.private-address"
    assert report.answer is Answer.NO
    assert not [c for c in report.causes if c.cause.word.startswith("tcp.") and c.status is Status.FAIL]


def test_a_system_that_resolves_nothing_is_no_network_for_a_connector() -> None:
    dead = Failure(Stage.DNS, Code.TIMEOUT)
    report = judged(healthy().when(OsLookup, dead))
    assert report.answer is Answer.NO
    assert only(report, BOOTSTRAP, "dns").cause.word == "dns.os-differs"


def test_the_system_decides_when_one_resolver_agrees_with_it() -> None:
    world = healthy().when(OsLookup, OsAnswer((), "EAI_NONAME"), name=BOOTSTRAP)
    world.when(DnsQuestion, DnsAnswer("NXDOMAIN"), name=BOOTSTRAP, resolver="198.51.100.54")
    report = judged(world)
    assert (only(report, BOOTSTRAP, "dns").status, report.answer) == (Status.FAIL, Answer.NO)

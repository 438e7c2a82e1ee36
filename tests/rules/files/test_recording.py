"""Values that are of the right type and still cannot be judged by."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from rules.files.recording import check
from rules.files.report_json import BadReport, dumps, loads
from rules.judge.report import replay
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Report, Status
from rules.watch.memory import Memory
from tests.exporters import samples
from tests.rules import goldens
from tests.rules.goldens import CONNECTING, NAMING
from tests.rules.script import (
    CORPORATE,
    NO_ANSWER,
    RELAYS,
    RESOLVERS,
    RULES,
    SILENCE,
    START,
    ZONE,
    by,
    healthy,
    only,
)


def changed(report: Report, *path: str | int, value: object) -> Report:
    """`report` as a file would have it with another value at `path`."""
    data: Any = json.loads(dumps(report))
    place = data
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] is not None
    place[path[-1]] = value
    return loads(json.dumps(data))


def place_of(report: Report, kind: str) -> int:
    return next(n for n, o in enumerate(json.loads(dumps(report))["observations"]) if o["kind"] == kind)


@pytest.mark.parametrize("report", [samples.report(), samples.healthy(), samples.behind_proxy()])
def test_what_an_audit_wrote_is_fine(report: Report) -> None:
    check(report)


@pytest.mark.parametrize(
    "value", ["", "999.1.1.1", "\x9b2J", "a..b", "10.0.0.1 ", "0x7f.1", "x" * 3000, "::1::"]
)
def test_addresses_that_are_none(value: str) -> None:
    report = samples.report()
    at = place_of(report, "dns_question")
    address = next(
        n
        for n, r in enumerate(json.loads(dumps(report))["observations"][at]["facts"]["records"])
        if r["type"] == "A"
    )
    with pytest.raises(
        BadReport, match=rf"observations\[{at}\]\.facts\.records\[{address}\]\.value: is not an IP"
    ):
        check(changed(report, "observations", at, "facts", "records", address, "value", value=value))
    host = place_of(report, "local_host")
    with pytest.raises(BadReport, match=r"facts\.addresses\[0\]: is not an IP address"):
        check(changed(report, "observations", host, "facts", "addresses", value=[value]))


@pytest.mark.parametrize("value", ["nowhere", "10.0.0.0/33", "10.0.0.0/8/8", "\x00"])
def test_networks_that_are_none(value: str) -> None:
    report = samples.report()
    with pytest.raises(BadReport, match=r"plan\.public_networks\[0\]: is not a network"):
        check(changed(report, "plan", "public_networks", value=[value]))
    at = place_of(report, "local_host")
    with pytest.raises(BadReport, match=r"facts\.networks\[0\]: is not a network"):
        check(changed(report, "observations", at, "facts", "networks", value=[value]))


@pytest.mark.parametrize("value", ["192.0.2.1:443", "[2001:db8::1]:443", ""])
def test_canaries(value: str) -> None:
    report = samples.report()
    check(dataclasses.replace(report, plan=dataclasses.replace(report.plan, canary_address=value)))


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:4４3",
        "here:443",
        ":443",
        "1:+1",
    ],
)
def test_canaries_that_are_none(value: str) -> None:
    with pytest.raises(BadReport, match=r"plan\.canary_address"):
        check(changed(samples.report(), "plan", "canary_address", value=value))


# --- /report.json is a report like any other -------------------------------------------------------------------------------

REPLAYED = {
    "healthy": lambda: goldens.told(goldens.of_world(healthy())),
    "resolver": lambda: goldens.told(goldens.began(SILENCE, *NAMING)),
    "path": lambda: goldens.told(goldens.began(SILENCE, *CONNECTING)),
    "both": lambda: goldens.told(goldens.began(SILENCE, *NAMING, *CONNECTING)),
    "one resolver": lambda: goldens.told(
        goldens.of_world(healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[0]))
    ),
    "one name": lambda: goldens.told(one_name_fails()),
    "interception": lambda: goldens.told(goldens.of_world(healthy().when(TlsHandshake, by(CORPORATE)))),
    "stand-in": lambda: goldens.told(goldens.moved("203.0.113.99")),
}


def one_name_fails() -> Memory:
    """One name is refused by everybody; the rest resolves."""
    memory = goldens.of_world(healthy())
    for step in list(memory.known):
        if isinstance(step, DnsQuestion | OsLookup) and step.name == RELAYS[0]:
            failed = DnsAnswer("SERVFAIL") if isinstance(step, DnsQuestion) else OsAnswer((), "EAI_AGAIN")
            memory.record(Observation(step, START + 60, 0.05, None, failed))
            memory.record(Observation(dataclasses.replace(step, attempt=2), START + 61, 0.05, None, failed))
    return memory


@pytest.mark.parametrize("case", REPLAYED)
def test_the_report_can_be_replayed(case: str) -> None:
    report = REPLAYED[case]()
    again = replay(loads(dumps(report)), RULES)
    assert goldens.decided(again) == goldens.decided(report)
    assert again.stopped == report.stopped


def test_a_replay_of_a_name_that_does_not_resolve_has_its_addresses_of_before() -> None:
    report = REPLAYED["one name"]()
    assert report.plan.last_good == ((RELAYS[0], ZONE[RELAYS[0]]),)
    assert only(report, RELAYS[0], "dns").cause.word == "dns.servfail"
    assert only(report, RELAYS[0], "tls").status is Status.PASS


@pytest.mark.parametrize("name", goldens.STEADY[1::5])
def test_also_that_of_a_golden(name: str) -> None:
    report = goldens.usual(name)
    assert goldens.decided(replay(loads(dumps(report)), goldens.rules())) == goldens.decided(report)


@pytest.mark.parametrize("value", ["", "nowhere", "10.0.0.1 ", "0x7f.1"])
def test_addresses_of_before_that_are_none(value: str) -> None:
    plan = dataclasses.replace(samples.report().plan, last_good=(("a.test", ("192.0.2.1", value)),))
    with pytest.raises(BadReport, match=r"plan\.last_good\[0\]: is not an IP"):
        check(dataclasses.replace(samples.report(), plan=plan))

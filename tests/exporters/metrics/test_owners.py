from __future__ import annotations

import pytest

from exporters.metrics.exposition import Exposition
from exporters.metrics.owners import heaviest, owner, owners
from exporters.terminal.owners import ELSEWHERE
from rules.model import causes
from rules.model.verdict import Endpoint, Status
from tests.exporters.samples import healthy, report
from tests.exporters.scrape import values
from tests.exporters.states import failing, state, target

WORST = report().causes[0]


def test_the_finding_of_the_report_says_who_acts() -> None:
    at = WORST.endpoints[0]
    named = owners(report())
    assert named[at.host, at.port, WORST.cause.word] == ELSEWHERE[WORST.owner]
    found = target(at.host, at.port, status=Status.FAIL, cause=WORST.cause.word)
    assert owner(found, named) == ELSEWHERE[WORST.owner]


def test_without_a_finding_the_record_of_the_cause_says_who_acts() -> None:
    found = target("other.example", status=Status.FAIL, cause="tls.reset")
    assert owner(found, owners(report())) == owner(found, owners(None)) == ELSEWHERE[causes.TLS_RESET.owner]


@pytest.mark.parametrize("status", [Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE])
def test_nobody_acts_where_nothing_is_wrong(status: Status) -> None:
    assert owner(target(status=status, cause="dns.chain-long"), {}) == ""


def test_the_heaviest_finding_is_that_of_the_connector() -> None:
    assert heaviest(report()) == (WORST.cause.word, ELSEWHERE[WORST.owner])
    assert heaviest(healthy()) == ("ok", "")


def test_a_target_is_written_again_when_another_finding_says_who_acts() -> None:
    exposition = Exposition(state().place)
    one = failing("x.example", "tcp.timeout")

    def told() -> set[tuple[str, ...]]:
        return set(values(exposition.body(), "wayclear_target_info", "owner"))

    exposition.update(state(one))
    assert told() == {(ELSEWHERE[causes.TCP_TIMEOUT.owner],)}
    finding = type(WORST)(
        causes.TCP_TIMEOUT, Status.FAIL, "", "", "dns", "likely", (Endpoint("x.example", 443),)
    )
    assert exposition.update(state(one, report=report(causes=(finding,)))).rendered == 1
    assert told() == {(ELSEWHERE["dns"],)}
    assert exposition.update(state(one, report=report(causes=(finding,)))).rendered == 0

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.metrics.exposition import Exposition
from exporters.metrics.owners import Owners, heaviest
from exporters.terminal.owners import ELSEWHERE
from rules.model import causes
from rules.model.verdict import Endpoint, Status
from tests.exporters.samples import healthy, report
from tests.exporters.scrape import values
from tests.exporters.states import failing, state, target
from tests.rules import goldens

WORST = report().causes[0]


def test_the_finding_of_the_report_says_who_acts() -> None:
    at = WORST.endpoints[0]
    named = Owners.of(report())
    assert named.by_cause[at.host, at.port, WORST.cause.word] == ELSEWHERE[WORST.owner]
    found = target(at.host, at.port, status=Status.FAIL, cause=WORST.cause.word)
    assert named.owner(found) == ELSEWHERE[WORST.owner]


def test_without_a_finding_the_record_of_the_cause_says_who_acts() -> None:
    found = target("other.example", status=Status.FAIL, cause="tls.reset")
    assert Owners.of(report()).owner(found) == Owners().owner(found) == ELSEWHERE[causes.TLS_RESET.owner]


def test_who_repairs_a_finding_repairs_what_follows_from_it() -> None:
    """The page on port 80 comes from the address that the resolver invents: no firewall has anything to do."""
    wildcard = goldens.golden("wildcard-everything")
    page = next(c for c in wildcard.causes if c.cause == causes.HTTP_BLOCK_PAGE)
    assert page.because
    at = page.endpoints[0]
    assert Owners.of(wildcard).by_cause[at.host, at.port, "http.block-page"] == ELSEWHERE["dns"]


def test_teams_keep_their_own_names_where_no_finding_is_there_yet() -> None:
    named = Owners.of(
        replace(healthy(), plan=replace(healthy().plan, owners=(("firewall", "NETSEC queue"),)))
    )
    assert named.owner(target("other.example", status=Status.FAIL, cause="tcp.timeout")) == "NETSEC queue"


@pytest.mark.parametrize("status", [Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE])
def test_nobody_acts_where_nothing_is_wrong(status: Status) -> None:
    assert Owners().owner(target(status=status, cause="dns.chain-long")) == ""


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

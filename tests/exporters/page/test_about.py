"""From where and by what it was measured."""

from __future__ import annotations

from exporters.page.about import RESOLVERS, SOURCES, about, footer, sources
from rules.watch.state import State
from tests.exporters import samples, states
from tests.exporters.html_reader import read

NOW = states.NOW


def facts(state: State) -> dict[str, str]:
    dl = read(about(state)).one("dl")
    return {d.text: v.text for d, v in zip(dl.all("dt"), dl.all("dd"), strict=True)}


def test_the_place_of_measuring_is_told_as_on_the_audits_screen() -> None:
    told = facts(states.broken(report=samples.report()))
    assert told["Resolvers"] == "10.20.0.2 answers 10.20.0.3 does not answer"
    assert told["Account"] == "CORP\\svc-connector"
    assert told["From"] == "10.20.0.5"
    assert told["Proxy"] == "none is set on this host"
    assert told["Tenant"].startswith("5f3b1c9e")
    assert told["Inventory"] == "2 connectors"
    assert told["wayclear"] == "0.1.0, running since 2026-11-02 09:13:05 UTC"


def test_rule_sets_tell_when_they_were_reviewed() -> None:
    told = facts(states.state(report=samples.report()))["Rule sets"]
    assert "entra-app-proxy 2026.11.1 (rules), reviewed 2026-11-01" in told
    assert "microsoft-cas 2026.03.1 (expected CAs), reviewed 2026-03-01, not reviewed for 246 days" in told


def test_before_the_first_sweep_little_is_known() -> None:
    assert set(facts(states.starting())) == {"Resolvers", "wayclear"}
    assert facts(states.starting())["Resolvers"] == "none is known yet"


def test_resolvers_are_bounded() -> None:
    many = tuple((f"10.0.0.{i}", True) for i in range(200))
    assert facts(states.state(resolvers=many))["Resolvers"].count("answers") == RESOLVERS


def test_a_source_that_fails_is_seen_at_once() -> None:
    page = read(sources(states.broken(), NOW))
    rows = [row.text for row in page.one("tbody").all("tr")]
    assert rows[0] == "http://crl4.digicert.com/DigiCertGlobalRootG2.crl CRL not reachable crl.unreachable"
    assert "ok, next update in 5 d" in rows[1]
    assert page.one("caption").text == "2 sources of CRLs and OCSP answers, 1 failing"
    assert list(page.all("details")) == []


def test_sources_that_are_fine_are_folded_and_none_leaves_no_heading() -> None:
    page = read(sources(states.state(), NOW))
    assert page.one("details").one("summary").text == "All can be fetched and are valid, where tested"
    assert sources(states.state(sources=()), NOW) == ""


def test_the_address_of_a_source_is_text_and_no_link() -> None:
    page = read(sources(states.state(sources=(states.source(url="javascript:alert(1)"),)), NOW))
    assert list(page.all("a")) == []
    assert "javascript:alert(1)" in page.text


def test_sources_are_bounded_those_that_fail_among_the_shown() -> None:
    fine = [states.source(f"c{i:04}.example") for i in range(500)]
    page = read(sources(states.state(sources=(*fine, states.source("zz.example", reachable=False))), NOW))
    rows = list(page.one("tbody").all("tr"))
    assert len(rows) == SOURCES
    assert "zz.example" in rows[0].text
    assert f"the first {SOURCES} are shown" in page.one("caption").text


def test_the_other_pages_are_linked() -> None:
    links = [a.attributes["href"] for a in read(footer()).all("a")]
    assert links == ["/metrics", "/report.json", "/config", "/targets"]

"""The audit's screen, read as a person reads it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from exporters.terminal.audit import FOLD, render
from exporters.terminal.style import Style
from rules.model import causes
from rules.model.verdict import Answer, CauseGroup, Endpoint, Report, Status
from tests.exporters import samples
from tests.rules import goldens

GOLDEN = Path(__file__).parent / "golden"
#: The names of the service that the network of this name drops.
SERVICE_DROPPED = (
    "{tenant}.bootstrap.msappproxy.net",
    "{tenant}.registration.msappproxy.net",
    "cwap-weur-1.renewtrust.msappproxy.net",
    "cwap-eus-2.renewtrust.msappproxy.net",
    "cwap-seas-1.renewtrust.msappproxy.net",
    "download.msappproxy.net",
    "autoupdate.msappproxy.net",
    "cwap-eur1-weur2.servicebus.windows.net",
    "cwap-nam1-eus2.servicebus.windows.net",
    "cwap-asia1-seas3.servicebus.windows.net",
    "cwap-aus1-eaus3.servicebus.windows.net",
    "gv11-prod-sn3-014-sb.servicebus.windows.net",
    "g0-bn-vaz0001-sb.servicebus.windows.net",
)
SCREENS = {
    "intercepted": (samples.report(), Style(100)),
    "intercepted-verbose": (samples.report(), Style(100, verbose=True)),
    "intercepted-narrow-ascii": (samples.report(), Style(60, encoding="ascii")),
    "healthy": (samples.healthy(), Style(100)),
    "behind-proxy": (samples.behind_proxy(), Style(100)),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_one_that_was_looked_at(name: str) -> None:
    report, style = SCREENS[name]
    assert render(report, style) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_the_order_is_the_one_of_a_reader_in_a_hurry() -> None:
    shown = render(samples.report(), Style())
    places = [
        shown.index(part)
        for part in (
            "NO: ",
            "Published applications do not open",
            "WHO MUST ACT",
            "WHAT IS WRONG",
            "WHAT COULD NOT BE TESTED",
            "WORTH KNOWING",
            "WHAT IS FINE",
            "NOTES",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "fact",
    ["CORP\\svc-connector", "10.20.0.5", "none is set", "5f3b1c9e", "site Vienna", "reviewed 2026-11-01"],
)
def test_the_first_screen_says_where_and_as_whom(fact: str) -> None:
    first = "\n".join(render(samples.report(), Style()).splitlines()[:24])
    assert fact in first


def test_a_report_of_the_service_tells_how_old_its_answers_are_instead_of_how_long_it_took() -> None:
    report = samples.report()
    at = report.started + 890.0
    later = dataclasses.replace(
        report, started=at, finished=at, plan=dataclasses.replace(report.plan, steady=True)
    )
    assert "took" in render(report, Style())
    shown = render(later, Style())
    assert "from answers of the 14 min 50 s before" in shown
    assert "took 0" not in shown


@pytest.mark.parametrize("answer", list(Answer))
def test_each_answer_has_a_line_of_its_own(answer: Answer) -> None:
    head = render(samples.report(answer=answer), Style()).splitlines()[0]
    assert head.startswith(answer.value.upper().replace("-", " ") + ": ")


@pytest.mark.parametrize("status", list(Status))
def test_a_cause_of_any_status_is_shown(status: Status) -> None:
    cause = dataclasses.replace(samples.SILENT, status=status)
    shown = render(samples.report(causes=(cause,)), Style())
    assert (cause.cause.word in shown) is (status not in (Status.PASS, Status.NOT_APPLICABLE))


def test_many_endpoints_are_folded_and_unfolded() -> None:
    ends = tuple(Endpoint(f"h{n}.example", 443) for n in range(30))
    report = samples.report(causes=(dataclasses.replace(samples.INTERCEPTED, endpoints=ends),))
    folded, whole = render(report, Style()), render(report, Style(verbose=True))
    assert f"+{30 - FOLD} more (--verbose shows all)" in folded
    assert "h29.example" not in folded
    assert "h29.example" in whole


def test_color_only_when_asked() -> None:
    assert "\x1b" not in render(samples.report(), Style())
    painted = render(samples.report(), Style(color=True))
    assert "\x1b[1;31mNO\x1b[0m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(samples.report(), Style())


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_keep_to_the_width_where_words_let_them(width: int) -> None:
    for line in render(samples.report(), Style(width)).splitlines():
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= max(width, longest + 30)


EVIL = "\x1b]0;owned\x07\r\n\u202egnp.exe\x9b2J\ud800"


def hostile() -> Report:
    cause = CauseGroup(
        cause=causes.from_word("tls." + EVIL),
        status=Status.FAIL,
        summary=EVIL,
        remedy=EVIL,
        owner="firewall",
        confidence="proven",
        endpoints=(Endpoint(EVIL, 443, EVIL),),
        evidence=("o1", "o\u0663", "oo", ""),
        details=((EVIL, EVIL),),
        hop=EVIL,
    )
    return samples.report(
        version=EVIL,
        answer_text=EVIL,
        notes=(EVIL,),
        causes=tuple(dataclasses.replace(cause, status=status) for status in Status),
        verdicts=(samples.verdict(EVIL), samples.verdict(EVIL, "http", Status.FAIL, EVIL)),
        vantage=samples.vantage(
            **dict.fromkeys(("host", "user", "os", "tenant", "tenant_source"), EVIL),
            labels=((EVIL, EVIL),),
            sources=(EVIL,),
            resolvers=(EVIL,),
        ),
        rulesets=(
            dataclasses.replace(samples.RULESETS[0], name=EVIL, version=EVIL, reviewed=EVIL, note=EVIL),
        ),
    )


@pytest.mark.parametrize("verbose", [False, True])
def test_peer_text_does_nothing_to_a_terminal(verbose: bool) -> None:
    shown = render(hostile(), Style(verbose=verbose))
    assert all(line.isprintable() for line in shown.split("\n"))
    shown.encode("utf-8")


def test_evidence_ids_that_the_report_does_not_hold_are_passed_over() -> None:
    cause = dataclasses.replace(samples.SILENT, evidence=("o0", "o99", "x", "o6"))
    assert render(samples.report(causes=(cause,)), Style()).count("53212") == 1


def test_who_could_make_it_testable_is_named() -> None:
    cause = dataclasses.replace(
        samples.UNTESTED, cause=causes.LOCAL_NO_RESOLVER, owner="dns", remedy="Let it resolve."
    )
    shown = render(samples.report(causes=(cause,)), Style())
    assert "DNS team: to make it testable, see below" in shown
    assert "No action is needed for what was tested" in render(
        samples.report(causes=(samples.UNTESTED,)), Style()
    )
    assert "Nothing to do.\n" in render(samples.report(causes=()), Style())


def test_only_connections_are_counted() -> None:
    found = [dataclasses.replace(seen, local=("10.20.0.5", 5)) for seen in samples.observations()]
    assert " 5 connections" in render(samples.report(observations=tuple(found)), Style())


def test_a_file_says_what_to_allow_and_apart_from_it_every_name_that_was_tested() -> None:
    shown = render(goldens.golden("service-dropped"), Style(300, verbose=True))
    request, _, rest = shown.partition("Tested: 13 names")
    tested, evidence, _ = rest.partition("Evidence\n")
    for pattern in ("*.msappproxy.net: ", "*.servicebus.windows.net: "):
        assert f"{pattern}TCP 443, never inspect TLS" in request
    assert "2026-02-04" in request
    assert "https://learn.microsoft.com/" in request
    assert evidence
    required = [line for line in tested.splitlines() if line.endswith(", required")]
    examples = [line for line in tested.splitlines() if ", example of *." in line]
    assert (len(required), len(examples)) == (2, 11)
    for host in SERVICE_DROPPED:
        assert sum(f" {host}:443 at " in line for line in (*required, *examples)) == 1, host


def _spread() -> Report:
    """One cause for two names at seven addresses, with evidence from both."""
    report = samples.report()
    addresses = [("a.example", f"203.0.113.{n}") for n in range(6)] + [("b.example", "203.0.113.9")]
    cause = dataclasses.replace(
        report.causes[0],
        endpoints=tuple(Endpoint(host, 443, address) for host, address in addresses),
        details=(("served", "CN=Corp Proxy CA"), ("by", "name"), ("from", "10.20.0.5 port 53211")),
    )
    return dataclasses.replace(report, causes=(cause,))


def test_an_endpoint_has_one_line_with_its_addresses() -> None:
    shown = render(_spread(), Style(120))
    assert "Endpoints (2, at 7 addresses)" in shown
    assert "a.example:443 at 203.0.113.0, 203.0.113.1, 203.0.113.2, +3 more" in shown
    assert shown.count("a.example:443") == 1
    assert "+3 more" not in render(_spread(), Style(120, verbose=True))


def test_what_the_connections_show_is_not_told_twice() -> None:
    evidence = render(_spread(), Style(120)).partition("Evidence")[2]
    assert "from  " not in evidence
    assert "by  " not in evidence
    assert "served  CN=Corp Proxy CA" in evidence


@pytest.mark.parametrize(("severity", "short"), [("retired", True), ("optional", True), ("required", False)])
def test_what_is_not_required_is_not_told_as_another_finding(severity: str, short: bool) -> None:
    report = samples.report()
    retired = dataclasses.replace(
        report.causes[0],
        status=Status.NOTICE,
        endpoints=(Endpoint("old.example", 443),),
        summary="A long sentence.",
        id="1.1",
        because=("1",),
    )
    row = samples.verdict("old.example", "tls", Status.NOTICE, retired.cause.word, severity=severity)
    report = dataclasses.replace(report, causes=(report.causes[0], retired), verdicts=(row,))
    shown = render(report, Style(120))
    assert ("the same for old.example, which is not required" in shown) is short
    assert ("A long sentence" in shown) is not short


def test_of_a_single_endpoint_all_that_was_expected_is_shown() -> None:
    rows = tuple(
        samples.verdict("a.example", "tls", Status.FAIL, "tls.intercepted", details=(("expected", name),))
        for name in ("an expected CA", "a public CA")
    )
    cause = dataclasses.replace(
        samples.INTERCEPTED,
        endpoints=(Endpoint("a.example", 443),),
        details=(("expected", "an expected CA (and 1 more)"), ("served", "CN=x")),
    )
    shown = render(samples.report(causes=(cause,), verdicts=rows), Style(120))
    assert "expected  an expected CA\n" in shown
    assert "expected  a public CA\n" in shown
    assert "(and 1 more)" not in shown
    several = dataclasses.replace(cause, endpoints=(*cause.endpoints, Endpoint("b.example", 443)))
    assert "an expected CA (and 1 more)" in render(
        samples.report(causes=(several,), verdicts=rows), Style(120)
    )


def test_what_is_the_matter_with_this_host_is_not_told_name_by_name() -> None:
    report = samples.behind_proxy()
    local = dataclasses.replace(report.causes[0], cause=causes.LOCAL_NO_ROUTE)
    report = dataclasses.replace(report, causes=(local,))
    assert "8 endpoints could not be tested." in render(report, Style(120))
    assert "cwap-nam-1" not in render(report, Style(120))
    assert "cwap-nam-1" in render(report, Style(120, verbose=True))

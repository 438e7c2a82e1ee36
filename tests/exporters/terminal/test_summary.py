"""The report on a screen: short, complete in what a reader acts on, harmless."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.terminal.style import Style
from exporters.terminal.summary import render
from rules.model.verdict import Answer, Report, Status
from tests.exporters import samples
from tests.exporters.terminal.test_audit import hostile
from tests.rules import goldens

#: Longer than thirty lines, with the reason.
LONGER = {
    "clock-wrong-port-80-dropped": "two faults",
    "intercepted": "two patterns, what may stay inspected, and the device that opens every connection",
    "forged": "the same",
    "-and-": "two faults",
    "link-refused": "two names of the chain, and the names that resolve all the same",
}


def screen(name: str) -> list[str]:
    """As a live audit shows it: without the notes that only a recording has."""
    return render(replace(goldens.golden(name), notes=()), Style(100)).splitlines()


@pytest.mark.parametrize("name", goldens.NAMES)
def test_ten_lines_tell_a_healthy_network_and_thirty_a_broken_one(name: str) -> None:
    report = goldens.golden(name)
    wrong = [c for c in report.causes if c.status not in (Status.NOTICE,)]
    most = 10 if report.answer is Answer.YES and not wrong else 30
    if any(c.request is not None and len(c.request.patterns) > 10 for c in report.causes):
        most = 36  # every pattern is listed: what is cut would not be allowed
    if any(part in name for part in LONGER):
        most = 50
    assert len(screen(name)) <= most


def test_a_broken_network_says_what_to_allow_who_acts_and_one_proof() -> None:
    shown = "\n".join(screen("service-dropped"))
    for part in (
        "NO: a connector will not work from this network",
        "Who must act: Firewall team.",
        "*.msappproxy.net          TCP 443, never inspect TLS",
        "*.servicebus.windows.net  TCP 443, never inspect TLS",
        "2026-02-04",
        "2 required, 11 examples",
        "17 other",
        "10.10.1.2:",
    ):
        assert part in shown
    assert shown.count("Proof") == 1


def test_the_tenants_id_stands_once() -> None:
    report = goldens.golden("service-dropped")
    tenant = report.vantage.tenant
    assert tenant is not None
    shown = render(report, Style(100))
    assert shown.count(tenant) == 1
    assert "{tenant}.bootstrap.msappproxy.net" in shown


def test_what_follows_is_below_its_finding_and_not_beside_it() -> None:
    shown = "\n".join(screen("port-80-dropped"))
    assert "So also" in shown
    assert "[crl.unreachable]" in shown
    assert "\n2. " not in shown


def test_teams_have_the_names_that_the_configuration_gives_them() -> None:
    report = goldens.golden("service-dropped")
    named = replace(report, plan=replace(report.plan, owners=(("firewall", "NETSEC queue"),)))
    assert "Who must act: NETSEC queue." in render(named, Style(100))


def test_times_are_utc_and_local_where_the_zone_is_known() -> None:
    report = samples.report()
    assert "local time" not in render(report, Style())
    east = replace(report, vantage=replace(report.vantage, utc_offset=3600))
    assert "2026-11-02 10:14:05 local time (UTC+01:00), 09:14:05 UTC" in render(east, Style(200))
    west = replace(report, vantage=replace(report.vantage, utc_offset=-36_000))
    assert "2026-11-01 23:14:05 local time (UTC-10:00), 2026-11-02 09:14:05 UTC" in render(west, Style(200))


def test_without_a_tenant_the_line_to_copy_is_there() -> None:
    assert "wayclear audit --tenant contoso.onmicrosoft.com" in "\n".join(screen("no-tenant"))


def test_peer_text_does_nothing_to_a_terminal() -> None:
    shown = render(hostile(), Style())
    assert all(line.isprintable() for line in shown.split("\n"))
    shown.encode("utf-8")


@pytest.mark.parametrize("report", [samples.report(), samples.healthy(), samples.behind_proxy()])
@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_lines_keep_to_the_width_where_words_let_them(report: Report, width: int) -> None:
    for line in render(report, Style(width)).splitlines():
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= max(width, longest + 30)

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

MANY = "every pattern is listed: what is cut would not be allowed"
DEVICE = "two patterns, what may stay inspected, and the device that opens every connection"
TWO = "two faults"
#: The networks with more than thirty lines: how many at most, and why. One line of each is to spare.
LONGER = {
    "accepts-everything": (32, MANY),
    "all-443-dropped": (31, MANY),
    "answered-from-elsewhere": (33, MANY),
    "large-answers-lost": (32, MANY),
    "no-question": (32, MANY),
    "portal-on-443": (34, MANY),
    "proxy-set-direct-fails": (37, MANY),
    "wildcard-everything": (32, MANY),
    "forged-issuers": (33, DEVICE),
    "forged-issuers-in-odd-certificates": (33, DEVICE),
    "forged-issuers-service-only": (32, DEVICE),
    "intercepted-and-trusted-by-the-system": (34, DEVICE),
    "intercepted-before-client-certificate": (33, DEVICE),
    "intercepted-by-mitmproxy": (34, DEVICE),
    "intercepted-by-squid": (34, DEVICE),
    "intercepted-now-and-then": (33, DEVICE),
    "intercepted-relay-only": (31, DEVICE),
    "intercepted-sign-in-only": (36, DEVICE),
    "intercepted-with-client-certificate": (33, DEVICE),
    "link-refused": (32, "two names of the chain, and the names that resolve all the same"),
    "clock-wrong-port-80-dropped": (41, TWO),
    "intercepted-at-one-address-and-ipv6-black-hole": (33, TWO),
    "not-http-and-hosts-file-pin": (41, TWO),
    "one-region-dropped-and-first-resolver-dead": (36, TWO),
    "proxy-on-80-fails-and-one-region-dropped": (46, TWO),
    "relay-blocked-by-word-and-sign-in-dropped": (44, TWO),
    "revoked-and-sign-in-dropped": (49, TWO),
    "service-dropped-and-clock-an-hour-off": (37, TWO),
    "service-reset-and-one-of-two-resolvers-dead": (33, TWO),
    "sinkholed-and-port-80-dropped": (43, TWO),
    "split-horizon-private-and-sign-in-expired": (40, TWO),
}


def screen(name: str) -> list[str]:
    """As a live audit shows it: without the notes that only a recording has."""
    return render(replace(goldens.golden(name), notes=()), Style(100)).splitlines()


@pytest.mark.parametrize("name", goldens.NAMES)
def test_ten_lines_tell_a_healthy_network_and_thirty_a_broken_one(name: str) -> None:
    report = goldens.golden(name)
    wrong = [c for c in report.causes if c.status not in (Status.NOTICE,)]
    well = report.answer is Answer.YES and not wrong
    most, _ = LONGER.get(name, (10 if well else 30, ""))
    assert len(screen(name)) <= most


def test_a_limit_of_its_own_belongs_to_a_network_of_the_lab_and_is_above_thirty() -> None:
    assert set(LONGER) <= set(goldens.NAMES)
    assert all(most > 30 for most, _ in LONGER.values())


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


def test_what_may_stay_inspected_stands_apart_with_the_consequence() -> None:
    shown = " ".join("\n".join(screen("intercepted-by-squid")).split())
    exempt = shown[shown.index("Exempt *.msappproxy.net") : shown.index(" Tested ")]
    asked, forbidden, rest = exempt.partition("Microsoft does not forbid TLS inspection for ")
    assert forbidden
    may, _, consequence = rest.partition("; where it stays, ")
    assert asked.count("never inspect TLS") == 2
    assert "login." not in asked
    assert "login." in may
    assert "msappproxy.net" not in may
    assert "servicebus.windows.net" not in may
    assert consequence.startswith(
        "this host must trust the inspecting CA, or signing in and installing fail. "
    )


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

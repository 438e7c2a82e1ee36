"""What `wayclear rules` prints."""

from __future__ import annotations

import datetime

from exporters.terminal.rule_sets import listing, show_cas, show_rules
from exporters.terminal.style import Style
from rules.model.ruleset import (
    CaSet,
    Citation,
    Document,
    ExpectedCa,
    Group,
    Match,
    Probe,
    Rule,
    RuleSet,
    Severity,
)

DAY = datetime.date(2026, 10, 1)
CITED = Citation("tutorial", "Tutorial: add an application", "https://learn.microsoft.com/entra/x", DAY)
RULES = RuleSet(
    "entra-app-proxy",
    "Application proxy connectors",
    "2026.11.1",
    DAY,
    (
        Rule(
            "relay",
            "Service traffic",
            "*.msappproxy.net",
            Match.SUFFIX,
            (443, 80),
            Group.SERVICE,
            Severity.REQUIRED,
            CITED,
            probes=(
                Probe("{tenant}.bootstrap.msappproxy.net", True, CITED),
                Probe("eur.msappproxy.net", False, CITED, "C"),
            ),
        ),
        Rule(
            "crl",
            "Revocation",
            "crl3.example",
            Match.EXACT,
            (80,),
            Group.VALIDATION,
            Severity.RETIRED,
            CITED,
            documents=(Document("crl3.example", "/root.crl", "crl", CITED),),
            changed="gone since May",
            note="kept\x1b",
        ),
    ),
)
CHINA = RuleSet("entra-app-proxy-china", "China", "1", DAY, (), unpublished="Microsoft publishes no list.")
CAS = CaSet(
    "microsoft-cas",
    "Expected CAs",
    "2",
    DAY,
    (
        ExpectedCa(
            "Root G2", "root", "itself", CITED, "ab" * 32, "cd" * 32, not_before=DAY, note="the main one"
        ),
        ExpectedCa("Named Only", "issuing", "Root G2", CITED),
    ),
)


def test_the_list_has_every_set_with_its_date() -> None:
    lines = listing([RULES, CHINA], [CAS], Style(200)).splitlines()
    assert [line.split()[0] for line in lines] == [
        "entra-app-proxy",
        "entra-app-proxy-china",
        "microsoft-cas",
    ]
    assert "reviewed 2026-10-01; 2 rows" in lines[0]
    assert "no list" in lines[1]
    assert "2 expected CAs" in lines[2]


def test_a_rule_set_is_shown_row_by_row_with_its_sources() -> None:
    shown = show_rules(RULES, Style(200))
    for part in (
        "*.msappproxy.net  port 443, 80",
        "relay: Service traffic (service)",
        "{tenant}.bootstrap.msappproxy.net (required, source grade A)",
        "eur.msappproxy.net (sample, source grade C)",
        "crl: Revocation (cert-validation, retired)",
        "http://crl3.example/root.crl (crl)",
        "gone since May",
        "kept\\x1b",
        "Tutorial: add an application, 2026-10-01, https://learn.microsoft.com/entra/x",
    ):
        assert part in shown


def test_a_set_that_nobody_publishes_says_so() -> None:
    assert "Microsoft publishes no list." in show_rules(CHINA, Style())


def test_a_ca_set_tells_keys_and_what_a_name_alone_is_worth() -> None:
    shown = show_cas(CAS, Style(200))
    assert "SHA-256 " + "ab" * 32 in shown
    assert "can be named, proves nothing" in shown
    assert "valid 2026-10-01 to unknown" in shown

"""What `wayclear rules` prints."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace

from exporters.terminal.rule_sets import listing, show_cas, show_rules
from exporters.terminal.style import Style
from probe.config.rule_files import shipped_sets
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
        "{tenant}.bootstrap.msappproxy.net (required, by Microsoft's documentation)",
        "eur.msappproxy.net (example, by a third party)",
        "crl: Revocation (cert-validation, retired)",
        "http://crl3.example/root.crl (crl)",
        "gone since May",
        "kept\\x1b",
        "  [1]  Tutorial: add an application, 2026-10-01, https://learn.microsoft.com/entra/x\n",
    ):
        assert part in shown


def test_each_source_is_cited_by_number_and_told_once_at_the_end() -> None:
    other = replace(CITED, title="Another page", url="https://learn.microsoft.com/entra/y")
    rows = (
        replace(RULES.rules[0], citations=(CITED, other)),
        replace(RULES.rules[1], citation=other),
        replace(RULES.rules[1], id="third"),
    )
    shown = show_rules(replace(RULES, rules=rows), Style(200))
    assert re.findall(r"^  source +(.*)$", shown, re.MULTILINE) == ["[1] [2]", "[2]", "[1]"]
    before, _, end = shown.partition("\nSources\n")
    assert [line.split("  ")[1:3] for line in end.splitlines()] == [
        ["[1]", "Tutorial: add an application, 2026-10-01, https://learn.microsoft.com/entra/x"],
        ["[2]", "Another page, 2026-10-01, https://learn.microsoft.com/entra/y"],
    ]
    assert "https://learn" not in before
    assert show_cas(CAS, Style(200)).count(CITED.url) == 1


def test_every_shipped_set_tells_each_of_its_sources_once() -> None:
    for one in shipped_sets():
        shown = show_rules(one, Style(400)) if isinstance(one, RuleSet) else show_cas(one, Style(400))
        before, _, end = shown.partition("\nSources\n")
        listed = dict(re.findall(r"^  \[([0-9]+)\] +(.*)$", end, re.MULTILINE))
        assert len(set(listed.values())) == len(listed) == len(end.splitlines())
        cited = set(re.findall(r"\[([0-9]+)\]", "".join(re.findall(r"^  source .*$", before, re.MULTILINE))))
        assert cited == set(listed)


def test_a_set_that_nobody_publishes_says_so() -> None:
    assert "Microsoft publishes no list." in show_rules(CHINA, Style())


def test_a_ca_set_tells_keys_and_what_a_name_alone_is_worth() -> None:
    shown = show_cas(CAS, Style(200))
    assert "SHA-256 " + "ab" * 32 in shown
    assert "can be named, proves nothing" in shown
    assert "valid 2026-10-01 to unknown" in shown

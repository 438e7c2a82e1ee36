"""One endpoint's part of the rules."""

from __future__ import annotations

import datetime

import pytest

from rules.audit.focus import NotCovered, focus, parse_endpoint
from rules.model.ruleset import Citation, Group, Match, Probe, Rule, Rules, RuleSet, Severity
from rules.text.hostname import BadName

CITED = Citation("c", "page", "https://learn.microsoft.com/x", datetime.date(2026, 10, 1))


def rule(host: str, *probes: Probe, ports: tuple[int, ...] = (443,)) -> Rule:
    match = Match.SUFFIX if host.startswith("*") else Match.EXACT
    return Rule("r", host, host, match, ports, Group.SERVICE, Severity.REQUIRED, CITED, probes=probes)


RULES = Rules(
    (
        RuleSet(
            "app",
            "",
            "1",
            CITED.date,
            (
                rule("*.msappproxy.net", Probe("{tenant}.bootstrap.msappproxy.net", True, CITED, path="/x"),
                     Probe("eur.msappproxy.net", False, CITED), ports=(80, 443)),
                rule("login.example"),
            ),
        ),
        RuleSet("other", "", "1", CITED.date, (rule("*.example"),)),
    ),
    (),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("Login.Example", ("login.example", None)),
        (" login.example:443 ", ("login.example", 443)),
        ("login.example.", ("login.example", None)),
        ("bücher.example:80", ("xn--bcher-kva.example", 80)),
    ],
)
def test_endpoints_as_people_write_them(text: str, parsed: tuple[str, int | None]) -> None:
    assert parse_endpoint(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["", ":443", "a.example:", "a.example:0", "a.example:65536", "a.example:\u0664", "https://a.example/", "::1",
     "a.example:x", "192.0.2.1", "user@a.example", "a b.example", "a.example:44\x1b3", "*.example"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_endpoint(text)
    assert str(caught.value).isprintable()


def test_a_listed_probe_keeps_what_is_known_of_it() -> None:
    found = focus(RULES, "5f3b.bootstrap.msappproxy.net", 443)
    (only,) = found.rules
    assert only.ports == (443,)
    (probe,) = only.probes
    assert (probe.host, probe.path, probe.required) == ("5f3b.bootstrap.msappproxy.net", "/x", True)


def test_a_name_under_a_wildcard_is_asked_for_although_nobody_lists_it() -> None:
    (only,) = focus(RULES, "brand-new.msappproxy.net", None).rules
    assert [probe.host for probe in only.probes] == ["brand-new.msappproxy.net"]
    assert only.ports == (80, 443)


@pytest.mark.parametrize(
    ("name", "expects"), [("weur-9.renew.msappproxy.net", True), ("weur.msappproxy.net", False)]
)
def test_a_name_beside_a_listed_one_is_expected_to_ask_for_what_that_asks_for(
    name: str, expects: bool
) -> None:
    listed = Probe("weur-1.renew.msappproxy.net", False, CITED, expects_client_certificate=True)
    rows = (rule("*.msappproxy.net", listed, Probe("eur.msappproxy.net", False, CITED)),)
    (only,) = focus(Rules((RuleSet("app", "", "1", CITED.date, rows),), ()), name, 443).rules
    assert [probe.expects_client_certificate for probe in only.probes] == [expects]


def test_every_row_that_covers_the_name_stays() -> None:
    found = focus(RULES, "login.example", None)
    assert [ruleset.name for ruleset in found.rulesets] == ["app", "other"]
    assert found.rulesets[0].rules[0].probes == ()


def test_an_endpoint_on_no_rule_is_refused() -> None:
    with pytest.raises(NotCovered, match=r"google\.test is on no rule of app, other"):
        focus(RULES, "google.test", None)
    with pytest.raises(NotCovered, match=r"asks for port 8080 of login\.example, only for 443"):
        focus(RULES, "login.example", 8080)
    with pytest.raises(NotCovered):
        focus(RULES, "msappproxy.net", None)

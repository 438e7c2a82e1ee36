"""Rules as values: what a row covers, and which row speaks for a name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.ruleset import Group, Match, RuleSet
from tests.rules.script import BOOTSTRAP, DAY, RELAY_RULE, RULES, SIGN_IN_RULE, rule

WILD = rule("wild", "*.msappproxy.net", ports=(80, 443))
LABELS = st.lists(st.text("abcxyz-", min_size=1, max_size=5), min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        (BOOTSTRAP, True),
        ("a.msappproxy.net", True),
        ("a.b.c.msappproxy.net", True),
        ("msappproxy.net", False),
        ("evilmsappproxy.net", False),
        ("a.msappproxy.net.evil.example", False),
        ("", False),
        (".msappproxy.net", False),
    ],
)
def test_a_suffix_covers_any_depth_and_not_the_name_itself(host: str, covered: bool) -> None:
    assert WILD.covers(host) is covered


@given(LABELS, LABELS)
def test_a_suffix_covers_exactly_what_stands_under_it(prefix: str, zone: str) -> None:
    row = rule("w", f"*.{zone}")
    assert row.covers(f"{prefix}.{zone}")
    assert not row.covers(zone)
    assert not row.covers(f"{prefix}{zone}") or prefix.endswith(".")


def test_an_exact_row_covers_its_name_only() -> None:
    assert SIGN_IN_RULE.covers("login.microsoftonline.com")
    assert not SIGN_IN_RULE.covers("a.login.microsoftonline.com")
    assert rule("p", "www.microsoft.com", Group.VALIDATION, match=Match.URL_PATH, path="/pkiops").covers(
        "www.microsoft.com"
    )


def test_the_narrowest_row_speaks_for_a_name() -> None:
    narrow = rule("narrow", "*.connector.msappproxy.net")
    exact = rule("exact", "a.connector.msappproxy.net", ports=(443,))
    ruleset = RuleSet("s", "", "1", DAY, (WILD, narrow, exact))
    assert ruleset.rule_for("a.connector.msappproxy.net") is exact
    assert ruleset.rule_for("b.connector.msappproxy.net") is narrow
    assert ruleset.rule_for("b.msappproxy.net") is WILD
    assert ruleset.rule_for("a.connector.msappproxy.net", 80) is WILD, "the only one for that port"
    assert ruleset.rule_for("msappproxy.net") is None


def test_all_rules_of_all_sets_in_order() -> None:
    twice = replace(RULES, rulesets=(RULES.rulesets[0], replace(RULES.rulesets[0], rules=(RELAY_RULE,))))
    assert twice.rules == (*RULES.rulesets[0].rules, RELAY_RULE)

"""The words of a judgement and their order."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import causes
from rules.model.verdict import Answer, Endpoint, Plan, Status, Verdict
from tests.rules.script import healthy, judged

REPORT = judged(healthy())


def test_statuses_are_ordered_by_weight() -> None:
    assert [s.value for s in sorted(Status, key=lambda s: s.rank)] == [
        "pass", "not-applicable", "notice", "warn", "inconclusive", "fail", "broken"
    ]  # fmt: skip


def test_the_answers_are_the_four_of_the_contract() -> None:
    assert {a.value for a in Answer} == {"yes", "degraded", "no", "not-proven"}


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("a.example", 443), "a.example:443"),
        (Endpoint("a.example", 80, "203.0.113.1"), "a.example:80 at 203.0.113.1"),
        (Endpoint("a.example", 443, "2001:db8::1"), "a.example:443 at 2001:db8::1"),
    ],
)
def test_an_endpoint_for_people(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


@given(st.lists(st.sampled_from(Status)))
def test_a_summary_counts_every_verdict_once_and_names_every_status(statuses: list[Status]) -> None:
    verdicts = tuple(Verdict("r", "t", None, "tls", s, causes.OK, "s") for s in statuses)
    summary = dataclasses.replace(REPORT, verdicts=verdicts).summary
    assert set(summary) == {s.value for s in Status}
    assert sum(summary.values()) == len(statuses)
    assert all(summary[s.value] == statuses.count(s) for s in Status)


def test_a_plan_is_polite_unless_told_otherwise() -> None:
    plan = Plan("nonce")
    assert (plan.pace, plan.max_addresses, plan.sweep_limit, plan.sweep_window) == ("polite", 4, 20, 300.0)
    assert (plan.canary_address, plan.public_networks) == ("", ())


def test_values_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Endpoint("a", 1).port = 2  # type: ignore[misc]

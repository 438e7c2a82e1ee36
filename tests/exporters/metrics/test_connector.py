from __future__ import annotations

import math
from dataclasses import replace

import pytest

from exporters.metrics.connector import MOST_MEMBERS, MOST_RULESETS, MOST_SOURCES, Besides, render
from exporters.metrics.target import Tally
from exporters.terminal.owners import ELSEWHERE
from rules.model.verdict import Answer, RulesUsed, Status
from rules.watch.state import State
from tests.exporters.samples import report
from tests.exporters.scrape import values
from tests.exporters.states import NOW, broken, source, starting, state, target


def tally(group: str = "service", host: str = "a.example", **changes: object) -> Tally:
    counts: dict[str, object] = {"addresses": (2, 1, 0, 0), "chain": 2, "ttl": 60.0, "disagree": False}
    return Tally(group, host, **(counts | changes))  # type: ignore[arg-type]  # a test's short hand


def text(found: Besides) -> str:
    return "".join(
        f"# HELP {family} x\n# TYPE {family} gauge\n{lines.decode()}" for family, lines in found.samples
    )


def told(one: State, name: str, *shown: str, tallies: tuple[Tally, ...] = ()) -> dict[tuple[str, ...], float]:
    return values(text(render(one, tallies, ())), f"wayclear_{name}", *shown)


# --- the answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "can_live", "degraded", "not_proven"),
    [
        (Answer.YES, 1, 0, 0),
        (Answer.DEGRADED, 1, 1, 0),
        (Answer.NO, 0, 0, 0),
        (Answer.NOT_PROVEN, 0, 0, 1),
    ],
)
def test_an_answer_is_three_series(answer: Answer, can_live: int, degraded: int, not_proven: int) -> None:
    one = state(answer=answer)
    for name, value in (("can_live", can_live), ("degraded", degraded), ("not_proven", not_proven)):
        assert told(one, f"connector_{name}") == {(): value}


@pytest.mark.parametrize("answer", Answer)
def test_an_answer_is_a_state_set_as_well(answer: Answer) -> None:
    found = told(state(answer=answer), "connector_answer", "answer")
    assert found == {(one.value,): one is answer for one in Answer}


def test_the_heaviest_cause_is_told_with_who_must_act() -> None:
    shown = ("cause", "owner")
    assert told(state(), "connector_cause_info", *shown) == {("ok", ""): 1}
    worst = report().causes[0]
    found = told(state(report=report()), "connector_cause_info", *shown)
    assert found == {(worst.cause.word, ELSEWHERE[worst.owner]): 1}


def test_what_could_not_be_tested_is_the_cause_where_nothing_is_wrong() -> None:
    only = tuple(replace(one, status=Status.INCONCLUSIVE) for one in report().causes[:1])
    found = told(state(report=report(causes=only)), "connector_cause_info", "cause")
    assert found == {(only[0].cause.word,): 1}


def test_the_minimum_of_the_group_is_told_with_and_without_a_report() -> None:
    assert told(state(), "group_min_connectors") == {(): 2}
    assert told(starting(min_connectors=1), "group_min_connectors") == {(): 1}


def test_faults_of_the_host_windows_and_since_when() -> None:
    assert told(state(), "connector_host_fault") == told(state(), "maintenance") == {(): 0}
    one = state(host_faults=("local.no-route",), maintenance="patch day", answer_since=NOW - 7)
    assert told(one, "connector_host_fault") == told(one, "maintenance") == {(): 1}
    assert told(one, "connector_answer_since_timestamp_seconds") == {(): NOW - 7}
    assert told(state(answer_since=math.nan), "connector_answer_since_timestamp_seconds") == {}


def test_without_a_report_only_the_configuration_is_told() -> None:
    one = starting(
        inventory=("c1",), maintenance="patch day", sources=(source(),), resolvers=(("1.1.1.1", True),)
    )
    found = render(one, (tally(),), ())
    assert {family for family, _ in found.samples} == {
        "wayclear_group_min_connectors", "wayclear_inventory_member", "wayclear_maintenance",
    }  # fmt: skip


def test_the_constant_labels_are_on_each_line() -> None:
    found = render(broken(), (tally(),), (("connector", 'c"1'),))
    lines = text(found).splitlines()
    assert len(lines) > 30
    assert [line for line in lines if not line.startswith("#") and 'connector="c\\"1"' not in line] == []


# --- sums -----------------------------------------------------------------------------------------------------------


def test_sums_are_by_rule_group() -> None:
    found = (
        tally(disagree=True),
        tally(host="b.example", addresses=(1, 0, 2, 3), chain=5, ttl=7.0, disagree=True),
        tally(disagree=True),  # the same name on another port
        tally("sign-in", "c.example", disagree=None),
    )
    addresses = told(state(), "addresses", "rule_group", "family", "state", tallies=found)
    assert addresses["service", "ipv4", "ok"] == 5
    assert addresses["service", "ipv4", "failed"] == 2
    assert addresses["service", "ipv6", "ok"] == 2
    assert addresses["service", "ipv6", "failed"] == 3
    assert len(addresses) == 8
    assert told(state(), "dns_chain_length_max", "rule_group", tallies=found) == {
        ("service",): 5,
        ("sign-in",): 2,
    }
    assert told(state(), "dns_ttl_min_seconds", "rule_group", tallies=found) == {
        ("service",): 7,
        ("sign-in",): 60,
    }
    assert told(state(), "resolver_disagreements", "rule_group", tallies=found) == {("service",): 2}


def test_a_sum_of_nothing_known_is_absent() -> None:
    found = (tally(chain=None, ttl=None, disagree=None),)
    for name in ("dns_chain_length_max", "dns_ttl_min_seconds", "resolver_disagreements"):
        assert told(state(), name, "rule_group", tallies=found) == {}


def test_resolvers_are_counted() -> None:
    one = state(resolvers=(("10.0.0.1", True), ("10.0.0.2", False), ("10.0.0.3", True)))
    assert told(one, "resolvers", "state") == {("up",): 2, ("down",): 1}


# --- revocation -----------------------------------------------------------------------------------------------------


def test_all_sources_of_a_host_are_told_together() -> None:
    host = "crl3.digicert.com"
    one = state(
        sources=(
            source(host, next_update=NOW + 100),
            source(host, valid=False, next_update=NOW + 50),
            source(host, measured=False, reachable=False, valid=False, next_update=None),
            source(host, "ocsp", measured=False, reachable=False, valid=False),
        )
    )
    assert told(one, "revocation_source_reachable", "target", "kind") == {(host, "crl"): 1, (host, "ocsp"): 0}
    assert told(one, "revocation_source_valid", "target", "kind") == {(host, "crl"): 0, (host, "ocsp"): 0}
    assert told(one, "revocation_source_measured", "target", "kind") == {(host, "crl"): 1, (host, "ocsp"): 0}
    assert told(one, "crl_next_update_timestamp_seconds", "target") == {(host,): NOW + 50}


def test_a_host_that_a_certificate_names_is_no_label() -> None:
    one = state(sources=(source("evil.example"), source("evil2.example", reachable=False)))
    assert told(one, "revocation_source_reachable", "target", "kind") == {("off-list", "crl"): 0}
    assert "evil" not in text(render(one, (), ()))


@pytest.mark.parametrize("kinds", [("crl",), ("crl", "ocsp")])
def test_sources_are_bounded_and_none_is_lost(kinds: tuple[str, ...]) -> None:
    hosts = [f"crl{n:03}.example" for n in range(50)]
    sources = tuple(source(host, kind) for host in hosts for kind in kinds)
    last = source(hosts[-1], "crl", reachable=False)
    one = state(*(target(host, 80) for host in hosts), sources=(*sources, last))
    found = told(one, "revocation_source_reachable", "target", "kind")
    assert len(found) <= MOST_SOURCES + len(kinds)
    assert found["off-list", "crl"] == 0, "the one that fails"
    assert sum(found.values()) == len(found) - 1


# --- lists of the configuration -------------------------------------------------------------------------------------


def test_the_inventory_is_told_and_bounded() -> None:
    assert told(broken(), "inventory_member", "member") == {("connector01",): 1, ("connector02",): 1}
    found = render(state(inventory=tuple(f"c{n:04}" for n in range(150)) * 2), (), ())
    assert found.dropped == 150 - MOST_MEMBERS
    assert len(values(text(found), "wayclear_inventory_member", "member")) == MOST_MEMBERS


def test_members_that_read_alike_are_one() -> None:
    assert told(state(inventory=("a\ud800", "a\udfff")), "inventory_member", "member") == {("a\ufffd",): 1}


def reviewed(*sets: tuple[str, str]) -> State:
    return state(report=report(rulesets=tuple(RulesUsed(name, "1", date) for name, date in sets)))


def test_when_rule_sets_were_reviewed() -> None:
    shown = ("ruleset", "kind")
    one = reviewed(("a", "1970-01-02"), ("b", "2026-11-23"), ("b", "2026-11-22"))
    assert told(one, "ruleset_reviewed_timestamp_seconds", *shown) == {
        ("a", "rules"): 86_400, ("b", "rules"): 1_795_305_600,
    }  # fmt: skip
    assert told(reviewed(("a", ""), ("b", "soon")), "ruleset_reviewed_timestamp_seconds", *shown) == {}


def test_rule_sets_are_bounded() -> None:
    found = render(reviewed(*((f"set{n}", "2026-01-01") for n in range(30))), (), ())
    assert found.dropped == 30 - MOST_RULESETS


def test_the_count_is_that_of_the_lines() -> None:
    found = render(broken(), (tally(), tally("sign-in")), ())
    assert found.series == sum(part.count(b"\n") for _, part in found.samples) > 30

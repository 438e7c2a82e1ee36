from __future__ import annotations

import itertools
import math

import pytest

from exporters.metrics.catalogue import SERIES_OF_A_TARGET
from exporters.metrics.target import FAMILIES, TargetText, key_of, merged, render
from rules.model.verdict import Status
from rules.watch.state import CheckState, TargetState
from tests.exporters.scrape import values
from tests.exporters.states import NOW, address, check, failing, target

STAGES = (("dns", 0.1), ("tcp", 0.2), ("tls", 0.3), ("http", 0.4))


def text(found: TargetText) -> str:
    """The samples as a page."""
    return "".join(f"# HELP {family} x\n# TYPE {family} gauge\n{lines}" for family, lines in parts(found))


def parts(found: TargetText) -> list[tuple[str, str]]:
    """Family and its samples; families without one are left out."""
    return [(family, lines) for family in FAMILIES if (lines := found.lines(family))]


def lines(found: TargetText) -> int:
    return sum(part.count("\n") for _, part in parts(found))


def told(one: TargetState, name: str, *shown: str) -> dict[tuple[str, ...], float]:
    return values(text(render([one], "")), f"wayclear_{name}", *shown)


# --- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        target(),
        target(port=80),
        target(stages=STAGES),
        target(stages=STAGES, status=Status.WARN, cause="tcp.timeout"),
        target(port=80, stages=STAGES[:2] + STAGES[3:]),
        failing(),
        target(port=443, addresses=(), stages=(), expiry=None, handshakes=0, checks=()),
    ],
    ids=[
        "443",
        "80",
        "443 with every stage",
        "443 with every stage, warning",
        "80 with every stage",
        "failing",
        "nothing known",
    ],
)
def test_a_target_has_at_most_thirteen_series(one: TargetState) -> None:
    found = render([one], "")
    assert found.dropped == 0
    assert 0 < found.series == lines(found) <= SERIES_OF_A_TARGET


def test_443_and_80_have_twelve() -> None:
    assert render([target()], "").series == 12
    assert render([target(port=80)], "").series == 12


def test_one_that_somebody_must_look_at_has_one_more_since_when() -> None:
    for status in (Status.WARN, Status.FAIL, Status.INCONCLUSIVE, Status.BROKEN):
        assert told(target(status=status, since=NOW - 7), "target_since_timestamp_seconds") == {(): NOW - 7}
        assert told(target(status=status, since=None), "target_since_timestamp_seconds") == {}
    for status in (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE):
        assert told(target(status=status, since=NOW - 7), "target_since_timestamp_seconds") == {}


def test_more_than_thirteen_are_left_out_and_counted_the_least_important_first() -> None:
    checks = tuple(check(name) for name in ("dns", "tls", "http", "crl"))
    found = render([target(checks=checks)], "")
    assert (found.series, found.dropped, lines(found)) == (13, 3, 13)
    assert len(values(text(found), "wayclear_check_success", "check")) == 4
    assert len([family for family, _ in parts(found) if "duration" in family]) <= 1


def test_addresses_make_no_series() -> None:
    many = tuple(address(f"10.0.{n // 250}.{n % 250}", n % 3 > 0) for n in range(1_000))
    found = render([target(addresses=many)], "")
    assert found.series == 12
    assert "10.0." not in text(found)
    assert values(text(found), "wayclear_target_addresses", "state") == {("ok",): 666, ("failed",): 334}


# --- what they tell -------------------------------------------------------------------------------------------------


def test_every_series_has_the_labels_of_the_target_and_of_the_place() -> None:
    found = render([target("a.example")], 'connector="c1",')
    labels = '{connector="c1",target="a.example",port="443",rule_group="service",via="direct"'
    made = [line for _, part in parts(found) for line in part.splitlines()]
    assert len(made) == 12
    assert all(labels in line for line in made)


@pytest.mark.parametrize(
    ("one", "success", "measured"),
    [
        (check("tls"), 1, 1),
        (check("tls", Status.FAIL, "tls.reset"), 0, 1),
        (check("tls", Status.INCONCLUSIVE, "audit.not-reached"), 0, 0),
        (CheckState("tls", True, False, Status.INCONCLUSIVE, "audit.bug"), 0, 0),
    ],
)
def test_inconclusive_is_no_failure_and_no_success(one: CheckState, success: int, measured: int) -> None:
    found = target(checks=(one,))
    assert told(found, "check_success", "check") == {("tls",): success}
    assert told(found, "check_measured", "check") == {("tls",): measured}


def test_the_info_series_has_what_is_joined() -> None:
    shown = ("check", "cause", "issuer_class", "tls_version")
    assert told(failing(), "target_info", *shown) == {("tls", "tls.intercepted", "intercepted", "TLSv1.2"): 1}
    assert told(target(port=80), "target_info", *shown) == {("http", "ok", "", ""): 1}
    named = values(text(render([failing()], "", "DNS team")), "wayclear_target_info", "owner")
    assert named == {("DNS team",): 1}


def test_stages_are_those_of_the_way() -> None:
    assert told(target(stages=STAGES), "last_stage_duration_seconds", "stage") == {
        ("dns",): 0.1, ("tcp",): 0.2, ("tls",): 0.3,
    }  # fmt: skip
    found = target(port=80, stages=STAGES[:2] + STAGES[3:])
    assert told(found, "last_stage_duration_seconds", "stage") == {
        ("dns",): 0.1,
        ("tcp",): 0.2,
        ("http",): 0.4,
    }


@pytest.mark.parametrize(("made", "caught", "ratio"), [(3, 0, 0), (3, 2, 0.666667), (1, 1, 1), (0, 0, None)])
def test_the_ratio_is_over_handshakes_that_were_made(made: int, caught: int, ratio: float | None) -> None:
    found = told(target(handshakes=made, intercepted=caught), "interception_ratio")
    assert found == ({(): ratio} if ratio is not None else {})


def test_what_is_not_known_is_absent() -> None:
    nothing = target(expiry=None, stages=(), handshakes=0)
    assert {family for family, _ in parts(render([nothing], ""))} == {
        "wayclear_check_success", "wayclear_check_measured", "wayclear_target_info", "wayclear_target_addresses",
    }  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_absent(value: float) -> None:
    odd = target(expiry=value, stages=(("dns", value),), ttl=value)
    assert told(odd, "tls_earliest_cert_expiry_timestamp_seconds") == {}
    assert told(odd, "last_stage_duration_seconds") == {}
    assert render([odd], "").tally.ttl is None


# --- labels are closed ----------------------------------------------------------------------------------------------

EVIL = '\ud800"}\n# TYPE evil gauge\nevil{x="CN=Evil'


def test_text_of_a_peer_is_no_label_even_where_one_slips_in() -> None:
    odd = target(
        group=EVIL, cause=EVIL, check=EVIL, issuer_class=EVIL, tls_version=EVIL, issuer=EVIL, summary=EVIL,
        chain=(EVIL,), rule=EVIL, checks=(check("tls", cause=EVIL), CheckState(EVIL, True, True, Status.PASS, EVIL)),  # type: ignore[arg-type]
        stages=((EVIL, 1.0), ("tls", 0.1)), addresses=(address(EVIL, cause=EVIL),),
    )  # fmt: skip
    page = text(render([odd], ""))
    assert "evil" not in page.lower()
    assert told(odd, "target_info", "rule_group", "check", "cause", "issuer_class", "tls_version") == {
        ("other",) * 5: 1
    }


def test_a_host_that_no_rule_can_hold_costs_no_scrape() -> None:
    page = text(render([target(EVIL)], "")).encode()
    assert list(values(page, "wayclear_interception_ratio", "target")) == [
        (EVIL.replace("\ud800", "\ufffd"),)
    ]


def test_hosts_that_read_alike_have_one_key() -> None:
    assert key_of(target("a\ud800")) == key_of(target("a\udfff")) == ("a\ufffd", 443, "service")


# --- several rule sets ----------------------------------------------------------------------------------------------


def test_of_several_states_of_one_name_the_worst_result_of_each_check_is_told() -> None:
    bad_dns = target(
        status=Status.WARN, cause="dns.servfail", checks=(check("dns", Status.FAIL), check("tls"))
    )
    bad_tls = target(
        status=Status.FAIL,
        cause="tls.reset",
        checks=(check("dns"), check("tls", Status.FAIL)),
        ttl=7.0,
    )
    unknown = target(checks=(check("dns", Status.INCONCLUSIVE), check("tls", Status.INCONCLUSIVE)))
    for order in itertools.permutations((bad_dns, bad_tls, unknown, target())):
        one = merged(order)
        assert {(c.check, c.status) for c in one.checks} == {("dns", Status.FAIL), ("tls", Status.FAIL)}
        assert (one.cause, one.ttl) == ("tls.reset", 7.0)
        page = text(render(order, ""))
        assert values(page, "wayclear_check_success", "check") == {("dns",): 0, ("tls",): 0}


def test_what_is_not_known_of_one_rule_set_is_worse_than_a_success() -> None:
    unknown = target(checks=(check("tls", Status.INCONCLUSIVE),))
    assert merged((target(), unknown)).checks == (check("dns"), check("tls", Status.INCONCLUSIVE))


# --- the sums -------------------------------------------------------------------------------------------------------


def test_what_a_target_adds_to_its_group() -> None:
    four = (
        address("1.1.1.1"),
        address("1.1.1.2", False),
        address("1.1.1.3", None),
        address("2603::1", False),
    )
    tally = render([target("a.example", addresses=four, resolvers_agree=False)], "").tally
    assert (tally.group, tally.host, tally.addresses) == ("service", "a.example", (1, 1, 0, 1))
    assert (tally.chain, tally.ttl, tally.disagree) == (2, 60.0, True)


def test_a_chain_is_counted_without_the_name_itself_and_only_where_there_is_an_answer() -> None:
    def chain(*names: str, ttl: float | None = 60.0) -> int | None:
        return render([target("a.example", chain=names, ttl=ttl)], "").tally.chain

    assert chain("b.example", "c.example") == chain("a.example", "b.example", "c.example") == 2
    assert chain() == 0
    assert chain("b.example", ttl=None) == 1
    assert chain(ttl=None) is None

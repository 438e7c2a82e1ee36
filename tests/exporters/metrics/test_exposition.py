from __future__ import annotations

import gzip
import threading
from dataclasses import replace

import pytest

from exporters.metrics.catalogue import SERIES, SERIES_BESIDES, SERIES_OF_A_TARGET, STATE
from exporters.metrics.exposition import Ended, Exposition, Updated, from_state
from exporters.metrics.meters import Meters
from exporters.metrics.text_format import gzipped
from rules.model.verdict import Answer, RulesUsed, Status
from rules.watch.state import Place, State
from tests.exporters.metrics.test_meters import busy
from tests.exporters.samples import report
from tests.exporters.scrape import as_openmetrics, promtool, series, values
from tests.exporters.states import (
    NOW,
    PLACE,
    address,
    broken,
    check,
    failing,
    many,
    source,
    starting,
    state,
    target,
)


def page(one: State) -> str:
    exposition = Exposition(one.place)
    assert exposition.update(one).errors == 0
    return exposition.body().decode()


def everything() -> State:
    """Each list at, or beyond, its bound, and targets of every group."""
    hosts = [f"crl{n:02}.example" for n in range(40)]
    groups = ("service", "cert-validation", "sign-in", "other")
    targets = [
        target(f"{group}.example", group=group, addresses=(address(), address("::1"))) for group in groups
    ]
    return broken(
        targets=(*targets, *(target(host, 80) for host in hosts)),
        sources=tuple(source(host, kind) for host in (*hosts, "else.example") for kind in ("crl", "ocsp")),
        inventory=tuple(f"connector{n:04}" for n in range(300)),
        report=report(rulesets=tuple(RulesUsed(f"set{n}", "1", "2026-01-01") for n in range(40))),
        host_faults=("local.starved",),
    )


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one", [state(), broken(), starting(), everything()], ids=["yes", "bad", "new", "all"]
)
def test_the_live_page_is_what_prometheus_reads(one: State) -> None:
    exposition = Exposition(one.place)
    exposition.update(one)
    body = exposition.body(busy().render())
    assert promtool(body) == ""
    found = series(body)
    assert len(found) > 250
    assert all(dict(labels)["connector"] == "connector01" for _, labels in found)
    assert all(dict(labels)["site"] == "Vienna" for _, labels in found)
    assert body.endswith(b"\n")
    assert b"\r" not in body


def test_families_come_in_the_order_of_the_catalogue_with_help_and_type() -> None:
    lines = page(broken()).splitlines()
    heads = [line.split()[2] for line in lines if line.startswith("# HELP ")]
    assert heads == [metric.name for metric in STATE]
    assert [line.split()[2] for line in lines if line.startswith("# TYPE ")] == heads
    assert as_openmetrics(page(broken())) == len(series(page(broken())))


def test_a_family_of_many_targets_has_one_head_and_all_its_samples_below_it() -> None:
    """The page is made in pieces of some hundred targets."""
    exposition = Exposition(PLACE)
    done = exposition.update(many(1_001))
    meters = busy().render()
    pieces = list(exposition.parts(meters))
    assert max(map(len, pieces)) < 250_000
    body = b"".join(pieces)
    assert promtool(body) == "", "which complains of a family that is in two places"
    assert body == exposition.body(meters)
    found = series(body)
    assert len({dict(labels)["target"] for name, labels in found if name == "wayclear_target_info"}) == 1_001
    assert done.dropped == 0


def test_everything_besides_targets_is_bounded() -> None:
    one = everything()
    exposition = Exposition(one.place)
    exposition.update(one)
    meters = busy()
    for unknown in ("x", "y"):
        meters.cycle(unknown, NOW, 1.0)
        meters.cycle_missed(unknown)
        meters.job_missed(unknown)
    of_targets = {f"{port}" for port in (80, 443)}
    besides = [
        labels
        for _, labels in series(exposition.body(meters.render()))
        if dict(labels).get("port") not in of_targets
    ]
    assert 450 < len(besides) <= SERIES_BESIDES


def test_no_target_of_a_state_has_more_than_thirteen() -> None:
    counts: dict[tuple[str | None, ...], int] = {}
    warning = target("warns.example", status=Status.WARN, cause="tcp.timeout")
    one = replace(everything(), targets=(*everything().targets, warning))
    for _, labels in series(page(one)):
        own = dict(labels)
        if "port" in own:
            key = own["target"], own["port"], own["rule_group"]
            counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 45
    assert max(counts.values()) == SERIES_OF_A_TARGET


def test_before_the_first_report_nothing_is_told_of_the_network() -> None:
    new = starting(targets=(failing(),), sources=(source(),))
    assert {name for name, _ in series(page(new))} == {
        "wayclear_group_min_connectors",
        "wayclear_maintenance",
    }


PEER = "peer.example"


def test_no_text_of_a_peer_is_on_the_page() -> None:
    evil = target(
        chain=(PEER,), issuer=f"CN={PEER}", summary=PEER, addresses=(address("203.0.113.7", cause=PEER),),
        cause=f"tls.reset {PEER}", checks=(check("dns"), replace(check("tls"), cause=PEER)),
    )  # fmt: skip
    one = broken(
        targets=(evil,), sources=(source(PEER, url=f"http://{PEER}/a.crl", cause=PEER),), answer_text=PEER,
        headline=PEER, resolvers=((PEER, True),), notes=(PEER,), host_faults=(PEER,),
    )  # fmt: skip
    text = page(one)
    assert series(text)
    assert "peer" not in text
    assert "203.0.113" not in text


def test_the_place_is_escaped_and_a_lone_surrogate_costs_nothing() -> None:
    odd = Place('c"\\\n\r\0\u2028\ud800', "g" * 1_000, site="{}")
    one = state(place=odd)
    exposition = Exposition(odd)
    exposition.update(one)
    for _, labels in series(exposition.body(Meters(odd).render())):
        own = dict(labels)
        assert own["connector"] == 'c"\\\n\r\0\u2028\ufffd'
        assert (own["connector_group"], own["site"], own.get("region")) == ("g" * 1_000, "{}", None)


# --- updates --------------------------------------------------------------------------------------------------------


def test_only_what_has_changed_is_written_again() -> None:
    exposition = Exposition(PLACE)
    one = many(50)
    assert exposition.update(one).rendered == 50
    assert exposition.update(one).rendered == 0
    equal = replace(one, targets=tuple(replace(found) for found in one.targets))
    assert exposition.update(equal).rendered == 0
    changed = tuple(replace(f, expiry=NOW) if n in (7, 30) else f for n, f in enumerate(one.targets))
    assert exposition.update(replace(one, targets=changed)).rendered == 2
    assert series(exposition.body()) == series(page(replace(one, targets=changed)))


def test_a_page_after_many_updates_is_the_page_of_the_last_state() -> None:
    exposition = Exposition(PLACE)
    for one in (starting(), state(), broken(), everything(), many(30), starting(), broken(answer=Answer.NO)):
        done = exposition.update(one)
        assert series(exposition.body()) == series(page(one))
        assert done.series == len(series(exposition.body()))


def test_a_target_that_is_gone_has_no_series() -> None:
    exposition = Exposition(PLACE)
    exposition.update(state(target("old.example"), target("kept.example"), target("old.example", 80)))
    assert "old.example" in exposition.body().decode()
    exposition.update(state(target("kept.example")))
    assert "old.example" not in exposition.body().decode()
    assert values(exposition.body(), "wayclear_interception_ratio", "target") == {("kept.example",): 0}


def test_a_family_that_a_target_no_longer_has_is_gone() -> None:
    exposition = Exposition(PLACE)
    exposition.update(state(target()))
    exposition.update(state(target(expiry=None)))
    assert "expiry" not in exposition.body().decode()


def test_another_place_is_on_every_series_after_a_reload() -> None:
    exposition = Exposition(PLACE)
    exposition.update(state())
    exposition.update(state(place=Place("connector02")))
    assert all("connector01" not in str(labels) for _, labels in series(exposition.body()))
    assert series(exposition.body()) == series(page(state(place=Place("connector02"))))


def test_one_name_in_several_rule_sets_is_one_target_and_the_worst_is_told() -> None:
    good = target("a.example", rule="entra-app-proxy/x")
    bad = failing("a.example", group="service", rule="own/y", cause="tls.reset")
    for targets in ((good, bad), (bad, good)):
        text = page(state(*targets))
        assert values(text, "wayclear_check_success", "target", "check") == {
            ("a.example", "dns"): 1, ("a.example", "tls"): 0,
        }  # fmt: skip
        assert values(text, "wayclear_target_info", "cause") == {("tls.reset",): 1}
    exposition = Exposition(PLACE)
    exposition.update(state(good, bad))
    assert exposition.update(state(bad)).rendered == 1
    assert exposition.update(state(bad)).rendered == 0


def test_one_name_in_two_groups_is_two_targets() -> None:
    text = page(state(target("a.example"), failing("a.example")))
    assert values(text, "wayclear_interception_ratio", "rule_group") == {("service",): 0, ("sign-in",): 1}


# --- limits and faults ----------------------------------------------------------------------------------------------


def test_ten_thousand_targets_stay_under_the_cap_and_what_is_left_out_is_counted() -> None:
    one = many(10_000)
    exposition = Exposition(PLACE)
    done = exposition.update(one)
    body = exposition.body(busy().render())
    lines = sum(not line.startswith(b"#") for line in body.splitlines())
    assert SERIES - SERIES_BESIDES < lines <= SERIES
    assert done.dropped + done.series > 10_000 * 11
    assert b'rule_group="service"' in body
    assert b'port="80"' not in body, "service names come first"
    assert exposition.update(one).dropped == done.dropped, "as long as it lasts"
    assert exposition.update(many(10)).dropped == 0


def test_the_cap_leaves_out_whole_targets() -> None:
    exposition = Exposition(PLACE)
    exposition.update(many(2_500))
    counts: dict[str, int] = {}
    for line in exposition.body().decode().splitlines():
        if 'port="' in line and line[0] != "#":
            name = line.partition('target="')[2].partition('"')[0]
            counts[name] = counts.get(name, 0) + 1
    assert set(counts.values()) == {SERIES_OF_A_TARGET - 1}, "they are all fine"


def test_a_target_that_cannot_be_written_keeps_its_last_text_and_the_others_go_on() -> None:
    exposition = Exposition(PLACE)
    exposition.update(state(target("a.example"), target("b.example")))
    odd = target("a.example", checks=(None,))
    bad_b = failing("b.example", group="service")
    done = exposition.update(state(odd, bad_b))
    assert (done.errors, done.rendered) == (1, 1)
    assert isinstance(done.fault, AttributeError)
    assert values(exposition.body(), "wayclear_check_success", "target", "check") == {
        ("a.example", "dns"): 1, ("a.example", "tls"): 1, ("b.example", "dns"): 1, ("b.example", "tls"): 0,
    }  # fmt: skip
    assert exposition.update(state(odd, bad_b)).errors == 1, "it is tried again"
    assert exposition.update(state(failing("a.example", group="service"), bad_b)).errors == 0
    assert values(exposition.body(), "wayclear_check_success", "target", "check")["a.example", "tls"] == 0


def test_a_target_without_even_a_name_is_counted() -> None:
    exposition = Exposition(PLACE)
    done = exposition.update(state(target(), replace(target(), host=None)))  # type: ignore[arg-type]
    assert (done.errors, done.rendered) == (1, 1)
    assert series(exposition.body())


def test_what_belongs_to_no_target_keeps_its_last_text() -> None:
    exposition = Exposition(PLACE)
    exposition.update(state())
    done = exposition.update(broken(resolvers=(None,)))
    assert done.errors == 1
    assert values(exposition.body(), "wayclear_connector_degraded") == {(): 0}
    assert (
        values(exposition.body(), "wayclear_check_success", "target", "check")[
            "login.microsoftonline.com", "tls"
        ]
        == 0
    )
    assert exposition.update(broken()) == Updated(0, len(series(page(broken()))), 0, 0)
    assert values(exposition.body(), "wayclear_connector_degraded") == {(): 1}


def test_a_body_may_be_joined_while_states_come() -> None:
    first, second = many(200), many(200, answer=Answer.NO)
    second = replace(second, targets=tuple(replace(found, expiry=None) for found in second.targets))
    exposition = Exposition(PLACE)
    exposition.update(first)
    done = threading.Event()

    def feed() -> None:
        try:
            for n in range(60):
                exposition.update((first, second)[(n + 1) % 2])
        finally:
            done.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    seen = set()
    while not done.is_set():
        seen.add(exposition.body())
    feeder.join()
    allowed = {page(first), page(second)}
    assert seen
    assert {"".join(sorted(body.decode().splitlines())) for body in seen} <= {
        "".join(sorted(text.splitlines())) for text in allowed
    }


def test_gzip_of_a_page_is_the_page() -> None:
    body = Exposition(PLACE).body(busy().render())
    assert gzip.decompress(gzipped([body])) == body


# --- by itself ------------------------------------------------------------------------------------------------------


def test_one_state_by_itself_tells_its_age_and_nothing_of_the_prober() -> None:
    text = from_state(broken())
    assert promtool(text) == ""
    assert values(text, "wayclear_last_cycle_timestamp_seconds", "kind") == {("audit",): NOW}
    names = {name for name, _ in series(text)}
    assert names == {metric.name for metric in STATE} | {"wayclear_last_cycle_timestamp_seconds"}
    assert text.startswith("# HELP ")
    assert text.endswith("\n")
    assert "\r" not in text


def test_one_state_is_as_old_as_its_round() -> None:
    text = from_state(broken(), Ended("service", NOW - 500, {"service": 1800.0, "sign-in": 3600.0}))
    assert values(text, "wayclear_last_cycle_timestamp_seconds", "kind") == {("service",): NOW - 500}
    told = values(text, "wayclear_cycle_interval_seconds", "kind")
    assert told == {("service",): 1800, ("sign-in",): 3600}, "what the age is held against"


def test_one_state_without_a_report_has_no_age() -> None:
    assert {name for name, _ in series(from_state(starting()))} == {
        "wayclear_group_min_connectors",
        "wayclear_maintenance",
    }


def test_one_state_that_cannot_be_written_is_an_error_and_no_half_file() -> None:
    with pytest.raises(AttributeError):
        from_state(state(target(), target("b.example", checks=(None,))))

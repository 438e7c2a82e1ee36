"""What changed lately, newest first."""

from __future__ import annotations

from exporters.page.changes import NAMES, SHOWN, UNFOLDED, changes
from rules.watch.events import Drift, Transition
from tests.exporters import samples, states
from tests.exporters.html_reader import Node, read

NOW = states.NOW + 12


def transition(at: float, subject: str = "x.example:443", **changes: object) -> Transition:
    values: dict[str, object] = {
        "at": at, "subject": subject, "before": "pass", "after": "fail",
        "cause_before": "ok", "cause": "tcp.timeout", "summary": "no answer",
    }  # fmt: skip
    return Transition(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def test_transitions_and_drift_are_told_together_newest_first() -> None:
    page = read(changes(states.broken(), NOW))
    lines = [item.text for item in page.one("ol").all("li")]
    assert len(lines) == 3
    assert "The answer: YES → DEGRADED tls.intercepted Sign-in fails" in lines[0], (
        "the answer's own line first"
    )
    assert "login.microsoftonline.com:443: ok → FAIL tls.intercepted Intercepted" in lines[1]
    assert "a new suffix in the chain of" in lines[2]
    assert lines[2].endswith("drift")


def test_times_are_in_utc_and_for_machines() -> None:
    page = read(changes(states.state(transitions=(transition(states.NOW - 600),)), NOW))
    when, before = page.all("time")
    assert when.attributes["datetime"] == "2026-11-02T10:04:05Z"
    assert (when.text, before.text) == ("2026-11-02 10:04:05 UTC", "10 min ago")


def test_times_are_local_too_where_the_host_s_zone_is_known() -> None:
    report = samples.report(vantage=samples.vantage(utc_offset=3600))
    state = states.state(report=report, transitions=(transition(states.NOW - 600),))
    assert "2026-11-02 11:04:05 (UTC+01:00), 10:04:05 UTC" in read(changes(state, NOW)).text


def test_a_first_sight_and_a_word_of_a_later_version_are_told() -> None:
    found = (transition(NOW - 1, before="", cause="ok", summary=""), transition(NOW - 2, after="sideways"))
    first, odd = read(changes(states.state(transitions=found), NOW)).one("ol").all("li")
    assert "x.example:443: first seen: FAIL" in first.text
    assert "ok → sideways" in odd.text


def test_a_drift_that_does_not_name_its_endpoint_is_named() -> None:
    drift = Drift(NOW - 1, "x.example", "address", "192.0.2.7", "a new address")
    assert "x.example: a new address" in read(changes(states.state(drifts=(drift,)), NOW)).one("ol").text


def test_few_are_shown_more_are_folded_and_their_number_is_bounded() -> None:
    found = tuple(transition(NOW - 400 * i, f"x{i}.example:443") for i in range(1000))
    page = read(changes(states.state(transitions=found), NOW))
    assert len(list(page.all("li"))) == SHOWN + UNFOLDED
    assert len(list(page.one("details").all("li"))) == UNFOLDED
    assert f"{UNFOLDED} earlier" in page.one("summary").text


def test_one_break_is_one_line_with_its_names_below() -> None:
    names = tuple(f"n{i}.example" for i in range(13))
    broke = tuple(transition(NOW - i, f"{host}:443") for i, host in enumerate(names))
    answer = transition(NOW - 5, "connector", before="yes", after="no", summary="Nothing works")
    state = states.state(
        *(states.target(host) for host in names), transitions=(*broke[:5], answer, *broke[5:])
    )
    items = [n for n in read(changes(state, NOW)).one("ol").inside if isinstance(n, Node)]
    assert len(items) == 2
    assert "The answer: YES → NO" in items[0].text
    assert "13 service names: ok → FAIL tcp.timeout" in items[1].text
    fold = items[1].one("details")
    assert [item.text for item in fold.all("li")] == [f"{host}:443: no answer" for host in names]


def test_the_names_of_one_change_are_bounded() -> None:
    broke = tuple(transition(NOW, f"n{i}.example:443") for i in range(NAMES + 9))
    fold = read(changes(states.state(transitions=broke), NOW)).one("details")
    assert len(list(fold.all("li"))) == NAMES + 1
    assert "9 more" in fold.text


def test_the_same_news_of_many_names_is_one_line() -> None:
    found = tuple(
        Drift(
            NOW,
            f"n{i}.example:443",
            "issuer",
            "CN=X",
            f"issuer of n{i}.example:443 now of another class: CN=X",
        )
        for i in range(3)
    )
    text = read(changes(states.state(drifts=found), NOW)).one("ol").text
    assert "3 names: issuer of these names now of another class: CN=X" in text


def test_that_nothing_changed_is_told() -> None:
    assert "No change is on record." in read(changes(states.state(), NOW)).text

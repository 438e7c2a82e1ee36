"""The answer, and whether it speaks about now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.page.answer import STALE_AFTER, answer, banners, last_measured, staleness, title
from exporters.page.page import render
from exporters.terminal.headline import ANSWERS
from rules.audit.first_check import FirstCheck
from rules.model.verdict import Answer
from rules.watch.state import State
from tests.exporters import samples, states
from tests.exporters.html_reader import Node, read

NOW = states.NOW + 12


def shown(state: State, now: float = NOW, refresh: int | None = 30) -> Node:
    return read(answer(state, now, refresh)).one("section")


@pytest.mark.parametrize("found", list(Answer))
def test_each_answer_is_a_word_a_sign_and_a_sentence(found: Answer) -> None:
    word, tone, _ = ANSWERS[found]
    headline = f"{word}: a connector is told about."
    state = states.state(answer=found, headline=headline, report=samples.report(answer=found))
    section = shown(state)
    assert section.one("h1").text == f"{word}: A connector is told about."
    assert section.one("b", class_=found.value).text.startswith(word)
    assert section.fits("section", {"class_": tone})
    assert title(state, NOW) == f"{word} - connector01 - wayclear"


def test_since_when_and_how_fresh_is_told_with_times() -> None:
    facts = shown(states.state()).one("dl")
    assert [(d.one("dt").text, d.one("dd").text) for d in facts.all("div")] == [
        ("Since", "60 min ago2026-11-02 09:14:05 UTC"),
        ("Last measured", "22 s ago2026-11-02 10:13:55 UTC"),
        ("Page made", "10:14:17 UTC2026-11-02, renewed every 30 s, stop renewing"),
    ]


def test_times_are_those_of_the_host_and_utc() -> None:
    report = samples.report(vantage=samples.vantage(utc_offset=-12_600))
    facts = [d.one("dd").text for d in shown(states.state(report=report)).one("dl").all("div")]
    assert facts[0] == "60 min ago2026-11-02 05:44:05 (UTC-03:30), 09:14:05 UTC"
    assert facts[1] == "22 s ago2026-11-02 06:43:55 (UTC-03:30), 10:13:55 UTC"


def test_what_the_sentence_does_not_speak_of_stands_beside_it() -> None:
    report = samples.report(plan=replace(samples.report().plan, only="login.*"))
    assert "Only names like login.* (--only)" in shown(states.state(report=report)).text


@pytest.mark.parametrize("refresh", [None, 0])
def test_a_page_that_does_not_renew_itself_says_so(refresh: int | None) -> None:
    link = shown(states.state(), refresh=refresh).one("a")
    assert link.attributes["href"] == "/?refresh=30"


def test_the_newest_measurement_counts() -> None:
    old, new = states.target(measured=states.NOW - 900), states.target("x.example", measured=states.NOW - 5)
    assert last_measured(states.state(old, new, states.target("y.example", measured=None))) == states.NOW - 5


def test_fresh_data_needs_no_warning() -> None:
    state = states.state(states.target(measured=NOW - STALE_AFTER))
    assert staleness(state, NOW) == ""
    assert list(shown(state).all(class_="banner")) == []


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (NOW - STALE_AFTER - 1, "Nothing was measured for 5 min"),
        (NOW - 86_400, "Nothing was measured for 24 h"),
        (NOW + STALE_AFTER + 1, "the clock of this host was set back"),
        (None, "No target was measured"),
    ],
)
def test_old_data_is_told_first_and_takes_the_colour_from_the_answer(
    measured: float | None, told: str
) -> None:
    state = states.state(states.target(measured=measured))
    section = shown(state)
    first = section.inside[0]
    assert isinstance(first, Node)
    assert first.fits("p", {"class_": "banner"})
    assert told in first.text
    assert section.attributes["class"] == "answer quiet"
    assert title(state, NOW).startswith("OLD: YES")


def test_a_judgement_that_waits_for_confirmation_is_told() -> None:
    state = states.state(report=samples.report(answer=Answer.NO))
    assert "The newest judgement is NO; it counts when it is confirmed." in shown(state).text
    assert "newest judgement" not in shown(states.state()).text


def test_before_the_first_sweep_has_ended_there_is_no_answer() -> None:
    section = shown(states.starting())
    assert section.one("h1").text == "STARTING: First check still running."
    assert "Started 61 min ago. The answer stands here when every name was tried." in section.text
    assert "Seen so far" not in section.text
    assert "Last measured not yet" in section.text
    assert "Since" not in section.text
    assert title(states.starting(), NOW) == "Starting - connector01 - wayclear"


def test_the_first_check_shows_how_far_it_is_how_long_it_takes_and_what_it_saw() -> None:
    failed = tuple(f"f{i}.example" for i in range(10))
    first = FirstCheck(7, 39, 41.0, ("a.example", "b.example"), failed, ("c.example",))
    section = shown(states.starting(first=first))
    assert section.one("h1").text == "STARTING: First check still running: 7 of 39 names."
    told = [p.text for p in section.all("p")]
    assert told[0].startswith("Started 61 min ago, about 41 s left.")
    assert told[1].startswith("Seen so far: 2 of 13 service names answered at the first address.")
    assert told[2].startswith("No answer from: f0.example, f1.example")
    assert told[2].endswith("f7.example and 2 more")
    assert told[3] == "No address for: c.example"


def test_without_a_rate_no_time_is_promised() -> None:
    section = shown(states.starting(first=FirstCheck(7, 39, None)))
    assert "left" not in section.text
    assert "Seen so far" not in section.text


def test_a_refused_configuration_is_a_banner_with_what_to_do() -> None:
    state = states.state(refused=("The configuration was refused, the old one stays in force: [x] <b>",))
    (banner,) = read(banners(state)).all("p")
    assert banner.text == (
        "The configuration was refused, the old one stays in force: [x] <b>. Correct the file, then check it with "
        "wayclear validate FILE."
    )
    page = read(render(state, NOW))
    order = [n for n in page.one("main").inside if isinstance(n, Node)]
    assert order[0].fits("section", {"class_": "answer"})
    assert order[1].fits("p", {"class_": "banner"}), "under the answer"


def test_an_open_window_and_faults_of_the_host_stand_beside_the_answer() -> None:
    state = states.state(maintenance="patch day", host_faults=("local.no-route", "local.starved"))
    window, host = read(banners(state)).all("p")
    assert "the window patch day is open" in window.text
    assert "A fault of this host itself: local.no-route, local.starved" in host.text
    assert "what fails now may be meant to fail" in window.text
    assert banners(states.state()) == ""


def test_a_window_that_pauses_says_that_nothing_is_asked_and_why_the_answer_is_old() -> None:
    paused = states.state(states.target(measured=NOW - 420), maintenance="patch <b>day", paused=True)
    (window,) = read(banners(paused)).all("p")
    assert "the window patch <b>day is open. Nothing is asked until it has ended" in window.text
    old = "Nothing was measured for 7 min, because the maintenance window patch <b>day is open: this is"
    assert shown(paused).one("p", class_="banner").text.startswith(old)
    assert "because" not in staleness(replace(paused, paused=False), NOW)

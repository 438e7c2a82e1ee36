"""What is put into a page stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.page.markup import (
    Markup,
    ago,
    anchor,
    day,
    escaped,
    folded,
    joined,
    link,
    moment,
    name,
    rows,
    section,
    sentence_text,
    span,
    statement,
    tag,
    time_of_day,
)
from rules.model.verdict import Status
from rules.text.display import SHOWN, display
from tests.exporters.html_reader import read

AT = 1793697245.5  # 2026-11-03 09:14:05.5 UTC
UNTELLABLE = [None, float("nan"), float("inf"), -float("inf"), -1.0, 1e300]


@given(st.text(min_size=1, max_size=400))
def test_any_text_is_one_text_inside_an_element_and_in_an_attribute(text: str) -> None:
    found = read(tag("p", escaped(text), title=text)).one("p")
    assert "".join(map(str, found.inside)) == display(text)
    assert found.attributes == {"title": display(text)}


@given(st.text())
def test_text_that_nobody_escaped_is_escaped_by_the_element(text: str) -> None:
    inside = read(tag("p", text)).one("p").inside
    assert "".join(map(str, inside)) == display(text, 1024)


def test_markup_is_taken_as_it_is_and_escaped_once() -> None:
    assert tag("b", tag("i", "a & b")) == "<b><i>a &amp; b</i></b>"
    assert joined(("<", Markup("<br>")), " & ") == "&lt; &amp; <br>"


def test_long_text_is_cut_and_says_so() -> None:
    assert len(escaped("x" * 1_000_000)) < SHOWN + 60
    assert "sha256" in sentence_text("x" * 1_000_000)


def test_attributes_are_written_as_html_calls_them() -> None:
    assert tag("a", class_="x", aria_label="y", colspan=2, id="") == (
        '<a class="x" aria-label="y" colspan="2"></a>'
    )


@pytest.mark.parametrize("target", ["/metrics", "/report.json", "/config", "/targets", "#main"])
def test_links_lead_to_own_pages_and_anchors(target: str) -> None:
    assert read(link(target, "x")).one("a").attributes == {"href": target}


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "//evil.example/",
        "https://evil.example/",
        "/-/reload",
        "#<script>",
        "",
        "#",
        "data:,x",
    ],
)
def test_links_lead_nowhere_else(target: str) -> None:
    with pytest.raises(ValueError, match="leads to its own anchors"):
        link(target, "x")


def test_the_anchor_of_a_target_is_its_name_where_that_can_be_one() -> None:
    assert anchor("login.windows.net:443") == "login.windows.net:443"
    assert anchor("main") != "main", "an id of the page itself must not be taken"


@given(st.text())
def test_every_name_has_an_anchor_that_can_be_linked_to(text: str) -> None:
    assert link(f"#{anchor(text)}", "x")


def test_a_name_may_end_its_line_before_a_dot() -> None:
    assert name("a.b<c") == "a<wbr>.b&lt;c"


def test_times_are_told_in_utc_and_for_machines() -> None:
    assert moment(AT) == '<time datetime="2026-11-03T09:14:05Z">2026-11-03 09:14:05 UTC</time>'
    assert read(day(AT)).text == "2026-11-03"
    assert read(time_of_day(AT)).text == "09:14:05 UTC"
    assert read(ago(AT, AT + 3600 * 3 + 60 * 12)).text == "3 h 12 min ago"
    assert read(ago(AT + 41.2, AT)).text == "in 41 s"


@pytest.mark.parametrize("at", UNTELLABLE)
def test_a_time_that_cannot_be_told_is_unknown(at: float | None) -> None:
    assert [moment(at), day(at), ago(at, AT)] == ["unknown"] * 3


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (-5, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"),
     (11520, "3 h 12 min"), (172_800, "2 d"), (183_600, "2 d 3 h")],
)  # fmt: skip
def test_durations_have_the_units_that_matter(seconds: float, told: str) -> None:
    assert span(seconds) == told


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_durations_without_an_end_are_bounded(seconds: float) -> None:
    assert len(span(seconds)) < 20


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_word_a_tone_and_a_sign(status: Status) -> None:
    found = read(statement(status)).one("b")
    assert found.text
    assert status.value in found.attributes["class"].split()
    assert {"good", "bad", "doubt", "note", "quiet"} & set(found.attributes["class"].split())


def test_parts_are_found_by_their_headings() -> None:
    found = read(section("x", "Title", rows((("a", "1"), ("b", "")), a="strong"), folded("more", "inside")))
    assert found.one("section").attributes == {"aria-labelledby": "x"}
    assert found.one("h2", id="x").text == "Title"
    assert [n.text for n in found.all("dt")] == ["a"], "what has no value is left out"
    assert found.one("div").attributes == {"class": "strong"}
    assert found.one("details").one("summary").text == "more"

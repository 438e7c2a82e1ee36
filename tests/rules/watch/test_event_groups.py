"""One event a cause: what is grouped, what is not, and in which order."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from rules.watch.event_groups import LISTED, TOGETHER, Event, grouped, merged, subject
from rules.watch.events import Drift, Transition

AT = 1_795_597_923.0


def change(
    at: float, about: str, after: str = "fail", cause: str = "tcp.timeout", before: str = "pass"
) -> Transition:
    causes = ("ok", cause) if after != "pass" else (cause, "ok")
    return Transition(AT + at, about, before, after, *causes, f"summary of {about}")


def news(at: float, about: str, text: str = "issuer of {} now of another class: X") -> Drift:
    return Drift(AT + at, about, "issuer", "X", text.format(about))


def titles(*events: Event) -> list[str]:
    return [group.title() for group in grouped(events)]


def test_one_break_is_one_group_with_all_its_names() -> None:
    found = grouped(change(90 - i, f"n{i}.example:443") for i in range(13))
    assert len(found) == 1
    assert found[0].title() == "13 names"
    assert found[0].title({f"n{i}.example:443": "service" for i in range(13)}) == "13 service names"
    assert found[0].title({"n1.example:443": "service"}) == "13 names", "of several rule groups"
    assert (found[0].before, found[0].at, found[0].lasted) == ("pass", AT + 90, 12.0)


def test_a_name_with_two_ports_counts_once() -> None:
    assert titles(change(1, "a.example:443"), change(0, "a.example:80"), change(0, "b.example:443")) == [
        "2 names"
    ]


def test_other_causes_other_statuses_and_other_kinds_stay_apart() -> None:
    assert len(grouped([change(0, "a:443"), change(0, "b:443", cause="tcp.reset")])) == 2
    assert len(grouped([change(0, "a:443"), change(0, "b:443", after="warn")])) == 2
    assert len(grouped([change(0, "a:443"), news(0, "b:443")])) == 2
    assert len(grouped([news(0, "a:443"), news(0, "b:443", "issuer of {} now of another class: Y")])) == 2


def test_a_recovery_is_grouped_by_what_had_been_the_cause() -> None:
    same = [change(0, f"n{i}:443", after="pass", before="fail") for i in range(3)]
    assert titles(*same, change(0, "x:443", after="pass", cause="tls.expired", before="fail")) == [
        "3 names",
        "x:443",
    ]


def test_what_lies_further_apart_is_two_events() -> None:
    assert len(grouped([change(TOGETHER, "a:443"), change(0, "b:443")])) == 1
    assert len(grouped([change(TOGETHER + 1, "a:443"), change(0, "b:443")])) == 2


def test_the_answer_stands_alone_and_first() -> None:
    answer = change(0, "connector", after="no", before="yes")
    assert titles(change(2, "a:443"), change(1, "b:443"), answer, change(0, "c:443")) == [
        "connector",
        "3 names",
    ]
    earlier = change(-90, "connector", after="no", before="yes")
    assert titles(change(2, "a:443"), earlier) == ["a:443", "connector"], "it changed before"
    back = change(30, "connector", after="yes", before="no")
    assert titles(back, answer) == ["connector", "connector"]
    assert [group.newest for group in grouped([back, answer])] == [back, answer]


def test_a_name_that_came_and_went_is_not_told_in_another_order() -> None:
    events = [change(20, "b:443"), change(10, "a:443", after="pass", before="fail"), change(0, "a:443")]
    assert titles(*events) == ["b:443", "a:443", "a:443"], (
        "it did not fail together with b, after it was well"
    )


def test_the_sentence_of_news_names_them_all() -> None:
    (group,) = grouped([news(0, "a:443"), news(0, "b:443")])
    assert group.text == "issuer of these names now of another class: X"
    assert grouped([news(0, "a:443")])[0].text == "issuer of a:443 now of another class: X"


def test_a_log_has_one_line_for_a_group() -> None:
    (group,) = grouped([change(1, "a:443"), change(0, "b:443")])
    one = merged(group)
    assert one is not None
    assert (one.subject, one.before, one.after, one.cause) == ("2 names", "pass", "fail", "tcp.timeout")
    assert one.summary == "a:443, b:443"
    alone = change(0, "a:443")
    assert merged(grouped([alone])[0]) is alone
    assert merged(grouped([news(0, "a:443")])[0]) is None
    (many,) = grouped(change(0, f"n{i}:443") for i in range(LISTED + 5))
    listed = merged(many)
    assert listed is not None
    assert listed.summary.endswith(" and 5 more")


EVENTS = st.lists(
    st.one_of(
        st.builds(
            change,
            st.integers(0, 900).map(float),
            st.sampled_from(["a:443", "b:443", "c:443", "connector"]),
            st.sampled_from(["fail", "pass", "warn"]),
            st.sampled_from(["tcp.timeout", "tcp.reset"]),
        ),
        st.builds(news, st.integers(0, 900).map(float), st.sampled_from(["a:443", "b:443"])),
    ),
    max_size=12,
)


@given(EVENTS)
def test_nothing_is_lost_and_each_subject_keeps_its_order(events: list[Event]) -> None:
    events.sort(key=lambda one: one.at, reverse=True)
    groups = grouped(events)
    flat = [event for group in groups for event in group.events]
    assert sorted(map(id, flat)) == sorted(map(id, events))
    for about in {subject(event) for event in events}:
        mine = [event for event in events if subject(event) == about]
        assert [event for event in flat if subject(event) == about] == mine
    assert all(group.lasted <= TOGETHER for group in groups)


def test_ten_thousand_names_cost_ten_times_a_thousand() -> None:
    """Counted in calls, so that a busy machine changes nothing."""

    def calls(number: int) -> int:
        made = [
            news(0, f"n{i}.example:443", f"a new suffix in the chain of {{}}: s{i}.example")
            for i in range(number)
        ]
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            grouped([*made, *(change(0, f"n{i}.example:443") for i in range(number))])
        finally:
            sys.setprofile(None)
        return counted

    assert calls(10_000) < 12 * calls(1_000)

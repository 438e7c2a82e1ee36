"""Times that a peer or a file gives: every form that counts, and nothing that raises or depends on this host."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import Iterator
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.files.report_json import from_rfc3339, to_rfc3339
from rules.text.moments import EPOCH, FIRST, LAST, MAX_AGE, bounded, http_date, local, seconds_of, utc
from rules.watch.maintenance import Window

NOW = 1_796_000_000.0  # 2026-11-30
RFC_EXAMPLE = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, of RFC 9110 section 5.6.7


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "America/New_York"])
def _here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This host stands in another zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "sun, 6 nov 1994 08:49:37 gmt",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 03:49:37 EST",
        "Sun, 06 Nov 1994 01:49:37 PDT",
        "Sun, 06 Nov 1994 08:49:37 UT",
        "Sun, 06 Nov 1994 08:49:37 Z",
        "  Sun, 06 Nov 1994 08:49:37 GMT\t",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
    ],
)
def test_the_same_moment_in_every_form(text: str) -> None:
    assert http_date(text, NOW) == RFC_EXAMPLE


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "Sun, 06 Nov 1994 08:49:37",  # no zone: nobody knows whose
        "Sun, 06 Nov 1994 08:49:37 CEST",  # RFC 5322 does not know it
        "Sun, 06 Nov 1994 08:49:37 MESZ",
        "Sun, 06 Nov 1994 08:49:37 J",
        "Sun, 06 Nov 1994 08:49:37 +2500",
        "Sun, 06 Nov 1994 08:49:37 +0060",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 06 Nov -001 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\x00",
        "Sun, 06 Nov 1994 08:49:37 GMT" + " " * 100,
        "Sun, ٠٦ Nov ١٩٩٤ 08:49:37 GMT",  # digits that are not ASCII
        "\ud800" * 20,
        "9" * 65_536,
        "1994-11-06T08:49:37Z",
        "784111777",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert http_date(text, NOW) is None


def test_a_leap_second_counts_as_the_one_before() -> None:
    assert http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1_483_228_799.0


def test_a_year_of_two_digits_is_at_most_fifty_years_ahead() -> None:
    assert (
        http_date("Monday, 30-Nov-76 00:00:00 GMT", NOW)
        == datetime.datetime(2076, 11, 30, tzinfo=datetime.UTC).timestamp()
    )
    assert (
        http_date("Monday, 30-Nov-77 00:00:00 GMT", NOW)
        == datetime.datetime(1977, 11, 30, tzinfo=datetime.UTC).timestamp()
    )
    assert http_date("Monday, 30-Nov-77 00:00:00 GMT", FIRST) is None  # 23 before the first year
    assert http_date("Monday, 30-Nov-77 00:00:00 GMT", LAST) is not None


def test_the_ends_of_time() -> None:
    assert http_date("Mon, 01 Jan 0001 00:00:00 GMT", NOW) == FIRST
    assert http_date("Fri, 31 Dec 9999 23:59:59 GMT", NOW) == LAST
    assert http_date("Mon, 01 Jan 0001 00:00:00 +2359", NOW) == FIRST - (23 * 60 + 59) * 60
    assert http_date("Fri, 31 Dec 9999 23:59:59 -2359", NOW) == LAST + (23 * 60 + 59) * 60


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)), st.floats(FIRST, LAST))
def test_every_imf_date_is_read(when: datetime.datetime, now: float) -> None:
    moment = when.replace(microsecond=0, tzinfo=datetime.UTC)
    assert http_date(format_datetime(moment, usegmt=True), now) == (moment - EPOCH).total_seconds()


_PARTS = st.sampled_from(
    [
        "Sun",
        ",",
        " ",
        "06",
        "Nov",
        "-",
        "94",
        "1994",
        "08:49:37",
        "GMT",
        "+0100",
        "-9999",
        "99999",
        "\x00",
        "\ud800",
        "é",
    ]
)


@given(st.one_of(st.text(), st.lists(_PARTS, max_size=14).map("".join)), st.floats())
def test_no_text_and_no_clock_makes_it_raise(text: str, now: float) -> None:
    found = http_date(text, now)
    assert found is None or FIRST - 86_400 <= found <= LAST + 86_400


# --- telling ------------------------------------------------------------------------------------------------------------


@given(st.floats())
def test_any_time_can_be_told(seconds: float) -> None:
    assert FIRST <= bounded(seconds) <= LAST
    assert utc(seconds).tzinfo is datetime.UTC
    assert from_rfc3339(to_rfc3339(seconds), "$") == pytest.approx(bounded(seconds), abs=0.001)
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        assert local(seconds, zoneinfo.ZoneInfo(zone)).utcoffset() is not None


@given(st.floats(), st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Los_Angeles"]))
def test_a_window_can_be_asked_at_any_time(now: float, zone: str) -> None:
    Window("w", days=(0,), begins=0, ends=3600, zone=zoneinfo.ZoneInfo(zone)).open(now)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1.0, "1969-12-31T23:59:59+00:00"),
        (0.0, "1970-01-01T00:00:00+00:00"),
        (FIRST, "0001-01-01T00:00:00+00:00"),
        (LAST, "9999-12-31T23:59:59+00:00"),
        (1e300, "9999-12-31T23:59:59+00:00"),
        (float("-inf"), "0001-01-01T00:00:00+00:00"),
        (float("nan"), "1970-01-01T00:00:00+00:00"),
    ],
)
def test_what_a_c_library_may_refuse(seconds: float, told: str) -> None:
    assert utc(seconds).isoformat() == told


def test_local_time_is_that_of_its_zone() -> None:
    assert local(NOW, zoneinfo.ZoneInfo("Europe/Vienna")).isoformat() == "2026-11-30T01:53:20+01:00"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), (" 60 ", 60), ("60, 7", 60), ("9" * 20, MAX_AGE), ("9" * 21, None), ("", None), ("-1", None), ("1.5", None),
        ("x", None), ("\u0663", None), ("\u00b2", None), (",60", None),
    ],
)  # fmt: skip
def test_the_seconds_of_an_age(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds

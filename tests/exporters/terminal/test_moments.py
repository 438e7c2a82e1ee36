"""Moments in local time and UTC, with a date where the day is another."""

from __future__ import annotations

import pytest

from exporters.terminal.moments import Moments
from tests.exporters.samples import START  # 2026-11-02T09:14:05Z

HOUR = 3600
MIDNIGHT = START + 14 * HOUR + 46 * 60  # 2026-11-03T00:00:05Z


@pytest.mark.parametrize("offset", [None, 0])
def test_utc_stands_alone_where_local_time_is_not_known_or_the_same(offset: int | None) -> None:
    made = Moments(START, offset)
    assert made.minute(START) == "09:14 UTC"
    assert made.second(START) == "09:14:05 UTC"
    assert made.dated(START) == "2026-11-02 09:14 UTC"
    assert made.minute(MIDNIGHT) == "2026-11-03 00:00 UTC", "a watch over midnight"


@pytest.mark.parametrize(
    ("hours", "begun", "minute", "dated"),
    [
        (1, "10:14 (09:14 UTC)", "2026-11-03 01:00 (00:00 UTC)", "2026-11-03 01:00 local time (00:00 UTC)"),
        (-5, "04:14 (09:14 UTC)", "19:00 (00:00 UTC)", "2026-11-02 19:00 local time (2026-11-03 00:00 UTC)"),
        (5.5, "14:44 (09:14 UTC)", "2026-11-03 05:30 (00:00 UTC)", "2026-11-03 05:30 local time (00:00 UTC)"),
    ],
)
def test_local_time_comes_first_and_its_day_decides_on_the_date(
    hours: float, begun: str, minute: str, dated: str
) -> None:
    made = Moments(START, round(hours * HOUR))
    assert made.minute(START) == begun
    assert made.minute(MIDNIGHT) == minute
    assert made.dated(MIDNIGHT) == dated

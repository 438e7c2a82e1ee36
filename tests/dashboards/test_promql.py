"""Durations, ranges and blocks of an expression."""

from __future__ import annotations

import pytest

from dashboards.blocks import BLOCKS
from dashboards.promql import duration, rendered, scaled, seconds, written_out


@pytest.mark.parametrize(
    ("text", "value"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("6h", 21_600), ("1d", 86_400)]
)
def test_durations_both_ways(text: str, value: float) -> None:
    assert seconds(text) == value
    assert duration(value) == text


def test_what_is_no_duration_says_what_is() -> None:
    with pytest.raises(ValueError, match="'5w' is not a duration such as 30s, 5m"):
        seconds("5w")


def test_a_scale_shortens_ranges_steps_and_seconds_and_no_plain_number() -> None:
    expr = "time() - last_over_time(a[1h:30s]) > @5m@ and b - time() < 86400"
    assert rendered(expr, 1 / 60) == "time() - last_over_time(a[1m:500ms]) > 5 and b - time() < 86400"
    assert rendered(expr) == "time() - last_over_time(a[1h:30s]) > 300 and b - time() < 86400"
    assert scaled("5m", 1 / 60) == "5s"
    assert scaled("1m", 1e-9) == "1ms", "never nothing: Prometheus refuses a range of 0"


def test_a_block_is_written_out_also_inside_another_and_over_a_range() -> None:
    blocks = {
        "connector:wayclear_a:bool": "up",
        "connector:wayclear_b:bool": "connector:wayclear_a:bool == 1",
    }
    assert written_out("x and connector:wayclear_b:bool", blocks) == "x and (\n  (\n    up\n  ) == 1\n)"
    assert written_out("connector:wayclear_a:bool[3m]", blocks) == "(\n  up\n)[3m:30s]"


def test_an_unknown_block_is_no_expression() -> None:
    with pytest.raises(KeyError):
        written_out("connector:wayclear_none:bool", BLOCKS)

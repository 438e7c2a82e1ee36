"""Options of the end-to-end tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--record-goldens` keeps each scenario's report as its recording."""
    parser.addoption(
        "--record-goldens", action="store_true", help="keep every scenario's report under tests/scenarios/"
    )


#: Two tests of `make proof` take an hour each. At the two ends of the list they go to different workers, because a
#: worker keeps the tests that follow its present test.
_FIRST, _LAST = (
    "test_an_hour_at_one_second_stays_flat",
    "test_a_day_of_the_schedule_keeps_its_rate_on_the_wire",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of an hour in parallel."""
    items.sort(key=lambda item: (item.name != _FIRST) + (item.name == _LAST))

"""Options of the end-to-end tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--record-goldens` keeps each scenario's report as its golden replay."""
    parser.addoption(
        "--record-goldens", action="store_true", help="keep every scenario's report under tests/scenarios/"
    )


#: Of `make proof` two tests take an hour each. At both ends of the list they go to different workers, which keep what
#: follows the test that they are at.
_FIRST, _LAST = (
    "test_an_hour_at_one_second_stays_flat",
    "test_a_day_of_the_schedule_keeps_its_rate_on_the_wire",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the hours run beside each other."""
    items.sort(key=lambda item: (item.name != _FIRST) + (item.name == _LAST))

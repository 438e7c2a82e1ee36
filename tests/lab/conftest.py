"""Options of the end-to-end tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--record-goldens` keeps each scenario's report as its golden replay."""
    parser.addoption(
        "--record-goldens", action="store_true", help="keep every scenario's report under tests/scenarios/"
    )

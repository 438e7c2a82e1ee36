"""One browser and one server for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.exporters.browser import Browser, Site, browsing, serving


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as made:
        yield made

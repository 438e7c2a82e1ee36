"""A confirmation that has published one target."""

from __future__ import annotations

import pytest

from rules.model.verdict import Status
from tests.rules.watch.confirmations import OneTarget


@pytest.fixture
def told() -> OneTarget:
    made = OneTarget()
    assert made(Status.PASS).transitions == ()
    return made

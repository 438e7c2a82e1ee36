"""What the tests under Wine share: one installation for each test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.windows.installation import installed
from tests.windows.wine import Wine


@pytest.fixture(scope="session")
def wine() -> Iterator[Wine]:
    """wayclear installed in a prefix of this process's own."""
    with installed() as there, there.up():
        yield there

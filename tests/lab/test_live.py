"""The choice of networks that `make test` brings up."""

from __future__ import annotations

from collections.abc import Iterable

from tests.lab.live import LIVE
from tests.rules import goldens


def test_each_cause_of_a_recording_is_seen_on_a_network_of_make_test() -> None:
    def causes(names: Iterable[str]) -> set[str]:
        return {v.cause.word for name in names for v in goldens.golden(name).verdicts}

    assert causes(goldens.NAMES) == causes(LIVE)

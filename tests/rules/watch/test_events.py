"""The values of what changes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rules.watch.events import Drift, HistoryExtract, LedgerEntry, Transition


def test_values_are_frozen_and_compare_by_content() -> None:
    first = Transition(1.0, "connector", "", "yes", "", "ok", "fine")
    assert first == Transition(1.0, "connector", "", "yes", "", "ok", "fine", 0)
    with pytest.raises(FrozenInstanceError):
        first.at = 2.0  # type: ignore[misc]  # the fault itself
    assert LedgerEntry("a.example", "cname", "b.example", 1.0, 2.0).mark == ""


def test_a_reading_merges_in_the_order_of_writing() -> None:
    """Also where the clock was set back between two rows: the id tells which came first."""
    passed = Transition(900.0, "connector", "", "yes", "", "ok", "", 1)
    drift = Drift(1000.0, "a.example", "cname", "b.example", "a new suffix", 2)
    failed = Transition(500.0, "connector", "yes", "no", "ok", "tcp.timeout", "", 3)
    assert HistoryExtract((failed, passed), (drift,)).events() == (failed, drift, passed)

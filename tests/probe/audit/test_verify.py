"""The loop of `verify`: when a round begins, and what Ctrl-C leaves."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from probe.audit import verify
from probe.config.settings import Config
from rules.model.observation import Observation, Step
from rules.model.verdict import FlowState, Report
from rules.verify.rounds import Progress, Verification
from tests.rules import goldens

NAME = "service-dropped"


class Unchanged:
    """A prober to which the network answers as in the recording."""

    def __init__(self, **_: object) -> None:
        self.seen = {one.step: one for one in goldens.recorded(NAME).observations}

    async def measure(self, step: Step) -> Observation:
        known = self.seen.get(step) or self.seen[replace(step, attempt=1)]
        return replace(known, step=step, started=time.time())

    async def close(self) -> None:
        pass


def watched(monkeypatch: pytest.MonkeyPatch, ends: int) -> tuple[Report, list[Progress], list[float]]:
    """A watch in which Ctrl-C comes during the wait number `ends`: the report, the progress of each round, the waits."""
    waits: list[float] = []
    told: list[Progress] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == ends:
            raise asyncio.CancelledError

    alone = SimpleNamespace(
        sleep=sleep, CancelledError=asyncio.CancelledError, current_task=asyncio.current_task
    )
    monkeypatch.setattr(verify, "Prober", Unchanged)
    monkeypatch.setattr(verify, "asyncio", alone)
    recorded = goldens.recorded(NAME)
    asked = Verification(goldens.rules(), recorded, "", recorded.finished)
    config = Config(pace="fast")
    report, _ = asyncio.run(verify.run_rounds(asked, config, watch=True, tell=told.append))
    return report, told, waits


def test_a_round_begins_every_fifteen_seconds_and_ctrl_c_leaves_a_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report, told, waits = watched(monkeypatch, ends=3)
    assert len(told) == 3
    assert all(0 <= wait <= 15 for wait in waits)
    assert max(waits) > 1, "a round of answers that come at once is over before its fifteen seconds"
    assert {one.state for one in told[-1].standings.values()} == {FlowState.FAILS}
    assert report.answer == goldens.golden(NAME).answer

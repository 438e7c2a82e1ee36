"""Jobs on APScheduler: not stacked, missed ones told, a clock that is set or an end that comes no fault of theirs."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time

import pytest
from apscheduler.events import EVENT_JOB_MISSED, JobEvent

from probe.host.clocks import ClockTimes
from probe.serve import jobs as module
from probe.serve.jobs import Jobs, _Every
from tests.probe.looped import looping, until

NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class Counted:
    """A job that counts its runs and, if told so, holds each of them."""

    def __init__(self, held: float = 0.0) -> None:
        self.runs = self.at_once = self.most = 0
        self._held = held

    async def __call__(self) -> None:
        self.runs += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self._held)
        finally:
            self.at_once -= 1


@looping
async def test_each_runs_at_once_and_then_every_so_many_seconds() -> None:
    quick, slow = Counted(), Counted()
    jobs = Jobs({"quick": (0.1, quick), "slow": (60.0, slow)}, lambda _: None)
    jobs.start()
    await asyncio.sleep(0.55)
    jobs.stop()
    assert 4 <= quick.runs <= 7
    assert slow.runs == 1
    await asyncio.sleep(0.2)
    assert quick.runs <= 7, "none after the end"


@looping
async def test_one_that_takes_long_is_never_stacked_and_what_is_left_out_is_told() -> None:
    told: list[str] = []
    long = Counted(held=0.35)
    jobs = Jobs({"long": (0.1, long)}, told.append)
    jobs.start()
    await asyncio.sleep(0.8)
    jobs.stop()
    await asyncio.sleep(0)
    assert long.most == 1
    assert long.runs in (2, 3)
    assert set(told) == {"long"}


@looping
async def test_after_a_stop_one_run_makes_up_for_all_and_one_too_late_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert module.GRACE == 30
    for grace, missed in ((30, 0), (1, 1)):
        monkeypatch.setattr(module, "GRACE", grace)
        told: list[str] = []
        job = Counted()
        jobs = Jobs({"job": (0.1, job)}, told.append)
        jobs.start()
        await until(lambda j=job: j.runs >= 2)  # type: ignore[misc]
        before = job.runs
        time.sleep(1.3)  # noqa: ASYNC251  # the loop stands still, as under SIGSTOP
        await asyncio.sleep(0.05)
        assert job.runs <= before + 2
        await until(lambda j=job, n=before: j.runs > n)  # type: ignore[misc]
        jobs.stop()
        assert len(told) == missed


@looping
async def test_begun_anew_there_is_one_of_each() -> None:
    job = Counted()
    jobs = Jobs({"job": (60.0, job)}, lambda _: None)
    for _ in range(3):
        jobs.start()
        await asyncio.sleep(0.05)
    assert job.runs == 3, "each begin is due now"
    jobs.stop()
    jobs.stop()


@looping
async def test_to_be_stopped_in_the_middle_is_no_fault_of_a_job(caplog: pytest.LogCaptureFixture) -> None:
    jobs = Jobs({"long": (60.0, Counted(held=60.0))}, lambda _: None)
    with caplog.at_level(logging.WARNING, "apscheduler"):
        jobs.start()
        await asyncio.sleep(0.05)
        jobs.stop()
        await asyncio.sleep(0.05)
    assert caplog.records == []


@looping
async def test_a_job_that_fails_is_told_and_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    async def broken() -> None:
        runs.append(1)
        raise ZeroDivisionError

    jobs = Jobs({"broken": (0.05, broken)}, lambda _: None)
    jobs.start()
    await until(lambda: len(runs) >= 3)
    jobs.stop()
    assert "ZeroDivisionError" in caplog.text


@looping
async def test_a_clock_that_was_set_makes_no_job_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the jobs are begun anew before the events of the old ones have come."""
    told: list[str] = []
    jobs = Jobs({"job": (1.0, Counted())}, told.append)
    jobs.start()
    before = ClockTimes.now()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 3600)
    event = JobEvent(EVENT_JOB_MISSED, "job", "default")
    jobs._skipped(before, event)
    jobs.start()
    jobs._skipped(before, event)
    assert told == []
    jobs._skipped(ClockTimes.now(), event)
    assert told == ["job"]
    jobs.stop()


@pytest.mark.parametrize("late", [0.0, 4.9, 5.0, 7.0, 3600.0, 10 * 365 * 86_400.0])
def test_the_next_time_is_found_at_once_however_late_it_is(late: float) -> None:
    """APScheduler asks for the next time until it lies ahead: after years that must not be millions of them."""
    every, now, found = _Every(5.0), NOW + late * SECOND, [NOW]
    while found[-1] <= now:
        found.append(every.get_next_fire_time(found[-1], now))
    assert len(found) == 2
    assert now < found[-1] <= now + 5 * SECOND
    assert (found[-1] - NOW).total_seconds() % 5 == 0, "it stays on its grid"


def test_the_first_time_is_now() -> None:
    assert _Every(5.0).get_next_fire_time(None, NOW) == NOW
    assert _Every(5.0).get_next_fire_time(NOW, NOW - 60 * SECOND) == NOW + 5 * SECOND, (
        "a clock that was set back"
    )

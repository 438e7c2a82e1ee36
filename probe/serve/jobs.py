"""The handful of jobs that APScheduler owns: called every so many seconds of the wall clock, never stacked.

A job costs it 0.2 ms, and it schedules by the wall clock: due times of targets are not its business
(`rules/watch/schedule.py`), and after a step of the clock the jobs are made anew (`start` again).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from probe.host.clocks import Readings, change

#: Seconds by which a job may be late before it counts as missed. APScheduler's own second would skip in silence.
GRACE = 30

Job = Callable[[], Awaitable[object]]


class Jobs:
    """`jobs` by name: how often, in seconds, and what. `missed` is called with the name of one that was skipped."""

    def __init__(self, jobs: Mapping[str, tuple[float, Job]], missed: Callable[[str], None]) -> None:
        self._jobs, self._missed = dict(jobs), missed
        self._scheduler: AsyncIOScheduler | None = None

    def start(self) -> None:
        """Begin, or begin anew: every job is due now."""
        self.stop()
        made = AsyncIOScheduler(
            timezone=datetime.UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE},
        )
        made.add_listener(partial(self._skipped, Readings.now()), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        now = datetime.datetime.now(datetime.UTC)
        for name, (seconds, job) in self._jobs.items():
            made.add_job(_quietly, _Every(seconds), args=[job], id=name, next_run_time=now)
        made.start()
        self._scheduler = made

    def stop(self) -> None:
        """No job begins any more; one that runs is cancelled."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def _skipped(self, started: Readings, event: JobEvent) -> None:
        """A clock that was set lets jobs look late that are not: whoever watches the clocks starts them anew."""
        if not change(started, Readings.now()):
            self._missed(event.job_id)


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Every so many seconds, on a grid; times that have gone by are left out at once.

    APScheduler's own interval counts through every one of them, which after a step of ten years takes minutes of the
    loop, and takes the last one for the one that was meant, so that with a short interval nothing is ever late.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_next_fire_time(
        self, previous: datetime.datetime | None, now: datetime.datetime
    ) -> datetime.datetime:
        if previous is None:
            return now
        steps = max(0, int((now - previous).total_seconds() // self._seconds))
        return previous + datetime.timedelta(seconds=self._seconds * (steps + 1))


async def _quietly(job: Job) -> None:
    """Being cancelled by `stop` is no fault of the job, which APScheduler would take it for."""
    with contextlib.suppress(asyncio.CancelledError):
        await job()

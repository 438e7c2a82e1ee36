"""The few jobs that APScheduler runs, each at an interval of the wall clock, never twice at once.

APScheduler needs 0.2 ms for a job and uses the wall clock. So `rules/watch/schedule.py` keeps the due times of targets,
and `start` must be called again after the clock was set.
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

from probe.host.clocks import ClockTimes, clock_change

#: Seconds by which a job may be late before it counts as missed. APScheduler's default of 1 s would skip jobs silently.
GRACE = 30

Job = Callable[[], Awaitable[object]]


class Jobs:
    """`jobs` by name: the interval in seconds and the function. `missed` is called with the name of a skipped job."""

    def __init__(self, jobs: Mapping[str, tuple[float, Job]], missed: Callable[[str], None]) -> None:
        self._jobs, self._missed = dict(jobs), missed
        self._scheduler: AsyncIOScheduler | None = None

    def start(self) -> None:
        """Start or restart: every job is due now."""
        self.stop()
        made = AsyncIOScheduler(
            timezone=datetime.UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE},
        )
        made.add_listener(
            partial(self._skipped, ClockTimes.now()), EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES
        )
        now = datetime.datetime.now(datetime.UTC)
        for name, (seconds, job) in self._jobs.items():
            made.add_job(_quietly, _Every(seconds), args=[job], id=name, next_run_time=now)
        made.start()
        self._scheduler = made

    def stop(self) -> None:
        """Start no more jobs; cancel a running one."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def _skipped(self, started: ClockTimes, event: JobEvent) -> None:
        """Report a missed job, unless the clock was set: then it only looks late, and the daemon restarts the jobs."""
        if not clock_change(started, ClockTimes.now()):
            self._missed(event.job_id)


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """A fixed interval on a grid, which skips past times in one step.

    APScheduler's own interval trigger counts through every past time: after a step of ten years it blocks the loop for
    minutes. It also takes the last past time for the intended one, so a job with a short interval is never late.
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
    """Run a job. APScheduler would log a cancellation by `stop` as a fault of the job."""
    with contextlib.suppress(asyncio.CancelledError):
        await job()

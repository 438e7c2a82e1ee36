"""The meter of our own lateness."""

from __future__ import annotations

import asyncio
import time

from probe.lag import LagMeter


def test_a_loop_on_time_has_no_lag_and_a_blocked_one_has() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        meter = LagMeter(0.01)
        assert meter.worst(0) == 0.0
        meter.start()
        meter.start()
        before = loop.time()
        time.sleep(0.3)  # noqa: ASYNC251 - the fault itself
        assert 0.2 < meter.worst(before) < 5  # seen although the look is overdue
        await asyncio.sleep(0.02)
        assert 0.2 < meter.worst(before) < 5  # and afterwards
        assert meter.worst(loop.time() + 1) == 0.0
        meter.stop()
        meter.stop()
        assert meter.worst(before) == 0.0

    asyncio.run(body())


def test_it_leaves_no_task() -> None:
    async def body() -> None:
        meter = LagMeter(0.001)
        meter.start()
        await asyncio.sleep(0.005)
        meter.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())

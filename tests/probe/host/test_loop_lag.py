"""The meter of our own lateness."""

from __future__ import annotations

import asyncio
import time

from probe.host.loop_lag import LagMeter


def test_a_loop_on_time_has_no_lag_and_a_blocked_one_has() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        meter = LagMeter(0.01)
        assert meter.worst(0) == 0.0
        meter.begin()
        meter.begin()
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
        meter.begin()
        await asyncio.sleep(0.005)
        meter.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())


def test_it_lets_the_processor_sleep_while_nothing_is_measured() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        looks: list[float] = []
        meter = LagMeter(0.01, looks.append)
        for _ in range(2):
            meter.begin()
            meter.begin()
            meter.end()
            await asyncio.sleep(0.05)
            assert meter.running, "one is still measured"
            time.sleep(0.1)  # noqa: ASYNC251 - the fault itself
            assert meter.worst(loop.time() - 0.1) > 0.05
            meter.end()
            await asyncio.sleep(0.05)
            assert not meter.running
        meter.stop()
        assert 2 * 3 < len(looks) < 2 * 20
        assert min(looks) >= 0
        assert max(looks) > 0.05

    asyncio.run(body())

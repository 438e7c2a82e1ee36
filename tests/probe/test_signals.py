"""Signals of a real process: this one, for a moment."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from probe import signals
from tests.probe.looped import looping


@looping
async def test_each_signal_calls_what_it_means_and_none_ends_a_process_that_ends_already() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        signals.hear(lambda: heard.put_nowait("stop"), lambda: heard.put_nowait("reload"))
        for number, meant in zip(numbers, ("stop", "stop", "reload"), strict=True):
            os.kill(os.getpid(), number)
            assert await heard.get() == meant
        signals.hear_nothing_more()
        for number in numbers:
            os.kill(os.getpid(), number)
        await asyncio.sleep(0)
        with pytest.raises(asyncio.QueueEmpty):
            heard.get_nowait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

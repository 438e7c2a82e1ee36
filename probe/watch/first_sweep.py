"""The first sweep. It does not run in a maintenance window that pauses, and starts again after such a window."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from probe.config.settings import Config
from probe.watch.loop import WatchLoop
from rules.watch.maintenance import Window, open_window

#: Seconds between two checks of the windows.
EVERY = 2.0


def pausing_window(config: Config) -> Window | None:
    """The open maintenance window that pauses measurements."""
    window = open_window(config.serve.maintenance, time.time())
    return window if window is not None and window.pause else None


async def first_sweep(
    appliance: WatchLoop,
    window: Callable[[], Window | None],
    waits: Callable[[Window], Awaitable[None]],
    begins: Callable[[], Awaitable[None]],
) -> None:
    """Run until the first judgement. `window` returns the window that pauses now.

    Calls `waits` repeatedly while a window pauses, and `begins` before each sweep. Cancels a sweep if a window opens
    meanwhile.
    """
    while appliance.ways is None:
        while (found := window()) is not None:
            appliance.paused = True
            await waits(found)
            await asyncio.sleep(EVERY)
        appliance.paused = False
        await begins()
        sweep = asyncio.create_task(appliance.sweep())
        try:
            while not (await asyncio.wait({sweep}, timeout=EVERY))[0]:
                if window() is not None:
                    break
        finally:
            if not sweep.done():
                sweep.cancel()
                await asyncio.wait({sweep})
        if not sweep.cancelled():
            sweep.result()

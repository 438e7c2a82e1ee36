"""The first look at everything: not in a maintenance window in which nothing is asked, and anew after one that came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from probe.config.settings import Config
from probe.watch.loop import WatchLoop
from rules.watch.maintenance import Window, open_window

#: Seconds between two looks at the windows.
EVERY = 2.0


def pausing_window(config: Config) -> Window | None:
    """The maintenance window that is open now and in which nothing is asked."""
    window = open_window(config.serve.maintenance, time.time())
    return window if window is not None and window.pause else None


async def first_sweep(
    appliance: WatchLoop,
    window: Callable[[], Window | None],
    waits: Callable[[Window], Awaitable[None]],
    begins: Callable[[], Awaitable[None]],
) -> None:
    """Until the first judgement. `window` says which one pauses now; `waits` is called again and again while one does,
    `begins` before each sweep. A sweep in whose middle a window opens is given up."""
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

"""Signals that end the service or let it read its files anew."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable


def hear(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Let SIGTERM and Ctrl-C call `stop`, and SIGHUP `reload`, on the running loop."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        for number in (signal.SIGINT, signal.SIGBREAK):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
        return
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


def hear_nothing_more() -> None:
    """What comes now must not kill a process that is about to end well: closing the loop would let it."""
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

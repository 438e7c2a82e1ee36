"""Recognises connections that end before they are accepted: on Windows accept fails for them with several error codes.

POSIX systems return the socket, or ECONNABORTED, which is a ConnectionError everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

#: System error codes (winerror.h): unexpected network error, name deleted, operation aborted, connection aborted (twice),
#: connection reset, socket not connected. Wine gives 59 and 10057.
_LOST = frozenset({59, 64, 995, 1236, 10053, 10054, 10057})


def is_lost(error: OSError) -> bool:
    """Whether only the connection was lost: then the next one can be accepted at once."""
    return isinstance(error, ConnectionError) or getattr(error, "winerror", None) in _LOST


def ignore_lost_accepts(loop: asyncio.AbstractEventLoop) -> None:
    """Stop `loop` from logging lost accepts: asyncio waits for each accept in a second task and never reads its error.

    Every other message goes to the previous handler.
    """
    before = loop.get_exception_handler()

    def handle(on: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error, task = context.get("exception"), context.get("future")
        own = isinstance(task, asyncio.Task) and getattr(task.get_coro(), "__name__", "") == "accept_coro"
        if own and isinstance(error, OSError) and is_lost(error):
            return
        if before is not None:
            before(on, dict(context))
        else:
            on.default_exception_handler(dict(context))

    loop.set_exception_handler(handle)

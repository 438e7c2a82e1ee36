"""The C library and Python, told that this process runs for months beside others: memory that was given back goes back to
the system, and nothing stops the loop for long.

glibc gives each thread an arena of its own, and learns from one large block that is freed to keep all later ones. With a
handful of threads and a page of metrics every few seconds, a fifth of the process is then memory that nobody uses
(mallopt(3)).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_SELDOM = 200  # looks at the middle generation until all are looked at: with 2,000 targets a third of an hour
_TURN = 0.001  # seconds
_TOLD = 30.0  # seconds after a burst
_LARGE = 128 * 1024  # bytes: from here on a block is a mapping of its own, as at the start of every process


def settle() -> bool:
    """One arena, and large blocks by themselves; whether the C library took it (others have no such call)."""
    if sys.platform != "linux":
        return False
    wanted = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, 2 * _LARGE))
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        return all(library.mallopt(parameter, value) == 1 for parameter, value in wanted)
    return False


def settle_collector() -> None:
    """Let Python look for cycles among young objects as always, and among all of them seldom or when `collect` is called.

    With 2,000 targets a look at everything stops the process for a tenth to a third of a second, about once a minute (and
    eight times in the first look), and finds nothing: what is thrown away here refers to nothing that refers to it.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _SELDOM)


def settle_threads() -> None:
    """Let the loop take its turn among threads that compute within a millisecond, not within five.

    Each answer to a scraper lets go of the interpreter for a moment; while a snapshot is rendered, forty of them would
    each wait for their turn (sys.setswitchinterval).
    """
    sys.setswitchinterval(_TURN)


def collect() -> int:
    """Look for cycles among all objects; how many objects were given back. For a moment of the service's own choice."""
    return gc.collect()


def relax(loop: asyncio.AbstractEventLoop) -> None:
    """`trim` now, and once more when what a burst has brought is judged, rendered and written."""
    trim()
    loop.call_later(_TOLD, trim)


def trim() -> bool:
    """After a burst: collect, and give back what is free between blocks in use (malloc_trim(3)); whether there was any.

    The first look at everything is one; later ones are small beside it.
    """
    collect()
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).malloc_trim(0))
    return False

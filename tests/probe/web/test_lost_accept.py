"""Connections that ended before they were accepted. Under Wine: tests/windows/test_serve.py."""

from __future__ import annotations

import asyncio
import errno
import gc
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from probe.web.lost_accept import ignore_lost_accepts, is_lost


def windows_error(number: int) -> OSError:
    """As Windows raises it."""
    error = OSError(errno.EINVAL, "an error of Windows")
    vars(error)["winerror"] = number
    return error


@pytest.mark.parametrize("number", [59, 64, 995, 1236, 10053, 10054, 10057])
def test_a_connection_that_is_gone(number: int) -> None:
    assert is_lost(windows_error(number))


def test_what_is_wrong_with_this_host() -> None:
    assert is_lost(ConnectionAbortedError())
    assert not is_lost(OSError(errno.EMFILE, "too many open files"))
    assert not is_lost(windows_error(10055)), "no buffers"


async def accept_coro(future: Awaitable[None]) -> None:
    """Named as asyncio's own."""
    await future


async def other(future: Awaitable[None]) -> None:
    await future


async def end_by(
    error: OSError, how: Callable[[Awaitable[None]], Coroutine[None, None, None]] = accept_coro
) -> None:
    """A task that ends by `error`, which nobody takes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    task = loop.create_task(how(future))
    future.set_exception(error)
    await asyncio.wait([task])


def test_asyncio_s_message_of_a_lost_connection_alone_is_dropped() -> None:
    told: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
        ignore_lost_accepts(loop)
        await end_by(windows_error(64))
        gc.collect()
        assert told == []
        others = [windows_error(10055), windows_error(10057)]
        await end_by(others[0])
        await end_by(others[1], other)
        gc.collect()
        loop.call_exception_handler({"message": "something else"})
        assert told == [*others, None]

    asyncio.run(main())


def test_without_another_handler_asyncio_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ignore_lost_accepts(asyncio.get_running_loop())
        asyncio.get_running_loop().call_exception_handler({"message": "something else"})

    asyncio.run(main())
    assert "something else" in caplog.text

"""Signals that end the service or make it reload its files.

Imports little: `handle_early_signals` must run before every slow import, also that of asyncio, so the other functions take
the loop as an argument.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

#: Seconds within which a second signal is the same request: `make` and the terminal both send a signal for one Ctrl-C.
SAME = 1.0


class _HangUp:
    """Handler of SIGHUP until `handle_signals`, which reads from it whether a reload was requested."""

    def __init__(self) -> None:
        self.reload = False
        self.terminal = False  # whether the service ends with its terminal

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.terminal_gone():
            _end_early(number, frame)
        self.reload = True

    def terminal_gone(self) -> bool:
        return self.terminal and not _has_terminal()


@contextlib.contextmanager
def handle_early_signals() -> Iterator[None]:
    """Handle signals until `handle_signals`: remember a reload; end with code 0, because nothing is open yet.

    At the end of the block, handlers that are still set here are restored.
    """
    before = {number: signal.signal(number, _end_early) for number in _ends()}
    hang_up = _HangUp()
    if sys.platform != "win32":
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
        # a user who starts it with nohup wants it to run on without the terminal
        hang_up.terminal = before[signal.SIGHUP] is not signal.SIG_IGN and _has_terminal()
    try:
        yield
    finally:
        hang_up.reload = hang_up.terminal = False
        for number, handler in before.items():
            if signal.getsignal(number) in (_end_early, hang_up):
                signal.signal(number, handler)


def _ends() -> tuple[signal.Signals, ...]:
    if sys.platform == "win32":
        return signal.SIGINT, signal.SIGBREAK
    return signal.SIGTERM, signal.SIGINT


def _end_early(_number: int, _frame: FrameType | None) -> None:
    line = f'ts={time.strftime("%Y-%m-%dT%H:%M:%S")} level=info msg="ended before it began"\n'
    with contextlib.suppress(OSError):
        os.write(2, line.encode())
    os._exit(0)  # a module that is being imported could suppress an exception


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return False
    return True


def handle_signals(loop: AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Let SIGTERM and Ctrl-C call `stop`, and SIGHUP `reload`, on the running `loop`.

    SIGHUP calls `stop` if the terminal in which the service was started is gone: no user would see that it still runs. A
    second signal calls `stop` again only if it comes at least `SAME` seconds after the first.
    """
    begun: list[float] = []

    def end() -> None:
        begun.append(loop.time())
        if len(begun) == 1 or begun[-1] - begun[0] >= SAME:
            stop()

    if sys.platform == "win32":
        for number in _ends():
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
        quiet_wakeup()
        return
    for number in _ends():
        loop.add_signal_handler(number, end)
    handler = signal.getsignal(signal.SIGHUP)
    early = handler if isinstance(handler, _HangUp) else _HangUp()
    loop.add_signal_handler(signal.SIGHUP, lambda: end() if early.terminal_gone() else reload())
    if early.reload:
        reload()


def quiet_wakeup() -> None:
    """Let no full wake-up buffer put a traceback into the log: a loop whose buffer is full wakes up anyway.

    On Unix the loop asks for this itself; the one of Windows does not (CPython, asyncio/proactor_events.py, 3.11).
    """
    number = signal.set_wakeup_fd(-1)
    if number != -1:
        signal.set_wakeup_fd(number, warn_on_full_buffer=False)


def ignore_signals(loop: AbstractEventLoop) -> None:
    """Ignore signals from now on: closing the loop restores default handlers, and a signal would kill a clean end."""
    if sys.platform != "win32":
        numbers = (*_ends(), signal.SIGHUP)
        signal.pthread_sigmask(
            signal.SIG_BLOCK, numbers
        )  # between the two calls below a signal would kill the process
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

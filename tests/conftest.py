"""What holds for every test, on whichever machine and however it was started."""

from __future__ import annotations

import signal
import sys

import pytest
from hypothesis import settings

# A busy machine may need a second for what takes a millisecond elsewhere: no example is held against a stopwatch.
settings.register_profile("anywhere", deadline=None)
settings.load_profile("anywhere")

#: Where tests wait for servers, networks and programs more than they compute; these run first, in this order.
_LONG = (
    "tests/lab/test_serve.py",
    "tests/lab/test_end_to_end.py",
    "tests/probe/serve",
    "tests/windows",
    "tests/lab",
    "tests/range",
    "tests/probe/watch",
    "tests/probe/history",
    "tests/probe/web",
)


def pytest_configure() -> None:
    """Let the signals that tests send arrive, however this process was started.

    A shell starts what runs in the background with SIGINT ignored, nohup with SIGHUP ignored, and every child inherits
    that. A handler of this process's own is none of a child's: there the signal does again what it does by default.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # nohup: the terminal's end is not the end of the tests


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each file in one test process, the files that start servers first.

    A file's servers are started once then. Two fleets of daemons side by side would starve each other, and a long file that
    begins last would keep one process busy alone.
    """
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, place in enumerate(_LONG) if item.nodeid.startswith(place)), len(_LONG))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Documents are told by number: those that were signed just now have other bytes in each process, and processes side by
    side must agree on the names of tests."""
    return argname if isinstance(val, bytes) and len(val) > 32 else None

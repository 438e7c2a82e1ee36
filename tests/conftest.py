"""What holds for every test, on whichever machine and however it was started."""

from __future__ import annotations

import signal
import sys

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A busy machine may need a second for what takes a millisecond elsewhere: no example is held against a stopwatch.
# `make test` tries the same examples each time; `make proof` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("repeatable")

#: Where tests wait for servers, networks and programs more than they compute. These run first, in this order: a long file
#: that begins last would keep one process busy alone.
LONG = (
    "tests/lab/test_serve.py",
    "tests/lab/test_end_to_end.py",  # takes a whole core, so tests that mostly wait run beside it
    "tests/probe/serve",
    "tests/lab/test_polite.py",
    "tests/lab/test_pace.py",
    "tests/windows",
    "tests/lab",
    "tests/virtual",
    "tests/range",
    "tests/probe",
    "tests/dashboards",
    "tests/bench",
)
#: Their tests need no server of their file, so any process may run them.
SPREAD = ("tests/lab/test_scenarios.py", "tests/virtual/test_changes.py")
#: Their tests judge the recordings. One process reads and judges each recording once then (`tests/rules/goldens.py`).
OF_RECORDINGS = (
    "tests/lab/test_live.py",
    "tests/lab/test_goldens.py",
    "tests/probe/audit/test_state.py",
    "tests/rules/files/test_recording.py",
    "tests/rules/judge/test_degraded.py",
    "tests/rules/judge/test_remedies.py",
    "tests/rules/watch/test_memory.py",
    "tests/rules/watch/test_significance.py",
    "tests/rules/watch/test_state.py",
    "tests/rules/watch/test_state_of.py",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files by `LONG`."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, place in enumerate(LONG) if item.nodeid.startswith(place)), len(LONG))


def group_of(test: str) -> str:
    """The group of a test, by its node id: the tests of a group run in one process."""
    file = test.partition("::")[0]
    if file in SPREAD:
        return test
    return OF_RECORDINGS[0] if file in OF_RECORDINGS else file


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Runs each file in one process, whose servers are started once then: two fleets at once starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Use `ByFile` for `--dist loadfile`.

    The mark `xdist_group` does not work: pytest-xdist 3.8 appends the group to the node id, and pytest 9.2 ignores that.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # `LONG` is the order
    return ByFile(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Documents are told by number: those that were signed just now have other bytes in each process, and processes side by
    side must agree on the names of tests."""
    return argname if isinstance(val, bytes) and len(val) > 32 else None

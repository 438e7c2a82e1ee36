"""The heap of a long life, in processes of their own: it cannot be set back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from probe.host import interpreter

# glibc's own count of blocks that are mappings: after a larger one was freed, and in a second thread.
_LIFE = """\
import ctypes, json, sys, threading
from probe.host import interpreter

class Told(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Told
settled = interpreter.settle() if sys.argv[1] == "settled" else None
large = bytes(8 << 20)
del large
before = library.mallinfo2().hblks
kept = [bytes(1 << 20)]
mapped = library.mallinfo2().hblks - before
before = library.mallinfo2().uordblks
thread = threading.Thread(target=lambda: kept.extend(bytes(2000) for _ in range(1000)))
thread.start()
thread.join()
print(json.dumps([settled, mapped, library.mallinfo2().uordblks - before]))
"""


def lived(how: str) -> tuple[bool | None, int, int]:
    """What `settle` said, large blocks that are mappings, bytes of the first arena that another thread took."""
    run = subprocess.run([sys.executable, "-c", _LIFE, how], capture_output=True, text=True, check=True)
    settled, mapped, taken = json.loads(run.stdout)
    return settled, mapped, taken


def test_large_blocks_are_by_themselves_and_threads_share_one_arena() -> None:
    settled, mapped, taken = lived("settled")
    assert (settled, mapped) == (True, 1)
    assert taken > 2_000_000
    assert lived("as it is")[:2] == (None, 0), "without it a block of 1 MB comes out of what was kept"


_BURST = """\
import re, sys
from probe.host import interpreter

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

interpreter.settle()
blocks = [bytes(5000) for _ in range(20_000)]
kept = blocks[::100]
del blocks
before = resident()
print(interpreter.trim(), before - resident())
"""


def test_after_a_burst_what_is_free_between_kept_blocks_goes_back() -> None:
    run = subprocess.run([sys.executable, "-c", _BURST], capture_output=True, text=True, check=True)
    some, freed = run.stdout.split()
    assert some == "True"
    assert int(freed) > 50_000_000  # of 100 MB


def test_it_is_trimmed_once_more_when_what_a_burst_brought_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trimmed: list[str] = []
    monkeypatch.setattr(interpreter, "trim", lambda: trimmed.append("trimmed"))
    monkeypatch.setattr(interpreter, "_TOLD", 0.05)

    async def burst() -> None:
        interpreter.relax(asyncio.get_running_loop())
        assert len(trimmed) == 1
        await asyncio.sleep(0.2)

    asyncio.run(burst())
    assert len(trimmed) == 2


_CYCLES = """\
import gc
from probe.host import interpreter

class Node:
    pass

def ring():
    node = Node()
    node.me = node

interpreter.settle_collector()
kept = [[n] for n in range(400_000)]
for _ in range(100_000):
    ring()
looks = [generation["collections"] for generation in gc.get_stats()]
old = Node()
old.me = old
for _ in range(3):
    gc.collect(1)
del old
before = [type(o) for o in gc.get_objects()].count(Node)
interpreter.collect()
after = [type(o) for o in gc.get_objects()].count(Node)
print(looks[0] > 0, looks[2], before, after)
"""


def test_all_objects_are_looked_at_when_it_is_asked_for_and_young_ones_always() -> None:
    """A look at everything stops the loop; cycles of a moment are found without."""
    run = subprocess.run([sys.executable, "-c", _CYCLES], capture_output=True, text=True, check=True)
    young, all_of_them, before, after = run.stdout.split()
    assert (young, all_of_them) == ("True", "0")
    assert (
        1 <= int(before) < 1000
    )  # the old one is left to the look at all of them, most of the rings are gone
    assert after == "0"


def test_a_thread_that_computes_gives_way_within_a_millisecond() -> None:
    told = "import sys; from probe.host import interpreter; interpreter.settle_threads(); print(sys.getswitchinterval())"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert float(run.stdout) == pytest.approx(0.001)


@pytest.mark.parametrize("library", [OSError("no library"), object()])
def test_another_c_library_has_no_such_call(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    def load(_: object) -> object:
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr("ctypes.CDLL", load)
    assert interpreter.settle() is False
    assert interpreter.trim() is False


def test_another_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert interpreter.settle() is False
    assert interpreter.trim() is False

"""Settings of the interpreter, in processes of their own: they hold for a whole process."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CYCLES = """\
import gc
from probe.host import interpreter

class Node:
    pass

def ring():
    node = Node()
    node.me = node

interpreter.configure()
kept = [[n] for n in range(400_000)]
for _ in range(100_000):
    ring()
looks = [generation["collections"] for generation in gc.get_stats()]
rings = [type(o) for o in gc.get_objects()].count(Node)
print(looks[0] > 0, looks[2], rings)
"""


def test_young_objects_are_collected_as_always_and_full_collections_are_rare() -> None:
    """A full collection stops the loop; cycles of a moment are found without."""
    run = subprocess.run([sys.executable, "-c", _CYCLES], capture_output=True, text=True, check=True)
    young, full, rings = run.stdout.split()
    assert (young, full) == ("True", "0")
    assert int(rings) < 1000


def test_a_thread_that_computes_gives_way_within_a_millisecond() -> None:
    told = "import sys; from probe.host import interpreter; interpreter.configure(); print(sys.getswitchinterval())"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert float(run.stdout) == pytest.approx(0.001)

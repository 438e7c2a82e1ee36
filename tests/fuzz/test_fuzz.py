"""Every parser of what a peer or a file says, fed with spoiled input.

The short run is of every day; the long one (`make proof`) goes on for as many inputs as a minute holds.
"""

from __future__ import annotations

import math
import time

import pytest

from tests.fuzz.targets import TARGETS, Target

SHORT, LONG = 300, 40_000
SECONDS = 60.0
SLOWEST = 2.0  # seconds of processor that one input may cost, far above what any needs


def fuzz(target: Target, seed: int, count: int, seconds: float) -> int:
    """Feed until one of the bounds; how many it were. The first that is wrong is told, with what reproduces it."""
    end = time.monotonic() + seconds
    done = 0
    for data in target.inputs(seed, count):
        begin = time.process_time()
        try:
            target.feed(data)
        except Exception as error:
            error.add_note(f"{target.name}, seed {seed}, input {done}: {data!r:.2000}")
            raise
        assert time.process_time() - begin < SLOWEST, (
            f"{target.name}, seed {seed}, input {done}: {data!r:.2000}"
        )
        done += 1
        if time.monotonic() > end:
            break
    return done


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name.replace(" ", "-"))
def test_spoiled_input_is_refused_or_read_and_never_believed(target: Target) -> None:
    assert fuzz(target, 1, SHORT, math.inf) == SHORT  # a busy machine must not make it fewer


@pytest.mark.proof
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name.replace(" ", "-"))
def test_much_spoiled_input(target: Target, seed: int) -> None:
    assert fuzz(target, seed, LONG, SECONDS) > SHORT

"""What the soak counts with must not disturb what it counts."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from tests.lab.servers.serve_counted import count


def test_counting_breaks_nothing_that_another_thread_is_making(tmp_path: Path) -> None:
    """With gc.get_objects() half a second is enough for a SystemError in the other thread."""
    file, stop, broken = tmp_path / "count", threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            while not stop.is_set():
                assert len(tuple(n for n in range(200))) == 200
        except BaseException as error:  # whatever it is, it is what this looks for
            broken.append(error)

    async def counted() -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until and not broken:
            count(file)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        asyncio.run(counted())
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not broken
    tasks, blocks = map(int, file.read_text(encoding="ascii").split())
    assert tasks == 1
    assert blocks > 10_000

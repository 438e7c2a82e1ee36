"""`wayclear serve` that also reports how many objects it
holds: `python -m tests.lab.servers.serve_counted FILE serve ...`.

On SIGUSR1 it writes into FILE the number of tasks of its loop and of memory blocks that Python has allocated. The rest
of the program is unchanged.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path


def count(file: Path) -> None:
    """Write the counts; a reader always sees a whole file.

    Not by gc.get_objects(): it refers to tuples that other threads are creating, and CPython 3.11 then raises a
    SystemError there.
    """
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{len(asyncio.all_tasks())} {sys.getallocatedblocks()}\n", encoding="ascii")
    fresh.replace(file)


def main(arguments: list[str]) -> int:
    """Run the command line with the signal handler."""
    from probe.command.main import main as run

    assert sys.platform == "linux"
    file = Path(arguments[0])
    signal.signal(signal.SIGUSR1, lambda *_: count(file))
    return run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

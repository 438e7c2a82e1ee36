"""`wayclear serve` that also tells how much it holds: `python -m tests.lab.servers.serve_counted FILE serve ...`.

On SIGUSR1 it writes the number of tasks of its loop and of blocks of memory that Python has allocated into FILE. What is
counted is the program as it is: nothing else differs.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path


def count(file: Path) -> None:
    """Write the counts; whoever reads sees a whole file.

    Not by gc.get_objects(): it takes hold of tuples that other threads are making, which CPython 3.11 answers there with
    a SystemError.
    """
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{len(asyncio.all_tasks())} {sys.getallocatedblocks()}\n", encoding="ascii")
    fresh.replace(file)


def main(arguments: list[str]) -> int:
    """Run the command line with the handler in place."""
    from probe.command.main import main as run

    assert sys.platform == "linux"
    file = Path(arguments[0])
    signal.signal(signal.SIGUSR1, lambda *_: count(file))
    return run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

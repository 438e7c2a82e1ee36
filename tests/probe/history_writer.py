"""A process that writes a history until it is killed, and says which rows were acknowledged.

`python -m tests.probe.history_writer PATH FIRST`: one line for each record that is on the disk, its number. Every
record holds a transition, a drift, a ledger entry and a cycle of that number. Old cycles are written besides, and deleted
from time to time.
"""

from __future__ import annotations

import asyncio
import sys

from probe.history.writer import History
from rules.watch.events import CycleRow, Drift, LedgerEntry, Transition

RETAINED_EVERY = 20  #: records
KEPT = 200_000  #: seconds; the number of a record is its time, and what is so much older is deleted


async def main(path: str, number: int) -> None:
    history = History(path, keep_days=KEPT / 86_400)
    opened = await history.open()
    print("open" if opened else history.fault, flush=True)
    while opened:
        at = float(number)
        kept = await history.record(
            [Transition(at, f"host{number % 9}:443", "pass", "fail", "ok", "tcp.timeout", "x" * 400)],
            [LedgerEntry("host", "address", f"address {number}", at, at)],
            [Drift(at, "host", "address", f"address {number}", "new")],
            CycleRow("service", at, 1.0, 50, 0, 0, 50, "yes"),
        )
        if kept:
            print(number, flush=True)
        await history.record(cycle=CycleRow("old", at - 2 * KEPT, 1.0, 50, 0, 0, 50, "yes"))
        if number % RETAINED_EVERY == 0:
            await history.retain(at)
        number += 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

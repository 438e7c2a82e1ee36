"""How many long lists may be read at once, and how much of all of them may be kept: each has its cap, and so has the sum.

Whatever answers on port 80 may send 32 MiB at every address. A list is read into marks (`rules/pki/long_list.py`); the
same list from several addresses is kept once; few are read at a time, and the others wait with their clocks stopped.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rules.model.long_list import LongList
from rules.pki.long_list import ListReader

#: Bytes of a document after which a fetch needs one of so many turns.
TURN_AFTER, TURNS = 262_144, 2
#: The longest wait for a turn, in seconds: web servers give up a reader that reads nothing for a minute.
LONGEST_WAIT = 50.0
#: Entries that are kept and read at any time, of all lists together: 32 MB. All of DigiCert's and Microsoft's lists that a
#: connector meets have far fewer.
MOST_ENTRIES = 4_000_000


class LongLists:
    """The lists of one program, shared by all that measures."""

    def __init__(self, most: int = MOST_ENTRIES, turns: int = TURNS) -> None:
        self.most = most
        self._turns = asyncio.Semaphore(turns)
        self._reading: set[ListReader] = set()
        self._kept: weakref.WeakValueDictionary[str, LongList] = weakref.WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, reader: ListReader, wait: float = LONGEST_WAIT) -> AsyncIterator[None]:
        """One of the turns, for as long as the block runs; the entries of `reader` count from now on.

        TimeoutError where none came within `wait` seconds.
        """
        async with asyncio.timeout(wait):
            await self._turns.acquire()
        self._reading.add(reader)
        try:
            yield
        finally:
            self._reading.discard(reader)
            self._turns.release()

    @property
    def reading(self) -> int:
        """How many have their turn."""
        return len(self._reading)

    @property
    def full(self) -> bool:
        """Whether there are more entries than may be kept."""
        kept = sum(one.count for one in self._kept.values())
        return kept + sum(reader.count for reader in self._reading) > self.most

    def keep(self, sha256: str, reader: ListReader) -> LongList | None:
        """What was read, the same object where the same document is kept already; None where it is no list."""
        known = self._kept.get(sha256)
        if known is not None:
            return known
        made = reader.finish()
        if made is not None:
            self._kept[sha256] = made
        return made

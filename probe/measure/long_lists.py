"""Limits the memory of long revocation lists: how many are read at once, and how many entries are kept in all.

Any server on port 80 may send 32 MiB from every address. Of a list only marks are kept (`rules/pki/long_list.py`); the same
list from several addresses is kept once. Few are read at once; the time limits of the others do not run meanwhile.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rules.model.long_list import LongList
from rules.pki.long_list import ListReader

#: Bytes of a document after which a fetch needs a turn, and the number of turns.
TURN_AFTER, TURNS = 262_144, 2
#: The longest wait for a turn, in seconds: web servers give up a reader that reads nothing for a minute.
LONGEST_WAIT = 50.0
#: Most entries of all lists together: 32 MB. All lists of DigiCert and Microsoft that a connector needs have far fewer.
MOST_ENTRIES = 4_000_000


class LongLists:
    """The lists of one process, shared by all measurements."""

    def __init__(self, most: int = MOST_ENTRIES, turns: int = TURNS) -> None:
        self.most = most
        self._turns = asyncio.Semaphore(turns)
        self._reading: set[ListReader] = set()
        self._kept: weakref.WeakValueDictionary[str, LongList] = weakref.WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, reader: ListReader, wait: float = LONGEST_WAIT) -> AsyncIterator[None]:
        """Hold a turn during the block; the entries of `reader` count from now on.

        TimeoutError if no turn was free within `wait` seconds.
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
        """The number of turns in use."""
        return len(self._reading)

    @property
    def full(self) -> bool:
        """Whether there are more entries than may be kept."""
        kept = sum(one.count for one in self._kept.values())
        return kept + sum(reader.count for reader in self._reading) > self.most

    def keep(self, sha256: str, reader: ListReader) -> LongList | None:
        """The list that was read, or the kept one of the same document; None if it is not a list."""
        known = self._kept.get(sha256)
        if known is not None:
            return known
        made = reader.finish()
        if made is not None:
            self._kept[sha256] = made
        return made

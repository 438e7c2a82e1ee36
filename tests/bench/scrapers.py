"""So many scrapers at once, in a process of their own: `python -m tests.bench.scrapers DIRECTORY SCRAPERS SECONDS`.

Each keeps its connection and asks the daemon for /metrics with gzip: once a second at a place of its own within the second,
and, in a second half, all of them at the same moment. How long each answer took, from the request to its last byte, is
written to DIRECTORY/scraped.json.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.bench.serve_drive import DAEMON

EVERY = 1.0
_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"
_LAST = b"\n"


@dataclass(slots=True)
class Scraped:
    """Seconds of each answer; what was no whole page of metrics; bytes of the largest body, as it came."""

    spread: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    largest: int = 0


async def scrape(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[float, bytes, bytes]:
    """One answer: how long it took, its head and its body."""
    begun = time.perf_counter()
    writer.write(_REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    body = await reader.readexactly(length)
    return time.perf_counter() - begun, head, body


def fault(head: bytes, body: bytes) -> str:
    """Why it is no whole page of metrics, "" where it is one. Called when all have ended: it would make others wait."""
    if not head.startswith(b"HTTP/1.1 200 "):
        return head[:100].decode(errors="replace")
    if body[:2] != b"\x1f\x8b":
        return f"not compressed: {body[:100]!r}"
    page = gzip.decompress(body)
    return (
        ""
        if page.endswith(_LAST) and b"\nwayclear_check_success{" in page
        else f"no metrics: {page[-100:]!r}"
    )


async def one(
    number: int, scrapers: int, seconds: float, ready: asyncio.Barrier, told: Scraped
) -> list[tuple[bytes, bytes]]:
    """A scraper for both halves. Gives its first page and its last: unpacking all would be the bench's load."""
    kept: list[tuple[bytes, bytes]] = []
    reader, writer = await asyncio.open_connection(*DAEMON, limit=1 << 24)
    await ready.wait()  # all are connected: from here on they share one clock
    begun = time.perf_counter()
    turns = round(seconds / EVERY)
    for turn in range(2 * turns):
        half, place = (told.spread, number / scrapers) if turn < turns else (told.together, 0.0)
        await asyncio.sleep(max(0.0, begun + (turn + place) * EVERY - time.perf_counter()))
        took, head, body = await scrape(reader, writer)
        half.append(took)
        told.largest = max(told.largest, len(body))
        if turn in (0, 2 * turns - 1):
            kept.append((head, body))
        elif not head.startswith(b"HTTP/1.1 200 "):
            told.bad.append(repr(head[:60]))
    writer.close()
    await writer.wait_closed()
    return kept


async def main(directory: Path, scrapers: int, seconds: float) -> None:
    """Scrape for so many seconds in each half."""
    told, ready = Scraped(), asyncio.Barrier(scrapers)
    pages = await asyncio.gather(*(one(n, scrapers, seconds, ready, told) for n in range(scrapers)))
    told.bad += [wrong for kept in pages for head, body in kept if (wrong := fault(head, body))]
    (directory / "scraped.new").write_text(json.dumps(asdict(told)))
    (directory / "scraped.new").rename(directory / "scraped.json")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    print("done", flush=True)

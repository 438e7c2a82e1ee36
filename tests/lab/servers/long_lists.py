"""Answers every request on port 8080 with a long list: `python -m tests.lab.servers.long_lists "ENTRIES same|others"`.

`same`: one list; `others`: another one for each request.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from tests.long_crl import another, long_crl

PIECE = 262_144


async def main(entries: int, same: bool) -> None:
    """Serve until killed."""
    content, numbers = long_crl(entries), itertools.count()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = memoryview(another(content, 0 if same else next(numbers)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            for at in range(0, len(body), PIECE):
                writer.write(body[at : at + PIECE])
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    servers = [await asyncio.start_server(talk, host, 8080) for host in ("0.0.0.0", "::")]  # in a namespace
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    number, which = sys.argv[1].split()
    asyncio.run(main(int(number), which == "same"))

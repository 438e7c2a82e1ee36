"""Resolves names by the operating system in child processes, which can be killed at a deadline.

getaddrinfo() has no deadline, and a thread that hangs in it outlives all our deadlines. A child may resolve several names at
once. A child that is late with one of them gets no further names, and is killed when the others are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

CHILD = Path(__file__).resolve().parent / "os_lookup_child.py"
POOL = 4  # children at most
WIDTH = 32  # most names at once for one child
LINE_LIMIT = 65536  # bytes of one answer
ADDRESSES = 256
STRIKES = 3  # consecutive deaths of children after which none is started during a pause
PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds of the pause, doubled after each further death
_GRACE = 0.5  # seconds in which idle children may end by themselves

Answer: TypeAlias = "tuple[tuple[str, ...], int]"  # addresses, and getaddrinfo's error number


class OsResolver:
    """Up to `size` child processes with `width` names each, started when needed. `close()` must be awaited.

    `command` starts a child; tests give a slow or broken one, which answers one name at a time (`width` 1).
    """

    def __init__(self, size: int = POOL, command: Sequence[str] = (), width: int = 1) -> None:
        # -I: no PYTHON* variables, no user packages. -S: no site packages. With both it starts in about 10 ms.
        self._command = tuple(command) or (sys.executable, "-I", "-S", str(CHILD))
        self._size, self._width = size, width
        self._free = asyncio.Semaphore(size * width)
        self._open: list[_Child] = []  # children that accept further names
        self._all: set[_Child] = set()
        self._closed = False
        self._deaths = 0  # since a child answered
        self._paused_until = 0.0  # monotonic

    async def lookup(self, name: str, timeout: float) -> Answer:
        """Addresses and getaddrinfo's error number. Raises TimeoutError, EOFError if the child died, OSError.

        The wait for a free child does not count for `timeout`. During the pause after consecutive deaths it raises EOFError at
        once: each question would cost a process without a result.
        """
        async with self._free:
            child = self._pick()
            if child.answered or child.load:
                with contextlib.suppress(EOFError):  # it may have died before, or because of another name
                    return await self._ask(child, name, timeout)
                child = self._pick()
            return await self._ask(child, name, timeout)

    def _pick(self) -> _Child:
        """A child with a free place: the busiest one, so that few are started."""
        if self._closed:
            raise EOFError("the resolver is closed")
        room = [child for child in self._open if child.load < self._width]
        if room:
            return max(room, key=lambda child: child.load)
        if time.monotonic() < self._paused_until:
            raise EOFError(
                f"{self._deaths} lookup processes died one after the other; none is started for a while"
            )
        child = _Child(self._command)
        self._open.append(child)
        self._all.add(child)
        return child

    async def _ask(self, child: _Child, name: str, timeout: float) -> Answer:
        answered = False
        child.load += 1
        try:
            await child.start()
            async with asyncio.timeout(timeout):
                answer = await child.ask(name)
            answered = True
            self._deaths = 0
            return answer
        except EOFError:
            if child in self._open:  # count its death once, for the first of its names
                self._died()
            raise
        finally:
            child.load -= 1
            if not answered and child in self._open:  # late, dead or cancelled: give it no further names
                self._open.remove(child)
            if child.load == 0 and (self._closed or child not in self._open):
                child.kill()
                await asyncio.shield(self._bury(child))

    def _died(self) -> None:
        self._deaths += 1
        if self._deaths >= STRIKES:
            pause = min(LONGEST_PAUSE, PAUSE * 2 ** min(self._deaths - STRIKES, 10))
            self._paused_until = time.monotonic() + pause

    async def rest(self) -> None:
        """After a burst: end all idle children but one."""
        for child in [child for child in self._open if not child.load][1:]:
            self._open.remove(child)
            child.kill()
            await self._bury(child)

    async def close(self) -> None:
        """End all children: close the input of idle ones, kill busy ones. None remains as a zombie."""
        self._closed = True
        for child in self._all:
            if child.load:
                child.kill()
            else:
                child.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                for child in tuple(self._all):
                    await child.ended()
        for child in tuple(self._all):
            child.kill()
            await self._bury(child)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that have not been reaped."""
        return tuple(child.pid for child in self._all if child.pid is not None)

    async def _bury(self, child: _Child) -> None:
        await child.ended()
        self._all.discard(child)


class _Child:
    """One process and its line protocol. `load`: names that it is resolving."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._doomed = False
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[
            int, asyncio.Future[Answer] | None
        ] = {}  # by id; None: the caller has stopped waiting
        self._asked = 0
        self.load = 0
        self.answered = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process if it is not started yet. OSError if that fails.

        A cancelled caller does not interrupt the start: asyncio would not reap a half-started process.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_LIMIT
        )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._doomed:
            self.kill()

    async def ask(self, name: str) -> Answer:
        """The answer for `name`. EOFError if the process died or wrote a malformed answer."""
        if (
            self._process is None
            or self._process.stdin is None
            or self._reading is None
            or self._reading.done()
        ):
            raise EOFError("the lookup process died")
        self._asked += 1
        number = self._asked
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiter
        try:
            self._process.stdin.write((json.dumps({"id": number, "name": name}) + "\n").encode())
            await self._process.stdin.drain()
            return await waiter
        except ConnectionError as error:
            raise EOFError("the lookup process died") from error
        finally:
            if number in self._waiting:
                self._waiting[number] = None

    async def _read(self, process: Process) -> None:
        """Give answers to the waiting callers, until the process ends or writes a malformed answer."""
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                number, answer = _parsed(line)
                waiter = self._waiting.pop(number)
                self.answered += 1
                if waiter is not None and not waiter.done():
                    waiter.set_result(answer)
        except (
            ValueError,
            KeyError,
            TypeError,
            ConnectionError,
        ):  # malformed, or the process died within a line
            self.kill()
        finally:
            for waiter in self._waiting.values():
                if waiter is not None and not waiter.done():
                    waiter.set_exception(EOFError("the lookup process died"))

    def end(self) -> None:
        """Close its input: then it ends by itself."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """Kill it now, or as soon as it has started."""
        self._doomed = True
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                # not Process.kill(): it first polls the process and so may reap it; then asyncio's waiting thread warns of
                # an unknown child
                os.kill(self._process.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until it has ended. Returns at once if it was never started."""
        if self._starting is not None:
            with contextlib.suppress(OSError):
                await asyncio.shield(self._starting)
        self.end()
        if self._process is not None and self._reading is not None:
            await self._process.wait()
            await self._reading
            if self._process.stdin is not None:
                # else Python 3.11.2 (Debian 12) prints its broken pipe as a traceback
                with contextlib.suppress(ConnectionError):
                    await asyncio.shield(self._process.stdin.wait_closed())


def _parsed(line: bytes) -> tuple[int, Answer]:
    answer = json.loads(line)
    addresses = tuple(str(a) for a in answer["addresses"][:ADDRESSES])
    for address in addresses:
        ipaddress.ip_address(address)
    return answer["id"], (addresses, int(answer["error"]))

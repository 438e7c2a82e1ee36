"""Child processes that ask the operating system's own resolution, and that a deadline can kill.

getaddrinfo() cannot be given a deadline, and a thread that hangs in it outlives every deadline of ours. A child may
have several names to answer at once; one that is late with any of them gets no further names and is killed as soon as
the others are answered.
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
WIDTH = 32  # names at once that one child has to answer
LINE_LIMIT = 65536  # bytes of one answer
ADDRESSES = 256
STRIKES = 3  # children that die one after the other before none is started for a while
PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds of that while; twice as long after each further death
_GRACE = 0.5  # seconds that idle children have for ending by themselves

Answer: TypeAlias = "tuple[tuple[str, ...], int]"  # addresses, and getaddrinfo's error number


class OsResolver:
    """Up to `size` child processes with `width` names each, started when first needed. `close()` must be awaited.

    `command` is what a child is started as; tests put a slower or a broken one in its place, which answers one name
    after the other (`width` 1).
    """

    def __init__(self, size: int = POOL, command: Sequence[str] = (), width: int = 1) -> None:
        # -I: no PYTHON* variables, no user packages. -S: no site packages. Both make it start in about 10 ms.
        self._command = tuple(command) or (sys.executable, "-I", "-S", str(CHILD))
        self._size, self._width = size, width
        self._free = asyncio.Semaphore(size * width)
        self._open: list[_Child] = []  # that take further names
        self._all: set[_Child] = set()
        self._closed = False
        self._deaths = 0  # since a child answered
        self._paused_until = 0.0  # monotonic

    async def lookup(self, name: str, timeout: float) -> Answer:
        """Addresses and getaddrinfo's error number. Raises TimeoutError, EOFError where the child died, OSError.

        The wait for a free child does not count against `timeout`. Where children die one after the other, EOFError comes
        at once for a while: each question would cost a process and find nothing.
        """
        async with self._free:
            child = self._pick()
            if child.answered or child.load:
                with contextlib.suppress(EOFError):  # it may have died before, or of another name
                    return await self._ask(child, name, timeout)
                child = self._pick()
            return await self._ask(child, name, timeout)

    def _pick(self) -> _Child:
        """A child with room: the fullest, so that few are started."""
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
            if child in self._open:  # the first of its names that meets its death
                self._died()
            raise
        finally:
            child.load -= 1
            if not answered and child in self._open:  # late, dead or cancelled: nobody relies on it any more
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
        """After a burst: end idle children as long as another one has room."""
        for child in [child for child in self._open if not child.load][1:]:
            self._open.remove(child)
            child.kill()
            await self._bury(child)

    async def close(self) -> None:
        """End all children: idle ones by the end of their input, busy ones at once. None is left as a zombie."""
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
    """One process and the line protocol with it. `load` counts the names that it has to answer."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._doomed = False
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Answer] | None] = {}  # by id; None: nobody waits any more
        self._asked = 0
        self.load = 0
        self.answered = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process, unless that has been done. Raises OSError where none is to be had.

        Once begun it comes to its end, whoever is cancelled meanwhile: a process that asyncio gives up half way is
        reaped by nobody who could tell.
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
        """The answer for `name`; EOFError where the process died or answers what nobody asked."""
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
        """Hand answers to those who wait, until the process ends or says what is no answer of ours."""
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                number, answer = _parsed(line)
                waiter = self._waiting.pop(number)
                self.answered += 1
                if waiter is not None and not waiter.done():
                    waiter.set_result(answer)
        except (ValueError, KeyError, TypeError, ConnectionError):  # it is not ours, or died in the middle
            self.kill()
        finally:
            for waiter in self._waiting.values():
                if waiter is not None and not waiter.done():
                    waiter.set_exception(EOFError("the lookup process died"))

    def end(self) -> None:
        """Close its input, with which it ends by itself."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once, or as soon as it has been started."""
        self._doomed = True
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                # not Process.kill(): it looks first whether the process has ended, and so reaps it behind the back of
                # the thread that waits for it, which then warns of an unknown child
                os.kill(self._process.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until it is gone; one that was never started is."""
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

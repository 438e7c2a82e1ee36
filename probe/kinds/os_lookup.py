"""The operating system's own resolution, in child processes that a deadline can kill.

getaddrinfo() cannot be given a deadline, and a thread that hangs in it outlives every deadline of ours. Each child
answers one name at a time; one that is late is killed, and the next name gets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from probe.failure import classify, gai_name
from probe.limits import Limits
from rules.failure import Code, Failure, Stage
from rules.kinds.os_lookup import OsAnswer, OsLookup
from rules.observation import Observation

CHILD = Path(__file__).resolve().parent.parent / "os_lookup_child.py"
POOL = 4
LINE_LIMIT = 65536  # bytes of one answer
ADDRESSES = 256
_GRACE = 0.5  # seconds that idle children have for ending by themselves


class OsResolver:
    """Up to `size` child processes, started when first needed. `close()` must be awaited.

    `command` is what a child is started as; tests put a slower or a broken one in its place.
    """

    def __init__(self, size: int = POOL, command: Sequence[str] = ()) -> None:
        # -I: no PYTHON* variables, no user packages. -S: no site packages. Both make it start in about 10 ms.
        self._command = tuple(command) or (sys.executable, "-I", "-S", str(CHILD))
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    async def lookup(self, name: str, timeout: float) -> tuple[tuple[str, ...], int]:
        """Addresses and getaddrinfo's error number. Raises TimeoutError, EOFError where the child died, OSError.

        The wait for a free child does not count against `timeout`.
        """
        async with self._free:
            if self._closed:
                raise EOFError("the resolver is closed")
            child = self._idle.pop() if self._idle else None
            if child is not None:
                with contextlib.suppress(
                    EOFError
                ):  # it may have died while it was idle: that says nothing of `name`
                    return await self._ask(child, name, timeout)
            return await self._ask(await self._started(), name, timeout)

    async def _ask(self, child: _Child, name: str, timeout: float) -> tuple[tuple[str, ...], int]:
        answered = False
        try:
            async with asyncio.timeout(timeout):
                answer = await child.ask(name)
            answered = True
            return answer
        finally:
            if answered and not self._closed:
                self._idle.append(child)
            else:  # late, dead or cancelled: whatever it would still say belongs to nobody
                child.kill()
                await asyncio.shield(self._bury(child))

    async def close(self) -> None:
        """End all children: idle ones by the end of their input, busy ones at once. None is left as a zombie."""
        self._closed = True
        idle, self._idle = self._idle, []
        for child in self._all.difference(idle):
            child.kill()
        for child in idle:
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
        return tuple(child.pid for child in self._all)

    async def _started(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_LIMIT
        )
        child = _Child(process)
        self._all.add(child)
        return child

    async def _bury(self, child: _Child) -> None:
        await child.ended()
        self._all.discard(child)


class _Child:
    """One process and the line protocol with it."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._asked = 0
        self.pid = process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, name: str) -> tuple[tuple[str, ...], int]:
        self._asked += 1
        request = json.dumps({"id": self._asked, "name": name}) + "\n"
        try:
            self._input.write(request.encode())
            await self._input.drain()
            line = await self._output.readline()
            answer = json.loads(line)
            if answer["id"] != self._asked:
                raise EOFError("the lookup process answered another question")
            addresses = tuple(str(a) for a in answer["addresses"][:ADDRESSES])
            for address in addresses:
                ipaddress.ip_address(address)
            return addresses, int(answer["error"])
        except (
            ValueError,
            KeyError,
            TypeError,
            ConnectionError,
        ) as error:  # it died in the middle, or is not ours
            raise EOFError("the lookup process died") from error

    def end(self) -> None:
        self._input.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                self._process.kill()

    async def ended(self) -> None:
        self._input.close()
        await self._process.wait()


async def measure(step: OsLookup, resolver: OsResolver, limits: Limits) -> Observation:
    """What this host's own resolution says. An error of getaddrinfo is an answer; a late or dead child a failure."""
    started, begun = time.time(), time.monotonic()
    failure: Failure | None = None
    evidence: OsAnswer | None = None
    try:
        addresses, error = await resolver.lookup(step.name, limits.os_lookup)
        evidence = OsAnswer(addresses, gai_name(socket.gaierror(error, "")) if error else "")
    except TimeoutError:
        failure = Failure(
            Stage.DNS, Code.TIMEOUT, f"no answer from the operating system in {limits.os_lookup:g} s"
        )
    except EOFError as error:
        failure = Failure(Stage.LOCAL, Code.LOOKUP, str(error))
    except OSError as error:  # no process could be started
        failure = classify(error, Stage.LOCAL)
    return Observation(step, started, time.monotonic() - begun, failure, evidence)

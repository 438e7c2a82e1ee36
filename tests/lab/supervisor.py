"""The init process of one lab: `python -m tests.lab.supervisor DIRECTORY`, the first process of its PID namespace.

It reads one JSON command per line on standard input and answers each with one line. When standard input ends for any
reason, it removes the lab's DIRECTORY and ends. The kernel then removes the rest of the lab: processes, networks,
mounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.lab import namespaces

NAMES = ("connector", "firewall", "internet")
TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"


class Supervisor:
    """Namespaces and processes of one lab."""

    def __init__(self) -> None:
        socket.sethostname("connector")
        self.networks = {name: namespaces.new_network() for name in NAMES}
        self.services: dict[str, asyncio.subprocess.Process] = {}

    async def handle(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        match command.pop("op"):
            case "network":
                return self.network(**command)
            case "batch":
                return self.batch(**command)
            case "service":
                return await self.service(**command)
            case "stop":
                return await self.stop(**command)
            case "signal":
                return self.signal(**command)
            case "run":
                return await self.run(**command)
            case other:
                raise ValueError(f"unknown command {other!r}")

    def network(self, name: str) -> dict[str, Any]:
        """Add a further namespace; it has no link yet."""
        self.networks[name] = namespaces.new_network()
        return {}

    def batch(self, network: str, argv: list[str], text: str) -> dict[str, Any]:
        """Run a tool (ip, nft) in a namespace to its end. In its input `text`, `@connector` names that namespace."""
        prepare = namespaces.entering(self.networks[network], {})
        for name, fd in sorted(self.networks.items(), reverse=True):  # the longer name first
            text = text.replace(f"@{name}", f"/proc/self/fd/{fd}")
        done = subprocess.run(
            argv,
            input=text,
            capture_output=True,
            text=True,
            preexec_fn=prepare,
            pass_fds=tuple(self.networks.values()),
            env=os.environ | {"PATH": TOOLS},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)} in {network}: {done.stdout}{done.stderr}".strip())
        return {"stdout": done.stdout}

    async def service(
        self,
        name: str,
        network: str,
        argv: list[str],
        log: str,
        ready: str,
        files: dict[str, str],
        **how: Any,
    ) -> dict[str, Any]:
        """Start a server and wait until its log contains `ready` (empty: do not wait)."""
        prepare = namespaces.entering(
            self.networks[network], files, unprivileged=how.get("unprivileged", False)
        )
        with Path(log).open("wb") as out:
            started = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare,
                start_new_session=True,
                env=os.environ | how.get("env", {}) | {"PATH": f"{os.environ['PATH']}:{TOOLS}"},
            )
        self.services[name] = started
        deadline = time.monotonic() + 15.0
        while ready not in (text := Path(log).read_text(errors="replace")):
            if started.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {text[-2000:]}")
            await asyncio.sleep(
                0.005
            )  # a foreign daemon reports only by its log; there is no event to wait for
        return {}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Send a signal to a service's first process."""
        self.services[name].send_signal(number)
        return {"pid": self.services[name].pid}

    async def stop(self, name: str) -> dict[str, Any]:
        """Kill a service and wait for its end."""
        process = self.services.pop(name)
        namespaces.kill_session(process.pid)
        await process.wait()
        return {}

    async def run(
        self,
        network: str,
        argv: list[str],
        files: dict[str, str],
        env: dict[str, str],
        cwd: str,
        timeout: float,
        stdin: str,
    ) -> dict[str, Any]:
        """Run a command to its end and return its output; after `timeout` seconds kill its session."""
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=namespaces.entering(self.networks[network], files),
            start_new_session=True,
            env=env,
            cwd=cwd,
            limit=1 << 26,
        )
        late = False
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin.encode()), timeout)
        except TimeoutError:
            late = True
            namespaces.kill_session(process.pid)
            out, err = b"", f"killed after {timeout} s".encode()
            await process.wait()
        return {
            "code": process.returncode,
            "stdout": out.decode(errors="replace"),
            "stderr": err.decode(errors="replace"),
            "elapsed": time.monotonic() - started,
            "late": late,
        }


async def main() -> None:
    """Serve commands until standard input ends. Each answer has the `id` of its command and is sent when the command
    ends."""
    supervisor = Supervisor()
    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    running: set[asyncio.Task[None]] = set()

    async def answer(line: bytes) -> None:
        command = json.loads(line)
        number = command.pop("id")
        try:
            reply = {"id": number, **await supervisor.handle(command)}
        except Exception as error:
            reply = {"id": number, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()

    while line := await reader.readline():
        task = asyncio.create_task(answer(line))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main())
    with contextlib.suppress(ProcessLookupError):
        os.kill(
            -1, signal.SIGKILL
        )  # every other process of this PID namespace, which could still write there
    with contextlib.suppress(ChildProcessError):
        while os.wait():
            pass
    shutil.rmtree(sys.argv[1], ignore_errors=True)  # the parent is gone, or has removed it already
    os._exit(0)

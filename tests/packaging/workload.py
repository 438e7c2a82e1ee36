"""What the service is made of, once each, as a program: run inside the sandbox by test_systemd.py.

    python workload.py DIRECTORY

Prints a line for each thing that worked. An exception ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from OpenSSL import SSL
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from probe.host.systemd import Notifier
from probe.measure.os_resolver import OsResolver
from probe.measure.tls_hello import ConnectionFacts, client_connection


def history(directory: Path) -> None:
    """A row that outlives a power cut, in a write-ahead log with shared memory."""
    connection = sqlite3.connect(directory / "history.sqlite")
    assert connection.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    connection.execute("pragma synchronous=full")
    connection.execute("create table row (at real)")
    with connection:
        connection.execute("insert into row values (1.0)")
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    assert (directory / "history.sqlite").stat().st_mode & 0o077 == 0, "UMask"


def textfile(directory: Path) -> None:
    """A file that is replaced in one step."""
    temporary = directory / ".wayclear.prom.tmp"
    with temporary.open("w") as file:
        file.write("wayclear_build_info 1\n")
        os.fsync(file.fileno())
    temporary.chmod(0o644)
    temporary.replace(directory / "wayclear.prom")


def own_process() -> None:
    """The metrics of this process, which come from /proc."""
    names = {metric.name for metric in ProcessCollector(registry=CollectorRegistry()).collect()}
    assert {"process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds"} <= names


async def names() -> None:
    """The operating system's resolver, in a child process."""
    resolver = OsResolver(size=1)
    try:
        addresses, error = await resolver.lookup("localhost", 20.0)
    finally:
        await resolver.close()
    assert error == 0
    assert set(addresses) <= {"127.0.0.1", "::1"}


async def signals() -> None:
    """SIGHUP and SIGTERM reach the loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM):
        heard = asyncio.Event()
        loop.add_signal_handler(number, heard.set)
        os.kill(os.getpid(), number)
        await asyncio.wait_for(heard.wait(), 20)


async def web_and_threads() -> None:
    """A server on loopback, a client, and work off the loop."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ok")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b"ok"
        writer.close()
        await writer.wait_closed()
    assert await asyncio.to_thread(lambda: 1) == 1


def handshake() -> None:
    """pyOpenSSL with its callbacks: the client's hello."""
    client = client_connection("connector", "login.example", ConnectionFacts())
    with contextlib.suppress(SSL.WantReadError):  # nobody answers
        client.do_handshake()
    assert len(client.bio_read(65_536)) > 100


def manager() -> None:
    """The service manager hears of it."""
    notifier = Notifier(os.environ)
    assert notifier.ready()
    notifier.close()


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except OSError as error:
        return error.errno in (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT)
    return False


def restrictions(directory: Path) -> None:
    """The sandbox is there: what the unit forbids cannot be done."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount() -> None:
        if libc.mount(b"none", bytes(directory), b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), "mount")

    assert refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)), "AF_PACKET"
    assert refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)), "raw socket"
    assert refused(lambda: os.chown(directory, os.getuid(), os.getgid())), "chown"
    assert refused(mount), "mount"
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def main() -> None:
    directory = Path(sys.argv[1])
    steps: dict[str, Callable[[], object]] = {
        "restrictions": lambda: restrictions(directory),
        "history": lambda: history(directory),
        "textfile": lambda: textfile(directory),
        "own process": own_process,
        "names": lambda: asyncio.run(names()),
        "signals": lambda: asyncio.run(signals()),
        "web and threads": lambda: asyncio.run(web_and_threads()),
        "handshake": handshake,
        "manager": manager,
    }
    for name, step in steps.items():
        step()
        print(name, flush=True)


if __name__ == "__main__":
    main()

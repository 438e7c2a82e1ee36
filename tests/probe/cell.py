"""A network of a test's own that the test can reach into: sockets inside it, programs inside it.

    with Cell(tmp_path) as cell:
        listener = cell.listen("0.0.0.0", 443)     # a socket of the cell, served by the test
        daemon = cell.start([...], log)            # a program in the cell, by its real process id
        cell.connect("127.0.0.1", 19115)           # a connection to it

20.50.0.0/16 is local in the cell, /etc/resolv.conf is the test's. The first process of the cell (this file, run as a
program) makes sockets and passes them on; everything ends with it.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from socket import (
    AF_INET,
    AF_UNIX,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    recv_fds,
    send_fds,
    socket,
    socketpair,
)
from typing import Self

from tests.probe.internet import PORTS, RESOLVERS, Sockets

ROOT = Path(__file__).resolve().parents[2]
_SETUP = """
set -e
ip link set lo up
ip link add uplink type veth peer name beyond
ip link set beyond up
ip addr add 10.9.0.1/24 dev uplink
ip link set uplink up
ip route add default via 10.9.0.254
ip route add local 20.50.0.0/16 dev lo
printf 'hosts: files dns\\n' > "$0/nsswitch.conf"
printf '127.0.0.1 localhost\\n' > "$0/hosts"
for name in resolv.conf nsswitch.conf hosts; do mount --bind "$0/$name" "/etc/$name"; done
exec "$@"
"""


class Cell:
    """See the module. `directory` holds the `resolv.conf` that counts inside."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._socket, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        flags = ["--net", "--mount", "--user", "--map-root-user"]
        keeper = [sys.executable, "-m", "tests.probe.cell", str(theirs.fileno())]
        self._keeper = subprocess.Popen(
            ["unshare", *flags, "sh", "-c", _SETUP, str(self.directory), *keeper],
            cwd=ROOT, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        theirs.close()
        self._socket.settimeout(20)
        if self._socket.recv(99) != b"ready":
            assert self._keeper.stderr is not None
            raise AssertionError(f"no network of our own: {self._keeper.stderr.read()}")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()  # does nothing to one that has ended
            process.wait(10)
        self._socket.close()  # with which the keeper ends
        self._keeper.communicate(timeout=10)

    def sockets(self) -> Sockets:
        """What a small internet needs."""
        return Sockets(
            {address: self._made("bind", SOCK_DGRAM, address, 53) for address in RESOLVERS},
            {port: self.listen("0.0.0.0", port) for port in PORTS},
        )

    def listen(self, address: str, port: int) -> socket:
        """A listening socket."""
        return self._made("bind", SOCK_STREAM, address, port)

    def connect(self, address: str, port: int) -> socket:
        """A connected socket; ConnectionRefusedError where nobody listens."""
        sock = self._made("connect", SOCK_STREAM, address, port)
        sock.setblocking(True)
        sock.settimeout(20)
        return sock

    def inside(self, argv: Sequence[str]) -> list[str]:
        """A command that runs `argv` in this network."""
        return [
            "nsenter",
            "-t",
            str(self._keeper.pid),
            "-U",
            "-n",
            "-m",
            "--preserve-credentials",
            "--wd",
            *argv,
        ]

    def run(self, *argv: str) -> str:
        """A tool inside, to its end."""
        done = subprocess.run(self.inside(argv), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(
        self, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A program inside; what it says goes to `log`."""
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.inside(argv), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=kept | {"LC_ALL": "C.UTF-8"} | dict(environment or {}),
            )  # fmt: skip
        self._started.append(process)
        return process

    def _made(self, how: str, kind: int, address: str, port: int) -> socket:
        with self._lock:
            self._socket.send(json.dumps([how, kind, address, port]).encode())
            answer, fds, _, _ = recv_fds(self._socket, 999, 1)
        if not fds:
            raise OSError(int(answer), os.strerror(int(answer)))
        return socket(fileno=fds[0])


class Client:
    """A web client for a port inside a cell."""

    def __init__(self, cell: Cell, port: int) -> None:
        self._cell, self._port = cell, port

    def connect(self) -> socket:
        """A connection by which nothing is said yet."""
        return self._cell.connect("127.0.0.1", self._port)

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.sock = self.connect()
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, body, {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def get(self, path: str) -> str:
        """The text of a page that is there."""
        status, text, _ = self.ask(path)
        assert status == 200, (path, status, text)
        return text

    def status(self, path: str) -> int:
        """The status alone; 0 where nobody listens."""
        try:
            return self.ask(path)[0]
        except OSError:
            return 0


def keep(commands: socket) -> None:
    """Make the sockets that are asked for, until nobody asks any more."""
    commands.send(b"ready")
    while line := commands.recv(9999):
        how, kind, address, port = json.loads(line)
        with socket(AF_INET, kind) as made:
            try:
                made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                getattr(made, how)((address, port))
                if how == "bind" and kind == SOCK_STREAM:
                    made.listen(128)
                made.setblocking(False)
            except OSError as error:
                commands.send(str(error.errno).encode())
            else:
                send_fds(commands, [b"ok"], [made.fileno()])


if __name__ == "__main__":
    keep(socket(fileno=int(sys.argv[1])))

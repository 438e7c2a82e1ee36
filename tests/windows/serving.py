"""Run by Linux's Python in a lab's network: the program as a service under Wine, from its start to Ctrl-C.

    python -m tests.windows.serving PREFIX CONFIG STATE

What was seen is printed as a JSON document. The steps wait for what they need, and end at a bound that tells hanging from slow.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.windows.wine import Wine

PORT = 19115
PATIENCE = 120.0  #: seconds for any one step
BURST = 40
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Service:
    """`serve` under Wine, with what it says."""

    def __init__(self, wine: Wine, config: str, state: str) -> None:
        self.log: list[str] = []
        # a directory where nobody may write: the rest has to work all the same
        command = wine.wayclear("serve", "--config", config, "--state", state, "--textfile", r"Z:\sys")
        self.process = subprocess.Popen(
            command,
            env=wine.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.log.append(line.decode(errors="replace").rstrip())

    def says(self, text: str) -> bool:
        return any(text in line for line in list(self.log))

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for what only the process knows."""
        begun = time.monotonic()
        while not condition():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise AssertionError(f"{what}: exit {self.process.poll()}; {self.log[-20:]}")
            time.sleep(0.05)

    def end(self) -> int:
        """Ctrl-C, which is what Wine makes of SIGINT; the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join(PATIENCE)


def get(path: str, connection: http.client.HTTPConnection | None = None) -> tuple[int, str]:
    """Status and text; status 0 where nobody answers."""
    ours = connection or http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    try:
        ours.request("GET", path)
        answer = ours.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        if connection is None:
            ours.close()


def burst() -> None:
    """Connections that are reset before anybody accepts them."""
    for _ in range(BURST):
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", PORT), 10) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)


def watch(service: Service, config: Path) -> dict[str, object]:
    seen: dict[str, object] = {}
    service.until("listening", lambda: service.says("listening on"))
    service.until("first look", lambda: get("/-/ready")[0] == 200)
    seen["report"] = json.loads(get("/report.json")[1])
    seen["pages"] = {path: get(path)[0] for path in ("/", "/metrics", "/nothing")}

    kept = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    get("/metrics", kept)
    client = kept.sock
    begun = time.monotonic()
    burst()
    seen["metrics"] = get("/metrics")[1]
    seen["seconds after the burst"] = time.monotonic() - begun
    get("/metrics", kept)
    seen["kept"] = client is not None and kept.sock is client
    kept.close()

    config.write_text(f'connector_group = "changed"\r\n{config.read_text("utf-8")}', "utf-8", newline="")
    service.until("reload", lambda: 'group="changed"' in get("/metrics")[1])
    service.until("the textfile's directory is told", lambda: service.says("wayclear.prom cannot be written"))

    begun = time.monotonic()
    seen["code"] = service.end()
    seen["seconds to its end"] = time.monotonic() - begun
    seen["log"] = service.log
    return seen


if __name__ == "__main__":
    _, prefix, file, place = sys.argv
    with Wine(Path(prefix)).up():
        service = Service(Wine(Path(prefix)), file, place)
        try:
            sys.stdout.write(json.dumps(watch(service, Path(file))))
        finally:
            if service.process.poll() is None:
                service.process.kill()

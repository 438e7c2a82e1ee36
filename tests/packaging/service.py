"""`wayclear serve` from its start to its end, as systemd would see it: run inside the sandbox by test_systemd.py.

    python service.py DIRECTORY ARGUMENT...

Prints a line for each thing that worked.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PORT = 19115  # nobody else is in this network namespace


def heard(manager: socket.socket, word: str) -> None:
    """Wait until the manager hears `word`, and print it, but for signs of life, which come again and again."""
    while not any(line.startswith(word) for line in manager.recv(4096).decode().splitlines()):
        pass
    if word != "WATCHDOG=1":
        print(word, flush=True)


def page(path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def main() -> int:
    directory, *arguments = sys.argv[1:]
    name = str(Path(directory, "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(60)
        environment = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"}
        with subprocess.Popen([sys.executable, *arguments], env=environment) as service:
            try:
                heard(manager, "READY=1")
                print("healthy", page("/-/healthy")[0], flush=True)
                heard(manager, "WATCHDOG=1")
                while "wayclear_build_info{" not in page("/metrics")[1]:
                    heard(manager, "WATCHDOG=1")  # a second later
                print("metrics", flush=True)
                service.send_signal(signal.SIGHUP)
                heard(manager, "RELOADING=1")
                heard(manager, "READY=1")
                began = time.monotonic()
                service.send_signal(signal.SIGTERM)
                heard(manager, "STOPPING=1")
                print("ended with", service.wait(timeout=30), flush=True)
                print("in time", time.monotonic() - began < 60, flush=True)
            finally:
                if service.poll() is None:
                    service.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m probe serve` as a real process in a network of the test's own, beside a small internet."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.probe.cell import Cell, Client
from tests.probe.internet import Internet, running

PORT = 19115
#: Everything every second or two, without a limit of the rate.
QUICK = "service = 1\nsign_in = 1\nhttp = 60\nretry = 1\nrotation = 10\nrate = 0\n"
#: Nothing is due by itself within a test.
STILL = "service = 3600\nsign_in = 3600\nretry = 3600\nrotation = 3600\nrate = 0\n"
TIMEOUTS = (
    "dns_try = 0.5\ndns_name = 1.0\nos_lookup = 1.0\ntcp = 1.0\ntls = 1.0\nfirst_byte = 1.0\nhttp = 2.0\n"
)


@dataclass(slots=True)
class Served:
    """One daemon and everything about it."""

    cell: Cell
    net: Internet
    client: Client
    directory: Path
    config: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        return (self.directory / "log").read_text("utf-8")

    def ready(self, within: float = 90.0) -> None:
        """Wait until the first look has ended."""
        self.until(lambda: self.client.status("/-/ready") == 200, within)

    def listening(self) -> None:
        self.until(lambda: "listening on" in self.log())

    def until(self, condition: Callable[[], object], within: float = 90.0) -> float:
        """Wait for what only the process knows; how long it took."""
        begun = time.monotonic()
        while not condition():
            assert self.process.poll() is None, (
                f"it ended with {self.process.returncode}: {self.log()[-3000:]}"
            )
            assert time.monotonic() - begun < within, self.log()[-3000:]
            time.sleep(0.02)
        return time.monotonic() - begun

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum of a scrape's samples of that name with these labels; None where there is none."""
        found = []
        for shown, value in re.findall(
            rf"^{name}(?:\{{(.*)\}})? (\S+)$", self.client.get("/metrics"), re.MULTILINE
        ):
            if labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', shown)).items():
                found.append(float(value))
        return sum(found) if found else None

    def end(self, number: int = signal.SIGTERM, within: float = 5.0) -> tuple[int, float]:
        """Exit code after a signal, and the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(within), time.monotonic() - begun


@contextlib.contextmanager
def served(
    directory: Path,
    *,
    net: Internet | None = None,
    schedule: str = QUICK,
    web: str = "",
    top: str = "",
    more: str = "",
    arguments: Sequence[str] = ("--allow-root",),
    around: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """A daemon that was started; it may not listen yet. `around`: a command that starts it."""
    net = net or Internet(directory)
    net.write()
    config = directory / "wayclear.toml"
    tables = {"web": web} if web else {}
    config.write_text(net.config(top=top, schedule=schedule, timeouts=TIMEOUTS, **tables) + more)
    state = str(directory / "state")
    command = [
        *around,
        sys.executable,
        "-m",
        "probe",
        "serve",
        "--config",
        str(config),
        "--state",
        state,
        *arguments,
    ]
    with Cell(directory) as cell, running(net, cell.sockets()):
        process = cell.start(command, directory / "log", environment)
        yield Served(cell, net, Client(cell, PORT), directory, config, process)


# --- what can be wrong with a configuration ---------------------------------------------------------------------------------


def syntax(daemon: Served) -> str:
    daemon.config.write_text("schedule = {\n")
    return "is not TOML"


def unknown_key(daemon: Served) -> str:
    daemon.config.write_text("speling = 1\n" + daemon.config.read_text())
    return "speling"


def missing_rules(daemon: Served) -> str:
    daemon.config.write_text('rules = ["gone.toml"]\n')
    return "gone.toml"


def broken_rules(daemon: Served) -> str:
    rules = daemon.directory / "rules.toml"
    rules.write_text(rules.read_text().replace("ports = [443]", "ports = [0]", 1))
    return "ports"


def fifo(daemon: Served) -> str:
    daemon.config.unlink()
    os.mkfifo(daemon.config)
    return "regular"


def directory(daemon: Served) -> str:
    daemon.config.unlink()
    daemon.config.mkdir()
    return "regular"


def endless(daemon: Served) -> str:
    daemon.config.unlink()
    daemon.config.symlink_to("/dev/zero")
    return "regular"


def loop(daemon: Served) -> str:
    daemon.config.unlink()
    daemon.config.symlink_to(daemon.config.name)
    return "cannot be read"


def huge(daemon: Served) -> str:
    with daemon.config.open("ab") as file:
        file.truncate(50 * 1024 * 1024)
    return "52428800 bytes"


def gone(daemon: Served) -> str:
    daemon.config.unlink()
    return "cannot be read"


FAULTS = (syntax, unknown_key, missing_rules, broken_rules, fifo, directory, endless, loop, huge, gone)


class Scrapers:
    """Several clients that scrape without a pause; every answer that is not 200 is a failure."""

    def __init__(self, daemon: Served, count: int = 4) -> None:
        self.scrapes, self.failures = 0, list[object]()
        self._daemon, self._end = daemon, threading.Event()
        self._threads = [threading.Thread(target=self._scrape) for _ in range(count)]

    def __enter__(self) -> Scrapers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(10)

    def _scrape(self) -> None:
        while not self._end.is_set():
            try:
                status = self._daemon.client.ask("/metrics", headers={"Accept-Encoding": "identity"})[0]
            except OSError as error:
                self.failures.append(error)
            else:
                self.scrapes += 1
                self.failures += [] if status == 200 else [status]


def remove(path: Path) -> None:
    """Whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def faketime() -> str:
    """Debian's libfaketime, to be preloaded."""
    (found,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return str(found)

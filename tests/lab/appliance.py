"""Runs `wayclear serve` inside a lab with a fast schedule, and asks it over HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.auditing import PROGRAM
from tests.lab.lab import Finished, Lab

_T = TypeVar("_T")
PORT = 19115
#: Seconds between two rounds of everything; without a rate limit, so that the daemon sees a change as soon as possible.
QUICK: Mapping[str, float] = {
    "service": 3,
    "sign_in": 3,
    "http": 3,
    "revocation": 5,
    "extras": 30,
    "retry": 1,
    "rotation": 6,
    "rate": 0,
}
COUNTED = "tests.lab.servers.serve_counted"
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def until(what: str, condition: Callable[[], bool], within: float, every: float = 0.25) -> float:
    """Wait until `condition` holds; returns how long that took, in seconds. AssertionError after `within` seconds.

    `within` should be four times the time on an idle machine: it only distinguishes a hang from a slow machine. The
    processes report nothing by themselves, so this function polls.
    """
    begun, within = time.monotonic(), 4 * within
    while not condition():
        assert time.monotonic() - begun < within, f"{what}: not within {within:g} s"
        time.sleep(every)
    return time.monotonic() - begun


def settles_at(what: str, wanted: _T, look: Callable[[], _T], within: float) -> None:
    """Wait until `look` returns `wanted`; after `within` seconds AssertionError with its last result."""
    shown: list[_T] = []

    def settled() -> bool:
        shown[:] = [look()]
        return shown[0] == wanted

    try:
        until(what, settled, within)
    except AssertionError:
        raise AssertionError(f"{what}: {shown[0]} and not {wanted} after {within:g} s") from None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a web server; status 0 without an answer."""

    status: int
    text: str


def fetch(lab: Lab, url: str, *, network: str, arguments: tuple[str, ...] = ()) -> Reply:
    """GET `url` from inside the lab. `arguments`: further arguments for curl."""
    argv = ["curl", "-s", "--compressed", "-m", "10", "-w", "\n%{http_code}", *arguments, url]
    text, _, status = lab.run(argv, network=network, timeout=20).stdout.rpartition("\n")
    return Reply(int(status or 0), text)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a scrape."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> list[Sample]:
    """The lines of a scrape; our label values need no unescaping."""
    return [
        Sample(name, dict(_LABEL.findall(labels)), float(value))
        for name, labels, value in _SAMPLE.findall(text)
    ]


@dataclass(frozen=True, slots=True)
class Daemon:
    """One `wayclear serve`. `name`: its service in the lab, and its connector label."""

    lab: Lab
    name: str
    network: str
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}:{PORT}"

    @property
    def configuration(self) -> Path:
        """Its file; a change is read by itself."""
        return self.lab.directory / f"{self.name}.toml"

    def get(self, path: str) -> Reply:
        """A page, requested from the daemon's own network."""
        return fetch(self.lab, self.url + path, network=self.network)

    def ready(self, within: float = 60.0) -> float:
        """Wait until the first sweep has ended."""
        return until(f"{self.name} is ready", lambda: self.get("/-/ready").status == 200, within)

    def samples(self) -> list[Sample]:
        """One scrape."""
        reply = self.get("/metrics")
        assert reply.status == 200, f"{self.name} answers /metrics with {reply.status}: {self.log()[-2000:]}"
        return samples(reply.text)

    def value(self, metric: str, **labels: str) -> float | None:
        """A metric's value, None without a matching series; the sum if several series have these labels."""
        found = [s.value for s in self.samples() if s.name == metric and labels.items() <= s.labels.items()]
        return sum(found) if found else None

    def report(self) -> dict[str, Any]:
        """/report.json"""
        reply = self.get("/report.json")
        assert reply.status == 200, f"{self.name} answers /report.json with {reply.status}"
        made: dict[str, Any] = json.loads(reply.text)
        return made

    def history(self, *arguments: str) -> Finished:
        """`wayclear history` of this daemon."""
        state = f"{self.lab.directory}/state-{self.name}"
        return self.lab.run([*PROGRAM, "history", "--state", state, *arguments], network=self.network)

    def log(self) -> str:
        return self.lab.log(self.name)


def serve(
    lab: Lab,
    name: str = "connector",
    *,
    network: str = "connector",
    address: str = "127.0.0.1",
    schedule: Mapping[str, float] = QUICK,
    top: Mapping[str, object] | None = None,
    counted: bool = False,
) -> Daemon:
    """Start a daemon. When this returns it listens; its first sweep may still run.

    `top`: further keys of the configuration, strings and lists of strings. `counted`: on SIGUSR1 it writes how many
    tasks and blocks it holds.
    """
    labels = {"connector": name, **(top or {})}
    intervals = "".join(f"{key} = {value:g}\n" for key, value in schedule.items())
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in labels.items())
    text += (lab.directory / "wayclear.toml").read_text(encoding="utf-8")
    text += f'[schedule]\n{intervals}[web]\nlisten = ["{address}:{PORT}"]\nprobe = true\n'
    file = lab.directory / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    program = (PROGRAM[0], "-m", COUNTED, f"{lab.directory}/{name}.count") if counted else PROGRAM
    argv = [*program, "serve", "--config", str(file), "--state", f"{lab.directory}/state-{name}"]
    argv += ["--allow-root", "--allow-insecure", *lab.plan.arguments]
    if lab.plan.descriptors:
        argv = ["sh", "-c", f'ulimit -n {lab.plan.descriptors}; exec "$@"', "sh", *argv]
    lab.start(name, argv, "listening on", network=network)
    return Daemon(lab, name, network, address)

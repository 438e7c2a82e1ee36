"""`wayclear serve` beside the exporter: CPU for the same questions, lag of the schedule, memory."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.serve.publisher import LATEST
from tests.bench.audits import SERVICE_EVERY, Servers
from tests.bench.exporter import Exporter
from tests.bench.namespace import LOCAL, BenchError, Service, cpu_seconds, run
from tests.bench.population import endpoint_address, host_name, write_rules
from tests.bench.serve_drive import DAEMON
from tests.lab import namespaces


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: endpoints, seconds of a cycle, windows of one cycle each, seconds before the first one."""

    counts: tuple[int, ...] = (50, 500, 2000)
    interval: float = 60.0
    windows: int = 11
    settle: float = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """CPU seconds of one cycle, and what the daemon asked in it."""

    ours: float
    lookups: float  # of ours: the processes that ask the operating system
    theirs: float
    handshakes: int
    questions: int

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def children(pid: int) -> list[int]:
    """Processes that `pid` has started and not yet reaped."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def spent(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of all its children, those that have ended among them (proc(5))."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(after[13]) + int(after[14])) / os.sysconf("SC_CLK_TCK")
    return cpu_seconds(pid), ended + sum(cpu_seconds(child) for child in children(pid))


def peak(pid: int) -> float:
    """The most resident memory so far, in MB (VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def own(pid: int) -> float:
    """Memory that a process shares with no other, in MB (smaps_rollup): two interpreters have their code in common."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return (
        sum(int(kb) for kb in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", rollup, re.MULTILINE))
        / 1024
    )


class Daemon:
    """`wayclear serve` of so many endpoints, ready when the first look has ended."""

    def __init__(self, servers: Servers, endpoints: int, schedule: str, argv: Sequence[str] = ()) -> None:
        directory = servers.directory
        rules = directory / f"rules-{endpoints}.toml"
        write_rules(rules, endpoints, SERVICE_EVERY)
        config = directory / "serve.toml"
        history = f'history = {{ path = "{directory / "history.sqlite"}" }}\n'
        said = f'connector = "bench"\n{history}schedule = {{ rate = 0, {schedule} }}\n'
        config.write_text(said + servers.config.read_text())
        command = list(argv) or [sys.executable, "-m", "probe"]
        command += ["serve", "--allow-root", "--config", str(config), "--rules", str(rules)]
        self._network = servers.network
        self._service = Service(command, directory / "serve.log", "first look done", servers.network)
        self.pid = self._service.process.pid

    @property
    def log(self) -> str:
        return self._service.log

    def fetch(self, path: str = "/metrics") -> str:
        """A page of it."""
        got: list[bytes] = []

        def get() -> None:
            if self._network is not None:
                namespaces.enter(self._network)  # of this thread alone
            connection = http.client.HTTPConnection(*DAEMON, timeout=10)
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            got.append(connection.getresponse().read())
            connection.close()

        thread = threading.Thread(target=get)
        thread.start()
        thread.join()
        if not got:
            raise BenchError(f"the daemon gave no {path}: {self.log[-2000:]}")
        return gzip.decompress(got[0]).decode() if got[0][:2] == b"\x1f\x8b" else got[0].decode()

    def stop(self) -> None:
        self._service.stop()


def total(page: str, name: str, label: str = "") -> float:
    """The sum over the series of a metric whose labels hold `label`."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", page, re.MULTILINE)
    return sum(float(value) for labels, value in found if label in labels)


def buckets(page: str, name: str, before: str = "") -> dict[float, float]:
    """A histogram's observations since `before`: how many were at most so large, by the bounds of its buckets."""
    found: dict[float, float] = {}
    for text, sign in ((page, 1), (before, -1)):
        for labels, value in re.findall(rf"^{name}_bucket{{(.*)}} (\S+)$", text, re.MULTILINE):
            bound = float(re.findall(r'le="([^"]+)"', labels)[0])
            found[bound] = found.get(bound, 0.0) + sign * float(value)
    return dict(sorted(found.items()))


def quantile(found: dict[float, float], part: float) -> float:
    """The upper bound of the bucket in which the quantile lies: it is no larger. BenchError where none bounds it."""
    number = max(found.values(), default=0.0)
    if not number:
        raise BenchError("a histogram of the daemon has no observations")
    bound = next(bound for bound, below in found.items() if below >= part * number)
    if math.isinf(bound):
        raise BenchError(f"quantile {part} of a histogram of the daemon is beyond its last bound: {found}")
    return bound


def new_network() -> int:
    """A network of its own whose loopback has the servers' addresses."""
    network = namespaces.new_network()
    text = "link set lo up\n" + "".join(f"route add local {p} dev lo\n" for p in LOCAL)
    run(["ip", "-batch", "-"], text, network)
    return network


class Ground:
    """One number of endpoints: their servers, the daemon, the exporter and whoever drives it, in a network of their own."""

    def __init__(self, directory: Path, endpoints: int, size: Size, argv: Sequence[str] = ()) -> None:
        directory.mkdir()
        self.endpoints, self.directory = endpoints, directory
        self.windows: list[Window] = []
        self.interval = size.interval
        self.begun = ""
        self.network = new_network()
        self._stops = []
        ttl = max(1, round(size.interval / 4))  # so that each cycle asks
        servers = Servers(directory, endpoints, 0, self.network, ttl)
        self._stops.append(servers.stop)
        schedule = f"service = {size.interval}, sign_in = {size.interval}"
        self.daemon = Daemon(servers, endpoints, schedule, argv)
        self._stops.append(self.daemon.stop)
        addresses = [endpoint_address(i) for i in range(endpoints)]
        self.exporter = Exporter(directory, [host_name(a) for a in addresses], self.network)
        self._stops.append(self.exporter.stop)
        tls, dns = self.exporter.tls_paths(addresses), self.exporter.dns_paths(endpoints, endpoints)
        paths = [path for pair in zip(dns, tls, strict=True) for path in pair]
        (directory / "paths.json").write_text(json.dumps(paths))
        driver = [sys.executable, "-m", "tests.bench.serve_drive", str(directory), str(size.interval)]
        self._stops.append(Service(driver, directory / "driver.log", "ready", self.network).stop)

    def read(self) -> tuple[float, float, float, str]:
        """CPU seconds of ours, of its children, of theirs; the daemon's own metrics."""
        ours, lookups = spent(self.daemon.pid)
        theirs, more = spent(self.exporter.pid)
        return ours, lookups, theirs + more, self.daemon.fetch()

    def close(self, before: tuple[float, float, float, str], after: tuple[float, float, float, str]) -> None:
        """A window has ended."""
        ours, lookups, theirs = (b - a for a, b in zip(before[:3], after[:3], strict=True))
        asked = [
            int(total(after[3], "wayclear_stage_duration_seconds_count", f'stage="{s}"')
                - total(before[3], "wayclear_stage_duration_seconds_count", f'stage="{s}"'))
            for s in ("tls", "dns")
        ]  # fmt: skip
        self.windows.append(Window(ours + lookups, lookups, theirs, *asked))
        self.begun = self.begun or before[3]

    def check(self) -> None:
        """BenchError unless everybody answered, and the daemon asked all that it is compared for."""
        driven = json.loads((self.directory / "driven.json").read_text())
        if driven["bad"]:
            raise BenchError(f"the exporter did not succeed {driven['bad']} times; once: {driven['example']}")
        page = self.daemon.fetch()
        if total(page, "wayclear_connector_can_live") != 1:
            raise BenchError(f"the daemon does not find everything well: {self.daemon.log[-2000:]}")
        late = LATEST / self.interval  # a snapshot of the metrics may be so old, as a part of a cycle
        wanted = (0.98 * len(self.windows) - late) * self.endpoints
        for what in ("handshakes", "questions"):
            asked = sum(getattr(w, what) for w in self.windows)
            if asked < wanted:
                raise BenchError(f"the daemon made {asked} {what} in windows that want {wanted:.0f}")

    def alone(self) -> None:
        """End the exporter and who drives it: the daemon goes on."""
        while len(self._stops) > 2:
            self._stops.pop()()

    def stop(self) -> None:
        for stop in reversed(self._stops):
            stop()
        os.close(self.network)


def measured(directory: Path, size: Size, argv: Sequence[str] = ()) -> list[Ground]:
    """All grounds side by side, in the same windows; they are still running."""
    grounds: list[Ground] = []
    try:
        for count in size.counts:
            # one by one: those that were begun are ended although a later one cannot be
            grounds.append(Ground(directory / f"serve-{count}", count, size, argv))  # noqa: PERF401
        time.sleep(size.settle)
        read = [ground.read() for ground in grounds]
        for number in range(size.windows):
            time.sleep(size.interval)
            after = [ground.read() for ground in grounds]
            for ground, one, other in zip(grounds, read, after, strict=True):
                ground.close(one, other)
            read = after
            if os.environ.get("WAYCLEAR_BENCH_TELL"):
                told = (f"{g.endpoints}: {g.windows[-1]} {g.windows[-1].ratio:.3f}" for g in grounds)
                print(number, *told, sep="\n  ", flush=True)
        for ground in grounds:
            ground.check()
    except BaseException:
        for ground in grounds:
            ground.stop()
        raise
    return grounds

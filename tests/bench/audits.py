"""Whole audits by the command line: over a wire with a delay, with silent addresses, with few and with many endpoints."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from probe.config.settings import load_config
from probe.measure.limits import Limits
from rules.files.report_json import loads
from rules.model.verdict import Report
from tests.bench.critical_path import critical_path
from tests.bench.figures import Chapter, Figure
from tests.bench.namespace import LOCAL, ROOT, BenchError, Service, environment, prepare, run
from tests.bench.population import endpoint_address, write_config, write_dns, write_rules
from tests.bench.relay import TUN
from tests.lab import namespaces

PATH_TARGET = 1.2
SILENT_SLACK = 1.0
MEMORY_TARGET = 100.0
GROWTH_TARGET = 1.1
SERVICE_EVERY = 10


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: endpoints of the audit over the wire, of the small and the large one, runs of each."""

    wire: int = 40
    wire_runs: int = 5
    small: int = 50
    large: int = 2000
    growth_runs: int = 2
    small_runs: int = 5  # of the small ones for each large one: what they take is small beside the noise
    limits: str = ""  # lines of [timeouts], for a quick look


@dataclass(frozen=True, slots=True)
class Run:
    """One audit: its report, and what the process took (seconds, CPU seconds with its children's, MB at its peak)."""

    report: Report
    elapsed: float
    cpu: float
    peak: float

    @property
    def measuring(self) -> float:
        return self.report.finished - self.report.started


class Servers:
    """The DNS, TLS and HTTP servers of one namespace with a directory of their own."""

    def __init__(
        self, directory: Path, endpoints: int, servers: int, network: int | None = None, ttl: int = 300
    ) -> None:
        self.directory = directory
        self.network = network
        unbound = write_dns(directory, endpoints, ttl)
        self.config = write_config(directory)
        argv = [sys.executable, "-m", "tests.bench.servers", str(directory), str(servers)]
        nsd = ["nsd", "-d", "-c", f"{directory}/nsd.conf"]
        self._services = [
            Service(argv, directory / "servers.log", "ready", network),
            Service(nsd, directory / "nsd.log", "nsd started", network),
            Service(
                ["unbound", "-d", "-c", str(unbound)], directory / "unbound.log", "start of service", network
            ),
        ]

    def stop(self) -> None:
        for service in self._services:
            service.stop()


def audit(
    servers: Servers, endpoints: int, service_every: int = 1, network: int | None = None, root: Path = ROOT
) -> Run:
    """`wayclear audit --pace fast` of this many endpoints; BenchError unless it judged them."""
    rules, out = servers.directory / f"rules-{endpoints}.toml", servers.directory / "report.json"
    write_rules(rules, endpoints, service_every)
    out.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "probe", "audit", "--config", str(servers.config), "--rules", str(rules)]
    argv += ["--pace", "fast", "--format", "json", "--output", str(out)]
    log = servers.directory / "audit.log"
    begun = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=root, env=environment(),
            preexec_fn=prepare(network), pass_fds=() if network is None else (network,),  # noqa: PLW1509  # a namespace is entered between fork and exec
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if not out.exists():
        raise BenchError(f"the audit wrote no report (exit {process.returncode}): {log.read_text()[-2000:]}")
    report = loads(out.read_text(encoding="utf-8"))
    return Run(report, elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def well(done: Run) -> Run:
    """The run, whose answer must be yes: nothing was skipped and nothing failed."""
    if done.report.answer != "yes":
        bad = [f"{v.cause} {v.summary}" for v in done.report.verdicts if v.cause.word != "ok"][:3]
        raise BenchError(f"the audit answered {done.report.answer}: {done.report.answer_text} {bad}")
    return done


# --- over a wire -----------------------------------------------------------------------------------------------------


def wire_chapter(directory: Path, size: Size, delay: float = 0.05) -> Chapter:
    """Audits at a round trip of `delay` seconds, with every address answering and with one in five silent."""
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise BenchError(f"a wire with a delay needs {TUN}: run as root")
    near, far = namespaces.new_network(), namespaces.new_network()
    text = "link set lo up\n" + "".join(f"route add local {p} dev lo\n" for p in LOCAL)
    run(["ip", "-batch", "-"], text, far)
    servers = Servers(directory, size.wire, 0, far)
    if size.limits:
        servers.config.write_text(servers.config.read_text() + size.limits)
    try:
        figures = [
            *_all_answer(servers, near, far, size, delay),
            *_some_silent(servers, near, far, size, delay),
        ]
    finally:
        servers.stop()
        os.close(near)
        os.close(far)
    text = (
        f"`wayclear audit --pace fast` of {size.wire} exact hosts at one address each, port 443, in a network where every "
        f"packet takes {delay * 500:g} ms each way (a TUN relay; resolver included). The critical path is counted in the round "
        "trips that the report records, each begun with the answer of the one before: DNS 1, the end of an alias that the "
        "first answer left without an AAAA 1, TCP 1, TLS 1.2 handshake 2 (TLS 1.3: 1), the host of the CRL and of the OCSP "
        "responder 1, TCP 1, request 1. Every host is a service host, so that each "
        "one's OCSP responder is asked by GET and by POST and four get the extra hellos. Measured from the report's "
        "start to its end (this host's facts and the first process that asks the operating system included); the whole "
        "command, with Python's start, judging and writing, is shown beside it. A silent address is tried twice, because a "
        "doubtful answer is repeated once, whole: its limits are twice that of TCP."
    )
    return Chapter("An audit over the network", text, tuple(figures))


def _relay(servers: Servers, near: int, far: int, delay: float, dropped: list[str]) -> Service:
    argv = [sys.executable, "-m", "tests.bench.relay", str(near), str(far), str(delay / 2), *dropped]
    return Service(argv, servers.directory / "relay.log", "ready", keep=(near, far))


def _all_answer(servers: Servers, near: int, far: int, size: Size, delay: float) -> list[Figure]:
    relay = _relay(servers, near, far, delay, [])
    try:
        well(audit(servers, size.wire, network=near))  # caches of the resolver
        runs = [well(audit(servers, size.wire, network=near)) for _ in range(size.wire_runs)]
    finally:
        relay.stop()
    way = critical_path(runs[0].report)
    bound = way.trips * delay
    took = [r.measuring for r in runs]
    detail = (
        f"{way.trips} round trips of {delay * 1000:g} ms = {bound:.2f} s: {', '.join(way.steps)}; audits "
        f"{', '.join(f'{t:.3f}' for t in sorted(took))} s"
    )
    whole = statistics.median(r.elapsed for r in runs)
    return [
        Figure(
            f"audit of {size.wire} endpoints : its critical path",
            statistics.median(took) / bound,
            "",
            PATH_TARGET,
            detail,
        ),
        Figure("the same, the whole command", whole, "s"),
    ]


def _some_silent(servers: Servers, near: int, far: int, size: Size, delay: float) -> list[Figure]:
    silent = [endpoint_address(i) for i in range(0, size.wire, 5)]
    relay = _relay(servers, near, far, delay, silent)
    try:
        done = audit(servers, size.wire, network=near)
    finally:
        relay.stop()
    timeouts = [v for v in done.report.verdicts if v.cause.word == "tcp.timeout"]
    if len(timeouts) != len(silent):
        raise BenchError(f"{len(silent)} silent addresses, {len(timeouts)} found")
    limit = 2 * limits_of(servers).tcp
    detail = f"{len(silent)} of {size.wire} addresses silent; twice the limit of TCP is {limit:g} s"
    return [Figure("audit with one in five silent", done.measuring, "s", limit + SILENT_SLACK, detail)]


def limits_of(servers: Servers) -> Limits:
    """The limits that the audits were given."""
    return load_config(str(servers.config)).limits


# --- many endpoints --------------------------------------------------------------------------------------------------


def timed(servers: Servers, endpoints: int) -> tuple[float, float]:
    """Seconds and CPU seconds for each endpoint of an audit, counted from its first question to its last byte."""
    rules = servers.directory / f"rules-{endpoints}.toml"
    write_rules(rules, endpoints, SERVICE_EVERY)
    argv = [sys.executable, "-m", "tests.bench.timed_audit", str(servers.config), str(rules)]
    found = json.loads(run(argv))
    if found["answer"] != "yes":
        raise BenchError(f"the audit of {endpoints} endpoints answered {found['answer']}")
    return found["took"] / endpoints, found["spent"] / endpoints


def growth_chapter(servers: Servers, size: Size) -> Chapter:
    """Memory at many endpoints, and time per endpoint against that of few."""
    peak = max(well(audit(servers, size.large, SERVICE_EVERY)).peak for _ in range(2))
    small: list[tuple[float, float]] = []
    large: list[tuple[float, float]] = []
    for _ in range(size.growth_runs):
        small += [timed(servers, size.small) for _ in range(size.small_runs)]
        large.append(timed(servers, size.large))
    wall = statistics.median(t for t, _ in small), statistics.median(t for t, _ in large)
    cpu = statistics.median(c for _, c in small), statistics.median(c for _, c in large)
    figures = (
        Figure(f"peak memory at {size.large} endpoints, report written", peak, "MB", MEMORY_TARGET),
        Figure(
            f"time per endpoint, {size.large} : {size.small}", wall[1] / wall[0], "", GROWTH_TARGET,
            f"{wall[1] * 1000:.2f} ms and {wall[0] * 1000:.2f} ms",
        ),
        Figure(
            f"CPU per endpoint, {size.large} : {size.small}", cpu[1] / cpu[0], "", GROWTH_TARGET,
            f"{cpu[1] * 1000:.2f} ms and {cpu[0] * 1000:.2f} ms, lookups by the operating system included",
        ),
    )  # fmt: skip
    text = (
        f"An audit at the fast pace of exact hosts at an address each, one in {SERVICE_EVERY} of the service group, on "
        "loopback. Memory is the peak of the command, the worse of two runs. Time is counted in a fresh process "
        "for each audit, from the first question to the last byte of the report, judging included; "
        "Python's start, which would flatter the large audit, is not in "
        f"it. Medians of {size.growth_runs} large and "
        f"{size.growth_runs * size.small_runs} small audits, interleaved."
    )
    return Chapter("Many endpoints", text, figures)

"""CPU per TLS probe and per DNS question, ours beside the exporter's, in rounds one after the other."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.exporter import Exporter
from tests.bench.figures import Chapter, Figure, Pair
from tests.bench.namespace import ROOT, BenchError, Service, cpu_seconds
from tests.bench.population import endpoint_address, host_name, server_address
from tests.pki import KeyKind

LOOPS = ("asyncio",)  #: the event loops that the program may run on
TARGETS = {"asyncio": 0.75}
DNS_TARGET = 1.0
DNS_NAMES = 20
_KEYS: Mapping[KeyKind, str] = {"rsa": "RSA", "ec": "ECDSA"}
_HELLOS = {"1.2": "connector", "1.3": "tls13"}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `servers` TLS servers, each asked `repeats` times a round."""

    servers: int = 200
    repeats: int = 2
    rounds: int = 7
    questions: int = 1500
    in_flight: int = 32


class Side:
    """Our side's process on one kind of event loop."""

    def __init__(self, loop: str, directory: Path, root: Path = ROOT, name: str = "prober") -> None:
        """`root`: the checkout whose program it is; `name`: of its log."""
        self.loop = loop
        argv = [sys.executable, "-m", "tests.bench.prober", loop, str(directory)]
        self._service = Service(argv, directory / f"{name}-{loop}.log", "ready", pipe=True, root=root)

    def cost(self, **command: object) -> float:
        """CPU seconds for a command; BenchError unless every probe came to the cause "ok"."""
        before, process = len(self._service.log), self._service.process
        assert process.stdin is not None
        start = cpu_seconds(process.pid)
        process.stdin.write((json.dumps(command) + "\n").encode())
        process.stdin.flush()
        while "\n" not in (answer := self._service.log[before:]):
            if process.poll() is not None:
                raise BenchError(f"our side ended: {answer}")
            time.sleep(0.002)  # the answer comes through a file, which cannot be waited for
        spent = cpu_seconds(process.pid) - start
        causes = json.loads(answer)
        if set(causes) != {"ok"}:
            raise BenchError(f"our side on {self.loop} did not find everything well: {causes}")
        return spent

    def stop(self) -> None:
        self._service.stop()


def tls_chapter(directory: Path, size: Size) -> Chapter:
    """CPU per TLS probe with the chain judged."""
    figures: list[Figure] = []
    exporter = Exporter(directory, ())
    sides: list[Side] = []
    try:
        sides += [Side(loop, directory) for loop in LOOPS]
        for version, kind in itertools.product(("1.2", "1.3"), _KEYS):
            addresses = [server_address(kind, version, i) for i in range(size.servers)]
            targets = [(a, _HELLOS[version]) for a in addresses]
            exporter.cost(exporter.tls_paths(addresses), size.in_flight)
            cold = {
                s.loop: s.cost(kind="tls", targets=targets, in_flight=size.in_flight) / size.servers
                for s in sides
            }
            paths = exporter.tls_paths(addresses * size.repeats)
            pairs = _rounds(
                size, len(paths), exporter, paths, sides, kind="tls", targets=targets * size.repeats
            )
            for loop, pair in pairs.items():
                target = TARGETS[loop] if version == "1.2" else None
                title = f"CPU per TLS {version} probe, {_KEYS[kind]} chain, {loop} : exporter"
                detail = f"{pair.detail}; each chain seen for the first time {cold[loop] * 1000:.3f} ms"
                figures.append(Figure(title, pair.ratio, "", target, detail))
    finally:
        exporter.stop()
        for side in sides:
            side.stop()
    text = (
        f"{size.servers} TLS servers run in one process, whose CPU time is not counted. Both probers keep {size.in_flight} "
        "handshakes open at a time. Chains are leaf, issuing CA and cross-signed root. Ours: the program's own "
        "`Prober` with its guard, deadlines and record "
        "reader, the chain judged by signatures up to the expected key, the certificate's name and dates, down to the one "
        "cause; parsing and proofs are cached by the chain, as in an audit. The exporter: module tcp with tls, verifying "
        "against the one root, over kept-alive connections, without DNS. One clock for both (the kernel's per-process "
        "CPU clock, user and system). The ratio is the median over the rounds; our prober and the exporter take turns. "
        "Addresses are "
        "public ones on the loopback of a network namespace, so that no guard is switched off."
    )
    return Chapter("TLS", text, tuple(figures))


def dns_chapter(directory: Path, size: Size) -> Chapter:
    """CPU per DNS question."""
    names = [host_name(endpoint_address(i)) for i in range(DNS_NAMES)]
    exporter = Exporter(directory, names)
    sides: list[Side] = []
    asked = list(itertools.islice(itertools.cycle(names), size.questions))
    try:
        sides += [Side(loop, directory) for loop in LOOPS]
        paths = exporter.dns_paths(size.questions, DNS_NAMES)
        pairs = _rounds(size, size.questions, exporter, paths, sides, kind="dns", names=asked)
    finally:
        exporter.stop()
        for side in sides:
            side.stop()
    figures = tuple(
        Figure(f"CPU per DNS question, {loop} : exporter", pair.ratio, "", DNS_TARGET, pair.detail)
        for loop, pair in pairs.items()
    )
    text = (
        f"{size.questions} A questions a round for {DNS_NAMES} names with one alias each, over UDP, to the same unbound, "
        f"{size.in_flight} at a time. Ours: a question with EDNS from a socket of its own, the answer read record by record "
        "and its chain assembled."
    )
    return Chapter("DNS", text, figures)


def _rounds(
    size: Size, count: int, exporter: Exporter, paths: Sequence[str], sides: Sequence[Side], **command: object
) -> dict[str, Pair]:
    """Warm up once, then let everybody take turns."""
    theirs: list[float] = []
    ours: dict[str, list[float]] = defaultdict(list)
    for number in range(size.rounds + 1):
        spent = exporter.cost(paths, size.in_flight) / count
        costs = {s.loop: s.cost(**command, in_flight=size.in_flight) / count for s in sides}
        if number:
            theirs.append(spent)
            for loop, cost in costs.items():
                ours[loop].append(cost)
    return {loop: Pair(tuple(costs), tuple(theirs)) for loop, costs in ours.items()}
